"""Tariffs, locations, assignments and stations as they were registered, in all their versions.

A fold that needs one names two things that its own partition tells it: the registry position that
the decision knew, and the time at which the version must have been valid. Versions at or after the
position do not exist for it, so the answer is the same whenever and wherever it is asked, as long
as the registry is folded up to that position.

Which tariff prices a session: the assignment of the narrowest scope decides, and it alone. In this
order: those of the token's group before those of nobody in particular, and of each, the EVSE before
the station, the location and the tenant. If the tariff that it names is not valid at the start of
the session, none is; nothing wider is tried, because nobody has said so.
"""

from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from domain.readings import read_time
from domain.tariff import Tariff
from domain.tariff_reading import TariffInvalid, read_tariff
from schemas.location import Location, decode_location
from schemas.records import (
    LocationPut,
    LocationRemoved,
    Record,
    StationDeregistered,
    StationRegistered,
    TariffAssigned,
    TariffPut,
    TariffRemoved,
)

Value = TypeVar("Value")
Key = tuple[str, str]


class Version(NamedTuple, Generic[Value]):
    offset: int
    valid_from: int
    value: Value | None
    """None: from then on there is none."""


class History(Generic[Value]):
    """The versions of one thing, in the order in which they were registered."""

    __slots__ = ("versions",)

    def __init__(self) -> None:
        self.versions: list[Version[Value]] = []

    def add(self, version: Version[Value]) -> None:
        """Add what was registered; the same once more, a repeat of the record, adds nothing."""
        if not self.versions or self.versions[-1][1:] != version[1:]:
            self.versions.append(version)

    def at(self, time: int, position: int) -> Version[Value] | None:
        """Return the version of this time; None: none is known at this position, or it is gone."""
        found: Version[Value] | None = None
        for version in self.versions:
            if version.offset >= position:
                break
            if version.valid_from <= time and (
                found is None or version.valid_from >= found.valid_from
            ):
                found = version
        return found if found is not None and found.value is not None else None

    def earliest(self, position: int) -> Version[Value] | None:
        for version in self.versions:
            if version.offset < position and version.value is not None:
                return version
        return None

    def is_known(self, position: int) -> bool:
        """Whether the latest that was registered before this position was not a removal."""
        before = [version for version in self.versions if version.offset < position]
        return bool(before) and before[-1].value is not None


class KnownTariff(NamedTuple):
    tariff: Tariff | None
    """None: the document cannot be read; it prices nothing."""
    document: bytes
    valid_until: int | None


class Scope(NamedTuple):
    group: str = ""
    """Without case."""
    place: str = ""
    """"location/…", "station/…", "evse/…/n"; empty: the tenant."""


class AppliedTariff(NamedTuple):
    id: str
    tariff: Tariff
    document: bytes
    offset: int
    """Of the record that put this version: its place in the registry."""


class AppliedLocation(NamedTuple):
    location: Location
    offset: int


