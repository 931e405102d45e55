"""The loop of a projection: journal → filter → fold → sink, one batch after the other.

Each partition is projected serially. A batch ends by count or time; while one is written the next
is folded, at most two are waiting, so memory is bounded and a slow store slows reading. Station
states and the filters' memories are saved in checkpoints, less often than rows: after a start the
records between the checkpoint and the position are folded again without making rows. So what is in
the store is the same wherever the process was killed.

A record that cannot be read or folded is set aside (`Poison`) and blocks nothing; too many stop the
loop. Trouble with the
journal or the store stops the loop and is retried with a bounded, jittered delay; nothing is
skipped. A store that belongs to another journal or fold version is refused.
"""

import asyncio
import contextlib
import logging
import random
from asyncio import Queue
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from domain.log_filter import LogFilter
from projections.folding import Folding
from projections.ports import (
    Checkpoint,
    PositionMoved,
    Positions,
    Progress,
    RebuildNeeded,
    Sink,
    StoreUnavailable,
)
from projections.registry import RegistryFollower
from projections.same_log import require_same
from projections.states import FOLD_VERSION, StationStates
from schemas.journal import Entry, Journal, Reader, Unavailable, WrongJournal

logger = logging.getLogger(__name__)

RETRY_DELAY_S = 0.1
RETRY_DELAY_MAX_S = 10.0
IDLE_S = 5.0
"""Between signs of life of a writer that has nothing to write."""

CHUNK_RECORDS = 250
"""Folded without a pause, some 5 ms: each pause lets the writer take one step."""


class Limits(Struct, frozen=True, kw_only=True):
    batch_records: int = 5_000
    batch_s: float = 0.25
    """From its first record on; twice that for a batch of `busy_records`: what a batch costs,
    however little is in it, is better spent then."""
    busy_records: int = 400
    checkpoint_records: int = 200_000
    """As many are folded again at a start: a few seconds."""
    checkpoint_s: float = 30.0
    stations_max: int = 20_000
    """In memory, some 5 KB each; the others are loaded on demand."""
    poison_max: int = 100
    """Records set aside in all; more are no accident."""

    def gather_s(self, records: int) -> float:
        """Return how long a batch waits for more when it has so many."""
        return self.batch_s if records < self.busy_records else 2 * self.batch_s


