"""The embedded journal: one writing process, group commits, any number of readers.

`enqueue` fixes a batch's place in the log at once; a thread of its own commits what was queued, one
INSERT and one fsync for everything that came while the last commit ran. Everything but the INSERT
happens on the event loop's thread, so there are no locks; `enqueue` may be called from there only.

A failed commit drops all that is queued: the log ends where it ended, every later call is refused
with `Unavailable`, and whoever folded what it had queued must fold anew after `reopen`.

The committing thread needs the interpreter's lock three times per commit. A process that keeps its
event loop busy should call `sys.setswitchinterval(SWITCH_INTERVAL_S)`: with Python's default of
5 ms the commit waits for a busy loop up to that long each time.
"""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from infra import sqlite_log
from infra.journal_batches import QUEUE_BYTES_MAX, joined
from infra.journal_identity import Identity
from infra.sqlite_reader import SqliteJournalView, SqliteReader
from schemas.journal import AppendUnknown, Unavailable

SWITCH_INTERVAL_S = 0.00003
"""It asks for the lock twice a commit, so this costs nothing else. Measured, 100 stations: a tenth
more CALLs per second than with 500 us."""

COMMIT_BYTES_MAX = 1024 * 1024
"""One row: what a reader holds at once, and what a small record queued behind it waits for."""

EARLY_RECORDS = 80
"""So many are worth a commit at once, if none is under way: the disk works meanwhile."""

PACE_S = 0.008
"""Between the starts of two commits, unless `EARLY_RECORDS` are queued; a batch that comes later
than that after the last one does not wait. A commit costs the edge and every reader the same
however little is in it. Measured at a steady 3,000 CALLs/s: the edge took 47 % of a core with
1.5 ms, 41 % with 3 ms and 32 % with 8 ms."""

NOTHING_WRITTEN = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_BUSY"})
"""After these the commit frame is not in the WAL. After any other (a failed fsync) it may be, and
would be found again after a crash, until the canary of `reopen` has overwritten it."""


class _Commit:
    """What becomes one row."""

    __slots__ = ("batches", "lines_bytes", "records", "runs", "waiting")

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.runs: list[int] = []
        self.records = 0
        self.lines_bytes = 0
        self.waiting: list[asyncio.Future[None]] = []


