"""K-12: what cannot be folded is set aside with a pointer and blocks nobody; too much stops."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from domain import conversation
from domain.facts import Fact
from domain.owner import Owner
from domain.registry import Registry
from domain.station import Station
from domain.transaction_ids import TransactionIds
from infra.dispatcher import Dispatcher
from infra.domain_node import one_life
from infra.domain_worker import PartitionWorker
from infra.edge import Edge, EdgeOptions, edge
from infra.journal_memory import MemoryJournal
from infra.journal_sqlite import SqliteJournal
from infra.kafka_assignment import Assignment
from infra.kafka_cluster import KafkaCluster
from infra.node_watch import NodeWatch
from infra.recovery import owner_from
from infra.set_aside import TooManySetAside
from infra.snapshots import Snapshots, header_of, take
from schemas.records import ConnectionClosed, MessageReceived, Record, RecordSetAside
from tests.domain.log import KEY, NOW, POLICY, Log, working
from tests.infra.test_domain_worker import Mailbox, frames_in, say
from tests.infra.test_edge import call, options


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots.sqlite")


def breaks(*_: object) -> None:
    raise ValueError("a fold that fails")


def break_folds(
    monkeypatch: pytest.MonkeyPatch, applies: Callable[[Station, Record], bool]
) -> None:
    def fold(station: Station, offset: int, record: Record, payload: Any = None) -> list[Fact]:
        if applies(station, record):
            raise ValueError("a fold that fails")
        return conversation.fold(station, offset, record, payload)

    monkeypatch.setattr("domain.owner.fold", fold)


def from_snapshot(snapshots: Snapshots, owner: Owner, log: Log) -> Owner:
    """The owner that starts from what this one keeps now, folded to the log's head."""
    states = [take(owner.stations[key]) for key in owner.touched]
    snapshots.save(1, header_of(owner, "log"), states)
    ids, registry = TransactionIds(b"k" * 32), Registry()
    known: dict[str, Any] = {"name": "w2", "policy": POLICY, "ids": ids, "registry": registry}
    restored = owner_from(snapshots, 1, "log", **known)
    log.append(restored.claim(NOW), writer="w2")
    for offset in range(restored.position, len(log.values)):
        restored.fold(offset, log.read(offset))
    return restored


