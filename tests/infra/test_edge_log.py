"""The edge's log when its commits fail or its queue is full: outcomes are three-valued."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import edge_log, journal_sqlite, sqlite_log
from infra.edge_log import EdgeLog
from infra.journal_sqlite import SqliteJournal
from schemas.journal import AppendUnknown, Entry, Unavailable
from schemas.records import (
    CALL,
    CommandRequested,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    Record,
    decode,
    encode,
)

NOW = 1_795_428_000_000_000
SOON_S = 30.0

DELIVERED: list[str] = []
"""Ids of the frames that left, of all tests."""


class OddDisk(sqlite3.Connection):
    """A disk that takes commits and cannot say so, once `is_broken`, or takes its time for it."""

    is_broken = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.goes_on, self.is_asked = Event(), Event()
        self.goes_on.set()

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if not self.goes_on.is_set():
            self.is_asked.set()
            assert self.goes_on.wait(SOON_S)
        cursor = super().execute(sql, parameters)
        if sql == sqlite_log.INSERT and self.is_broken:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error
        return cursor


@asynccontextmanager
async def claimed(
    directory: Path, now_us: Callable[[], int] = lambda: NOW
) -> AsyncIterator[tuple[EdgeLog, SqliteJournal, OddDisk]]:
    await (await SqliteJournal.create_or_open(directory, 1)).close()
    lock = sqlite_log.lock(directory)
    connection = sqlite3.connect(
        directory / sqlite_log.FILE_NAME,
        factory=OddDisk,
        isolation_level=None,
        check_same_thread=False,
    )
    sqlite_log.prepare_for_writing(connection)
    found = sqlite_log.identity(connection, where="here")
    journal = SqliteJournal(directory, lock, connection, found)
    log = EdgeLog(
        journal,
        Registry(),
        incarnation="edge",
        deliver=lambda _offset, sent: DELIVERED.append(sent.message_id),
        now_us=now_us,
    )
    journal.on_durable(log.committed)
    journal.on_failure(log.fail)
    owner = Owner(
        1, name="0/edge", policy=Policy(), ids=TransactionIds(b"k" * 32), registry=log.registry
    )
    log.start([owner])
    log.claim(owner, NOW)
    await log.append(opening("c1"))
    try:
        yield log, journal, connection
    finally:
        connection.goes_on.set()
        await journal.close()


def refuses(*_: Any, **__: Any) -> int:
    raise ValueError("no batch")


def opening(connection: str) -> ConnectionOpened:
    return ConnectionOpened(
        tenant="default",
        station="CP1",
        recorded_at=NOW,
        connection=connection,
        protocol="1.6",
        node="0/edge",
        remote="",
        proof="none",
        registered=True,
    )


def request(command_id: str = "k1", payload: bytes = b'{"type":"Soft"}') -> Record:
    return CommandRequested(
        tenant="default",
        station="CP1",
        recorded_at=NOW,
        command_id=command_id,
        action="Reset",
        payload=msgspec.Raw(payload),
        payload_digest="",
        expires_at=NOW + 60_000_000,
        actor="somebody",
    )


async def test_what_a_failed_commit_may_have_written_is_unknown_to_who_appended_it(
    tmp_path: Path,
) -> None:
    async with claimed(tmp_path) as (log, _, connection):
        connection.is_broken = True
        async with asyncio.timeout(20):
            outcomes = await asyncio.gather(
                log.append_values(1, [encode(request(), "api", 1)]),
                log.append(opening("c2")),
                return_exceptions=True,
            )
        assert [type(outcome) for outcome in outcomes] == [AppendUnknown, AppendUnknown]
        with pytest.raises(Unavailable):
            await log.append(opening("c3"))


async def test_a_full_queue_refuses_before_anything_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        [owner] = log.owners
        value = encode(request(payload=b'{"type":"%b"}' % (b"S" * 4000)), "api", 1)
        # Room for the request, and none for the CALL that it makes.
        monkeypatch.setattr(journal_sqlite, "QUEUE_BYTES_MAX", len(value) + 100)
        head = journal.next_offset(1)
        with pytest.raises(Unavailable):
            await log.append_values(1, [value])
        assert (owner.position, journal.next_offset(1)) == (head, head)


def heartbeat(number: int, station: str = "CP1", padding: str = "") -> MessageReceived:
    return MessageReceived(
        tenant="default",
        station=station,
        recorded_at=NOW,
        connection="c1",
        number=number,
        frame=f'[2,"{number}","Heartbeat",{{}}]{padding}',
        message_type=CALL,
        message_id=str(number),
        action="Heartbeat",
        protocol="1.6",
    )


@pytest.mark.parametrize(("decided_us", "expected"), [(NOW + 1_500, NOW + 1_500), (NOW - 9, NOW)])
async def test_an_answer_bears_the_time_of_its_decision_and_none_before_its_call(
    tmp_path: Path, decided_us: int, expected: int
) -> None:
    clock = [NOW]
    async with claimed(tmp_path, lambda: clock[0]) as (log, journal, _):
        clock[0] = decided_us
        log.post(heartbeat(1))
        log.work_off()
        clock[0] = NOW + 5_000
        await log.append(opening("c2"))
        reader = journal.reader({1: 0})
        entries = await reader.poll(records_max=100, timeout_s=1.0)
        await reader.close()
        sent = [r for e in entries if isinstance(r := decode(e.value), MessageSent)]

        assert [answer.recorded_at for answer in sent] == [expected]
        # From reading the CALL to sending its answer, the commit included: 5,000 has 13 bits.
        heartbeats = log.latencies["Heartbeat"]
        assert [n for n, count in enumerate(heartbeats.buckets) if count] == [13]
        assert heartbeats.sum_us == 5_000


async def records_of(journal: SqliteJournal) -> list[Record]:
    reader = journal.reader({1: 0})
    entries: list[Entry] = []
    while len(entries) < journal.durable[1]:
        entries += await reader.poll(records_max=1_000, timeout_s=1.0)
    await reader.close()
    return [decode(entry.value) for entry in entries]


def told(records: list[Record]) -> list[tuple[str, str, str]]:
    return [
        (type(r).__name__, r.station, r.message_id)
        for r in records
        if isinstance(r, MessageReceived | MessageSent)
    ]


async def test_what_a_turn_posts_is_folded_in_its_order_and_then_answered(tmp_path: Path) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        for number, station in enumerate(("CP1", "CP2", "CP1", "CP3")):
            log.post(heartbeat(number, station))
        await log.append(opening("c2"))
        records = await records_of(journal)

    frames = told(records)
    assert frames[:4] == [
        ("MessageReceived", "CP1", "0"),
        ("MessageReceived", "CP2", "1"),
        ("MessageReceived", "CP1", "2"),
        ("MessageReceived", "CP3", "3"),
    ]
    assert {frame[1:] for frame in frames[4:]} == {frame[1:] for frame in frames[:4]}
    of_one = [message_id for _, station, message_id in frames[4:] if station == "CP1"]
    assert of_one == ["0", "2"]
    sequences = [record.sequence for record in records if record.incarnation == "edge"]
    assert sequences == list(range(1, len(sequences) + 1))
    assert all(
        isinstance(call := records[record.cause], MessageReceived)
        and (call.station, call.message_id) == (record.station, record.message_id)
        for record in records
        if isinstance(record, MessageSent)
    )


async def test_what_is_posted_while_no_commit_begins_is_folded_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_sqlite, "PACE_S", 0.05)
    async with claimed(tmp_path) as (log, journal, _):
        head = journal.next_offset(1)
        for number in range(edge_log.POSTED_WORTH - 1):
            log.post(heartbeat(number, f"CP{number}"))
            await asyncio.sleep(0)
        assert journal.next_offset(1) == head
        committed = asyncio.Event()
        journal.on_durable(committed.set)
        await asyncio.wait_for(committed.wait(), SOON_S)
        # One commit took all of it, with its answers.
        assert journal.durable[1] == head + 2 * (edge_log.POSTED_WORTH - 1)


async def test_so_much_is_folded_while_the_disk_works_once_a_turn_brings_no_more(
    tmp_path: Path,
) -> None:
    async with claimed(tmp_path) as (log, journal, connection):
        connection.goes_on.clear()
        async with asyncio.TaskGroup() as appending:
            appending.create_task(log.append(opening("c2")))
            await asyncio.to_thread(connection.is_asked.wait)
            head = journal.next_offset(1)
            for number in range(edge_log.POSTED_WORTH - 1):
                log.post(heartbeat(number, f"CP{number}"))
                await asyncio.sleep(0)
            for number in range(3):
                log.post(heartbeat(100, f"CP{number}"))
                log.post(heartbeat(101, f"CP{number}"))
                await asyncio.sleep(0)
                assert journal.next_offset(1) == head
            await asyncio.sleep(0)
            assert journal.next_offset(1) == head + 2 * (edge_log.POSTED_WORTH + 5)
            connection.goes_on.set()


async def test_a_turn_that_posts_more_than_a_commit_holds_is_written_whole(tmp_path: Path) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        padding = " " * 60_000
        for number in range(3 * edge_log.POSTED_MAX):
            log.post(heartbeat(number, f"CP{number}", padding if number < 40 else ""))
        await log.append(opening("c2"))
        frames = told(await records_of(journal))

    assert len(frames) == 2 * 3 * edge_log.POSTED_MAX
    received = [message_id for kind, _, message_id in frames if kind == "MessageReceived"]
    assert received == [str(number) for number in range(3 * edge_log.POSTED_MAX)]


async def test_what_was_posted_in_the_turn_in_which_a_commit_failed_is_in_no_log(
    tmp_path: Path,
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        head = journal.next_offset(1)
        log.post(heartbeat(1))
        log.fail(Unavailable("the disk is full"))
        await asyncio.sleep(0)
        assert journal.next_offset(1) == head
        with pytest.raises(Unavailable):
            log.post(heartbeat(2))


async def test_what_is_folded_is_queued_though_there_is_no_room_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        log.post(heartbeat(1))
        with monkeypatch.context() as patched:
            patched.setattr(journal_sqlite, "QUEUE_BYTES_MAX", 1)
            log.work_off()
        await log.append(opening("c2"))
        frames = told(await records_of(journal))

    assert frames == [("MessageReceived", "CP1", "1"), ("MessageSent", "CP1", "1")]


async def test_a_record_that_fits_into_no_batch_is_refused_and_hurts_nobody_else(
    tmp_path: Path,
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        log.post(heartbeat(1, "CP1"))
        with pytest.raises(ValueError, match="bytes"):
            log.post(heartbeat(2, "CP2", " " * 1_000_000))
        log.post(heartbeat(3, "CP3"))
        await log.append(opening("c2"))
        frames = told(await records_of(journal))

    assert {message_id for _, _, message_id in frames} == {"1", "3"}
    assert len(frames) == 4
    assert log.broken is None


async def test_what_breaks_as_a_commit_begins_leaves_a_journal_that_commits_and_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        DELIVERED.clear()
        committed = asyncio.Event()
        log.post(heartbeat(1))
        log.work_off()
        journal.on_durable(committed.set)
        with monkeypatch.context() as patched:
            patched.setattr(journal, "enqueue", refuses)
            log.post(heartbeat(2, "CP2"))
            await asyncio.wait_for(committed.wait(), SOON_S)
        assert isinstance(log.broken, ValueError)
        await asyncio.wait_for(journal.close(), SOON_S)
    assert not DELIVERED


async def test_nothing_leaves_any_more_once_what_is_folded_could_not_be_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claimed(tmp_path) as (log, journal, _):
        DELIVERED.clear()
        head = journal.next_offset(1)
        with monkeypatch.context() as patched:
            patched.setattr(journal, "enqueue", refuses)
            log.post(heartbeat(1))
            with pytest.raises(ValueError, match="no batch"):
                log.work_off()
        assert isinstance(log.broken, ValueError)
        with pytest.raises(Unavailable):
            log.post(heartbeat(2))
        # Were the answer still waiting, it would leave with whatever stands in its place.
        await journal.append(1, [b"{}"] * 3)
        log.committed()

    assert journal.next_offset(1) == head + 3
    assert DELIVERED == []