class Reference:
    def __init__(self) -> None:
        self.position = 0
        """The offset after the last record folded."""
        self._tariffs: dict[str, dict[str, History[KnownTariff]]] = {}
        self._assigned: dict[str, dict[Scope, History[str]]] = {}
        self._locations: dict[Key, History[Location]] = {}
        self._located: dict[Key, dict[str, None]] = {}
        """(tenant, station) → the locations that ever listed it."""
        self._stations: dict[Key, History[dict[str, Any]]] = {}

    def fold(self, offset: int, record: Record) -> None:
        """Total: what cannot be read is a version that applies to nothing."""
        self.position = offset + 1
        if isinstance(record, TariffPut):
            self._put_tariff(offset, record)
        elif isinstance(record, TariffRemoved):
            self._tariff(record.tenant, record.tariff_id).add(
                Version(offset, record.valid_from, None)
            )
        elif isinstance(record, TariffAssigned):
            scopes = self._assigned.setdefault(record.tenant, {})
            scopes.setdefault(scope_of(record), History()).add(
                Version(offset, record.valid_from, record.tariff_id or None)
            )
        elif isinstance(record, LocationPut):
            self._put_location(offset, record)
        elif isinstance(record, LocationRemoved):
            key = (record.tenant, record.location_id)
            history = self._locations.setdefault(key, History())
            history.add(Version(offset, record.recorded_at, None))
        elif isinstance(record, StationRegistered):
            self._register(offset, record, record.attributes)
        elif isinstance(record, StationDeregistered):
            self._register(offset, record, None)

    def has_tariffs(self, tenant: str, position: int) -> bool:
        """Whether the tenant prices its sessions at all, as far as this position knew."""
        tariffs = self._tariffs.get(tenant)
        return tariffs is not None and any(each.is_known(position) for each in tariffs.values())

    def tariff_at(
        self, tenant: str, station: str, evse: int, group: str, time: int, position: int
    ) -> AppliedTariff | None:
        """Return the tariff of a session that began there at this time, by a token of the group."""
        scopes = self._assigned.get(tenant)
        if scopes is None:
            return None
        located = self.location_at(tenant, station, time, position)
        places = [f"evse/{station}/{evse}", f"station/{station}"]
        if located is not None:
            places.append(f"location/{located.location.id}")
        places.append("")
        groups = [group.casefold(), ""] if group else [""]
        for scope in (Scope(each, place) for each in groups for place in places):
            history = scopes.get(scope)
            assigned = history.at(time, position) if history is not None else None
            if assigned is not None and assigned.value is not None:
                return self.version_at(tenant, assigned.value, time, position)
        return None

    def version_at(
        self, tenant: str, tariff_id: str, time: int, position: int
    ) -> AppliedTariff | None:
        """Return the version of a tariff that is valid for a session begun at this time."""
        history = self._tariffs.get(tenant, {}).get(tariff_id)
        found = history.at(time, position) if history is not None else None
        if found is None or found.value is None or found.value.tariff is None:
            return None
        known = found.value
        if known.valid_until is not None and time >= known.valid_until:
            return None
        assert known.tariff is not None
        return AppliedTariff(tariff_id, known.tariff, known.document, found.offset)

    def location_at(
        self, tenant: str, station: str, time: int, position: int
    ) -> AppliedLocation | None:
        """Return where the station stood. Of a time before anybody said so: where it stood first.

        Of two locations that list it, the one that was registered last counts.
        """
        found: Version[Location] | None = None
        for location_id in self._located.get((tenant, station), ()):
            history = self._locations[tenant, location_id]
            version = history.at(time, position) or (
                history.earliest(position) if history.versions[0].valid_from > time else None
            )
            if version is None or version.value is None or not _lists(version.value, station):
                continue
            if found is None or version.offset > found.offset:
                found = version
        if found is None or found.value is None:
            return None
        return AppliedLocation(found.value, found.offset)

    def attributes_at(self, tenant: str, station: str, position: int) -> dict[str, Any]:
        """Return what the station's registration said at this position; nothing if it had none."""
        history = self._stations.get((tenant, station))
        if history is None:
            return {}
        before = [version for version in history.versions if version.offset < position]
        return (before[-1].value or {}) if before else {}

    def _register(self, offset: int, record: Record, attributes: dict[str, Any] | None) -> None:
        history = self._stations.setdefault((record.tenant, record.station), History())
        history.add(Version(offset, record.recorded_at, attributes))

    def _tariff(self, tenant: str, tariff_id: str) -> History[KnownTariff]:
        return self._tariffs.setdefault(tenant, {}).setdefault(tariff_id, History())

    def _put_tariff(self, offset: int, record: TariffPut) -> None:
        document = bytes(record.tariff)
        try:
            tariff = read_tariff(document)
        except TariffInvalid:
            known = KnownTariff(None, document, None)
        else:
            known = KnownTariff(tariff, document, read_time(tariff.end_date_time)[0])
        self._tariff(record.tenant, record.tariff_id).add(Version(offset, record.valid_from, known))

    def _put_location(self, offset: int, record: LocationPut) -> None:
        try:
            location = decode_location(bytes(record.location))
        except msgspec.MsgspecError:
            return
        key = (record.tenant, record.location_id)
        self._locations.setdefault(key, History()).add(
            Version(offset, record.recorded_at, location)
        )
        for located in location.stations:
            self._located.setdefault((record.tenant, located.station), {})[record.location_id] = (
                None
            )


NOTHING = Reference()
"""In which nothing is registered. Nobody folds into it."""


def scope_of(record: TariffAssigned) -> Scope:
    if record.station:
        place = f"evse/{record.station}/{record.evse}" if record.evse else ""
        return Scope(record.group.casefold(), place or f"station/{record.station}")
    place = f"location/{record.location_id}" if record.location_id else ""
    return Scope(record.group.casefold(), place)


def _lists(location: Location, station: str) -> bool:
    return any(located.station == station for located in location.stations)
