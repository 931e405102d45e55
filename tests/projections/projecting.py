"""Projecting a world into a store, to its head or until something goes wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.read_store import PostgresReadStore
from projections.ports import Progress
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from schemas.journal import Entry, Journal, Reader
from tests.projections.world import World

SMALL = Limits(batch_records=7, batch_s=0.05, checkpoint_records=20, checkpoint_s=60.0)
"""Many batches and some checkpoints, even of a short log."""


async def heads(world: World) -> dict[int, int]:
    return {p: await world.journal.head(p) for p in range(world.journal.partitions + 1)}


async def project(
    world: World,
    store: PostgresReadStore,
    *,
    limits: Limits = SMALL,
    until: Mapping[int, int] | None = None,
) -> None:
    until = until or await heads(world)
    await Projection(world.journal, ReadModel(store), store, limits=limits, until=until).run()


class Killed(Exception):
    """The process died."""


class DyingStore:
    """Plays a process that is killed before its n-th commit, or right after it."""

    def __init__(self, store: PostgresReadStore, dies_at: int, *, after_commit: bool) -> None:
        self._store = store
        self._left = dies_at
        self._after_commit = after_commit

    async def write(self, writes: Any, progress: Progress) -> None:
        self._left -= 1
        if self._left == 0 and not self._after_commit:
            raise Killed
        await self._store.write(writes, progress)
        if self._left == 0:
            raise Killed

    @property
    def is_dead(self) -> bool:
        return self._left <= 0


class DrippingJournal:
    """Plays a log of small commits: a poll returns a record or two."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.id, self.partitions = journal.id, journal.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        return await self._journal.append(partition, values)

    async def head(self, partition: int) -> int:
        return await self._journal.head(partition)

    def reader(self, positions: Mapping[int, int]) -> Reader:
        return _DrippingReader(self._journal.reader(positions))

    async def close(self) -> None: ...


class _DrippingReader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        return await self._reader.poll(records_max=min(2, records_max), timeout_s=timeout_s)

    async def close(self) -> None:
        await self._reader.close()