class SqliteJournal:
    durable: list[int]
    """By partition, the offset after the last durable record. Changes once per commit; to be read,
    not written. Commits keep the order of all `enqueue` calls, over all partitions."""

    def __init__(
        self, directory: Path, lock: int, connection: sqlite3.Connection, found: Identity
    ) -> None:
        self._directory = directory
        self._lock = lock
        self._connection = connection
        self._identity = found
        self._loop = asyncio.get_running_loop()
        self._seq, self.durable = sqlite_log.tail(connection)
        self._next = self.durable.copy()
        self._queue: deque[_Commit] = deque()
        self._queued_bytes = 0
        self._in_flight: _Commit | None = None
        self._is_flush_due = False
        self._flushed_at = -PACE_S
        self._refusal = ""
        self._is_expected = False
        self._flush_callbacks: list[Callable[[], None]] = []
        self._durable_callbacks: list[Callable[[], None]] = []
        self._failure_callbacks: list[Callable[[Exception], None]] = []
        self._sleeping: set[asyncio.Future[None]] = set()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="journal-commit", daemon=True)
        self._thread.start()

    @classmethod
    async def create_or_open(
        cls, directory: Path, partitions: int, *, expected_id: str | None = None
    ) -> "SqliteJournal":
        """Open the directory's log for writing, or make it.

        Raises:
            JournalInUse: another process (or journal object) is writing to it.
            WrongJournal: it has another number of partitions, hash or id.
            Unavailable: the disk is full or broken.
        """
        try:
            lock = sqlite_log.lock(directory)
        except OSError as error:
            raise Unavailable(f"{directory}: {error}") from error
        try:
            opened = partial(sqlite_log.opened, directory, partitions, expected_id)
            connection, found = await asyncio.to_thread(opened)
            return cls(directory, lock, connection, found)
        except BaseException:
            os.close(lock)
            raise

    @staticmethod
    async def open_read_only(
        directory: Path, *, expected_id: str | None = None
    ) -> SqliteJournalView:
        """Open the directory's log for reading, beside its writer or without.

        Raises:
            WrongJournal: it is no journal, or another one.
            Unavailable: there is none.
        """
        opened = partial(sqlite_log.opened, directory, None, expected_id)
        return SqliteJournalView(directory, *await asyncio.to_thread(opened))

    @property
    def id(self) -> str:
        return self._identity.journal_id

    @property
    def partitions(self) -> int:
        return self._identity.partitions

    def enqueue(self, partition: int, values: Sequence[bytes], *, is_folded: bool = False) -> int:
        """Fix the batch's place in the log and return the offset of its first value.

        The others follow without a gap. It is durable, all of it, once `durable[partition]` is
        above its last offset, and lost if the failure callback comes first. `is_folded`: room was
        asked for before, and now it is too late to refuse it for want of some.

        Raises:
            Unavailable: nothing was queued.
            ValueError: not a batch (`infra.journal_batches`).
        """
        first, commit = self._put(partition, values, is_folded=is_folded)
        self._flush_early(commit)
        return first

    def _put(
        self, partition: int, values: Sequence[bytes], *, is_folded: bool = False
    ) -> tuple[int, _Commit]:
        if self._refusal:
            raise Unavailable(self._refusal)
        lines = joined(values)
        lines_bytes = len(lines)
        if self._queued_bytes + lines_bytes > QUEUE_BYTES_MAX and not is_folded:
            raise Unavailable(f"{self._queued_bytes} bytes are queued for the journal")
        if partition < 0:
            raise IndexError(f"partition {partition}")
        first = self._next[partition]
        count = len(values)
        self._next[partition] = first + count
        queue = self._queue
        if queue and queue[-1].lines_bytes + lines_bytes <= COMMIT_BYTES_MAX:
            commit = queue[-1]
        else:
            commit = _Commit()
            queue.append(commit)
            if self._in_flight is None:
                self._flush_soon()
        commit.batches.append(lines)
        commit.records += count
        commit.lines_bytes += lines_bytes
        runs = commit.runs
        if runs and runs[-2] == partition:
            runs[-1] += count
        else:
            runs += (partition, count)
        self._queued_bytes += lines_bytes
        return first, commit

    def _flush_early(self, commit: _Commit) -> None:
        if commit.records >= EARLY_RECORDS and self._in_flight is None:
            self._flush()

    def expect(self) -> None:
        """Have a commit begin as soon as one may; what goes into it is queued by then."""
        self._is_expected = True
        if self._in_flight is None:
            self._flush_soon()

    def next_offset(self, partition: int) -> int:
        """Return the offset that the next `enqueue` to this partition will get."""
        return self._next[partition]

    def require_room(self) -> None:
        """Make sure that a small batch can be queued now.

        Raises:
            Unavailable: it cannot.
        """
        if self._refusal or self._queued_bytes > QUEUE_BYTES_MAX - COMMIT_BYTES_MAX:
            raise Unavailable(self._refusal or "too much is queued for the journal")

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        first, commit = self._put(partition, values)
        durable: asyncio.Future[None] = self._loop.create_future()
        commit.waiting.append(durable)
        self._flush_early(commit)
        await durable
        return range(first, first + len(values))

    def before_commit(self, callback: Callable[[], None]) -> None:
        """Call it on the loop's thread before a commit begins: what it queues joins it.

        Or the next one, where this one is full. If it raises, what was queued is committed.
        """
        self._flush_callbacks.append(callback)

    def on_durable(self, callback: Callable[[], None]) -> None:
        """Call it on the loop's thread after each commit; `durable` says what is safe by then."""
        self._durable_callbacks.append(callback)

    def on_failure(self, callback: Callable[[Exception], None]) -> None:
        """Call it on the loop's thread when a commit failed and what was queued is dropped.

        The error is `Unavailable` (none of it is in the log) or `AppendUnknown` (the batches of the
        failed commit may be; `reopen` finds out).
        """
        self._failure_callbacks.append(callback)

    async def reopen(self) -> None:
        """After a failure: read anew where the log ends and prove that it can be written.

        Raises:
            Unavailable: not yet; the journal still refuses.
        """
        if not self._refusal:
            return
        reopened: asyncio.Future[sqlite_log.Tail] = self._loop.create_future()
        self._jobs.put(partial(self._reopen, reopened))
        self._seq, heads = await reopened
        self.durable[:] = heads
        self._next[:] = heads
        self._refusal = ""
        self._wake()

    async def head(self, partition: int) -> int:
        return self.durable[partition]

    def reader(self, positions: Mapping[int, int]) -> SqliteReader:
        return SqliteReader(self._directory, positions, self._wait)

    async def close(self) -> None:
        """Commit what is queued, then let go of the directory."""
        while self._queue or self._in_flight or self._is_expected:
            await self._wait(self._seq + 1, 1.0)
        self._refusal = f"{self._directory}: the journal is closed"
        if not self._thread.is_alive():
            return
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        os.close(self._lock)

    def _flush_soon(self) -> None:
        """After the sockets that are ready now, whose frames then share the commit."""
        if self._is_flush_due:
            return
        self._is_flush_due = True
        wait_s = self._flushed_at + PACE_S - self._loop.time()
        if wait_s > 0:
            self._loop.call_later(wait_s, self._flush)
        else:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._in_flight is not None:
            return
        self._is_expected = False
        try:
            for callback in self._flush_callbacks:
                callback()
        finally:
            self._begin()

    def _begin(self) -> None:
        if not self._queue or self._in_flight is not None:
            return
        commit = self._in_flight = self._queue.popleft()
        self._flushed_at = self._loop.time()
        # The heads are copied: they must not move while the other thread packs them.
        heads = self.durable.copy()
        self._jobs.put(partial(self._insert, self._seq + 1, heads, commit.runs, commit.batches))

    def _committed(self) -> None:
        commit, self._in_flight = self._in_flight, None
        assert commit is not None
        self._seq += 1
        self._queued_bytes -= commit.lines_bytes
        durable = self.durable
        runs = iter(commit.runs)
        for partition, count in zip(runs, runs, strict=True):
            durable[partition] += count
        if self._queue or self._is_expected:
            self._flush_soon()
        for waiting in commit.waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._wake()
        for callback in self._durable_callbacks:
            callback()

    def _failed(self, error: sqlite3.Error) -> None:
        commit, self._in_flight = self._in_flight, None
        assert commit is not None
        dropped = list(self._queue)
        self._queue.clear()
        self._queued_bytes = 0
        self._is_expected = False
        self._next[:] = self.durable
        self._refusal = f"{self._directory}: the last commit failed: {error}"
        nothing_written = error.sqlite_errorname in NOTHING_WRITTEN
        failure = (Unavailable if nothing_written else AppendUnknown)(self._refusal)
        _refuse(commit, failure)
        for behind in dropped:
            _refuse(behind, Unavailable(self._refusal))
        for callback in self._failure_callbacks:
            callback(failure)

    async def _wait(self, seq: int, timeout_s: float) -> bool:
        deadline = self._loop.time() + timeout_s
        # A reader's thread may be a commit ahead of this one, so not every commit is news to it.
        while self._seq < seq and (left := deadline - self._loop.time()) > 0:
            woken: asyncio.Future[None] = self._loop.create_future()
            self._sleeping.add(woken)
            try:
                await asyncio.wait([woken], timeout=left)
            finally:
                self._sleeping.discard(woken)
        return self._seq >= seq

    def _wake(self) -> None:
        for woken in self._sleeping:
            if not woken.done():
                woken.set_result(None)

    # From here on: the committing thread.

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _insert(
        self, seq: int, heads: Sequence[int], runs: Sequence[int], batches: Sequence[bytes]
    ) -> None:
        row = sqlite_log.row(seq, heads, runs, batches)
        try:
            self._connection.execute(sqlite_log.INSERT, row)
        except sqlite3.Error as error:
            self._loop.call_soon_threadsafe(self._failed, error)
        else:
            self._loop.call_soon_threadsafe(self._committed)

    def _reopen(self, reopened: "asyncio.Future[sqlite_log.Tail]") -> None:
        try:
            self._connection.close()
            self._connection = sqlite_log.connect(self._directory, read_only=False)
            sqlite_log.prepare_for_writing(self._connection)
            seq, heads = sqlite_log.tail(self._connection)
            canary = sqlite_log.row(seq + 1, heads, [], [])
            self._connection.execute(sqlite_log.INSERT, canary)
        except (sqlite3.Error, Unavailable) as error:
            refused = Unavailable(f"{self._directory}: {error}")
            self._loop.call_soon_threadsafe(_settle, reopened, refused)
        else:
            self._loop.call_soon_threadsafe(_settle, reopened, sqlite_log.Tail(seq + 1, heads))


def _refuse(commit: _Commit, failure: Exception) -> None:
    for waiting in commit.waiting:
        if not waiting.done():
            waiting.set_exception(failure)


def _settle(
    future: "asyncio.Future[sqlite_log.Tail]", outcome: "sqlite_log.Tail | Unavailable"
) -> None:
    if future.done():
        return
    if isinstance(outcome, Unavailable):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
