"""The owner of some partitions, on Kafka: read, fold, decide, append, read back, dispatch.

Which partitions are ours is a hint of the consumer group; the log decides. A frame is handed to its
ingress node only when it has been read back and counts.
"""

import asyncio
import logging
import secrets as randomness
from collections.abc import Sequence

from domain.decisions16 import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import clock
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from infra.recovery import POLL_RECORDS_MAX, fold_range, owner_from
from infra.snapshots import PartitionSnapshot, Snapshots, take
from schemas.deliveries import DispatchedFrame, encode, slot_of
from schemas.journal import AppendUnknown, Journal, Unavailable
from schemas.records import MessageSent, Record
from schemas.records import decode as decode_record
from schemas.records import encode as encode_record

DECISIONS_MAX = 1_000
"""Of one batch: far below what a batch may hold."""

RETRY_S = 0.2
LOST_CHECK_S = 1.0
SNAPSHOT_RECORDS = 100_000

_logger = logging.getLogger(__name__)


class Fenced(Exception):
    """Another owner has claimed the partition. Stop until it is assigned to us anew."""


class PartitionWorker:
    def __init__(
        self,
        partition: int,
        *,
        journal: Journal,
        deliveries: KafkaDispatch,
        watch: NodeWatch,
        registry: Registry,
        snapshots: Snapshots,
        policy: Policy,
        ids: TransactionIds,
    ) -> None:
        self.partition = partition
        self._journal = journal
        self._deliveries = deliveries
        self._watch = watch
        self._registry = registry
        self._snapshots = snapshots
        self._policy = policy
        self._ids = ids
        self._name = f"owner-{randomness.token_hex(6)}"
        self._sequence = 0
        self._appending = asyncio.Lock()
        self._work = asyncio.Event()
        self._snapped = 0

    async def run(self) -> None:
        """Own the partition until cancelled.

        Raises:
            Fenced: another owner's claim is in the log after ours.
            AppenderFailed: the producer is broken; a new process must take over.
        """
        owner = await asyncio.to_thread(self._load)
        self._snapped = owner.position
        end = await self._journal.head(self.partition)
        await fold_range(self._journal, self.partition, owner.position, end, owner.fold)
        await self._append([owner.claim(clock.now_us())])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(owner))
            tasks.create_task(self._decide(owner))
            tasks.create_task(self._notice_lost_nodes(owner))

    def _load(self) -> Owner:
        return owner_from(
            self._snapshots,
            self.partition,
            self._journal.id,
            name=self._name,
            policy=self._policy,
            ids=self._ids,
            registry=self._registry,
        )

    async def _read(self, owner: Owner) -> None:
        reader = self._journal.reader({self.partition: owner.position})
        owned = False
        try:
            while True:
                try:
                    entries = await reader.poll(records_max=POLL_RECORDS_MAX, timeout_s=1.0)
                except Unavailable as error:
                    _logger.warning("partition %d cannot be read: %s", self.partition, error)
                    await asyncio.sleep(RETRY_S)
                    continue
                leaving: list[tuple[int, MessageSent]] = []
                for _, offset, value in entries:
                    record = decode_record(value)
                    if owner.fold(offset, record) and isinstance(record, MessageSent):
                        leaving.append((offset, record))
                if owned and not owner.owns:
                    raise Fenced(f"partition {self.partition}")
                if owner.owns and not owned:
                    owned = True
                    leaving = owner.unconfirmed(clock.now_us())
                    _logger.info("partition %d is ours", self.partition)
                if owned:
                    await self._dispatch(owner, leaving)
                    self._work.set()
                    await self._snapshot(owner)
        finally:
            await reader.close()

    async def _decide(self, owner: Owner) -> None:
        while True:
            due = owner.next_due()
            wait_s = 1.0 if due is None else min(1.0, max(0.001, (due - clock.now_us()) / 1e6))
            try:
                async with asyncio.timeout(wait_s):
                    await self._work.wait()
            except TimeoutError:
                pass
            self._work.clear()
            records = owner.decide(clock.now_us(), DECISIONS_MAX)
            if records:
                await self._append(records)

    async def _notice_lost_nodes(self, owner: Owner) -> None:
        while True:
            await asyncio.sleep(LOST_CHECK_S)
            lost = list(owner.lost(self._watch.is_lost, clock.now_us()))
            if lost:
                await self._append(lost)

    async def _append(self, records: Sequence[Record]) -> None:
        async with self._appending:
            values = []
            for record in records:
                self._sequence += 1
                values.append(encode_record(record, self._name, self._sequence))
            while True:
                try:
                    await self._journal.append(self.partition, values)
                except (Unavailable, AppendUnknown) as error:
                    # The same ids again: of two that land, the filter lets one count.
                    _logger.warning("partition %d: %s", self.partition, error)
                    await asyncio.sleep(RETRY_S)
                else:
                    return

    async def _dispatch(self, owner: Owner, leaving: Sequence[tuple[int, MessageSent]]) -> None:
        by_slot: dict[int, list[bytes]] = {}
        for offset, sent in leaving:
            connection = owner.stations[sent.tenant, sent.station].connection
            if connection is None or connection.id != sent.connection:
                continue
            frame = DispatchedFrame(
                connection.node,
                sent.tenant,
                sent.station,
                sent.connection,
                offset,
                sent.frame,
                sent.message_type,
                sent.deadline,
                sent.secrets,
            )
            by_slot.setdefault(slot_of(connection.node), []).append(encode(frame))
        for slot, values in by_slot.items():
            await self._deliveries.send(slot, values)

    async def _snapshot(self, owner: Owner) -> None:
        if owner.position - self._snapped < SNAPSHOT_RECORDS:
            return
        self._snapped = owner.position
        header = PartitionSnapshot(
            self._journal.id, owner.position, owner.log_filter.dump(), owner.next_counter
        )
        touched, owner.touched = owner.touched, set()
        states = [take(owner.stations[key]) for key in touched]
        await asyncio.to_thread(self._snapshots.save, self.partition, header, states)
