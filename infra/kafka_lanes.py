"""Appending to the partitions of one topic: one batch in flight per partition, nothing ever split.

What is appended while a partition's batch is on its way waits and is packed into the next one; an
append's values stay next to each other. The client retries a batch until it lands or fails for
good, and cannot take it back. So an append that runs out of time is `Unavailable` while it waits
here, and `AppendUnknown` once it was handed over: its batch may still land, before whatever is sent
to this partition later; once the producer was replaced (below), also after that. A retry that ends
with `Unavailable` does not settle the first try.

A client can lose a batch for good: it neither lands nor fails, and its partition is never sent to
again while others are. So one that is in flight for `STUCK_S` has the producer replaced. The same
goes for one that the client gave up, as for want of a leader: of a partition that missed one batch
its producer's next ones would not be taken.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata

from infra.journal_batches import (
    BATCH_BYTES_MAX,
    BATCH_RECORDS_MAX,
    QUEUE_BYTES_MAX,
    joined,
)
from infra.kafka_cluster import KafkaCluster
from schemas.journal import AppenderFailed, AppendUnknown, Unavailable

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
"""For what is in flight at the end. The client alone would wait for a broker for ever."""

STUCK_S = 40.0
"""In flight: several times what one request may take, and longer than a leader is missing."""

_PASSING = (UnknownTopicOrPartitionError, KafkaTimeoutError)
"""Why a batch is not taken by a client that works."""

_logger = logging.getLogger(__name__)


class _Append:
    """Taken: no longer waiting, because it is in flight or was given up."""

    __slots__ = ("is_taken", "landed", "lines_bytes", "values")

    def __init__(
        self, values: Sequence[bytes], lines_bytes: int, landed: "asyncio.Future[range]"
    ) -> None:
        self.values = values
        self.lines_bytes = lines_bytes
        self.landed = landed
        self.is_taken = False


class _Lane:
    __slots__ = ("in_flight", "partition", "sent", "sent_at", "waiting")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.sent: asyncio.Future[RecordMetadata] | None = None
        """The client's promise for what is in flight."""
        self.sent_at = 0.0
        self.waiting: deque[_Append] = deque()
        self.in_flight: list[_Append] = []


