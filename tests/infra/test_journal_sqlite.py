"""The embedded journal: what it promises beyond the contract (tests/contract/journal.py)."""

import asyncio
import os
import resource
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra import journal_sqlite, sqlite_log
from infra.journal_batches import BATCH_BYTES_MAX, QUEUE_BYTES_MAX
from infra.journal_identity import identity_in
from infra.journal_sqlite import SqliteJournal
from schemas.journal import AppendUnknown, Entry, Journal, Unavailable, WrongJournal
from tests.contract.journal import ENOUGH_S, lines, read, reading

PARTITIONS = 4
LARGE = b"x" * 400_000


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    yield journal
    await journal.close()


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@asynccontextmanager
async def writing_process(directory: Path) -> AsyncIterator[Process]:
    module = ["-m", "tests.infra.writing_process", str(directory), str(PARTITIONS)]
    process = await asyncio.create_subprocess_exec(sys.executable, *module, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: Process, count: int) -> list[Entry]:
    """What the process got acknowledged: some of it, or with a large count all until its end."""
    assert process.stdout is not None
    entries: list[Entry] = []
    while len(entries) < count and (line := await process.stdout.readline()):
        if line.endswith(b"\n"):
            partition, offset, value = line.rstrip().split(b" ", 2)
            entries.append(Entry(int(partition), int(offset), value))
    return entries


async def read_all(journal: Journal) -> list[Entry]:
    heads = {partition: await journal.head(partition) for partition in range(PARTITIONS + 1)}
    async with reading(journal, dict.fromkeys(heads, 0)) as reader:
        return await read(reader, sum(heads.values()))


async def settled(journal: SqliteJournal, partition: int, head: int) -> None:
    changed = asyncio.Event()
    journal.on_durable(changed.set)
    async with asyncio.timeout(ENOUGH_S):
        while journal.durable[partition] < head:
            changed.clear()
            await changed.wait()


async def test_what_is_enqueued_has_its_offset_before_it_is_durable(
    journal: SqliteJournal,
) -> None:
    assert journal.enqueue(1, lines("a", 2)) == 0
    assert journal.enqueue(2, lines("b", 1)) == 0
    assert journal.enqueue(1, lines("c", 1)) == 2
    assert list(journal.durable) == [1, 0, 0, 0, 0]

    await settled(journal, 1, 3)

    assert list(journal.durable) == [1, 3, 1, 0, 0]


async def test_a_reader_of_all_partitions_sees_the_order_of_enqueueing(
    journal: SqliteJournal,
) -> None:
    partitions = [number * 7 % PARTITIONS + 1 for number in range(500)]
    for partition in partitions:
        journal.enqueue(partition, lines("a", 1))
    await journal.append(1, lines("end", 1))

    entries = await read_all(journal)

    assert [entry.partition for entry in entries] == [0, *partitions, 1]


async def test_what_is_queued_at_once_shares_a_commit(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as appenders:
        for number in range(100):
            appenders.create_task(journal.append(1, lines(str(number), 1)))

    connection = sqlite_log.connect(tmp_path, read_only=True)
    assert sqlite_log.last_seq(connection) == 3  # The creation, the first of these, the others.
    connection.close()


async def test_what_comes_soon_after_a_commit_shares_the_next_one(
    journal: SqliteJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_sqlite, "PACE_S", 0.3)
    await journal.append(1, [b"alone"])

    async with asyncio.TaskGroup() as appending:
        for value in (b"b", b"c", b"d"):
            appending.create_task(journal.append(1, [value]))
            await asyncio.sleep(0.01)

    connection = sqlite_log.connect(tmp_path, read_only=True)
    rows = connection.execute("SELECT body FROM commits WHERE seq > 1 ORDER BY seq").fetchall()
    connection.close()
    assert rows == [(b"alone",), (b"b\nc\nd",)]


async def test_what_is_expected_is_asked_for_when_a_commit_begins_and_is_part_of_it(
    journal: SqliteJournal,
) -> None:
    asked: list[int] = []

    def queue() -> None:
        if len(asked) < 2:
            asked.append(journal.enqueue(1, [b"late"]))

    journal.before_commit(queue)
    journal.expect()
    assert not asked
    await journal.append(2, [b"other"])
    assert (asked, journal.durable[1]) == ([0], 1)

    # While a commit is under way it is the next one's.
    under_way, late = asyncio.Event(), asyncio.Event()
    journal.before_commit(under_way.set)
    journal.on_durable(lambda: late.set() if journal.durable[1] == 2 else None)
    async with asyncio.TaskGroup() as appending:
        asked.append(-1)
        appending.create_task(journal.append(2, [b"another"]))
        await under_way.wait()
        asked.pop()
        journal.expect()
    await asyncio.wait_for(late.wait(), ENOUGH_S)
    assert asked == [0, 1]


async def test_what_is_queued_is_committed_though_what_was_expected_failed(tmp_path: Path) -> None:
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)

    def fails() -> None:
        raise ValueError("nothing to queue")

    journal.before_commit(fails)
    journal.enqueue(1, [b"queued"])
    journal.expect()
    await asyncio.wait_for(journal.close(), ENOUGH_S)

    assert journal.durable[1] == 1


