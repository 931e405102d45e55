"""Projections give way while stations keep the edge's core full.

Low priority decides who gets a core, not when, and not who gets its caches and its memory: on two
cores, views that catch up cost the edge a fifth of its rate. So the edge tells, by one byte of a
shared file, whether its event loop has any time left, and a reader of the log then works a sixth of
the time. It falls behind for as long as the burst lasts; at a rate that the machine holds the loop
has time left, and nobody waits.
"""

import asyncio
import mmap
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.journal import Entry, Journal, Reader

LOOK_S = 0.1
FULL = 0.85
"""Of the time the thread of the edge's event loop runs, or could if a core were free for it; the
rest is its waiting for the disk."""

FULL_LOOKS = 3
"""So many more that found it full than did not: at a rate that the machine holds, one alone is a
snapshot or a bundle of CALLs, and views that paused for it would be half a second late."""

_SCHEDULED = Path("/proc/thread-self/schedstat")

WORK_S = 0.1
PAUSE_S = 0.5


class FullFlag:
    """One byte that the edge writes and the views read. A file without a writer says no."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, 1)
        self._byte = mmap.mmap(descriptor, 1)
        os.close(descriptor)

    @property
    def is_set(self) -> bool:
        return self._byte[0] != 0

    def set(self, is_full: bool) -> None:
        self._byte[0] = is_full

    def close(self) -> None:
        self._byte.close()


async def tell_when_full(flag: FullFlag) -> None:
    """Measure the thread that runs this, until cancelled; then the flag says no."""
    wall, busy, full = time.monotonic(), _busy_s(), 0
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            now, busy_now = time.monotonic(), _busy_s()
            is_full = busy_now - busy > FULL * (now - wall)
            full = min(full + 1, 2 * FULL_LOOKS) if is_full else max(full - 1, 0)
            flag.set(full >= FULL_LOOKS)
            wall, busy = now, busy_now
    finally:
        flag.set(False)


def _busy_s() -> float:
    """Return for how long this thread has run, or has waited for a core where Linux counts that."""
    try:
        _, waited_ns, _ = _SCHEDULED.read_text().split()
    except OSError:
        waited_ns = "0"
    return time.thread_time() + int(waited_ns) / 1e9


class GivingWay:
    """A journal whose readers pause while the flag is set. The journal itself is the caller's."""

    def __init__(self, journal: Journal, flag: FullFlag) -> None:
        self._journal = journal
        self._flag = flag

    @property
    def id(self) -> str:
        return self._journal.id

    @property
    def partitions(self) -> int:
        return self._journal.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        return await self._journal.append(partition, values)

    async def head(self, partition: int) -> int:
        return await self._journal.head(partition)

    def reader(self, positions: Mapping[int, int]) -> Reader:
        return _PausingReader(self._journal.reader(positions), self._flag)

    async def close(self) -> None:
        await self._journal.close()


class _PausingReader:
    def __init__(self, reader: Reader, flag: FullFlag) -> None:
        self._reader = reader
        self._flag = flag
        self._since = time.monotonic()

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        if self._flag.is_set and time.monotonic() - self._since >= WORK_S:
            await asyncio.sleep(PAUSE_S)
            self._since = time.monotonic()
        return await self._reader.poll(records_max=records_max, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._reader.close()
