"""Rows of what people register: stations and id tokens as they are now, and a row for each version
of what sessions are priced by: tariffs, assignments, locations."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from projections import rows
from projections.registrations import Registrations
from schemas.records import (
    IdTokenPut,
    IdTokenRemoved,
    LocationPut,
    LocationRemoved,
    Record,
    TariffAssigned,
    TariffPut,
    TariffRemoved,
)


class TariffVersionRow(Struct, frozen=True, kw_only=True):
    tenant: str
    tariff_id: str
    record_offset: int
    valid_from: int
    document: str | None
    actor: str
    reason: str
    recorded_at: int


class TariffAssignmentRow(Struct, frozen=True, kw_only=True):
    tenant: str
    record_offset: int
    group_key: str
    group_id: str
    location_id: str
    station: str
    evse: int
    tariff_id: str
    valid_from: int
    actor: str
    reason: str
    recorded_at: int


class LocationVersionRow(Struct, frozen=True, kw_only=True):
    tenant: str
    location_id: str
    record_offset: int
    document: str | None
    actor: str
    recorded_at: int


def tariff_version(offset: int, record: TariffPut | TariffRemoved) -> TariffVersionRow:
    document = bytes(record.tariff).decode() if isinstance(record, TariffPut) else None
    return TariffVersionRow(
        tenant=record.tenant,
        tariff_id=record.tariff_id,
        record_offset=offset,
        valid_from=record.valid_from,
        document=document,
        actor=record.actor,
        reason=record.reason,
        recorded_at=record.recorded_at,
    )


def tariff_assignment(offset: int, record: TariffAssigned) -> TariffAssignmentRow:
    return TariffAssignmentRow(
        tenant=record.tenant,
        record_offset=offset,
        group_key=record.group.casefold(),
        group_id=record.group,
        location_id=record.location_id,
        station=record.station,
        evse=record.evse,
        tariff_id=record.tariff_id,
        valid_from=record.valid_from,
        actor=record.actor,
        reason=record.reason,
        recorded_at=record.recorded_at,
    )


def location_version(offset: int, record: LocationPut | LocationRemoved) -> LocationVersionRow:
    document = bytes(record.location).decode() if isinstance(record, LocationPut) else None
    return LocationVersionRow(
        tenant=record.tenant,
        location_id=record.location_id,
        record_offset=offset,
        document=document,
        actor=record.actor,
        recorded_at=record.recorded_at,
    )


class RegistryRows:
    """What the registry's records said since the last cut."""

    def __init__(self) -> None:
        self._registrations = Registrations()
        self._id_tokens: dict[tuple[str, str], rows.IdTokenRow] = {}
        self._id_tokens_removed: dict[tuple[str, str], rows.IdTokenRow] = {}
        self._tariffs: list[TariffVersionRow] = []
        self._assignments: list[TariffAssignmentRow] = []
        self._locations: list[LocationVersionRow] = []

    def apply(self, offset: int, record: Record) -> None:
        self._registrations.apply(offset, record)
        match record:
            case IdTokenPut():
                key = (record.tenant, record.uid.casefold())
                self._id_tokens[key] = rows.id_token_row(offset, record)
                self._id_tokens_removed.pop(key, None)
            case IdTokenRemoved():
                key = (record.tenant, record.uid.casefold())
                self._id_tokens.pop(key, None)
                self._id_tokens_removed[key] = rows.IdTokenRow(tenant=key[0], uid_key=key[1])
            case TariffPut() | TariffRemoved():
                self._tariffs.append(tariff_version(offset, record))
            case TariffAssigned():
                self._assignments.append(tariff_assignment(offset, record))
            case LocationPut() | LocationRemoved():
                self._locations.append(location_version(offset, record))
            case _:
                pass

    def written(self) -> Iterator[tuple[str, Sequence[Struct]]]:
        """Yield each statement with its rows."""
        yield from self._registrations.writes()
        yield "id_tokens.remove", list(self._id_tokens_removed.values())
        yield "id_tokens.write", list(self._id_tokens.values())
        yield "tariffs.write", self._tariffs
        yield "tariffs.write_assignments", self._assignments
        yield "tariffs.write_locations", self._locations
