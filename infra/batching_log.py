"""Ingress' way into a journal that other processes read: one batch in flight per partition.

What is posted while a batch is under way joins the next one, in order. An outcome that is unknown
is retried under the same record ids until it is known. While a partition cannot be written its
records wait here, up to a bound; after a few seconds its door closes, and opens again when the
batch that waited is in the log.
"""

import asyncio
import logging
import secrets as randomness
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from schemas.journal import AppendUnknown, Journal, Unavailable
from schemas.partitions import partition_of
from schemas.records import Record, encode

WAITING_BYTES_MAX = 32 * 1024 * 1024
"""Of all partitions together."""

BATCH_RECORDS_MAX = 2_000
BATCH_BYTES_MAX = 512 * 1024
BUSY_RECORDS = 4
GATHER_S = 0.004
"""When so many wait already, the next are given time to become more: a batch costs as much as
dozens of records. A single one does not wait."""

CLOSE_DOOR_S = 3.0
"""After a batch was handed over and no answer came; a crashed broker says nothing at all."""

RETRY_S = 0.2
END_WITHIN_S = 5.0
"""For what waits when the node ends; what is not in the log by then was not answered either."""

_logger = logging.getLogger(__name__)


class _Lane:
    __slots__ = ("durable", "is_down", "running", "sequence", "values", "waiting")

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.sequence = 0
        self.durable = 0
        self.running = False
        self.is_down = False


class BatchingLog:
    """`ingress.ports.Log`. Use as `async with`, on one event loop."""

    def __init__(
        self,
        journal: Journal,
        *,
        on_closed: Callable[[Callable[[str, str], bool]], object],
        close_door_s: float = CLOSE_DOOR_S,
    ) -> None:
        """`on_closed` is told which stations' sockets to close when a door closes."""
        self._journal = journal
        self._on_closed = on_closed
        self._close_door_s = close_door_s
        self._incarnation = randomness.token_hex(6)
        self._lanes = [_Lane() for _ in range(journal.partitions + 1)]
        self._bytes = 0
        self._tasks = asyncio.TaskGroup()
        self._draining: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._draining:
            await asyncio.wait(self._draining, timeout=END_WITHIN_S)
        for task in self._draining:
            task.cancel()
        # Not told of an error of the body, which would come out wrapped in a group.
        await self._tasks.__aexit__(None, None, None)

    def post(self, record: Record, payload: object = None) -> None:
        self._put(record)

    async def append(self, record: Record) -> None:
        lane = self._put(record)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append((lane.sequence, durable))
        await durable

    def accepts(self, tenant: str, station: str) -> bool:
        return not self._lanes[self._partition_of(tenant, station)].is_down

    def closed_partitions(self) -> list[int]:
        """Return the partitions that cannot be written; handshakes of their stations get 503."""
        return [partition for partition, lane in enumerate(self._lanes) if lane.is_down]

    def _partition_of(self, tenant: str, station: str) -> int:
        return partition_of(tenant, station, self._journal.partitions)

    def _put(self, record: Record) -> _Lane:
        partition = self._partition_of(record.tenant, record.station)
        lane = self._lanes[partition]
        if self._bytes > WAITING_BYTES_MAX or lane.is_down:
            raise Unavailable("the journal cannot be written")
        lane.sequence += 1
        value = encode(record, self._incarnation, lane.sequence)
        lane.values.append(value)
        self._bytes += len(value)
        if not lane.running:
            lane.running = True
            draining = self._tasks.create_task(self._drain(partition, lane))
            self._draining.add(draining)
            draining.add_done_callback(self._draining.discard)
        return lane

    async def _drain(self, partition: int, lane: _Lane) -> None:
        while lane.values:
            batch = _first(lane.values)
            del lane.values[: len(batch)]
            await self._append(partition, lane, batch)
            self._bytes -= sum(map(len, batch))
            lane.durable += len(batch)
            while lane.waiting and lane.waiting[0][0] <= lane.durable:
                waiting = lane.waiting.popleft()[1]
                if not waiting.done():
                    waiting.set_result(None)
            if len(lane.values) >= BUSY_RECORDS:
                await asyncio.sleep(GATHER_S)
        lane.running = False

    async def _append(self, partition: int, lane: _Lane, batch: list[bytes]) -> None:
        door = asyncio.get_running_loop().call_later(
            self._close_door_s, self._close, partition, lane
        )
        try:
            while True:
                try:
                    await self._journal.append(partition, batch)
                except (Unavailable, AppendUnknown) as error:
                    _logger.warning("partition %d cannot be written: %s", partition, error)
                    await asyncio.sleep(RETRY_S)
                else:
                    break
        finally:
            door.cancel()
        if lane.is_down:
            lane.is_down = False
            _logger.warning("partition %d can be written again", partition)

    def _close(self, partition: int, lane: _Lane) -> None:
        lane.is_down = True
        _logger.warning(
            "partition %d has not been written for %.0f s", partition, self._close_door_s
        )
        self._on_closed(lambda tenant, station: self._partition_of(tenant, station) == partition)


def _first(values: list[bytes]) -> list[bytes]:
    size = 0
    for count, value in enumerate(values[:BATCH_RECORDS_MAX]):
        size += len(value)
        if size > BATCH_BYTES_MAX and count:
            return values[:count]
    return values[:BATCH_RECORDS_MAX]