async def test_closing_waits_for_what_is_expected(tmp_path: Path) -> None:
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    await journal.append(1, [b"first"])
    due = [b"late"]

    def queue() -> None:
        if due:
            journal.enqueue(1, [due.pop()])

    journal.before_commit(queue)
    journal.expect()
    await asyncio.wait_for(journal.close(), ENOUGH_S)

    assert journal.durable[1] == 2


async def test_an_append_returns_with_its_own_commit_whatever_joins_behind_it(
    journal: SqliteJournal,
) -> None:
    due = [LARGE, LARGE]

    def queue() -> None:
        while due:
            journal.enqueue(1, [due.pop()])

    journal.before_commit(queue)
    await journal.append(1, [b"x" * 6_000] * 80)

    # The two large ones do not fit beside it, both.
    assert journal.durable[1] < 82


async def test_many_records_do_not_wait_for_the_pace(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.append(1, [b"alone"])
    monkeypatch.setattr(journal_sqlite, "PACE_S", 3_600)
    async with asyncio.timeout(20):
        await journal.append(1, [b"x"] * journal_sqlite.EARLY_RECORDS)


async def test_a_commit_is_bounded(journal: SqliteJournal, tmp_path: Path) -> None:
    for _ in range(8):
        journal.enqueue(1, [LARGE])
    await settled(journal, 1, 8)

    connection = sqlite_log.connect(tmp_path, read_only=True)
    (largest,) = connection.execute("SELECT max(length(body)) FROM commits").fetchone()
    connection.close()
    assert largest <= 1024 * 1024


async def test_the_queue_is_bounded(journal: SqliteJournal) -> None:
    value = b"x" * BATCH_BYTES_MAX
    for _ in range(QUEUE_BYTES_MAX // BATCH_BYTES_MAX):
        journal.enqueue(1, [value])
    with pytest.raises(Unavailable, match="queued"):
        journal.enqueue(1, [value])

    await settled(journal, 1, QUEUE_BYTES_MAX // BATCH_BYTES_MAX)
    assert (await journal.append(1, [value]))[0] == QUEUE_BYTES_MAX // BATCH_BYTES_MAX


async def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    journal.enqueue(3, lines("a", 5))
    await journal.close()

    again = await SqliteJournal.open_read_only(tmp_path)

    assert await again.head(3) == 5
    await again.close()


@pytest.mark.parametrize("partition", [-1, PARTITIONS + 1])
async def test_an_unknown_partition_is_refused(journal: SqliteJournal, partition: int) -> None:
    with pytest.raises(IndexError):
        journal.enqueue(partition, lines("a", 1))


async def test_a_full_disk_refuses_until_it_is_reopened(journal: SqliteJournal) -> None:
    failures: list[Exception] = []
    journal.on_failure(failures.append)
    await journal.append(1, lines("before", 1))

    with files_limited_to(200_000):
        appends = [journal.append(1, [LARGE]), *(journal.append(2, [LARGE] * 2) for _ in range(3))]
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4
        assert [type(failure) for failure in failures] == [Unavailable]
        with pytest.raises(Unavailable, match="failed"):
            journal.enqueue(1, lines("meanwhile", 1))
        assert await journal.head(2) == 0
    with pytest.raises(Unavailable):
        await journal.append(1, lines("not reopened", 1))

    await journal.reopen()

    assert await journal.append(1, lines("after", 1)) == range(1, 2)
    values = [entry.value for entry in (await read_all(journal))[1:]]
    assert values == lines("before", 1) + lines("after", 1)


async def test_a_disk_that_is_still_full_is_not_reopened(journal: SqliteJournal) -> None:
    with files_limited_to(200_000), pytest.raises(Unavailable):
        await journal.append(1, [LARGE])

    with files_limited_to(1), pytest.raises(Unavailable):
        await journal.reopen()
    with pytest.raises(Unavailable):
        journal.enqueue(1, lines("a", 1))

    await journal.reopen()
    assert await journal.append(1, lines("a", 1)) == range(1)


class FsyncFails(sqlite3.Connection):
    """A disk that took the commit and could not say so."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cursor = super().execute(sql, parameters)
        if sql == sqlite_log.INSERT:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error
        return cursor


async def test_a_failed_fsync_is_unknown_and_reopening_finds_out(tmp_path: Path) -> None:
    created = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    await created.close()
    lock = sqlite_log.lock(tmp_path)
    connection = sqlite3.connect(
        tmp_path / sqlite_log.FILE_NAME,
        factory=FsyncFails,
        isolation_level=None,
        check_same_thread=False,
    )
    found = sqlite_log.identity(connection, where="here")
    journal = SqliteJournal(tmp_path, lock, connection, found)

    with pytest.raises(AppendUnknown):
        await journal.append(1, lines("a", 2))
    assert await journal.head(1) == 0
    await journal.reopen()

    assert await journal.head(1) == 2
    assert [entry.value for entry in (await read_all(journal))[1:]] == lines("a", 2)
    await journal.close()


async def test_a_second_writer_is_told_who_is_writing(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    with pytest.raises(sqlite_log.JournalInUse, match=f"in use by process {os.getpid()}"):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS)

    await journal.close()
    again = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    await again.close()


async def test_a_writer_in_another_process_excludes_us_until_it_dies(tmp_path: Path) -> None:
    async with writing_process(tmp_path) as process:
        await said(process, 1)
        with pytest.raises(sqlite_log.JournalInUse) as refused:
            await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
        assert refused.value.pid == str(process.pid)

    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    await journal.close()


async def test_another_journal_is_refused(journal: SqliteJournal, tmp_path: Path) -> None:
    await journal.close()

    with pytest.raises(WrongJournal, match="has 4 partitions, expected 5"):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS + 1)
    with pytest.raises(WrongJournal, match="its id is"):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS, expected_id="another")
    with pytest.raises(WrongJournal, match="its id is"):
        await SqliteJournal.open_read_only(tmp_path, expected_id="another")
    pinned = await SqliteJournal.create_or_open(tmp_path, PARTITIONS, expected_id=journal.id)
    await pinned.close()


async def test_another_hash_is_refused(tmp_path: Path) -> None:
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    await journal.close()
    connection = sqlite_log.connect(tmp_path, read_only=False)
    body = connection.execute("SELECT body FROM commits WHERE seq = 1").fetchone()[0]
    assert identity_in(body, where="here").hash_name == "crc32"
    connection.execute("UPDATE commits SET body = ?", (body.replace(b"crc32", b"fnv1a"),))
    connection.close()

    with pytest.raises(WrongJournal, match="fnv1a"):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS)


@pytest.mark.parametrize("content", [b"no database at all" * 100, None], ids=["text", "database"])
async def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / sqlite_log.FILE_NAME).write_bytes(content)
    else:
        other = sqlite3.connect(tmp_path / sqlite_log.FILE_NAME)
        other.execute("CREATE TABLE other (a)")
        other.close()

    with pytest.raises(WrongJournal, match="is not a journal"):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    with pytest.raises(WrongJournal, match="is not a journal"):
        await SqliteJournal.open_read_only(tmp_path)


async def test_a_creation_cut_short_is_done_again(tmp_path: Path) -> None:
    cut_short = sqlite_log.connect(tmp_path, read_only=False)
    sqlite_log.prepare_for_writing(cut_short)
    cut_short.close()

    with pytest.raises(Unavailable, match="no journal yet"):
        await SqliteJournal.open_read_only(tmp_path)
    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    assert await journal.head(0) == 1
    await journal.close()


async def test_a_full_disk_takes_no_new_journal(tmp_path: Path) -> None:
    with files_limited_to(1), pytest.raises(Unavailable):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    with files_limited_to(10_000), pytest.raises(Unavailable):
        await SqliteJournal.create_or_open(tmp_path, PARTITIONS)

    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    assert await journal.head(0) == 1
    await journal.close()


async def test_an_empty_directory_has_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await SqliteJournal.open_read_only(tmp_path)
    assert not os.listdir(tmp_path)


async def test_a_view_cannot_append(journal: SqliteJournal, tmp_path: Path) -> None:
    view = await SqliteJournal.open_read_only(tmp_path)

    assert (view.id, view.partitions) == (journal.id, PARTITIONS)
    with pytest.raises(Unavailable):
        await view.append(1, lines("a", 1))
    await view.close()


@pytest.mark.parametrize("round_", range(4))
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, round_: int) -> None:
    acknowledged: list[Entry] = []
    for _ in range(3):
        async with writing_process(tmp_path) as process:
            acknowledged += await said(process, 200 + 333 * round_)
            process.kill()
            acknowledged += await said(process, sys.maxsize)

    without_writer = await SqliteJournal.open_read_only(tmp_path)
    entries = await read_all(without_writer)
    await without_writer.close()
    assert set(acknowledged) <= set(entries)
    for partition in range(PARTITIONS + 1):
        offsets = [entry.offset for entry in entries if entry.partition == partition]
        assert offsets == list(range(len(offsets)))

    journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
    assert await read_all(journal) == entries
    await journal.close()


async def test_another_process_is_read_while_it_writes(tmp_path: Path) -> None:
    async with writing_process(tmp_path) as process:
        await said(process, 1)
        view = await SqliteJournal.open_read_only(tmp_path)
        async with reading(view, dict.fromkeys(range(PARTITIONS + 1), 0)) as reader:
            entries: Sequence[Entry] = []
            while len(entries) < 3_000:
                entries = [*entries, *await reader.poll(records_max=500, timeout_s=ENOUGH_S)]
                assert entries
            process.kill()
            while more := await reader.poll(records_max=500, timeout_s=0):
                entries = [*entries, *more]
        acknowledged = await said(process, sys.maxsize)
        assert set(acknowledged) <= set(entries)
        assert list(entries) == await read_all(view)
        await view.close()


async def test_a_view_is_woken_within_ten_milliseconds(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    clock = asyncio.get_running_loop().time
    view = await SqliteJournal.open_read_only(tmp_path)
    delays = []
    async with reading(view, {1: 0}) as reader, asyncio.TaskGroup() as tasks:
        for number in range(30):
            polling = tasks.create_task(reader.poll(records_max=10, timeout_s=ENOUGH_S))
            await asyncio.sleep(0.02)
            await journal.append(1, lines(str(number), 1))
            appended = clock()
            assert [entry.value for entry in await polling] == lines(str(number), 1)
            delays.append(clock() - appended)
    await view.close()

    assert sorted(delays)[len(delays) // 2] < 0.010


async def test_a_view_that_gathers_takes_together_what_came_meanwhile(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    view = await SqliteJournal.open_read_only(tmp_path)
    view.gather_s = 1.0
    async with reading(view, {1: 0}) as reader:
        await journal.append(1, lines("first", 1))
        first = await reader.poll(records_max=10, timeout_s=ENOUGH_S)
        for number in range(5):
            await journal.append(1, lines(str(number), 1))
        rest = await reader.poll(records_max=10, timeout_s=ENOUGH_S)
    await view.close()

    assert (len(first), len(rest)) == (1, 5)


async def test_a_position_inside_a_commit_of_several_partitions(journal: SqliteJournal) -> None:
    for number in range(40):
        for partition in (1, 2, 3):
            journal.enqueue(partition, lines(f"{partition}-{number}", partition))
        if number % 7 == 0:
            await settled(journal, 3, 3 * number + 3)
    await settled(journal, 3, 120)
    everything = await read_all(journal)

    for positions in ({1: 17, 2: 3, 3: 118}, {1: 40, 2: 0}, {2: 80, 3: 59}, {4: 0, 1: 39}):
        expected = [e for e in everything if e.offset >= positions.get(e.partition, 1_000)]
        async with reading(journal, positions) as reader:
            assert await read(reader, len(expected)) == expected
            assert not await reader.poll(records_max=1, timeout_s=0)


async def test_reading_the_registry_alone_reads_its_commits_alone(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    expected = []
    for number in range(50):
        if number % 10 == 3:
            values = lines(f"registry-{number}", 2)
            offsets = await journal.append(0, values)
            expected += [Entry(0, *each) for each in zip(offsets, values, strict=True)]
        await journal.append(1, lines("station", 3))

    async with reading(journal, {0: 1}) as reader:
        assert await read(reader, len(expected)) == expected
        assert not await reader.poll(records_max=1, timeout_s=0.01)
        (offset,) = await journal.append(0, lines("new", 1))
        assert await read(reader, 1) == [Entry(0, offset, lines("new", 1)[0])]
    connection = sqlite_log.connect(tmp_path, read_only=True)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sqlite_log.SELECT_REGISTRY_FROM}", (1,))
    assert "USING INDEX commits_of_registry" in str(plan.fetchall())
    connection.close()