def test_a_station_whose_fold_failed_stays_set_aside_after_a_start_from_a_snapshot(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, worker = working()
    with monkeypatch.context() as patched:
        break_folds(patched, lambda _, record: isinstance(record, ConnectionClosed))
        log.append(ended())
        worker.settle()
    (offset,) = (each.offset for each in worker.owner.poisoned.values())
    log.calls("Heartbeat", {}, "h1")

    restored = from_snapshot(snapshots, worker.owner, log)

    assert restored.poisoned == worker.owner.poisoned
    assert restored.poisoned[KEY].reason == "ValueError: a fold that fails"
    assert offset == restored.poisoned[KEY].offset
    assert restored.owns
    (said,) = restored.decide(NOW)
    assert isinstance(said, RecordSetAside)
    assert (said.cause, said.of_station) == (offset, "CP1")


def ended() -> ConnectionClosed:
    return ConnectionClosed(
        tenant="default", station="CP1", recorded_at=NOW, connection="c1", code=1000, reason=""
    )


def test_a_station_for_which_a_decision_failed_is_tried_again_by_the_next_owner(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, worker = working()
    with monkeypatch.context() as patched:
        patched.setattr("domain.owner.routes.answer", breaks)
        log.calls("Heartbeat", {}, "h1")
        worker.settle()
    assert list(worker.owner.poisoned) == [KEY]

    restored = from_snapshot(snapshots, worker.owner, log)

    assert restored.poisoned == {}
    assert [record.purpose for record in restored.decide(NOW)] == ["answer"]


async def test_a_value_that_is_no_record_is_told_and_others_are_answered(
    snapshots: Snapshots, caplog: pytest.LogCaptureFixture
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        owning = worker_for(journal, dispatcher, snapshots, set_aside_max=1)
        running = group.create_task(owning.run())
        await journal.append(1, [b'{"kind":"message-received.v9"}'])
        await say(journal, 1)
        await frames_in(mailbox, 1)
        assert owning.set_aside == 1
        running.cancel()

    assert [each.levelno for each in caplog.records if "set aside at 1:" in each.message] == [
        logging.CRITICAL
    ]
    loaded = snapshots.load(1, journal.id)
    assert loaded is not None
    assert len(loaded[0].unreadable) == 1


async def test_too_much_of_it_stops_the_owner_which_keeps_no_snapshot_of_that(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher:
        owning = worker_for(journal, dispatcher, snapshots, set_aside_max=1)
        await journal.append(1, [b"no record"])

        async def run_into_it() -> None:
            async with asyncio.timeout(20), asyncio.TaskGroup() as group:
                group.create_task(owning.run())
                await asyncio.sleep(0.1)
                await journal.append(1, [b"nor this"])

        with pytest.raises(ExceptionGroup) as raised:
            await run_into_it()
        assert raised.group_contains(TooManySetAside, depth=2)
        assert snapshots.load(1, journal.id) is None

        with pytest.raises(TooManySetAside):
            await worker_for(journal, dispatcher, snapshots, set_aside_max=1).run()
        async with asyncio.TaskGroup() as group:
            again = worker_for(journal, dispatcher, snapshots, set_aside_max=2)
            running = group.create_task(again.run())
            await say(journal, 1)
            await frames_in(mailbox, 1)
            running.cancel()


async def test_an_owner_that_was_stopped_says_so_until_the_partition_is_given_to_somebody_else(
    snapshots: Snapshots,
) -> None:
    journal = MemoryJournal(1)
    await journal.append(1, [b"no record", b"nor this"])

    async def own(partition: int) -> None:
        raise AssertionError(partition)

    assignment = Assignment(KafkaCluster("127.0.0.1:1"), "unused", own)
    async with Dispatcher(Mailbox()) as dispatcher, asyncio.TaskGroup() as group:
        owning = worker_for(journal, dispatcher, snapshots, set_aside_max=1)
        living = group.create_task(one_life(owning, assignment))
        await asyncio.sleep(0.3)
        assert not living.done()
        assert owning.condition(0).startswith("partition 1: 2 records set aside")
        assert await journal.head(1) == 2
        living.cancel()
    assert living.cancelled()


def worker_for(
    journal: MemoryJournal, dispatcher: Dispatcher, snapshots: Snapshots, *, set_aside_max: int
) -> PartitionWorker:
    return PartitionWorker(
        1,
        journal=journal,
        dispatcher=dispatcher,
        watch=NodeWatch(Mailbox()),
        registry=Registry(),
        snapshots=snapshots,
        policy=POLICY._replace(set_aside_max=set_aside_max),
        ids=TransactionIds(b"k" * 32),
    )


def allowing(directory: Path, set_aside_max: int) -> EdgeOptions:
    given = options(directory)
    return replace(given, policy=given.policy._replace(set_aside_max=set_aside_max))


async def test_the_edge_answers_others_up_to_the_limit_and_then_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_bad(station: Station, record: Record) -> bool:
        return isinstance(record, MessageReceived) and station.station.startswith("BAD")

    break_folds(monkeypatch, is_bad)

    async def run_into_it() -> None:
        async with (
            asyncio.timeout(20),
            edge(allowing(tmp_path, 1)) as at,
            asyncio.TaskGroup() as group,
        ):
            ready = asyncio.Event()
            group.create_task(at.run(asyncio.Event(), lambda _: ready.set()))
            await ready.wait()
            await says_heartbeat(at, "BAD1")
            async with station(at, "GOOD") as socket:
                answer = await call(socket, "1", "Heartbeat", {})
                assert answer[:2] == [3, "1"]
            await says_heartbeat(at, "BAD2")
            await asyncio.sleep(10)

    with pytest.raises(ExceptionGroup) as raised:
        await run_into_it()
    assert raised.group_contains(TooManySetAside)

    with pytest.raises(TooManySetAside):
        async with edge(allowing(tmp_path, 1)):
            pass
    async with edge(allowing(tmp_path, 2)) as at:
        assert len(at.log.owners[0].poisoned) == 2


def station(at: Edge, name: str) -> connect:
    return connect(f"ws://127.0.0.1:{at.port}/ocpp/{name}", subprotocols=[Subprotocol("ocpp1.6")])


async def says_heartbeat(at: Edge, name: str) -> None:
    async with station(at, name) as socket:
        await socket.send('[2,"1","Heartbeat",{}]')
        # Nothing comes; the frame is in the log by then.
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.recv()


async def test_what_stands_in_the_embedded_log_and_is_no_record_is_counted_at_the_next_start(
    tmp_path: Path,
) -> None:
    journal = await SqliteJournal.create_or_open(tmp_path, 1)
    await journal.append(1, [b"no record", b"nor this"])
    await journal.close()

    with pytest.raises(TooManySetAside, match="2 records set aside, at most 1"):
        async with edge(allowing(tmp_path, 1)):
            pass
    async with edge(allowing(tmp_path, 2)) as at:
        assert len(at.log.owners[0].unreadable) == 2
