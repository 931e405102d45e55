"""Postgres and ClickHouse, simulated: rows in memory that outlive the process that projects.

A store may be away, may have stored what it says it has not, and may have inserted a part.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from projections.clickhouse_ports import Rows, Table
from projections.ports import (
    Checkpoint,
    PositionMoved,
    Progress,
    SavedState,
    StationKey,
    Stored,
    StoreUnavailable,
    Write,
)
from schemas.cdr import Cdr
from tests.e2e.checking import SessionEnergy
from tests.e2e.checking_commands import Commanded
from tests.simulation.network import Process

KEYS: Mapping[str, tuple[str, ...]] = {
    "meter_values": ("tenant", "station", "transaction_id", "partition", "offset", "index"),
    "messages": ("tenant", "station", "partition", "offset", "index"),
    "connector_status": (
        *("tenant", "station", "evse", "connector"),
        *("partition", "offset", "index"),
    ),
    "sessions": ("tenant", "station", "transaction_id"),
}
"""As in infra/sql/clickhouse/tables.sql: rows of the same key are one."""

ROW_KEYS: Mapping[str, tuple[str, ...]] = {
    "cdrs.write": ("id",),
    "cdrs.write_revisions": ("id", "revision"),
    "commands.write": ("tenant", "command_id"),
    "provider_requests.write": ("tenant", "request_id"),
    "transactions.write": ("id",),
    "stations.write_connectors": ("tenant", "station", "evse", "connector"),
}
"""The statements whose rows are compared; the others only have to be JSON."""


@dataclass(slots=True)
class Trouble:
    """Of a store, as probabilities of each call."""

    away: float = 0.0
    no_answer: float = 0.0
    """It did what it was asked for and says that it is unavailable."""


@dataclass(slots=True)
class Disk:
    """What of the stores outlives whoever writes to them."""

    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    stored: dict[str, Stored] = field(default_factory=dict)
    states: dict[tuple[str, StationKey], SavedState] = field(default_factory=dict)

    def cdrs(self) -> list[Cdr]:
        rows = self.rows["cdrs.write"].values()
        return [msgspec.json.decode(row["body"], type=Cdr) for row in rows]

    def commands(self) -> list[Commanded]:
        return [
            Commanded(row["command_id"], row["fate"], _answer(row["answer"]))
            for row in self.rows["commands.write"].values()
        ]

    def connector_status(self) -> dict[str, str]:
        rows = self.rows["stations.write_connectors"].values()
        return {row["station"]: row["status"] for row in rows if row["evse"]}

    def series(self) -> list[SessionEnergy]:
        """As the view `session_energy` says."""
        registers: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in self.rows["meter_values"].values():
            source = row["source"]
            if source in ("register_start", "register_stop") and not row["repeated"]:
                found = registers[row["station"], row["transaction_id"]]
                newest = (row["offset"], int(row["raw"]))
                found[source] = max(newest, found.get(source, newest))
        known = {
            (row["station"], row["transaction_id"]): row["energy_wh"]
            for row in self.rows["sessions"].values()
        }
        return [
            SessionEnergy(*key, _difference(found) if known.get(key) is not None else None)
            for key, found in registers.items()
        ]


def _answer(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _difference(found: Mapping[str, tuple[int, int]]) -> int | None:
    if found.keys() != {"register_start", "register_stop"}:
        return None
    return found["register_stop"][1] - found["register_start"][1]


class Store:
    """`RowStore`, `Positions` and `Tables` of one projecting process."""

    def __init__(self, disk: Disk, process: Process, trouble: Trouble, random: Random) -> None:
        self._disk = disk
        self._process = process
        self._trouble = trouble
        self._random = random

    async def load(self, name: str) -> Stored | None:
        await self._reached()
        return self._disk.stored.get(name)

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        await self._reached()
        states = self._disk.states
        return [states[name, key] for key in keys if (name, key) in states]

    async def save(self, progress: Progress) -> None:
        await self.write((), progress)

    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        await self._reached()
        if self._advance(progress):
            for statement, parameters in writes:
                self._write_rows(statement, parameters)
        self._answer()

    async def insert(self, table: Table, rows: Rows, *, name: str | None = None) -> None:
        await self._reached()
        names = [column for column, _ in table.columns]
        width, key = len(names), KEYS[table.name]
        kept = self._disk.rows[table.name]
        for at in range(0, len(rows), width):
            row = dict(zip(names, rows[at : at + width], strict=True))
            place = tuple(row[each] for each in key)
            older = kept.get(place)
            if older is None or row.get("revision", 0) >= older.get("revision", 0):
                kept[place] = row
            if at and self._random.random() < self._trouble.away / 10:
                raise StoreUnavailable("a part was inserted")
        self._answer()

    async def command(
        self, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> None: ...

    async def fetch(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        assert statement == "tables.calls", statement
        await self._reached()
        wanted = set(parameters["offsets"])
        return [
            {
                "partition": row["partition"],
                "offset": row["offset"],
                "recorded_us": row["recorded_at"],
                "version": row["version"],
            }
            for row in self._disk.rows["messages"].values()
            if row["offset"] in wanted
        ]

    def statements(self, file: str) -> Iterable[str]:
        return ()

    async def _reached(self) -> None:
        self._process.require_life()
        await asyncio.sleep(self._random.uniform(0.001, 0.05))
        self._process.require_life()
        if self._random.random() < self._trouble.away:
            raise StoreUnavailable("away")

    def _answer(self) -> None:
        if self._random.random() < self._trouble.no_answer:
            raise StoreUnavailable("no answer")

    def _advance(self, progress: Progress) -> bool:
        """As `PostgresReadStore` does."""
        old = self._disk.stored.get(progress.name)
        before = {} if old is None else _nonzero(old.positions)
        if old is not None and before == _nonzero(progress.positions):
            if before != _nonzero(progress.before):
                return False
        elif before != _nonzero(progress.before):
            raise PositionMoved(f"{before}, not {progress.before}")
        kept = old.checkpoint if old else Checkpoint(positions={}, filters={})
        self._disk.stored[progress.name] = Stored(
            journal_id=progress.journal_id,
            fold_version=progress.fold_version,
            positions=dict(progress.positions),
            recorded_at=progress.recorded_at,
            last=progress.last,
            waiting=dict(progress.waiting),
            checkpoint=progress.checkpoint or kept,
        )
        for saved in progress.states:
            self._disk.states[progress.name, (saved.tenant, saved.station)] = saved
        return True

    def _write_rows(self, statement: str, parameters: Mapping[str, Any]) -> None:
        if "rows" not in parameters:
            return
        found = json.loads(parameters["rows"])
        key = ROW_KEYS.get(statement)
        if key is None:
            return
        kept = self._disk.rows[statement]
        for row in found:
            place = tuple(row[each] for each in key)
            older = kept.get(place)
            if older is None or older.get("state") != "FINAL":
                kept[place] = row


def _nonzero(positions: Mapping[int, int]) -> dict[int, int]:
    return {partition: offset for partition, offset in positions.items() if offset}
