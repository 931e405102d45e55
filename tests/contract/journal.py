"""What every journal promises (schemas/journal.py), as tests that each adapter runs."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from infra.journal_batches import BATCH_BYTES_MAX
from schemas.journal import REGISTRY_PARTITION, Entry, Journal, Reader, Unavailable
from schemas.partitions import HASH_NAME
from schemas.records import JournalCreated, decode

PARTITIONS = 4
ENOUGH_S = 20.0
"""A deadline that only a broken journal meets."""


def lines(name: str, count: int) -> list[bytes]:
    return [b'{"from":"%s","n":%d}' % (name.encode(), number) for number in range(count)]


async def read(reader: Reader, count: int) -> list[Entry]:
    entries: list[Entry] = []
    while len(entries) < count:
        got = await reader.poll(records_max=count - len(entries), timeout_s=ENOUGH_S)
        assert got, f"only {len(entries)} of {count} came"
        entries += got
    return entries


@asynccontextmanager
async def reading(journal: Journal, positions: dict[int, int]) -> AsyncIterator[Reader]:
    reader = journal.reader(positions)
    try:
        yield reader
    finally:
        await reader.close()


class JournalContract(ABC):
    wakes_within_s: float
    """From the end of an append to the entry in a waiting reader's hands."""

    @abstractmethod
    @pytest.fixture
    def journal(self) -> AsyncIterator[Journal]: ...

    async def test_an_append_returns_growing_offsets(self, journal: Journal) -> None:
        first = await journal.append(1, lines("a", 3))
        second = await journal.append(1, lines("b", 2))

        assert len(first) == 3
        assert len(second) == 2
        offsets = [*first, *second]
        assert offsets == sorted(set(offsets))

    async def test_the_head_is_after_the_last_record(self, journal: Journal) -> None:
        assert await journal.head(2) == 0
        offsets = await journal.append(2, lines("a", 3))
        assert await journal.head(2) == offsets[-1] + 1
        assert await journal.head(3) == 0

    async def test_the_first_record_says_what_the_log_is(self, journal: Journal) -> None:
        async with reading(journal, {REGISTRY_PARTITION: 0}) as reader:
            (entry,) = await read(reader, 1)

        record = decode(entry.value)

        assert isinstance(record, JournalCreated)
        assert (record.journal_id, record.partitions, record.hash) == (
            journal.id,
            PARTITIONS,
            HASH_NAME,
        )
        assert journal.partitions == PARTITIONS

    async def test_values_come_back_byte_for_byte(self, journal: Journal) -> None:
        values = [b'{"frame":"\xc3\xa9 \\n \xf0\x9f\x94\x8c"}', b"{}", bytes(range(11, 256))]

        offsets = await journal.append(1, values)

        async with reading(journal, {1: 0}) as reader:
            assert await read(reader, 3) == [
                Entry(1, offset, value) for offset, value in zip(offsets, values, strict=True)
            ]

    async def test_a_batch_stays_whole_and_a_partition_in_order(self, journal: Journal) -> None:
        async def appender(name: str) -> None:
            for number in range(20):
                await journal.append(1 + number % 2, lines(f"{name}-{number}", 3))

        async with asyncio.TaskGroup() as appenders:
            for name in "abcdefgh":
                appenders.create_task(appender(name))

        async with reading(journal, {1: 0, 2: 0}) as reader:
            entries = await read(reader, 8 * 20 * 3)
        for partition in (1, 2):
            mine = [entry for entry in entries if entry.partition == partition]
            offsets = [entry.offset for entry in mine]
            assert offsets == sorted(set(offsets))
            batches = [mine[start : start + 3] for start in range(0, len(mine), 3)]
            last_number = defaultdict[str, int](lambda: -1)
            for batch in batches:
                name, number = batch[0].value.split(b'"')[3].decode().split("-")
                assert [entry.value for entry in batch] == lines(f"{name}-{number}", 3)
                assert int(number) > last_number[name]
                last_number[name] = int(number)

    async def test_a_reader_starts_at_any_offset(self, journal: Journal) -> None:
        offsets = [
            offset
            for number in range(12)
            for offset in await journal.append(1, lines(str(number), 1 + number % 3))
        ]

        for start, offset in enumerate(offsets):
            async with reading(journal, {1: offset}) as reader:
                entries = await read(reader, len(offsets) - start)
            assert [entry.offset for entry in entries] == offsets[start:]

    async def test_a_reader_at_the_head_sees_only_what_comes(self, journal: Journal) -> None:
        await journal.append(1, lines("before", 3))
        async with reading(journal, {1: await journal.head(1), 2: 0}) as reader:
            assert not await reader.poll(records_max=10, timeout_s=0)

            await journal.append(1, lines("after", 1))

            assert [entry.value for entry in await read(reader, 1)] == lines("after", 1)

    async def test_a_reader_sees_its_partitions_only(self, journal: Journal) -> None:
        await journal.append(1, lines("one", 2))
        await journal.append(2, lines("two", 2))
        await journal.append(3, lines("three", 2))
        async with reading(journal, {1: 0, 3: 0}) as reader:
            entries = await read(reader, 4)

        assert {entry.partition for entry in entries} == {1, 3}

    async def test_a_poll_returns_no_more_than_asked(self, journal: Journal) -> None:
        await journal.append(1, lines("a", 10))
        async with reading(journal, {1: 0}) as reader:
            polls = [await reader.poll(records_max=3, timeout_s=ENOUGH_S) for _ in range(4)]

        assert [entry.value for poll in polls for entry in poll] == lines("a", 10)
        assert max(map(len, polls)) <= 3

    async def test_a_poll_of_nothing_ends_in_time(self, journal: Journal) -> None:
        clock = asyncio.get_running_loop().time
        async with reading(journal, {1: 0}) as reader:
            started = clock()
            assert not await reader.poll(records_max=10, timeout_s=0.05)
            assert clock() - started < 5

    async def test_a_cancelled_poll_loses_nothing(self, journal: Journal) -> None:
        async with reading(journal, {1: 0}) as reader:
            for number in range(20):
                polling = asyncio.wait_for(
                    reader.poll(records_max=1, timeout_s=ENOUGH_S), number / 4_000
                )
                with pytest.raises(TimeoutError):
                    await polling
            await journal.append(1, lines("a", 5))
            seen = [entry.value for entry in await read(reader, 5)]

        assert seen == lines("a", 5)

    async def test_a_tailing_reader_is_woken(self, journal: Journal) -> None:
        clock = asyncio.get_running_loop().time
        delays = []
        async with reading(journal, {1: 0}) as reader, asyncio.TaskGroup() as tasks:
            for number in range(30):
                polling = tasks.create_task(reader.poll(records_max=10, timeout_s=ENOUGH_S))
                # Until the poll has nothing left to do but wait.
                await asyncio.sleep(0.02)
                await journal.append(1, lines(str(number), 1))
                appended = clock()
                assert [entry.value for entry in await polling] == lines(str(number), 1)
                delays.append(clock() - appended)

        # Other processes may take the machine for a moment, so not the worst of them.
        assert sorted(delays)[len(delays) // 2] < self.wakes_within_s

    async def test_a_tailing_reader_skips_and_repeats_nothing_while_appenders_race(
        self, journal: Journal
    ) -> None:
        appended: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        chance = random.Random(20_11)

        async def appender(name: str) -> None:
            for number in range(40):
                partition = chance.randint(1, PARTITIONS)
                values = lines(f"{name}-{number}", chance.randint(1, 4))
                offsets = await journal.append(partition, values)
                appended[partition] += zip(offsets, values, strict=True)

        async def tail() -> list[Entry]:
            entries: list[Entry] = []
            ended = 0
            async with reading(journal, dict.fromkeys(range(1, PARTITIONS + 1), 0)) as reader:
                while ended < PARTITIONS:
                    records_max = chance.choice([1, 7, 500])
                    polled = await reader.poll(records_max=records_max, timeout_s=ENOUGH_S)
                    assert polled
                    ended += sum(entry.value == b'"end"' for entry in polled)
                    entries += polled
            return entries

        async with asyncio.TaskGroup() as tasks:
            tails = [tasks.create_task(tail()) for _ in range(3)]
            async with asyncio.TaskGroup() as appenders:
                for number in range(25):
                    appenders.create_task(appender(str(number)))
            for partition in range(1, PARTITIONS + 1):
                (offset,) = await journal.append(partition, [b'"end"'])
                appended[partition].append((offset, b'"end"'))

        for tailed in tails:
            for partition in range(1, PARTITIONS + 1):
                seen = [(e.offset, e.value) for e in tailed.result() if e.partition == partition]
                assert seen == sorted(appended[partition])

    @pytest.mark.parametrize(
        "values",
        [
            [],
            [b'{"a":\n1}'],
            [b"x" * (BATCH_BYTES_MAX + 1)],
            [b"x" * 1_000] * (BATCH_BYTES_MAX // 1_000 + 1),
        ],
        ids=["nothing", "two lines", "a large value", "many values"],
    )
    async def test_what_is_no_batch_is_refused_before_it_is_sent(
        self, journal: Journal, values: Sequence[bytes]
    ) -> None:
        with pytest.raises(ValueError, match="batch"):
            await journal.append(1, values)

        await journal.append(1, lines("a", 1))
        async with reading(journal, {1: 0}) as reader:
            assert [entry.value for entry in await read(reader, 1)] == lines("a", 1)

    async def test_the_largest_batch_fits(self, journal: Journal) -> None:
        values = [b"x" * 16_383] * (BATCH_BYTES_MAX // 16_384)

        await journal.append(1, values)

        async with reading(journal, {1: 0}) as reader:
            assert [entry.value for entry in await read(reader, len(values))] == values

    async def test_large_batches_at_once_stay_whole(self, journal: Journal) -> None:
        batches = [[b"%d" % number * 150_000, b"%d" % number] for number in range(10)] * 3

        async with asyncio.TaskGroup() as appenders:
            for batch in batches:
                appenders.create_task(journal.append(1, batch))

        async with reading(journal, {1: 0}) as reader:
            values = [entry.value for entry in await read(reader, 60)]
        assert sorted(values) == sorted(value for batch in batches for value in batch)
        pairs = [values[start : start + 2] for start in range(0, 60, 2)]
        assert all(large == small * 150_000 for large, small in pairs)

    async def test_a_closed_journal_refuses(self, journal: Journal) -> None:
        await journal.close()

        with pytest.raises(Unavailable):
            await journal.append(1, lines("a", 1))


class DurableJournalContract(JournalContract):
    """Of adapters whose log outlives the process: `reopened` opens it once more."""

    @abstractmethod
    @pytest.fixture
    def reopened(self) -> Callable[[], Awaitable[Journal]]: ...

    async def test_a_log_is_the_same_when_opened_again(
        self, journal: Journal, reopened: Callable[[], Awaitable[Journal]]
    ) -> None:
        offsets = await journal.append(1, lines("a", 3))
        await journal.close()

        again = await reopened()

        try:
            assert again.id == journal.id
            assert await again.head(1) == offsets[-1] + 1
            assert (await again.append(1, lines("b", 1)))[0] > offsets[-1]
            async with reading(again, {1: 0}) as reader:
                values = [entry.value for entry in await read(reader, 4)]
            assert values == lines("a", 3) + lines("b", 1)
        finally:
            await again.close()
