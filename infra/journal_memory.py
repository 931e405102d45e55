"""The journal in memory, for tests and trials: everything the embedded one promises but the disk.

What is queued becomes durable, as far as memory goes, in the next turn of the event loop.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

from infra.journal_batches import QUEUE_BYTES_MAX, joined
from infra.journal_identity import creation_record, identity_in
from schemas.journal import REGISTRY_PARTITION, Entry, Unavailable


class MemoryJournal:
    """Has no failures, so `on_failure` is never called and `reopen` has nothing to do."""

    def __init__(self, partitions: int) -> None:
        created = creation_record(partitions)
        self._identity = identity_in(created, where="memory")
        self._loop = asyncio.get_running_loop()
        self._logs: list[list[bytes]] = [[] for _ in range(partitions + 1)]
        self._logs[REGISTRY_PARTITION].append(created)
        self.durable = [len(log) for log in self._logs]
        self._next = self.durable.copy()
        self._queue: list[tuple[int, Sequence[bytes]]] = []
        self._queued_bytes = 0
        self._callbacks: list[Callable[[], None]] = []
        self._sleeping: set[asyncio.Future[None]] = set()
        self._is_closed = False

    @property
    def id(self) -> str:
        return self._identity.journal_id

    @property
    def partitions(self) -> int:
        return self._identity.partitions

    def enqueue(self, partition: int, values: Sequence[bytes]) -> int:
        """See `SqliteJournal.enqueue`."""
        if self._is_closed:
            raise Unavailable("the journal is closed")
        lines_bytes = len(joined(values))
        if self._queued_bytes + lines_bytes > QUEUE_BYTES_MAX:
            raise Unavailable(f"{self._queued_bytes} bytes are queued for the journal")
        if partition < 0:
            raise IndexError(f"partition {partition}")
        first = self._next[partition]
        self._next[partition] = first + len(values)
        self._queued_bytes += lines_bytes
        if not self._queue:
            self._loop.call_soon(self._commit)
        self._queue.append((partition, tuple(values)))
        return first

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        first = self.enqueue(partition, values)
        while self.durable[partition] < first + len(values):
            await self.committed(None)
        return range(first, first + len(values))

    def on_durable(self, callback: Callable[[], None]) -> None:
        """See `SqliteJournal.on_durable`."""
        self._callbacks.append(callback)

    def on_failure(self, callback: Callable[[Exception], None]) -> None: ...

    async def reopen(self) -> None: ...

    async def head(self, partition: int) -> int:
        return self.durable[partition]

    def reader(self, positions: Mapping[int, int]) -> "MemoryReader":
        return MemoryReader(self, self._logs, positions)

    async def close(self) -> None:
        self._is_closed = True

    async def committed(self, timeout_s: float | None) -> None:
        """Wait for the next commit, or the seconds to pass."""
        woken: asyncio.Future[None] = self._loop.create_future()
        self._sleeping.add(woken)
        try:
            await asyncio.wait([woken], timeout=timeout_s)
        finally:
            self._sleeping.discard(woken)

    def _commit(self) -> None:
        for partition, values in self._queue:
            self._logs[partition].extend(values)
            self.durable[partition] += len(values)
        self._queue.clear()
        self._queued_bytes = 0
        for woken in self._sleeping:
            if not woken.done():
                woken.set_result(None)
        for callback in self._callbacks:
            callback()


class MemoryReader:
    def __init__(
        self, journal: MemoryJournal, logs: Sequence[Sequence[bytes]], positions: Mapping[int, int]
    ) -> None:
        self._journal = journal
        self._logs = logs
        self._positions = dict(positions)

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (entries := self._take(records_max)):
            left = deadline - loop.time()
            if left <= 0:
                return ()
            await self._journal.committed(left)
        return entries

    async def close(self) -> None: ...

    def _take(self, records_max: int) -> list[Entry]:
        entries: list[Entry] = []
        for partition, position in self._positions.items():
            values = self._logs[partition][position : position + records_max - len(entries)]
            end = position + len(values)
            entries.extend(map(Entry._make, zip(repeat(partition), range(position, end), values)))
            self._positions[partition] = end
        # The partition that was served first is served last next time.
        if entries:
            first = next(iter(self._positions))
            self._positions[first] = self._positions.pop(first)
        return entries
