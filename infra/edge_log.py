"""The embedded journal with its owners: what ingress posts is folded, decided and queued together.

This process is the log's only writer, so a record's place is fixed when it is queued. The owner may
fold it there and then, and its answer joins the same commit. Nothing leaves the process before that
commit has returned; if it fails, everything folded since is thrown away with the owners.

What is posted until the next commit begins is worked off together, step by step: all of it is
folded, then all of it is answered. One CALL after the other, from beginning to end, costs 70 % more
and sixteen together 15 % more than fifty: each step finds the processor's caches full of the other
steps. An answer leaves no earlier for being decided earlier, but folding goes on while the disk
works.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from domain.owner import Owner
from domain.registry import Registry
from infra.journal_batches import BATCH_BYTES_MAX, split
from infra.journal_sqlite import SqliteJournal
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Unavailable
from schemas.partitions import partition_of
from schemas.payloads import VERSIONS, actions
from schemas.records import MessageSent, Record, decode, encode

POSTED_MAX = 64
POSTED_BYTES_MAX = 256 * 1024
"""If so much is posted, it is worked off at once."""

POSTED_WORTH = 32
"""So much is worked off once the loop has read what came; less waits for the next commit."""

DECISIONS_MAX = 100
"""After a restart thousands of CALLs may be open; a batch of the journal has a size."""

LATENCY_BUCKETS = 25
"""Bits of microseconds; the last holds all from 2²³: 8 s, when a station is about to give up."""

Deliver = Callable[[int, MessageSent], None]


class Latencies:
    """How long frames of ours took, from reading what asked for them to sending them."""

    def __init__(self) -> None:
        self.buckets = [0] * LATENCY_BUCKETS
        """By the bits of microseconds."""
        self.sum_us = 0

    def add(self, us: int) -> None:
        bits = us.bit_length()
        self.buckets[bits if bits < LATENCY_BUCKETS else LATENCY_BUCKETS - 1] += 1
        self.sum_us += us


class _Posted(Struct, frozen=True, gc=False):
    value: bytes
    sequence: int
    record: Record
    payload: object


class EdgeLog:
    """`ingress.ports.Log`. Everything is called on the event loop's thread."""

    def __init__(
        self,
        journal: SqliteJournal,
        registry: Registry,
        *,
        incarnation: str,
        deliver: Deliver,
        now_us: Callable[[], int],
    ) -> None:
        """Refuses everything until `start`."""
        self.owners: Sequence[Owner] = ()
        """`owners[p]` is of partition p + 1."""
        self.registry = registry
        self.records = 0
        """Queued since the start."""
        self.latencies: dict[str, Latencies] = {}
        """By action, of answers and CALLs of ours; the unasked count from their decision."""
        self._journal = journal
        self._incarnation = incarnation
        self._deliver = deliver
        self._now_us = now_us
        self._sequences = [0] * (journal.partitions + 1)
        self._posted: dict[int, list[_Posted]] = {}
        """By partition, what is to be worked off; with its number and bytes."""
        self._posted_count = 0
        self._posted_bytes = 0
        self._leaving: deque[tuple[int, int, MessageSent | asyncio.Future[None], int]] = deque()
        self._newest = (REGISTRY_PARTITION, -1)
        self._is_down = True
        self.broken: Exception | None = None
        """Why what is folded is not what is queued: end the process, and let the next one fold."""

        journal.before_commit(self.work_off)

    def start(self, owners: Sequence[Owner]) -> None:
        """Take owners that have folded the whole log; claim next."""
        self.owners = owners
        self._is_down = False

    def post(self, record: Record, payload: object = None) -> None:
        if self._is_down:
            raise Unavailable("the journal cannot be written")
        self._journal.require_room()
        partition = self._partition_of(record)
        posted = self._encoded(partition, record, payload)
        if len(posted.value) > BATCH_BYTES_MAX:
            raise ValueError(f"a record of {len(posted.value)} bytes")
        if partition in self._posted:
            self._posted[partition].append(posted)
        else:
            self._posted[partition] = [posted]
            if not self._posted_count:
                self._journal.expect()
        self._posted_count += 1
        self._posted_bytes += len(posted.value)
        if self._posted_count >= POSTED_MAX or self._posted_bytes >= POSTED_BYTES_MAX:
            self.work_off()
        elif self._posted_count == POSTED_WORTH:
            asyncio.get_running_loop().call_soon(self._look, POSTED_WORTH)

    async def append(self, record: Record) -> None:
        self.post(record)
        self.work_off()
        await self._durable()

    def accepts(self, tenant: str, station: str) -> bool:
        return not self._is_down

    async def append_values(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        """Append what another process encoded under its own record ids; return their offsets.

        Raises:
            Unavailable: nothing was appended.
            AppendUnknown: they may be in the log; append the same values again.
            UnreadableRecord: one of them is no record; nothing was appended.
        """
        if self._is_down:
            raise Unavailable("the journal cannot be written")
        self.work_off()
        # For what is decided because of them, too: that is folded before it is queued.
        self._journal.require_room()
        records = [decode(value) for value in values]
        first = self._journal.enqueue(partition, values)
        for offset, record in enumerate(records, first):
            if partition == REGISTRY_PARTITION:
                self.registry.fold(offset, record)
            else:
                self.owners[partition - 1].fold(offset, record)
        self._newest = (partition, first + len(values) - 1)
        if partition != REGISTRY_PARTITION:
            with self._all_or_broken():
                self._decide(self.owners[partition - 1], self._now_us())
        await self._durable()
        return range(first, first + len(values))

    def claim(self, owner: Owner, now: int) -> None:
        self._queue(owner, [owner.claim(now)])

    def end_connections(self, owner: Owner, is_lost: Callable[[str], bool], now: int) -> None:
        """Record the end of the connections whose node is lost, and decide what follows."""
        self._queue(owner, list(owner.lost(is_lost, now)))

    def elapse(self, now: int) -> int | None:
        """Decide what is due; return when the next timer is (microseconds), if there is one."""
        if self._is_down:
            return None
        self.work_off()
        try:
            self._journal.require_room()
        except Unavailable:
            return None
        for owner in self.owners:
            with self._all_or_broken():
                self._decide(owner, now)
            for settled in owner.settled_passwords(now):
                self._register(settled)
        dues = [due for owner in self.owners if (due := owner.next_due()) is not None]
        return min(dues, default=None)

    def committed(self) -> None:
        """The journal's durable offsets moved: let go what waited for that."""
        leaving, durable, deliver = self._leaving, self._journal.durable, self._deliver
        now = self._now_us()
        while leaving and leaving[0][1] < durable[leaving[0][0]]:
            _, offset, out, since = leaving.popleft()
            if isinstance(out, MessageSent):
                deliver(offset, out)
                latencies = self.latencies.get(out.action) or self._latencies_of(out.action)
                latencies.add(now - since if now > since else 0)
            elif not out.done():
                out.set_result(None)

    def _latencies_of(self, action: str) -> Latencies:
        known = any(action in actions(version) for version in VERSIONS)
        # What peers invent has one name.
        return self.latencies.setdefault(action if known else "", Latencies())

    def fail(self, error: Exception) -> None:
        """A commit failed: nothing that waits may leave. The owners are worthless from here on.

        `error` is the journal's: if it is `AppendUnknown`, what waits may be in the log.
        """
        self._is_down = True
        for _, _, out, _ in self._leaving:
            if not isinstance(out, MessageSent) and not out.done():
                out.set_exception(type(error)(f"the journal could not be written: {error}"))
        self._leaving.clear()
        self._posted.clear()
        self._posted_count = self._posted_bytes = 0

    def _partition_of(self, record: Record) -> int:
        partitions = len(self.owners)
        if partitions == 1:
            return 1
        return partition_of(record.tenant, record.station, partitions)

    def _encoded(self, partition: int, record: Record, payload: object = None) -> _Posted:
        sequence = self._sequences[partition] + 1
        value = encode(record, self._incarnation, sequence)
        self._sequences[partition] = sequence
        return _Posted(value, sequence, record, payload)

    def _look(self, seen: int) -> None:
        count = self._posted_count
        if count > seen:
            asyncio.get_running_loop().call_soon(self._look, count)
        elif count == seen:
            self.work_off()

    def work_off(self) -> None:
        """Fold and queue what was posted, and all that is decided because of it."""
        if not self._posted_count:
            return
        posted, self._posted = self._posted, {}
        self._posted_count = self._posted_bytes = 0
        with self._all_or_broken():
            for partition, some in posted.items():
                self._take(self.owners[partition - 1], some)

    @contextmanager
    def _all_or_broken(self) -> Iterator[None]:
        """If not all that is folded was queued, nothing that waits may leave."""
        try:
            yield
        except Exception as error:
            self.broken = error
            self.fail(AppendUnknown(f"not all that was folded could be queued: {error}"))
            raise

    def _queue(self, owner: Owner, records: Sequence[Record]) -> None:
        self.work_off()
        if records:
            with self._all_or_broken():
                self._take(owner, [self._encoded(owner.partition, record) for record in records])

    def _take(self, owner: Owner, posted: Sequence[_Posted]) -> None:
        first = offset = self._journal.next_offset(owner.partition)
        incarnation = self._incarnation
        for each in posted:
            owner.fold_queued(offset, each.record, incarnation, each.sequence, each.payload)
            offset += 1
        # The clock may have been set back since; no answer is older than its CALL.
        now = max(self._now_us(), *(each.record.recorded_at for each in posted))
        self._decide(owner, now, first, posted)

    def _decide(
        self, owner: Owner, now: int, first: int = 0, posted: Sequence[_Posted] = ()
    ) -> None:
        """Queue what was posted, which is folded from offset `first` on, and what is decided now.

        An answer to it counts from when it was read, anything else from its decision.
        """
        partition, incarnation = owner.partition, self._incarnation
        values = [each.value for each in posted]
        offset = self._journal.next_offset(partition) + len(values)
        while decided := owner.decide(now, DECISIONS_MAX):
            first_sequence = self._sequences[partition] + 1
            self._sequences[partition] += len(decided)
            values += [encode(r, incarnation, n) for n, r in enumerate(decided, first_sequence)]
            for sequence, record in enumerate(decided, first_sequence):
                owner.fold_queued(offset, record, incarnation, sequence)
                if type(record) is MessageSent:
                    asked = record.cause - first
                    since = posted[asked].record.recorded_at if 0 <= asked < len(posted) else now
                    self._leaving.append((partition, offset, record, since))
                offset += 1
            if len(values) >= DECISIONS_MAX:
                self._enqueue(partition, values)
                values = []
        if values:
            self._enqueue(partition, values)

    def _enqueue(self, partition: int, values: Sequence[bytes]) -> None:
        for batch in split(values):
            first = self._journal.enqueue(partition, batch, is_folded=True)
            self._newest = (partition, first + len(batch) - 1)
        self.records += len(values)

    def _register(self, record: Record) -> None:
        """Queue and fold what an owner decided of the registry."""
        value = self._encoded(REGISTRY_PARTITION, record).value
        offset = self._journal.enqueue(REGISTRY_PARTITION, [value])
        self._newest = (REGISTRY_PARTITION, offset)
        self.registry.fold(offset, record)

    async def _durable(self) -> None:
        # Whatever was queued last in any partition is durable once the newest commit is.
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._leaving.append((*self._newest, waiting, 0))
        await waiting
