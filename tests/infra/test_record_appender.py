"""The API's way into the journal: where records go, and what an outcome means."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec import Raw

from infra import record_appender
from infra.journal_memory import MemoryJournal
from infra.record_appender import WAITING_MAX, RecordAppender
from schemas.journal import (
    REGISTRY_PARTITION,
    AppenderFailed,
    AppendUnknown,
    Unavailable,
)
from schemas.partitions import partition_of
from schemas.records import CommandRequested, IdTokenPut, StationRegistered, decode

PARTITIONS = 4
TOKEN = IdTokenPut(tenant="t", recorded_at=1, actor="a", uid="04A1")
STATION = StationRegistered(tenant="t", station="CS-1", recorded_at=1, actor="a")
COMMAND = CommandRequested(
    tenant="t",
    station="CS-1",
    recorded_at=1,
    command_id="c",
    action="ClearCache",
    payload=Raw(b"{}"),
    payload_digest="d",
    expires_at=2,
    actor="a",
)


class Failing:
    """Plays one misfortune after the other; `lands` says which of them happen after the append."""

    def __init__(self, journal: MemoryJournal, errors: Sequence[Exception], lands: bool) -> None:
        self.values: list[bytes] = []
        self._journal = journal
        self._errors = list(errors)
        self._lands = lands

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        self.values.extend(values)
        if self._errors and not self._lands:
            raise self._errors.pop(0)
        offsets = await self._journal.append(partition, values)
        if self._errors:
            raise self._errors.pop(0)
        return offsets

    async def head(self, partition: int) -> int:
        return await self._journal.head(partition)


@pytest.fixture
async def journal() -> AsyncIterator[MemoryJournal]:
    journal = MemoryJournal(PARTITIONS)
    yield journal
    await journal.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_appender, "RETRY_S", 0.001)
    monkeypatch.setattr(record_appender, "RETRY_FOR_S", 0.05)


async def written(journal: MemoryJournal, partition: int) -> list[tuple[str, str, int]]:
    start = 1 if partition == REGISTRY_PARTITION else 0
    reader = journal.reader({partition: start})
    entries = await reader.poll(records_max=100, timeout_s=0)
    records = [decode(entry.value) for entry in entries]
    return [(type(record).__name__, record.incarnation, record.sequence) for record in records]


async def test_the_registry_has_its_partition_and_commands_their_station_s(
    journal: MemoryJournal,
) -> None:
    appender = RecordAppender(journal, PARTITIONS)
    for record in (TOKEN, STATION, COMMAND, COMMAND):
        await appender.append(record)

    registry = await written(journal, REGISTRY_PARTITION)
    commands = await written(journal, partition_of("t", "CS-1", PARTITIONS))
    assert [(name, sequence) for name, _, sequence in registry] == [
        ("IdTokenPut", 1),
        ("StationRegistered", 2),
    ]
    assert [(name, sequence) for name, _, sequence in commands] == [
        ("CommandRequested", 1),
        ("CommandRequested", 2),
    ]
    assert len({incarnation for _, incarnation, _ in (*registry, *commands)}) == 1
    assert await appender.heads() == {p: await journal.head(p) for p in range(PARTITIONS + 1)}


async def test_an_unknown_append_is_retried_under_the_same_record_id(
    journal: MemoryJournal,
) -> None:
    failing = Failing(journal, [AppendUnknown("late")] * 2, lands=False)
    await RecordAppender(failing, PARTITIONS).append(TOKEN)

    assert len(failing.values) == 3
    assert len(set(failing.values)) == 1
    assert len(await written(journal, REGISTRY_PARTITION)) == 1


async def test_an_append_that_stays_unknown_says_so_and_the_next_has_a_later_id(
    journal: MemoryJournal,
) -> None:
    failing = Failing(journal, [AppendUnknown("late")] * 10_000, lands=False)
    appender = RecordAppender(failing, PARTITIONS)
    for _ in range(2):
        with pytest.raises(AppendUnknown):
            await appender.append(TOKEN)

    assert len(set(failing.values)) == 2
    assert "late" in await appender.trouble()


async def test_a_refused_append_is_refused(journal: MemoryJournal) -> None:
    failing = Failing(journal, [Unavailable("full")], lands=False)
    appender = RecordAppender(failing, PARTITIONS)
    with pytest.raises(Unavailable):
        await appender.append(TOKEN)
    assert "full" in await appender.trouble()

    await appender.append(TOKEN)

    assert await appender.trouble() == ""
    assert len(await written(journal, REGISTRY_PARTITION)) == 1


@pytest.mark.parametrize("then", [Unavailable("full"), AppenderFailed("fenced")])
async def test_a_refusal_after_an_unknown_append_is_still_unknown(
    journal: MemoryJournal, then: Exception
) -> None:
    failing = Failing(journal, [AppendUnknown("late"), then], lands=True)
    with pytest.raises(AppendUnknown):
        await RecordAppender(failing, PARTITIONS).append(TOKEN)


async def test_who_waits_for_it_learns_that_the_journal_takes_nothing_more(
    journal: MemoryJournal,
) -> None:
    failing = Failing(journal, [Unavailable("full"), AppenderFailed("fenced")], lands=False)
    appender = RecordAppender(failing, PARTITIONS)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(appender.failed())
        with pytest.raises(Unavailable):
            await appender.append(TOKEN)
        await asyncio.sleep(0)
        early = waiting.done()
        with pytest.raises(AppendUnknown):
            await appender.append(TOKEN)

    assert not early


async def test_the_line_before_the_journal_is_bounded(journal: MemoryJournal) -> None:
    stuck = asyncio.Event()

    class Stuck(Failing):
        async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
            await stuck.wait()
            return await super().append(partition, values)

    appender = RecordAppender(Stuck(journal, [], lands=True), PARTITIONS)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WAITING_MAX):
            tasks.create_task(appender.append(TOKEN))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many"):
            await appender.append(TOKEN)
        stuck.set()

    assert len(await written(journal, REGISTRY_PARTITION)) == 100
