"""Ingress' way into a journal that fails: in order, once, and with a door that closes in time."""

import asyncio
from collections import deque
from collections.abc import Sequence

import pytest

from infra.batching_log import BatchingLog
from infra.journal_memory import MemoryJournal
from schemas.journal import AppendUnknown, Unavailable
from schemas.partitions import partition_of
from schemas.records import ConnectionClosed, decode

SOON_S = 5.0
PARTITIONS = 2


class MoodyJournal(MemoryJournal):
    """Fails as it is told; an append waits for `open`."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.open = asyncio.Event()
        self.open.set()
        self.unknown: deque[bool] = deque()
        """For each of the next appends whether it lands; its outcome is unknown."""

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        await self.open.wait()
        if not self.unknown:
            return await super().append(partition, values)
        if self.unknown.popleft():
            await super().append(partition, values)
        raise AppendUnknown("nobody knows")


def record(station: str, code: int) -> ConnectionClosed:
    return ConnectionClosed(
        tenant="default", station=station, recorded_at=1, connection="c", code=code
    )


async def written(journal: MemoryJournal, station: str) -> list[tuple[int, int]]:
    """Return (sequence, code) of what stands in the station's partition."""
    partition = partition_of("default", station, PARTITIONS)
    entries = await journal.reader({partition: 0}).poll(records_max=100, timeout_s=0)
    records = [decode(entry.value) for entry in entries]
    return [(each.sequence, each.code) for each in records if isinstance(each, ConnectionClosed)]


async def reopened(log: BatchingLog, station: str) -> None:
    while True:
        if log.accepts("default", station):
            return
        await asyncio.sleep(0.001)


async def test_what_is_posted_is_written_in_order_and_an_append_waits_for_it() -> None:
    journal = MoodyJournal()
    async with BatchingLog(journal, on_closed=lambda wanted: None) as log:
        for code in range(5):
            log.post(record("A", code))
        await log.append(record("A", 5))

        assert await written(journal, "A") == [(code + 1, code) for code in range(6)]


@pytest.mark.parametrize("landed", [True, False])
async def test_an_unknown_outcome_is_retried_under_the_same_ids(landed: bool) -> None:
    journal = MoodyJournal()
    journal.unknown.append(landed)
    async with BatchingLog(journal, on_closed=lambda wanted: None) as log:
        log.post(record("A", 1))
        async with asyncio.timeout(SOON_S):
            await log.append(record("A", 2))

    once = [(1, 1), (2, 2)]
    assert await written(journal, "A") == (once * 2 if landed else once)


async def test_the_door_of_a_partition_that_does_not_answer_closes_and_opens_again() -> None:
    journal = MoodyJournal()
    there, elsewhere = (
        "A",
        next(
            name
            for name in "BCDEFGH"
            if partition_of("default", name, PARTITIONS) != partition_of("default", "A", PARTITIONS)
        ),
    )
    closed = asyncio.Event()
    told: list[bool] = []

    def on_closed(wanted: object) -> None:
        assert callable(wanted)
        told.extend((wanted("default", there), wanted("default", elsewhere)))
        closed.set()

    async with BatchingLog(journal, on_closed=on_closed, close_door_s=0.05) as log:
        journal.open.clear()
        log.post(record(there, 1))
        assert log.accepts("default", there)
        async with asyncio.timeout(SOON_S):
            await closed.wait()

        assert told == [True, False]
        assert not log.accepts("default", there)
        assert log.accepts("default", elsewhere)
        with pytest.raises(Unavailable):
            log.post(record(there, 2))

        journal.open.set()
        async with asyncio.timeout(SOON_S):
            await reopened(log, there)
        await log.append(record(there, 3))

    assert await written(journal, there) == [(1, 1), (2, 3)]
