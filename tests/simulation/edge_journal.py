"""The embedded journal, simulated: one commit after the other on a disk that may be full or lie.

Keeps the part of `SqliteJournal` that the edge uses. A commit takes effect at one moment or never;
one that fails may have taken effect all the same, and one that was on its way when the process was
killed, too.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from infra.journal_batches import joined
from infra.journal_identity import creation_record, identity_in
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Entry, Unavailable
from tests.simulation.network import Process

QUEUE_BYTES_MAX = 256 * 1024
COMMITTED_AT_DEATH = 0.5
PACE_S = (0.0, 0.008)

_Commit = list[tuple[int, Sequence[bytes]]]


@dataclass(slots=True)
class Drive:
    """What outlives the process that writes."""

    partitions: int
    random: Random
    is_full: bool = False
    lies: float = 0.0
    """How often a commit fails and says that it may have been written."""
    commit_s: tuple[float, float] = (0.002, 0.02)
    id: str = ""
    logs: list[list[bytes]] = field(default_factory=list)
    sleeping: dict["asyncio.Future[None]", None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        created = creation_record(self.partitions)
        self.id = identity_in(created, where="simulated").journal_id
        self.logs = [[] for _ in range(self.partitions + 1)]
        self.logs[REGISTRY_PARTITION].append(created)

    def write(self, commit: _Commit) -> None:
        for partition, values in commit:
            self.logs[partition].extend(values)
        for woken in self.sleeping:
            if not woken.done():
                woken.set_result(None)


class DriveJournal:
    """The journal as its one writing process sees it."""

    def __init__(self, drive: Drive, process: Process) -> None:
        self._drive = drive
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.id = drive.id
        self.partitions = drive.partitions
        self.durable = [len(log) for log in drive.logs]
        self._next = self.durable.copy()
        self._queue: _Commit = []
        self._queued_bytes = 0
        self._in_flight: _Commit | None = None
        self._refusal = ""
        self._is_expected, self._is_flush_due = False, False
        self._flush_callbacks: list[Callable[[], None]] = []
        self._durable_callbacks: list[Callable[[], None]] = []
        self._failure_callbacks: list[Callable[[Exception], None]] = []

    def enqueue(self, partition: int, values: Sequence[bytes], *, is_folded: bool = False) -> int:
        self._process.require_life()
        if self._refusal:
            raise Unavailable(self._refusal)
        size = len(joined(values))
        if self._queued_bytes + size > QUEUE_BYTES_MAX and not is_folded:
            raise Unavailable("too much is queued")
        first = self._next[partition]
        self._next[partition] = first + len(values)
        self._queued_bytes += size
        self._queue.append((partition, list(values)))
        self._flush_soon()
        return first

    def expect(self) -> None:
        self._is_expected = True
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._in_flight is None and not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_later(self._drive.random.uniform(*PACE_S), self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if not self._process.is_alive or self._in_flight is not None:
            return
        self._is_expected = False
        for callback in self._flush_callbacks:
            callback()
        if self._queue:
            self._begin()

    def next_offset(self, partition: int) -> int:
        return self._next[partition]

    def require_room(self) -> None:
        if self._refusal or self._queued_bytes > QUEUE_BYTES_MAX // 2:
            raise Unavailable(self._refusal or "too much is queued")

    def before_commit(self, callback: Callable[[], None]) -> None:
        self._flush_callbacks.append(callback)

    def on_durable(self, callback: Callable[[], None]) -> None:
        self._durable_callbacks.append(callback)

    def on_failure(self, callback: Callable[[Exception], None]) -> None:
        self._failure_callbacks.append(callback)

    async def reopen(self) -> None:
        await asyncio.sleep(0.01)
        self._process.require_life()
        if self._drive.is_full:
            raise Unavailable("the disk is full")
        self.durable[:] = [len(log) for log in self._drive.logs]
        self._next[:] = self.durable
        self._refusal = ""

    async def head(self, partition: int) -> int:
        return self.durable[partition]

    def reader(self, positions: Mapping[int, int]) -> "DriveReader":
        return DriveReader(self._drive, self._process, positions)

    async def close(self) -> None: ...

    def _begin(self) -> None:
        self._in_flight, self._queue = self._queue, []
        drive = self._drive
        self._loop.call_later(drive.random.uniform(*drive.commit_s), self._end)

    def _end(self) -> None:
        commit, self._in_flight = self._in_flight, None
        assert commit is not None
        drive = self._drive
        if not self._process.is_alive:
            if drive.random.random() < COMMITTED_AT_DEATH and not drive.is_full:
                drive.write(commit)
            return
        if drive.is_full:
            self._fail(Unavailable("the disk is full"))
        elif drive.random.random() < drive.lies:
            if drive.random.random() < 0.5:
                drive.write(commit)
            self._fail(AppendUnknown("the disk said nothing"))
        else:
            drive.write(commit)
            self._committed(commit)

    def _committed(self, commit: _Commit) -> None:
        for partition, values in commit:
            self.durable[partition] += len(values)
            self._queued_bytes -= len(joined(values))
            self._process.landed(values)
        if self._queue or self._is_expected:
            self._flush_soon()
        for callback in self._durable_callbacks:
            callback()

    def _fail(self, error: Exception) -> None:
        self._queue.clear()
        self._queued_bytes = 0
        self._is_expected = False
        self._next[:] = self.durable
        self._refusal = str(error)
        for callback in self._failure_callbacks:
            callback(error)


class DriveView:
    """The journal as another process reads it."""

    def __init__(self, drive: Drive, process: Process) -> None:
        self._drive = drive
        self._process = process
        self.id = drive.id
        self.partitions = drive.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        raise Unavailable("opened for reading")

    async def head(self, partition: int) -> int:
        return len(self._drive.logs[partition])

    def reader(self, positions: Mapping[int, int]) -> "DriveReader":
        return DriveReader(self._drive, self._process, positions)

    async def close(self) -> None: ...


class DriveReader:
    def __init__(self, drive: Drive, process: Process, positions: Mapping[int, int]) -> None:
        self._drive = drive
        self._process = process
        self._positions = dict(positions)

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self._process.require_life()
            if entries := self._take(records_max):
                return entries
            left = deadline - loop.time()
            if left <= 0:
                return ()
            woken: asyncio.Future[None] = loop.create_future()
            self._drive.sleeping[woken] = None
            try:
                await asyncio.wait([woken], timeout=left)
            finally:
                self._drive.sleeping.pop(woken, None)

    def _take(self, records_max: int) -> list[Entry]:
        entries: list[Entry] = []
        for partition, position in self._positions.items():
            found = self._drive.logs[partition][position : position + records_max - len(entries)]
            self._positions[partition] = position + len(found)
            entries.extend(
                Entry(partition, offset, value) for offset, value in enumerate(found, position)
            )
        return entries

    async def close(self) -> None: ...