class Projection:
    def __init__(
        self,
        journal: Journal,
        sink: Sink,
        store: Positions,
        *,
        limits: Limits | None = None,
        until: Mapping[int, int] | None = None,
        on_progress: Callable[[Mapping[int, int]], None] | None = None,
    ) -> None:
        """`until`: end once these next offsets are reached, exactly. Otherwise run for ever."""
        self._journal = journal
        self._sink = sink
        self._store = store
        self._limits = limits or Limits()
        self._until = until
        self._registry = RegistryFollower(journal, sink.reference)
        self._on_progress = on_progress
        self._stopping = asyncio.Event()
        self._failures = 0
        self.steps = {f"{sink.name} reads": 0, f"{sink.name} writes": 0}
        """Turns of its two loops so far, idle and failed ones too: a count stands still only if
        something takes for ever."""

    def stop(self) -> None:
        """Let `run` write what it has folded, with a checkpoint, and return.

        What a store that is away does not take is folded again by the next one.
        """
        self._stopping.set()

    async def run(self) -> None:
        """Project until stopped.

        Raises:
            WrongJournal: what is stored was projected from another journal, or from one that has
                other records now.
            RebuildNeeded: what is stored belongs to another version of the fold.
            TooMuchPoison, in a group: more than `poison_max` records cannot be folded.
        """
        while True:
            try:
                await self._session()
                return
            except* (PositionMoved, StoreUnavailable, Unavailable) as group:
                logger.warning("projection starts again: %s: %s", self._sink.name, group.exceptions)
            if self._stopping.is_set():
                return
            await self._pause()

    async def _session(self) -> None:
        name = self._sink.name
        stored = await self._store.load(name)
        if stored is not None:
            if stored.journal_id != self._journal.id:
                raise WrongJournal(f"{name} holds journal {stored.journal_id}")
            if stored.fold_version != FOLD_VERSION:
                raise RebuildNeeded(f"{name} was made by fold version {stored.fold_version}")
            await require_same(self._journal, stored.last, name)
        partitions = range(self._journal.partitions + 1)
        checkpoint = stored.checkpoint if stored else Checkpoint(positions={}, filters={})
        written = stored.positions if stored else {}
        folding = Folding(
            self._sink,
            StationStates(self._store, name, self._limits.stations_max),
            self._registry,
            positions={p: checkpoint.positions.get(p, 0) for p in partitions},
            written={p: written.get(p, 0) for p in partitions},
            filters={p: LogFilter(checkpoint.filters.get(p)) for p in partitions},
            recorded_at=stored.recorded_at if stored else 0,
            waiting=dict(stored.waiting) if stored else {},
            last=stored.last if stored else {},
            poison_left=self._limits.poison_max - (stored.poison if stored else 0),
        )
        # What a session before this one applied and did not cut is folded again: forget it.
        folding.cut(self._journal.id, with_checkpoint=False)
        reader = self._journal.reader(folding.positions)
        batches: Queue[tuple[Any, Progress] | None] = Queue(maxsize=1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write_all(batches, folding.states))
                await self._fold_all(reader, folding, batches)
                await batches.put(None)
        finally:
            await reader.close()
            await self._registry.close()

    async def _fold_all(
        self, reader: Reader, folding: Folding, batches: Queue[tuple[Any, Progress] | None]
    ) -> None:
        limits = self._limits
        now = asyncio.get_running_loop().time
        began = now()
        checkpoint_due = began + limits.checkpoint_s
        while not (self._stopping.is_set() or self._is_reached(folding.written_next)):
            due = (began if folding.records else now()) + limits.gather_s(folding.records)
            room = min(CHUNK_RECORDS, limits.batch_records - folding.records)
            entries = await self._poll(reader, room, max(due - now(), 0.0))
            if entries and not folding.records:
                began = now()
            await folding.fold(self._within(entries))
            # A journal with records at hand does not give the writer its turn.
            await asyncio.sleep(0)
            is_over = now() >= began + limits.gather_s(folding.records)
            if folding.records >= limits.batch_records or (folding.records and is_over):
                is_due = now() >= checkpoint_due or folding.states.is_full
                if is_due or folding.unsaved >= limits.checkpoint_records:
                    checkpoint_due = now() + limits.checkpoint_s
                    is_due = True
                await batches.put(folding.cut(self._journal.id, with_checkpoint=is_due))
        if folding.records or folding.unsaved:
            await batches.put(folding.cut(self._journal.id, with_checkpoint=True))

    async def _poll(self, reader: Reader, records_max: int, timeout_s: float) -> Sequence[Entry]:
        self.steps[f"{self._sink.name} reads"] += 1
        try:
            return await reader.poll(records_max=records_max, timeout_s=timeout_s)
        except Unavailable as error:
            logger.warning("the journal cannot be read: %s: %s", self._sink.name, error)
            await self._pause()
            return ()

    def _within(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        until = self._until
        if until is None:
            return entries
        return [entry for entry in entries if entry.offset < until.get(entry.partition, 0)]

    def _is_reached(self, positions: Mapping[int, int]) -> bool:
        if self._until is None:
            return False
        return all(positions.get(p, 0) >= offset for p, offset in self._until.items())

    async def _write_all(
        self, batches: Queue[tuple[Any, Progress] | None], states: StationStates
    ) -> None:
        while True:
            self._steps_to_write()
            try:
                async with asyncio.timeout(IDLE_S):
                    item = await batches.get()
            except TimeoutError:
                continue
            if item is None:
                return
            batch, progress = item
            await self._write(batch)
            if progress.checkpoint is not None:
                states.saved()
            if self._on_progress is not None:
                self._on_progress(progress.positions)

    async def _write(self, batch: Any) -> None:
        while True:
            self._steps_to_write()
            try:
                await self._sink.write(batch)
            except StoreUnavailable as error:
                logger.warning("a batch cannot be written: %s: %s", self._sink.name, error)
                if self._stopping.is_set():
                    raise
                await self._pause()
            else:
                self._failures = 0
                return

    def _steps_to_write(self) -> None:
        self.steps[f"{self._sink.name} writes"] += 1

    async def _pause(self) -> None:
        delay_s = min(RETRY_DELAY_MAX_S, RETRY_DELAY_S * 2 ** min(self._failures, 10))
        self._failures += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s * random.uniform(0.5, 1.0))
