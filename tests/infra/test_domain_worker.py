"""Owners on one log: who claims last decides, and frames leave once they are read back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from domain.answering import Policy
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import domain_worker
from infra.clock import now_us
from infra.dispatcher import VALUE_CHARACTERS_MAX, Dispatcher
from infra.domain_node import FENCED_S, one_life
from infra.domain_worker import Fenced, PartitionWorker
from infra.journal_batches import joined
from infra.journal_memory import MemoryJournal, MemoryReader
from infra.kafka_assignment import Assignment
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from infra.snapshots import Snapshots
from schemas.deliveries import CLOSE, DispatchedFrame, decode_frames
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Entry, Unavailable
from schemas.records import (
    CALLRESULT,
    CommandRequested,
    ConnectionClosed,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    PartitionClaimed,
    StationPasswordOffered,
    StationPasswordSettled,
    StationRegistered,
    decode,
    encode,
)
from tests.infra.slow_disk import SlowDisk

SOON_S = 10.0
NODE = "0/node"


class Mailbox(KafkaDispatch):
    """Keeps what is sent; refuses as often as it is told."""

    def __init__(self, refusals: Sequence[Exception] = ()) -> None:
        super().__init__(KafkaCluster("127.0.0.1:1"), "unused", 2)
        self.batches: list[list[DispatchedFrame]] = []
        self.arrived = asyncio.Event()
        self._refusals = list(refusals)

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        joined(values)
        if self._refusals:
            raise self._refusals.pop(0)
        assert partition == 0
        self.batches += [decode_frames(value) for value in values]
        self.arrived.set()

    @property
    def frames(self) -> list[DispatchedFrame]:
        return [frame for batch in self.batches for frame in batch]


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots.sqlite")


def worker(
    journal: MemoryJournal,
    dispatcher: Dispatcher,
    snapshots: Snapshots,
    registry: Registry | None = None,
) -> PartitionWorker:
    return PartitionWorker(
        1,
        journal=journal,
        dispatcher=dispatcher,
        watch=NodeWatch(Mailbox()),
        registry=registry or Registry(),
        snapshots=snapshots,
        policy=Policy(accept_unknown_tokens=True),
        ids=TransactionIds(b"k" * 32),
    )


def opened(connection: str, node: str) -> ConnectionOpened:
    return ConnectionOpened(
        tenant="default",
        station="A",
        recorded_at=1,
        connection=connection,
        protocol="1.6",
        node=node,
        remote="",
        proof="none",
        registered=False,
    )


def heartbeat(number: int, recorded_at: int) -> bytes:
    frame = MessageReceived(
        tenant="default",
        station="A",
        recorded_at=recorded_at,
        connection="c",
        number=number,
        frame=f'[2,"{number}","Heartbeat",{{}}]',
        message_type=2,
        message_id=str(number),
        action="Heartbeat",
    )
    return encode(frame, "ingress", 1 + number)


async def say(journal: MemoryJournal, heartbeats: int) -> None:
    values = [encode(opened("c", NODE), "ingress", 1)]
    values += [heartbeat(number, 1 + number) for number in range(1, heartbeats + 1)]
    await journal.append(1, values)


async def frames_in(mailbox: Mailbox, count: int) -> None:
    async with asyncio.timeout(SOON_S):
        while len(mailbox.frames) < count:
            mailbox.arrived.clear()
            await mailbox.arrived.wait()


async def test_every_call_is_answered_once_and_its_frame_names_the_offset_in_the_log(
    snapshots: Snapshots,
) -> None:
    journal = MemoryJournal(1)
    mailbox = Mailbox([Unavailable("not now"), AppendUnknown("nobody knows")])
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(worker(journal, dispatcher, snapshots).run())
        await say(journal, 3)
        await frames_in(mailbox, 3)
        running.cancel()

    log = [decode(e.value) for e in await journal.reader({1: 0}).poll(records_max=99, timeout_s=0)]
    sent = {at: each.frame for at, each in enumerate(log) if isinstance(each, MessageSent)}
    assert {frame.offset: frame.frame for frame in mailbox.frames} == sent
    assert [frame.frame[:6] for frame in mailbox.frames] == ['[3,"1"', '[3,"2"', '[3,"3"']
    assert {frame.node for frame in mailbox.frames} == {NODE}


async def test_of_two_that_claim_at_once_the_later_owns_and_the_other_is_fenced(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        both = [
            group.create_task(_ending(worker(journal, dispatcher, snapshots))) for _ in range(2)
        ]
        async with asyncio.timeout(SOON_S):
            done, living = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in done] == ["fenced"]
        await say(journal, 1)
        await frames_in(mailbox, 1)
        for task in living:
            task.cancel()

    assert len(living) == 1
    assert len(mailbox.frames) == 1


async def _ending(owner: PartitionWorker) -> str:
    try:
        await owner.run()
    except* Fenced:
        pass
    return "fenced"


async def test_a_successor_starts_from_the_snapshot_and_sends_again_what_nobody_confirmed(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        for life in (1, 2):
            running = group.create_task(worker(journal, dispatcher, snapshots).run())
            if life == 1:
                await say(journal, 2)
            await frames_in(mailbox, 2 * life)
            running.cancel()
            await asyncio.wait([running])
            loaded = snapshots.load(1, journal.id)
            assert loaded is not None
            assert loaded[0].position > 2

    assert len(mailbox.frames) == 4
    assert mailbox.frames[2:] == mailbox.frames[:2]


async def test_stations_are_answered_while_a_snapshot_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain_worker, "SNAPSHOT_RECORDS", 4)
    disk, journal, mailbox = SlowDisk(tmp_path / "slow.sqlite"), MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(worker(journal, dispatcher, disk).run())
        try:
            await say(journal, 3)
            assert await asyncio.to_thread(disk.is_asked.wait, SOON_S)
            await journal.append(1, [heartbeat(4, 5)])
            await frames_in(mailbox, 4)
        finally:
            disk.goes_on.set()
            running.cancel()
    assert (loaded := disk.load(1, journal.id)) is not None
    assert loaded[0].position == await journal.head(1)


async def test_what_is_decided_of_a_password_is_said_to_the_registry_once(
    snapshots: Snapshots,
) -> None:
    named: dict[str, Any] = {"tenant": "default", "station": "A", "recorded_at": now_us()}
    registry = Registry()
    for record in (
        StationRegistered(**named, actor="a", credential="secret:old"),
        StationPasswordOffered(**named, actor="a", command_id="k1", credential="secret:new"),
    ):
        registry.fold(registry.position, record)
    asked = CommandRequested(
        **named,
        command_id="k1",
        action="ChangeConfiguration",
        payload=Raw(b'{"key":"AuthorizationKey","value":"secret:s"}'),
        payload_digest="",
        expires_at=now_us() + 60_000_000,
        actor="a",
        secrets=("s",),
    )
    accepted = MessageReceived(
        **named,
        connection="c",
        number=2,
        frame='[3,"k1",{"status":"Accepted"}]',
        message_type=CALLRESULT,
        message_id="k1",
    )
    journal, mailbox = MemoryJournal(1), Mailbox()
    created = await journal.head(REGISTRY_PARTITION)
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        owner = worker(journal, dispatcher, snapshots, registry)
        running = group.create_task(owner.run())
        await say(journal, 1)
        await journal.append(1, [encode(asked, "api", 1)])
        await frames_in(mailbox, 2)
        await journal.append(1, [encode(accepted, "ingress", 3)])
        # The registry is not read back here, so the owner sees its offer open all the while.
        reader = journal.reader({REGISTRY_PARTITION: created})
        [entry] = await reader.poll(records_max=99, timeout_s=SOON_S)
        again = await reader.poll(records_max=99, timeout_s=2.5)
        running.cancel()

    settled = decode(entry.value)
    assert isinstance(settled, StationPasswordSettled)
    assert (settled.command_id, settled.counts, len(again)) == ("k1", True, 0)


async def test_frames_that_leave_at_once_share_a_value_of_bounded_size() -> None:
    mailbox = Mailbox()
    text = "x" * (VALUE_CHARACTERS_MAX // 4)
    frames = [DispatchedFrame(NODE, "t", "s", "c", at, text, 3) for at in range(10)]
    async with Dispatcher(mailbox) as dispatcher:
        for frame in frames:
            dispatcher.put(0, frame)
        dispatcher.put(9, frames[0])
        await frames_in(mailbox, 10)

    assert mailbox.frames == frames
    assert [len(batch) for batch in mailbox.batches] == [4, 4, 2]


async def test_a_superseded_connection_is_closed_on_whichever_node_it_is(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(worker(journal, dispatcher, snapshots).run())
        await say(journal, 1)
        await frames_in(mailbox, 1)
        await journal.append(1, [encode(opened("c2", "0/other"), "other ingress", 1)])
        await frames_in(mailbox, 2)
        running.cancel()

    closing = mailbox.frames[1]
    assert (closing.message_type, closing.node, closing.connection) == (CLOSE, NODE, "c")


async def test_a_connection_superseded_while_nobody_owned_is_closed_by_the_next_owner(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = MemoryJournal(1), Mailbox()
    await journal.append(1, [encode(opened("c", NODE), "ingress", 1)])
    await journal.append(1, [encode(opened("c2", "0/other"), "other ingress", 1)])
    await journal.append(1, [encode(opened("c3", NODE), "ingress", 2)])
    ended = ConnectionClosed(
        tenant="default", station="A", recorded_at=4, connection="c2", code=1008, reason=""
    )
    await journal.append(1, [encode(ended, "other ingress", 2)])
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(worker(journal, dispatcher, snapshots).run())
        await frames_in(mailbox, 1)
        running.cancel()

    closed = [sent.connection for sent in mailbox.frames if sent.message_type == CLOSE]
    assert closed == ["c"]


class PuttingMailbox(Mailbox):
    """Once it has taken the first batch, another frame is put."""

    def __init__(self, put: Callable[[], None]) -> None:
        super().__init__()
        self._put = put

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        await super().send(partition, values)
        if len(self.batches) == 1:
            asyncio.get_running_loop().call_soon(self._put)


async def test_a_frame_put_just_when_those_before_it_are_sent_is_sent() -> None:
    def frame(offset: int) -> DispatchedFrame:
        return DispatchedFrame(NODE, "default", "A", "c", offset, '[3,"1",{}]', 3)

    mailbox = PuttingMailbox(lambda: dispatcher.put(0, frame(2)))
    async with Dispatcher(mailbox) as dispatcher:
        dispatcher.put(0, frame(1))
        await frames_in(mailbox, 2)

    assert mailbox.frames == [frame(1), frame(2)]


class CancellingReader(MemoryReader):
    """Cancels a task when its reader is done with it, as a rebalance may."""

    victim: "asyncio.Task[None]"

    async def close(self) -> None:
        self.victim.cancel()


class CancellingJournal(MemoryJournal):
    victim: "asyncio.Task[None]"

    def reader(self, positions: Mapping[int, int]) -> MemoryReader:
        reader = CancellingReader(self, self._logs, positions)
        reader.victim = self.victim
        return reader


async def _nobody(_: int) -> None: ...


async def test_an_owner_that_is_cancelled_just_when_it_is_fenced_is_over(
    snapshots: Snapshots,
) -> None:
    journal = CancellingJournal(1)
    assignment = Assignment(KafkaCluster("127.0.0.1:1"), "unused", _nobody)
    mailbox, other = Mailbox(), PartitionClaimed(recorded_at=9, owner="another")
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        life = one_life(worker(journal, dispatcher, snapshots), assignment)
        journal.victim = group.create_task(life)
        await MemoryJournal.reader(journal, {1: 0}).poll(records_max=1, timeout_s=SOON_S)
        await say(journal, 1)
        await frames_in(mailbox, 1)
        await journal.append(1, [encode(other, "another", 1)])
        await asyncio.wait([journal.victim], timeout=FENCED_S / 2)

    assert journal.victim.cancelled()


class AwayReader(MemoryReader):
    """Shows nothing while it sees nothing."""

    sight: asyncio.Event

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        entries = await super().poll(records_max=records_max, timeout_s=min(timeout_s, 0.05))
        await self.sight.wait()
        return entries


class AwayJournal(MemoryJournal):
    """Cannot be written for a while, but by those who bypass it."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.is_away = False
        self.sight = asyncio.Event()
        self.sight.set()

    async def head(self, partition: int) -> int:
        if self.is_away:
            raise Unavailable("not now")
        return await super().head(partition)

    def reader(self, positions: Mapping[int, int]) -> AwayReader:
        reader = AwayReader(self, self._logs, positions)
        reader.sight = self.sight
        return reader

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        if self.is_away:
            raise Unavailable("not now")
        return await super().append(partition, values)


