"""Drops the read model and makes it again from the log, and shows that it came out the same.

While a rebuild runs the live projection waits; queries see the rows as far as they are made.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from projections.events import KEPT_RECORDS
from projections.ports import RebuildStore
from projections.read_model import NAME, ReadModel
from projections.run import Limits, Projection
from projections.states import FOLD_VERSION
from schemas.journal import Journal

REBUILD_LIMITS = Limits(
    batch_records=10_000, batch_s=5.0, checkpoint_records=1_000_000, checkpoint_s=120.0
)
"""Larger batches: nobody waits for a row, and more changes of one row become one write. Much
larger ones are slower: they no longer fit the caches of the database."""


class Digest(Struct, frozen=True, kw_only=True):
    """What the read model says at a position, as one number and by table."""

    positions: Mapping[int, int]
    interpretation: int
    tables: Mapping[str, str]

    @property
    def value(self) -> str:
        lines = "".join(f"{name} {self.tables[name]}\n" for name in sorted(self.tables))
        return sha256(lines.encode()).hexdigest()


class Rebuilt(Struct, frozen=True, kw_only=True):
    before: Digest
    after: Digest

    @property
    def is_same(self) -> bool:
        return self.before.value == self.after.value

    @property
    def is_comparable(self) -> bool:
        """Whether both were made by the same version of the fold."""
        return self.before.interpretation == self.after.interpretation


async def digest(store: RebuildStore) -> Digest:
    positions, tables = await store.digests(NAME)
    return Digest(positions=positions, interpretation=FOLD_VERSION, tables=tables)


async def rebuild(
    journal: Journal,
    store: RebuildStore,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    limits: Limits = REBUILD_LIMITS,
) -> Rebuilt:
    """Rebuild up to exactly where the read model was; to the log's heads, if it was nowhere, or
    beyond them: then the log was restored from a backup, and comes out otherwise.

    If this dies half-way, whoever projects next goes on from there. `on_progress` gets the records
    done and all there are.

    Raises:
        StoreUnavailable: another rebuild is running; nothing was dropped.
    """
    async with store.rebuilding(NAME):
        stored, before = await store.load(NAME), await digest(store)
        if stored is not None:
            before = replace(before, interpretation=stored.fold_version)
        until = await reachable(journal, before.positions)
        await store.forget(NAME, tables=True)
        total = sum(until.values())

        def report(positions: Mapping[int, int]) -> None:
            if on_progress is not None:
                on_progress(sum(positions.values()), total)

        events_from = {partition: offset - KEPT_RECORDS for partition, offset in until.items()}
        await Projection(
            journal,
            ReadModel(store, events_from),
            store,
            limits=limits,
            until=until,
            on_progress=report,
        ).run()
        return Rebuilt(before=before, after=await digest(store))


async def reachable(journal: Journal, wanted: Mapping[int, int]) -> Mapping[int, int]:
    """Return these positions, none beyond the log's head; all the heads, if there are none."""
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    return {p: min(offset, heads[p]) for p, offset in wanted.items()} or heads
