"""Makes the series again from the log, beside the old ones, and exchanges them.

Readers see the old rows until the new ones are complete. The new tables have a position of their
own until they are in place; what is left of a rebuild that died is dropped by the next one.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Any, Protocol

from domain.facts import Fact
from domain.station import Station
from projections.clickhouse_ports import Tables
from projections.clickhouse_schema import create_tables, digest, prepare
from projections.clickhouse_sink import NAME, TABLES, Batch, ClickHouseSink
from projections.ports import Poison, Positions, Progress, SavedState, StationKey, Stored
from projections.rebuild import REBUILD_LIMITS, Digest, Rebuilt, reachable
from projections.run import Limits, Projection
from projections.states import FOLD_VERSION
from schemas.journal import Journal
from schemas.records import Record

REBUILD_NAME = "clickhouse.rebuild"
SUFFIX = "_rebuild"
STATES_CHUNK = 1_000


class RebuildPositions(Positions, Protocol):
    """Of the store of positions, what a rebuild needs; see `projections.ports.RebuildStore`."""

    def rebuilding(self, name: str) -> AbstractAsyncContextManager[None]: ...

    async def forget(self, name: str, *, tables: bool) -> None: ...


async def rebuild(
    journal: Journal,
    tables: Tables,
    store: RebuildPositions,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    limits: Limits = REBUILD_LIMITS,
) -> Rebuilt:
    """Rebuild up to exactly where the projection was; to the log's heads, if it was nowhere.

    Nobody may project into the tables meanwhile: stop that first, and start it after. If this dies,
    what was there before stands and projecting goes on from there. `on_progress` gets the records
    done and all there are.

    Raises:
        StoreUnavailable: another rebuild is running, or a store failed; see above.
    """
    async with store.rebuilding(NAME):
        await create_tables(tables)
        stored = await store.load(NAME)
        until = await reachable(journal, stored.positions if stored else {})
        before = await _digest_before(tables, stored, until)
        await store.forget(REBUILD_NAME, tables=False)
        await _drop(tables)
        await create_tables(tables, SUFFIX)
        total = sum(until.values())

        def report(positions: Mapping[int, int]) -> None:
            if on_progress is not None:
                on_progress(sum(positions.values()), total)

        sink = _NotingSink(ClickHouseSink(tables, store, name=REBUILD_NAME, suffix=SUFFIX))
        await Projection(journal, sink, store, limits=limits, until=until, on_progress=report).run()
        after = await digest(tables, until, SUFFIX)
        for table in TABLES:
            names = {"table": table.name, "other": table.name + SUFFIX}
            await tables.command("tables.exchange", names)
        await _take_over(store, sink)
        await _drop(tables)
        await prepare(tables)
        return Rebuilt(before=before, after=after)


async def _digest_before(tables: Tables, stored: Stored | None, until: Mapping[int, int]) -> Digest:
    """Rows of another version of the fold have no digest: even their columns may be others."""
    if stored is not None and stored.fold_version != FOLD_VERSION:
        return Digest(positions=until, interpretation=stored.fold_version, tables={})
    return await digest(tables, until)


class _NotingSink:
    """Notes whose states are saved on the way, and what was set aside."""

    def __init__(self, sink: ClickHouseSink) -> None:
        self.name = sink.name
        self.reference = sink.reference
        self.keys: set[StationKey] = set()
        self.poison: dict[Poison, None] = {}
        self._sink = sink

    def apply(
        self,
        partition: int,
        offset: int,
        record: Record,
        facts: Sequence[Fact],
        station: Station | None,
    ) -> None:
        if station is not None:
            self.keys.add((station.tenant, station.station))
        self._sink.apply(partition, offset, record, facts, station)

    def cut(self, progress: Progress) -> Batch:
        self.poison.update(dict.fromkeys(progress.poison))
        return self._sink.cut(progress)

    async def write(self, batch: Any) -> None:
        await self._sink.write(batch)


async def _take_over(store: RebuildPositions, sink: _NotingSink) -> None:
    """Make the rebuild's position the projection's. Between the two, it would start at 0 again."""
    made = await store.load(REBUILD_NAME)
    if made is None:
        return
    states: list[SavedState] = []
    keys = iter(sorted(sink.keys))
    while chunk := list(islice(keys, STATES_CHUNK)):
        states.extend(await store.load_states(REBUILD_NAME, chunk))
    await store.forget(NAME, tables=False)
    await store.save(
        Progress(
            name=NAME,
            journal_id=made.journal_id,
            fold_version=made.fold_version,
            before={},
            positions=made.positions,
            recorded_at=made.recorded_at,
            last=made.last,
            checkpoint=made.checkpoint,
            states=states,
            poison=tuple(sink.poison),
        )
    )
    await store.forget(REBUILD_NAME, tables=False)


async def _drop(tables: Tables) -> None:
    for table in TABLES:
        await tables.command("tables.drop", {"table": table.name + SUFFIX})
