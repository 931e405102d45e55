"""Owners on one log: who claims last decides, and frames leave once they are read back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from domain.answering import Policy
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.dispatcher import VALUE_CHARACTERS_MAX, Dispatcher
from infra.domain_worker import Fenced, PartitionWorker
from infra.journal_batches import joined
from infra.journal_memory import MemoryJournal
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from infra.snapshots import Snapshots
from schemas.deliveries import DispatchedFrame, decode_frames
from schemas.journal import AppendUnknown, Unavailable
from schemas.records import ConnectionOpened, MessageReceived, MessageSent, decode, encode

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


def worker(journal: MemoryJournal, dispatcher: Dispatcher, snapshots: Snapshots) -> PartitionWorker:
    return PartitionWorker(
        1,
        journal=journal,
        dispatcher=dispatcher,
        watch=NodeWatch(Mailbox()),
        registry=Registry(),
        snapshots=snapshots,
        policy=Policy(accept_unknown_tokens=True),
        ids=TransactionIds(b"k" * 32),
    )


async def say(journal: MemoryJournal, heartbeats: int) -> None:
    opened = ConnectionOpened(
        tenant="default",
        station="A",
        recorded_at=1,
        connection="c",
        protocol="1.6",
        node=NODE,
        remote="",
        proof="none",
        registered=False,
    )
    values = [encode(opened, "ingress", 1)]
    for number in range(1, heartbeats + 1):
        frame = MessageReceived(
            tenant="default",
            station="A",
            recorded_at=1 + number,
            connection="c",
            number=number,
            frame=f'[2,"{number}","Heartbeat",{{}}]',
            message_type=2,
            message_id=str(number),
            action="Heartbeat",
        )
        values.append(encode(frame, "ingress", 1 + number))
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
