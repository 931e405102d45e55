"""Reading the embedded log, in the writer's process and in any other, while it is written.

Every reader has a connection and a thread of its own: fetches do not block the event loop, and hold
no snapshot between polls (that would keep the WAL from being reused). A reader of all partitions
sees the order in which everything was queued; of some, the same with the others left out.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from infra import sqlite_log
from infra.journal_identity import Identity
from schemas.journal import REGISTRY_PARTITION, Entry, Unavailable

FETCH_RECORDS = 4_096
FETCH_BYTES = 1024 * 1024
"""A fetch ends after the commit that reaches one of these; a commit is bounded by the writer."""

LOOK_S = 0.008
"""How often a reader in another process looks whether something was committed."""

GATHER_S = 0.04
"""How long a reader whose taker gathers batches anyway lets records come together: each look at the
end of the log costs as much as some ten records."""

Waiting = Callable[[int, float], Awaitable[bool]]
"""Wait until a commit from `seq` on is there, or the seconds are over; tell which."""


class Fetched(NamedTuple):
    entries: Sequence[Entry]
    is_at_end: bool


class SqliteReader:
    def __init__(
        self,
        directory: Path,
        positions: Mapping[int, int],
        wait: Waiting | None = None,
        *,
        gather_s: float = 0.0,
    ) -> None:
        """`gather_s`: after it has come to the end of the log, it leaves it alone for so long."""
        self._directory = directory
        self._gather_s = gather_s
        self._rested_at = 0.0
        self._wait = wait or self._look
        self._positions = dict(positions)
        is_registry_alone = self._positions.keys() == {REGISTRY_PARTITION}
        self._select = (
            sqlite_log.SELECT_REGISTRY_FROM if is_registry_alone else sqlite_log.SELECT_FROM
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._connection: sqlite3.Connection | None = None
        self._seq = 0
        self._entries: Sequence[Entry] = ()
        self._taken = 0
        self._fetching: asyncio.Future[Fetched] | None = None

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self._entries:
            rest_s = min(self._rested_at, deadline) - loop.time()
            if rest_s > 0:
                await asyncio.sleep(rest_s)
            is_at_end = await self._fetch()
            if is_at_end:
                self._rested_at = loop.time() + self._gather_s
            if self._entries or not is_at_end:
                continue
            left = deadline - loop.time()
            if left <= 0 or not await self._wait(self._seq, left):
                return ()
        return self._take(records_max)

    async def close(self) -> None:
        if self._fetching is not None:
            await asyncio.wait([self._fetching])
            self._fetching.exception()
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self, records_max: int) -> Sequence[Entry]:
        if self._taken == 0 and len(self._entries) <= records_max:
            entries, self._entries = self._entries, ()
            return entries
        entries = self._entries[self._taken : self._taken + records_max]
        self._taken += len(entries)
        if self._taken == len(self._entries):
            self._entries, self._taken = (), 0
        return entries

    async def _fetch(self) -> bool:
        if self._fetching is None:
            loop = asyncio.get_running_loop()
            self._fetching = loop.run_in_executor(self._thread, self._read)
        # A cancelled poll leaves the fetch running; the next poll takes what it brought.
        await asyncio.wait([self._fetching])
        fetching, self._fetching = self._fetching, None
        self._entries, is_at_end = fetching.result()
        return is_at_end

    def _read(self) -> Fetched:
        entries: list[Entry] = []
        read_bytes = 0
        try:
            connection = self._opened()
            last_seq = sqlite_log.last_seq(connection)
            rows = connection.execute(self._select, (self._seq,))
            try:
                for seq, heads, runs, body in rows:
                    self._unpack(heads, runs, body, entries)
                    self._seq = seq + 1
                    read_bytes += len(body)
                    if read_bytes >= FETCH_BYTES or len(entries) >= FETCH_RECORDS:
                        return Fetched(entries, is_at_end=False)
                self._seq = max(self._seq, last_seq + 1)
            finally:
                rows.close()
        except sqlite3.Error as error:
            if not entries:
                raise Unavailable(f"{self._directory}: {error}") from error
        return Fetched(entries, is_at_end=True)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite_log.connect(self._directory, read_only=True)
        if not self._seq:
            self._seq = min(
                sqlite_log.seek(self._connection, partition, offset)
                for partition, offset in self._positions.items()
            )
        return self._connection

    def _unpack(self, heads: bytes, runs: bytes, body: bytes, entries: list[Entry]) -> None:
        next_offsets, positions = sqlite_log.unpacked_heads(heads), self._positions
        values = body.split(b"\n")
        start = 0
        for partition, count in sqlite_log.unpacked_runs(runs):
            first = next_offsets[partition]
            end = next_offsets[partition] = first + count
            stop = start + count
            position = positions.get(partition, end)
            if position < end:
                skipped = max(0, position - first)
                run = zip(
                    repeat(partition), range(first + skipped, end), values[start + skipped : stop]
                )
                entries.extend(map(Entry._make, run))
                positions[partition] = end
            start = stop

    async def _look(self, seq: int, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (left := deadline - loop.time()) > 0:
            await asyncio.sleep(min(LOOK_S, left))
            try:
                # Two pages at most: short enough for the event loop.
                if sqlite_log.last_seq(self._opened()) >= seq:
                    return True
            except sqlite3.Error as error:
                raise Unavailable(f"{self._directory}: {error}") from error
        return False


class SqliteJournalView:
    """The journal of another process: everything but appending."""

    gather_s = 0.0
    """Of its readers; see `SqliteReader`."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, found: Identity) -> None:
        self._directory = directory
        self._connection = connection
        self._identity = found

    @property
    def id(self) -> str:
        return self._identity.journal_id

    @property
    def partitions(self) -> int:
        return self._identity.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        raise Unavailable(f"{self._directory}: opened for reading; its writer is the edge")

    async def head(self, partition: int) -> int:
        try:
            return (await asyncio.to_thread(sqlite_log.tail, self._connection)).heads[partition]
        except sqlite3.Error as error:
            raise Unavailable(f"{self._directory}: {error}") from error

    def reader(self, positions: Mapping[int, int]) -> SqliteReader:
        return SqliteReader(self._directory, positions, gather_s=self.gather_s)

    async def close(self) -> None:
        self._connection.close()
