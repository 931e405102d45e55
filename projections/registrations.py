"""What a batch changes in the registrations of stations, whose passwords commands may set."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from projections import rows
from schemas.records import (
    Record,
    StationDeregistered,
    StationPasswordSettled,
    StationRegistered,
)


class Registrations:
    """Rows since the last cut, by station."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], rows.StationRegisteredRow] = {}
        self._passwords_set: dict[tuple[str, str], rows.StationRow] = {}

    def apply(self, offset: int, record: Record) -> None:
        key = (record.tenant, record.station)
        match record:
            case StationRegistered():
                self._registered(rows.station_registered(offset, record))
            case StationDeregistered():
                self._registered(rows.station_deregistered(*key, offset))
            case StationPasswordSettled() if record.counts:
                self._passwords_set[key] = rows.StationRow(*key)
            case _:
                pass

    def writes(self) -> list[tuple[str, Sequence[Struct]]]:
        return [
            ("stations.write_registered", list(self._rows.values())),
            ("stations.write_passwords_set", list(self._passwords_set.values())),
        ]

    def _registered(self, row: rows.StationRegisteredRow) -> None:
        key = (row.tenant, row.station)
        if row.has_password is not None:
            self._passwords_set.pop(key, None)
        elif key in self._rows:
            row = replace(row, has_password=self._rows[key].has_password)
        self._rows[key] = row
