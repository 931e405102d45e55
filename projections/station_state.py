"""What stations hold beside their transactions, as rows and as answers.

A row is a value under a key of a facet (`domain.holdings`). Numbers stand in it as they were
written. Changes are collected per key; where a facet is emptied between two, their order counts, so
a batch may consist of several rounds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from domain.facts import StateChanged
from domain.holdings import Change
from domain.members import iso
from domain.station import Station
from projections.ports import Database

_encode = msgspec.json.Encoder(decimal_format="number").encode

Key = tuple[str, str, str, str]


class StateRow(Struct, frozen=True):
    tenant: str
    station: str
    facet: str
    key: str
    value: Raw
    recorded_at: int
    partition: int
    record_offset: int


class Found(Struct, frozen=True):
    key: str
    """What to ask `after` for what follows."""
    item: Raw


class _Row(Struct):
    value: dict[str, Any]
    recorded_at: int
    partition: int
    record_offset: int
    merges: bool


class _Round(Struct):
    emptied: dict[tuple[str, str, str], int] = {}
    """Facet → offset below which its rows are gone, before all else."""
    removed: set[Key] = set()
    put: dict[Key, _Row] = {}


class StateRows:
    """Collects changes, and turns them into statements with their rows."""

    def __init__(self) -> None:
        self._rounds = [_Round()]

    def changed(self, station: Station, offset: int, fact: StateChanged) -> None:
        for change in fact.changes:
            self._change(station, offset, fact.recorded_at, change)

    def _change(self, station: Station, offset: int, at: int, change: Change) -> None:
        facet = (station.tenant, station.station, change.facet)
        if change.key is None:
            self._rounds.append(
                _Round({facet: offset + 1 if change.before is None else change.before})
            )
            return
        key, now = (*facet, change.key), self._rounds[-1]
        if change.value is None:
            now.put.pop(key, None)
            now.removed.add(key)
            return
        row = _Row(change.value, at, station.partition, offset, change.merges)
        earlier = now.put.get(key)
        if change.merges and earlier is not None:
            row.value = {**earlier.value, **change.value}
            row.merges = earlier.merges
        now.put[key] = row

    def written(self) -> Iterator[tuple[str, Sequence[StateRow]]]:
        """Return statements of `station_state` in the order in which they are to be run."""
        for each in self._rounds:
            yield "station_state.empty", [_gone(*k, "", o) for k, o in each.emptied.items()]
            yield "station_state.remove", [_gone(*key, 0) for key in each.removed]
            for name, merges in (("write", False), ("merge", True)):
                rows = [_row(k, row) for k, row in each.put.items() if row.merges is merges]
                yield f"station_state.{name}", rows


def _row(key: Key, row: _Row) -> StateRow:
    shown = {name: each for name, each in row.value.items() if not name.startswith("_")}
    value = Raw(_encode(shown))
    return StateRow(*key, value, row.recorded_at, row.partition, row.record_offset)


def _gone(tenant: str, station: str, facet: str, key: str, offset: int) -> StateRow:
    return StateRow(tenant, station, facet, key, Raw(b"{}"), 0, 0, offset)


async def find_state(
    db: Database,
    tenant: str,
    station: str,
    facet: str,
    *,
    fitting: Mapping[str, Any] | None = None,
    named: Mapping[str, str] | None = None,
    valid_at: int | None = None,
    latest_first: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> list[Found]:
    """Return what a station holds of a facet, by key.

    `fitting`: members that it must have; `named`: those that it must have in any case of letters;
    `valid_at`: without what was valid until an earlier time.
    """
    rows = await db.fetch(
        "station_state.find_latest" if latest_first else "station_state.find",
        {
            "tenant": tenant,
            "station": station,
            "facet": facet,
            "fitting": msgspec.json.encode(fitting or {}).decode(),
            "named": msgspec.json.encode(named or {}).decode(),
            "valid_at": None if valid_at is None else iso(valid_at),
            "after": after,
            "limit": limit,
        },
    )
    return [Found(row["key"], Raw(row["item"].encode())) for row in rows]


async def find_reservations(
    db: Database,
    tenant: str,
    *,
    station: str | None = None,
    id_token: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Found]:
    """Return reservations of all stations, by station."""
    after_station, _, after_key = (after or "").rpartition(":")
    rows = await db.fetch(
        "station_state.find_reservations",
        {
            "tenant": tenant,
            "station": station,
            "id_token": id_token,
            "state": state,
            "after_station": after_station if after else None,
            "after_key": after_key,
            "limit": limit,
        },
    )
    return [Found(f"{row['station']}:{row['key']}", Raw(row["item"].encode())) for row in rows]