async def test_an_owner_that_was_cut_off_does_not_claim_what_another_has_claimed_meanwhile(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.domain_worker.OUTAGE_S", 0.2)
    journal, mailbox = AwayJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(_ending(worker(journal, dispatcher, snapshots)))
        await say(journal, 1)
        await frames_in(mailbox, 1)
        await MemoryJournal.append(journal, 1, [heartbeat(2, 3)])
        journal.is_away = True
        await asyncio.sleep(0.5)
        journal.sight.clear()
        await asyncio.sleep(0.2)
        other = PartitionClaimed(recorded_at=9, owner="another")
        await MemoryJournal.append(journal, 1, [encode(other, "another", 1)])
        journal.is_away = False
        await asyncio.sleep(0.5)
        journal.sight.set()
        async with asyncio.timeout(SOON_S):
            assert await running == "fenced"

    reader = MemoryJournal.reader(journal, {1: 0})
    log = [decode(e.value) for e in await reader.poll(records_max=99, timeout_s=0)]
    claims = [each.owner for each in log if isinstance(each, PartitionClaimed)]
    assert len(claims) == 2
    assert claims[1] == "another"


async def test_after_an_outage_an_owner_claims_anew_and_answers_everything_once(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.domain_worker.OUTAGE_S", 0.3)
    journal, mailbox = AwayJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        running = group.create_task(worker(journal, dispatcher, snapshots).run())
        await say(journal, 1)
        await frames_in(mailbox, 1)
        journal.is_away = True
        await MemoryJournal.append(journal, 1, [heartbeat(2, 3), heartbeat(3, 4)])
        await asyncio.sleep(0.8)
        journal.is_away = False
        await frames_in(mailbox, 3)
        await MemoryJournal.append(journal, 1, [heartbeat(4, 5)])
        await frames_in(mailbox, 4)
        running.cancel()

    log = [decode(e.value) for e in await journal.reader({1: 0}).poll(records_max=99, timeout_s=0)]
    claims = [(at, each) for at, each in enumerate(log) if isinstance(each, PartitionClaimed)]
    assert len(claims) == 2
    assert claims[0][1].owner == claims[1][1].owner
    answers = [each for each in log if isinstance(each, MessageSent)]
    assert [each.message_id for each in answers] == ["1", "2", "3", "4"]
    assert [each.epoch for each in answers] == [claims[0][0], *[claims[1][0]] * 3]
    assert [frame.frame[:6] for frame in mailbox.frames] == [
        f'[3,"{number}"' for number in range(1, 5)
    ]
