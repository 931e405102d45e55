"""The owner of one partition, on Kafka: read, fold, decide, append, read back, dispatch.

Which partitions are ours is a hint of the consumer group; the log decides. A frame is handed to its
ingress node only when it has been read back and counts.
"""

import asyncio
import logging
import math
import secrets as randomness
from collections.abc import Callable, Iterator, Sequence

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import clock
from infra.dispatcher import Dispatcher
from infra.journal_batches import split
from infra.node_watch import NodeWatch
from infra.recovery import POLL_RECORDS_MAX, fold_range, head_beyond, owner_from, record_in
from infra.set_aside import SetAsideAlarm
from infra.snapshot_keeping import keep
from infra.snapshots import SNAPSHOT_RECORDS, Snapshots
from infra.superseded import Superseded
from schemas.deliveries import DispatchedFrame, slot_of
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Entry, Journal, Unavailable
from schemas.records import (
    CALL,
    CanaryAsked,
    MessageReceived,
    MessageSent,
    OwnerRecord,
    PartitionClaimed,
    Record,
    StationPasswordSettled,
)
from schemas.records import encode as encode_record

DECISIONS_MAX = 1_000
BUSY_RECORDS = 8
GATHER_S = 0.004
"""When so many come at once, the next are given time to become more: every fetch, every batch of
decisions and every delivery costs as much as dozens of records. A single CALL does not wait."""

RETRY_S = 0.2
STUCK_S = 30.0
"""Stations give up at about that."""
OUTAGE_S = 5.0
"""Of a log that cannot be written; after less nobody's deadline is worth a claim."""

LOST_CHECK_S = 0.5
_logger = logging.getLogger(__name__)


class Fenced(Exception):
    """Another owner has claimed the partition. Stop until it is assigned to us anew."""


