"""How far the projections are behind, seen from outside: the log's heads and their positions."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.embedded import Embedded
from infra import clock
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from projections import clickhouse_sink, read_model
from projections.progress import Lateness, find_progress, records_behind
from schemas.journal import Journal

SAMPLE_EVERY_S = 0.5
PROJECTIONS = (read_model.NAME, clickhouse_sink.NAME)

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    records: int
    seconds: float
    """See `projections.progress.Lateness`."""


class LagWatch:
    """Samples the lags from this process while a load, itself a process, runs beside."""

    def __init__(self, running: Embedded) -> None:
        self._running = running
        self.samples: list[dict[str, Lag]] = []
        self._lateness = Lateness()

    async def during(self, load: Callable[[], Outcome]) -> Outcome:
        """Run the load, sample until it ends, and once more when it has."""
        async with (
            Postgres(self._running.postgres_dsn, connections_max=1) as database,
            asyncio.TaskGroup() as group,
        ):
            task = group.create_task(asyncio.to_thread(load))
            await self._sample_until(task.done, database)
        return task.result()

    async def until_caught_up(self, timeout_s: float) -> float:
        """Return how many seconds it took until no projection was behind, at most the timeout."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Postgres(self._running.postgres_dsn, connections_max=1) as database:
            await self._sample_until(
                lambda: self.records == 0 or loop.time() - began > timeout_s, database
            )
        return loop.time() - began

    @property
    def records(self) -> int:
        return max((lag.records for lag in self.samples[-1].values()), default=0)

    @property
    def seconds_max(self) -> float:
        return max((lag.seconds for each in self.samples for lag in each.values()), default=0.0)

    def last(self) -> str:
        """Return each projection's lag at the end."""
        return ", ".join(
            f"{name} {lag.records:,} records ({lag.seconds:.1f} s)"
            for name, lag in self.samples[-1].items()
        )

    async def _sample_until(self, is_over: Callable[[], bool], database: Postgres) -> None:
        journal = await SqliteJournal.open_read_only(self._running.layout.journal)
        store = PostgresReadStore(database)
        try:
            while True:
                was_over = is_over() if self.samples else False
                self.samples.append(await _lags(journal, store, self._lateness))
                if was_over:
                    return
                await asyncio.sleep(SAMPLE_EVERY_S)
        finally:
            await journal.close()


async def _lags(journal: Journal, store: PostgresReadStore, lateness: Lateness) -> dict[str, Lag]:
    # The heads first: what is projected meanwhile makes a lag smaller, never negative.
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    now_us = clock.now_us()
    lags = {}
    for progress in await find_progress(store):
        behind = records_behind(progress, heads)
        seconds = lateness.seconds(progress, heads, now_us)
        lags[progress.name] = Lag(records=behind, seconds=seconds)
    for name in PROJECTIONS:
        # One that has written nothing yet has no position.
        lags.setdefault(name, Lag(records=sum(heads.values()), seconds=0.0))
    return lags
