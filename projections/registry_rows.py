"""Rows of what sessions are priced by: tariffs, assignments, locations, a row for each version."""

from msgspec import Struct

from schemas.records import LocationPut, LocationRemoved, TariffAssigned, TariffPut, TariffRemoved


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