class Lanes:
    def __init__(
        self, cluster: KafkaCluster, topic: str, partitions: int, *, timeout_s: float
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._timeout_s = timeout_s
        self._lanes = [_Lane(partition) for partition in range(partitions)]
        self._ready: deque[_Lane] = deque()
        self._is_ready = asyncio.Event()
        self._queued_bytes = 0
        self._starting = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None
        self._pump: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        """Of producers that were replaced."""
        self._anew: asyncio.Task[None] | None = None
        """Starts the next one for what waits."""
        self._end: Exception | None = None

    async def append(self, partition: int, values: Sequence[bytes]) -> range:
        """See `schemas.journal.Journal.append`."""
        if partition < 0:
            raise IndexError(f"partition {partition}")
        lane = self._lanes[partition]
        lines_bytes = len(joined(values))
        if self._producer is None:
            await self._start()
        if self._end is not None:
            raise self._end
        if self._queued_bytes + lines_bytes > QUEUE_BYTES_MAX:
            raise Unavailable(f"{self._queued_bytes} bytes are queued for {self._topic}")
        loop = asyncio.get_running_loop()
        append = _Append(values, lines_bytes, loop.create_future())
        self._queued_bytes += lines_bytes
        lane.waiting.append(append)
        if not lane.in_flight and len(lane.waiting) == 1:
            self._is_due(lane)
        deadline = loop.call_later(self._timeout_s, self._expire, lane, append)
        try:
            return await append.landed
        finally:
            deadline.cancel()
            self._withdraw(lane, append)

    async def close(self) -> None:
        """Give what is in flight a little time, refuse the rest, and let go of the connections."""
        if self._end is None:
            self._end = Unavailable(f"{self._topic}: closed")
        for lane in self._lanes:
            for append in list(lane.waiting):
                self._withdraw(lane, append)
                _refuse(append, Unavailable(f"{self._topic}: closed"))
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
            self._pump = None
        if self._anew is not None:
            self._anew.cancel()
            await asyncio.wait([self._anew])
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stop(producer)
        if self._stopping:
            await asyncio.wait(self._stopping)
        for lane in self._lanes:
            for append in lane.in_flight:
                _refuse(append, AppendUnknown(f"{self._topic}: closed before an answer came"))

    def _has_ended(self) -> bool:
        return self._end is not None

    async def _start(self) -> None:
        async with self._starting:
            if self._producer is not None or self._has_ended():
                return
            producer = self._cluster.producer()
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await producer.start()
            except (KafkaError, OSError) as error:
                await _stop(producer)
                raise Unavailable(f"{self._cluster.bootstrap}: {error}") from error
            except BaseException:
                await _stop(producer)
                raise
            if self._has_ended():
                await _stop(producer)
                return
            self._producer = producer
            self._is_ready.set()
            # Lives as long as this object: `close` cancels it and waits for it.
            self._pump = asyncio.get_running_loop().create_task(self._send_ready(producer))
            self._pump.add_done_callback(self._ended)

    def _ended(self, pump: "asyncio.Task[None]") -> None:
        if not pump.cancelled():
            self._fail(f"appending ended: {pump.exception()!r}")

    def _is_due(self, lane: _Lane) -> None:
        self._ready.append(lane)
        self._is_ready.set()

    async def _send_ready(self, producer: AIOKafkaProducer) -> None:
        while True:
            await self._is_ready.wait()
            self._is_ready.clear()
            while self._ready and producer is self._producer:
                await self._send(producer, self._ready.popleft())

    async def _send(self, producer: AIOKafkaProducer, lane: _Lane) -> None:
        if lane.in_flight:
            return
        batch = producer.create_batch()
        room_bytes, room_records = BATCH_BYTES_MAX, BATCH_RECORDS_MAX
        while lane.waiting:
            append = lane.waiting[0]
            room_bytes -= append.lines_bytes
            room_records -= len(append.values)
            if lane.in_flight and (room_bytes < 0 or room_records < 0):
                break
            append.is_taken = True
            lane.in_flight.append(lane.waiting.popleft())
            for value in append.values:
                assert batch.append(timestamp=None, key=None, value=value) is not None
        if not lane.in_flight:
            return
        batch.close()
        lane.sent_at = asyncio.get_running_loop().time()
        try:
            sent = await producer.send_batch(batch, self._topic, partition=lane.partition)
        except (KafkaError, OSError) as error:
            # Not handed over.
            self._settle(lane, Unavailable(f"{self._topic}: {error}"))
            if not isinstance(error, _PASSING):
                # The client has ended, and would refuse all that follows.
                self._replace(f"partition {lane.partition}: {error!r}")
        else:
            lane.sent = sent
            sent.add_done_callback(partial(self._landed, lane))

    def _landed(self, lane: _Lane, sent: "asyncio.Future[RecordMetadata]") -> None:
        if sent is not lane.sent:
            # Its producer was replaced: its fate was told as unknown.
            if not sent.cancelled():
                sent.exception()
        elif sent.cancelled():
            self._fail("the producer was cancelled")
        elif (error := sent.exception()) is not None:
            if isinstance(error, KafkaError) and error.retriable:
                self._replace(f"partition {lane.partition}: {error!r}")
            else:
                self._fail(repr(error))
        elif (base := sent.result().offset) < 0:
            # The broker has it from an earlier try and no longer knows where.
            self._settle(lane, AppendUnknown(f"{self._topic}: in the log, at an unknown offset"))
        else:
            self._settle(lane, base)

    def _settle(self, lane: _Lane, outcome: int | Exception) -> None:
        landed, lane.in_flight = lane.in_flight, []
        for append in landed:
            self._queued_bytes -= append.lines_bytes
            if isinstance(outcome, Exception):
                _refuse(append, outcome)
                continue
            end = outcome + len(append.values)
            if not append.landed.done():
                append.landed.set_result(range(outcome, end))
            outcome = end
        if lane.waiting:
            self._is_due(lane)

    def _fail(self, reason: str) -> None:
        if self._end is None:
            self._end = AppenderFailed(f"{self._topic}: {reason}")
        for lane in self._lanes:
            for append in [*lane.in_flight, *lane.waiting]:
                self._withdraw(lane, append)
                _refuse(append, self._end)

    def _replace_if_stuck(self, lane: _Lane) -> None:
        in_flight_s = asyncio.get_running_loop().time() - lane.sent_at
        if lane.in_flight and in_flight_s >= STUCK_S:
            self._replace(f"partition {lane.partition}: no answer in {in_flight_s:.0f} s")

    def _replace(self, reason: str) -> None:
        """Let go of a producer that has lost a batch; another is started once something waits."""
        producer, pump = self._producer, self._pump
        if producer is None or pump is None:
            return
        _logger.error("%s: %s; the producer is replaced", self._topic, reason)
        self._producer = self._pump = None
        pump.cancel()
        stopping = asyncio.get_running_loop().create_task(_stop(producer))
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
        for each in self._lanes:
            each.sent = None
            if each.in_flight:
                self._settle(each, AppendUnknown(f"{self._topic}: the producer was replaced"))
        if any(each.waiting for each in self._lanes):
            self._anew = asyncio.get_running_loop().create_task(self._start_anew())

    async def _start_anew(self) -> None:
        try:
            await self._start()
        except Unavailable as error:
            # What waits runs out of time, or is sent by the next append that succeeds in it.
            _logger.warning("%s: no other producer: %s", self._topic, error)

    def _expire(self, lane: _Lane, append: _Append) -> None:
        self._replace_if_stuck(lane)
        if append.is_taken:
            _refuse(append, AppendUnknown(f"{self._topic}: no answer in {self._timeout_s} s"))
        else:
            self._withdraw(lane, append)
            _refuse(append, Unavailable(f"{self._topic}: not sent within {self._timeout_s} s"))

    def _withdraw(self, lane: _Lane, append: _Append) -> None:
        if not append.is_taken:
            append.is_taken = True
            lane.waiting.remove(append)
            self._queued_bytes -= append.lines_bytes


def _refuse(append: _Append, error: Exception) -> None:
    if not append.landed.done():
        append.landed.set_exception(error)


async def _stop(producer: AIOKafkaProducer) -> None:
    """Let go of it within seconds: the client alone waits until every batch has landed."""
    loop = asyncio.get_running_loop()
    stopping = loop.create_task(producer.stop())
    await asyncio.wait([stopping], timeout=STOP_TIMEOUT_S)
    # There is no other way to end a batch that is sent again and again, or is lost.
    for end in (producer._sender.close, producer.client.close):  # noqa: SLF001
        if stopping.done():
            break
        ending = loop.create_task(end())
        await asyncio.wait([ending, stopping], timeout=STOP_TIMEOUT_S)
        ending.cancel()
    stopping.cancel()
    await asyncio.wait([stopping])
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        _logger.warning("a producer ended with %r", error)