class PartitionWorker:
    """One life of an owner: `run` it once."""

    def __init__(
        self,
        partition: int,
        *,
        journal: Journal,
        dispatcher: Dispatcher,
        watch: NodeWatch,
        registry: Registry,
        snapshots: Snapshots,
        policy: Policy,
        ids: TransactionIds,
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_leaving`: whether, when it ends, somebody else waits for the partition."""
        self.partition = partition
        self._is_leaving = is_leaving
        self._journal = journal
        self._dispatcher = dispatcher
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
        self._snapshot_due = asyncio.Event()
        self._has_claimed = False
        self._settled: set[str] = set()
        self._superseded = Superseded()
        self.reading_steps = 0
        self.deciding_steps = 0
        """Turns of the two loops so far; each takes one in seconds, whatever is away."""
        self.stopped = ""
        """Why nobody works on the partition any more, although it is ours."""
        self._alarm = SetAsideAlarm(policy.set_aside_max)
        self._owner: Owner | None = None
        self._waiting = 0
        """When the first CALL or canary came since the last record of an owner; 0: none waits."""

    async def run(self) -> None:
        """Own the partition until cancelled.

        Raises (one of them, or a group of them):
            Fenced: another owner's claim is in the log after ours.
            Unavailable: the log cannot be read or written at the start; try again.
            AppenderFailed: the producer is broken; a new process must take over.
            TooManySetAside: let nobody decide for the partition until a person has looked.
        """
        owner = self._owner = await asyncio.to_thread(self._load)
        self._snapped = owner.position
        end = await head_beyond(self._journal, owner)

        def fold(offset: int, record: Record) -> None:
            self._superseded.fold(owner, offset, record)

        first = owner.position
        await fold_range(self._journal, self.partition, first, end, fold, owner.pass_over)
        self._alarm.look(owner)
        try:
            async with asyncio.TaskGroup() as tasks:
                # Beside reading: a claim of unknown fate may be in the log all the same.
                tasks.create_task(self._append([owner.claim(clock.now_us())]))
                tasks.create_task(self._read(owner))
                tasks.create_task(self._decide(owner))
                tasks.create_task(self._notice_lost_nodes(owner))
                tasks.create_task(self._keep_snapshots(owner))
        finally:
            if not self._is_leaving():
                await self.keep_last()

    async def keep_last(self) -> None:
        """Keep what has been folded, once `run` has ended, so that the next start is short.

        Here at least, unless owners share their snapshots; and unless another version may fold it.
        """
        if self._owner is not None and not self._alarm.has_rung:
            await self._snapshot(self._owner)

    @property
    def owns(self) -> bool:
        return self._owner is not None and self._owner.owns

    @property
    def position(self) -> int:
        return self._owner.position if self._owner is not None else 0

    @property
    def stations(self) -> int:
        return len(self._owner.stations) if self._owner is not None else 0

    @property
    def set_aside(self) -> int:
        owner = self._owner
        return len(owner.poisoned) + len(owner.unreadable) if owner is not None else 0

    def waiting_s(self, now_us: int) -> float:
        """Return how long stations (or a canary) wait and nothing is decided; 0: none waits."""
        return max(0, now_us - self._waiting) / 1e6 if self._waiting else 0.0

    def condition(self, now_us: int) -> str:
        """Return "ok", or why nothing is decided for this partition."""
        if self.stopped:
            return self.stopped
        if not self.owns:
            return f"not ours yet, folded up to {self.position}"
        waiting_s = self.waiting_s(now_us)
        return "ok" if waiting_s <= STUCK_S else f"no decision for {waiting_s:.0f} s"

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
                self.reading_steps += 1
                try:
                    entries = await reader.poll(records_max=POLL_RECORDS_MAX, timeout_s=1.0)
                except Unavailable as error:
                    _logger.warning("partition %d cannot be read: %s", self.partition, error)
                    await asyncio.sleep(RETRY_S)
                    continue
                leaving = self._fold(owner, entries)
                self._alarm.look(owner)
                if self._has_claimed and not owner.owns:
                    raise Fenced(f"partition {self.partition}")
                if owner.owns:
                    self._work.set()
                    if not owned:
                        owned = True
                        leaving = owner.unconfirmed(clock.now_us())
                        _logger.info("partition %d is ours", self.partition)
                    self._dispatch(owner, leaving)
                    self._superseded.close(self._dispatcher)
                    await self._room()
                    if len(entries) >= BUSY_RECORDS:
                        await asyncio.sleep(GATHER_S)
                    if owner.position - self._snapped >= SNAPSHOT_RECORDS:
                        self._snapshot_due.set()
        finally:
            await reader.close()

    async def _room(self) -> None:
        while True:
            self.reading_steps += 1
            try:
                async with asyncio.timeout(1.0):
                    return await self._dispatcher.room()
            except TimeoutError:
                continue

    def _fold(self, owner: Owner, entries: Sequence[Entry]) -> list[tuple[int, MessageSent]]:
        """Fold what was read; return the frames in it that count."""
        leaving: list[tuple[int, MessageSent]] = []
        for entry in entries:
            record = record_in(entry, owner.pass_over)
            if record is None:
                continue
            if not self._superseded.fold(owner, entry.offset, record):
                continue
            if isinstance(record, OwnerRecord):
                self._waiting = 0
                if isinstance(record, MessageSent):
                    leaving.append((entry.offset, record))
            elif isinstance(record, PartitionClaimed):
                self._has_claimed = self._has_claimed or record.owner == self._name
            elif not self._waiting and _is_asking(record):
                self._waiting = record.recorded_at
        return leaving

    async def _decide(self, owner: Owner) -> None:
        while True:
            self.deciding_steps += 1
            due = owner.next_due()
            wait_s = 1.0 if due is None else min(1.0, max(0.001, (due - clock.now_us()) / 1e6))
            try:
                async with asyncio.timeout(wait_s):
                    await self._work.wait()
            except TimeoutError:
                pass
            self._work.clear()
            while records := owner.decide(clock.now_us(), DECISIONS_MAX):
                await self._append(records)
            self._alarm.look(owner)
            for settled in owner.settled_passwords(clock.now_us()):
                await self._register(settled)

    async def _notice_lost_nodes(self, owner: Owner) -> None:
        while True:
            await asyncio.sleep(LOST_CHECK_S)
            lost = list(owner.lost(self._watch.is_lost, clock.now_us()))
            if lost:
                _logger.warning("partition %d: %d connections are lost", self.partition, len(lost))
                await self._append(lost)

    async def _append(self, records: Sequence[Record]) -> None:
        async with self._appending:
            for values in self._batches(records):
                within_s = OUTAGE_S if self.owns else math.inf
                if not await self._append_batch(values, within_s=within_s):
                    await self._claim_anew()
                    return

    async def _claim_anew(self) -> None:
        """Say in the log that nobody decided for a while: what waits for us is due later.

        What was not appended is decided again once the claim is folded; if it landed all the same,
        it counts if it stands before the claim. If another has claimed meanwhile, it is theirs.
        """
        assert self._owner is not None
        claimed = False
        while not claimed:
            if await self._has_read_all():
                if not self.owns:
                    return
                (values,) = self._batches([self._owner.claim(clock.now_us())])
                claimed = await self._append_batch(values, within_s=0)
            await asyncio.sleep(RETRY_S)
        _logger.warning("partition %d is claimed anew after an outage", self.partition)

    async def _has_read_all(self) -> bool:
        self.deciding_steps += 1
        try:
            return self.position >= await self._journal.head(self.partition)
        except Unavailable:
            return False

    def _batches(self, records: Sequence[Record]) -> Iterator[Sequence[bytes]]:
        first = self._sequence + 1
        self._sequence += len(records)
        return split([encode_record(r, self._name, n) for n, r in enumerate(records, first)])

    async def _register(self, record: StationPasswordSettled) -> None:
        """Append to the registry. It is read back a moment later; until then it is said once."""
        if record.command_id not in self._settled:
            self._settled.add(record.command_id)
            value = encode_record(record, self._name, len(self._settled))
            await self._append_batch([value], REGISTRY_PARTITION)

    async def _append_batch(
        self, values: Sequence[bytes], partition: int | None = None, *, within_s: float = math.inf
    ) -> bool:
        """Append, again and again; return False once that failed for so long."""
        now = asyncio.get_running_loop().time
        until = now() + within_s
        while True:
            self.deciding_steps += 1
            try:
                await self._journal.append(
                    self.partition if partition is None else partition, values
                )
            except (Unavailable, AppendUnknown) as error:
                # The same ids again: of two that land, the filter lets one count.
                _logger.warning("partition %d: %s", self.partition, error)
                if now() >= until:
                    return False
                await asyncio.sleep(RETRY_S)
            else:
                return True

    def _dispatch(self, owner: Owner, leaving: Sequence[tuple[int, MessageSent]]) -> None:
        stations, put = owner.stations, self._dispatcher.put
        for offset, sent in leaving:
            connection = stations[sent.tenant, sent.station].connection
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
            put(slot_of(connection.node), frame)

    async def _keep_snapshots(self, owner: Owner) -> None:
        while True:
            await self._snapshot_due.wait()
            await self._snapshot(owner)
            self._snapshot_due.clear()

    async def _snapshot(self, owner: Owner) -> None:
        # What is folded was read, so it is durable.
        self._snapped = owner.position
        await keep(owner, self._snapshots, self._journal.id)


def _is_asking(record: Record) -> bool:
    if isinstance(record, MessageReceived):
        return record.message_type == CALL
    return isinstance(record, CanaryAsked)
