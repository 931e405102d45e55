"""The ClickHouse projection over a log of one partition, on the real engine."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver import Client

from infra.clickhouse_tables import ClickHouseTables
from infra.journal_memory import MemoryJournal
from projections.clickhouse_schema import prepare
from projections.clickhouse_sink import ClickHouseSink
from projections.ports import (
    Checkpoint,
    PositionMoved,
    Positions,
    Progress,
    SavedState,
    StationKey,
    Stored,
    StoreUnavailable,
)
from projections.run import Limits, Projection
from tests.domain.log import Log

SMALL = Limits(batch_records=7, batch_s=5.0, checkpoint_records=11, checkpoint_s=60.0)
"""So that sessions are cut in their middle."""

CHUNK = 1_000
"""Records in one append."""

LARGE = Limits(batch_records=100_000, batch_s=5.0)


class MemoryPositions:
    """Keeps the port `Positions` in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, Stored] = {}
        self.states: dict[tuple[str, StationKey], SavedState] = {}

    async def load(self, name: str) -> Stored | None:
        return self.stored.get(name)

    async def save(self, progress: Progress) -> None:
        old = self.stored.get(progress.name)
        now = {} if old is None else old.positions
        known = [dict(now), dict.fromkeys(progress.positions, 0) if old is None else {}]
        if dict(progress.before) not in known and dict(progress.positions) != dict(now):
            raise PositionMoved
        kept = old.checkpoint if old else Checkpoint(positions={}, filters={})
        checkpoint = progress.checkpoint or kept
        self.stored[progress.name] = Stored(
            journal_id=progress.journal_id,
            fold_version=progress.fold_version,
            positions=progress.positions,
            recorded_at=progress.recorded_at,
            last=progress.last,
            checkpoint=checkpoint,
        )
        for saved in progress.states:
            self.states[progress.name, (saved.tenant, saved.station)] = saved

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        return [self.states[name, key] for key in keys if (name, key) in self.states]

    @asynccontextmanager
    async def rebuilding(self, name: str) -> AsyncIterator[None]:
        yield

    async def forget(self, name: str, *, tables: bool) -> None:
        self.stored.pop(name, None)
        self.states = {key: saved for key, saved in self.states.items() if key[0] != name}


class Killed(Exception):
    """The process ends here."""


class CrashingPositions(MemoryPositions):
    """The process is killed after a batch was inserted and before its position is stored."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    async def save(self, progress: Progress) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        await super().save(progress)


class FlakyPositions(MemoryPositions):
    """Every other time the store cannot say whether it stored: the batch is written again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def save(self, progress: Progress) -> None:
        self.calls += 1
        await super().save(progress)
        if self.calls % 2:
            raise StoreUnavailable("no answer")


class Series:
    """A projection's tables and what they say."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tables = ClickHouseTables(client)
        self.journal: MemoryJournal | None = None

    async def prepare(self) -> "Series":
        await prepare(self.tables)
        return self

    async def project(
        self,
        log: Log,
        positions: Positions | None = None,
        *,
        limits: Limits = LARGE,
    ) -> Positions:
        positions = positions or MemoryPositions()
        journal = await self.journal_of(log)
        sink = ClickHouseSink(self.tables, positions)
        until = {1: len(log.values)}
        await Projection(journal, sink, positions, limits=limits, until=until).run()
        return positions

    async def journal_of(self, log: Log) -> MemoryJournal:
        """The log as partition 1 of a journal that grows with it."""
        if self.journal is None:
            self.journal = MemoryJournal(1)
        while values := log.values[await self.journal.head(1) :][:CHUNK]:
            await self.journal.append(1, values)
        return self.journal

    def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return list(self.client.query(query, parameters=parameters).named_results())

    def value(self, query: str, **parameters: Any) -> Any:
        return self.client.query(query, parameters=parameters).result_rows[0][0]

    def energy(self) -> Mapping[str, int | None]:
        rows = self.rows("SELECT transaction_id, energy_wh FROM session_energy")
        return {row["transaction_id"]: row["energy_wh"] for row in rows}

    def by_hour(self) -> dict[str, Decimal]:
        rows = self.rows("SELECT hour, energy_wh FROM energy_by_station_hour ORDER BY hour")
        return {f"{row['hour']:%Y-%m-%dT%H}": row["energy_wh"] for row in rows}
