"""Ingress' way into a journal that other processes read: one batch in flight per partition.

What is posted while a batch is under way joins the next one, in order. An outcome that is unknown
is retried under the same record ids until it is known. While a partition cannot be written its
records wait here, up to a bound; after a few seconds its door closes, and opens again when the
batch that waited is in the log.
"""

import asyncio
import logging
import secrets as randomness
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
CLOSE_DOOR_S = 3.0
RETRY_S = 0.2

_logger = logging.getLogger(__name__)


class _Lane:
    __slots__ = ("down_since", "durable", "running", "sequence", "values", "waiting")

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.sequence = 0
        self.durable = 0
        self.running = False
        self.down_since: float | None = None


class BatchingLog:
    """`ingress.ports.Log`. Use as `async with`, on one event loop."""

    def __init__(
        self, journal: Journal, *, on_closed: Callable[[Callable[[str, str], bool]], object]
    ) -> None:
        """`on_closed` is told which stations' sockets to close when a door closes."""
        self._journal = journal
        self._on_closed = on_closed
        self._incarnation = randomness.token_hex(6)
        self._lanes = [_Lane() for _ in range(journal.partitions + 1)]
        self._bytes = 0
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.__aexit__(kind, error, traceback)

    def post(self, record: Record, payload: object = None) -> None:
        self._put(record)

    async def append(self, record: Record) -> None:
        lane = self._put(record)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append((lane.sequence, durable))
        await durable

    def accepts(self, tenant: str, station: str) -> bool:
        return not self._is_down(self._lanes[self._partition_of(tenant, station)])

    def _partition_of(self, tenant: str, station: str) -> int:
        return partition_of(tenant, station, self._journal.partitions)

    def _is_down(self, lane: _Lane) -> bool:
        now = asyncio.get_running_loop().time()
        return lane.down_since is not None and now - lane.down_since >= CLOSE_DOOR_S

    def _put(self, record: Record) -> _Lane:
        partition = self._partition_of(record.tenant, record.station)
        lane = self._lanes[partition]
        if self._bytes > WAITING_BYTES_MAX or self._is_down(lane):
            raise Unavailable("the journal cannot be written")
        lane.sequence += 1
        value = encode(record, self._incarnation, lane.sequence)
        lane.values.append(value)
        self._bytes += len(value)
        if not lane.running:
            lane.running = True
            self._tasks.create_task(self._drain(partition, lane))
        return lane

    async def _drain(self, partition: int, lane: _Lane) -> None:
        while lane.values:
            batch = _first(lane.values)
            del lane.values[: len(batch)]
            await self._append(partition, lane, batch)
            self._bytes -= sum(map(len, batch))
            lane.durable += len(batch)
            while lane.waiting and lane.waiting[0][0] <= lane.durable:
                waiting = lane.waiting.pop(0)[1]
                if not waiting.done():
                    waiting.set_result(None)
        lane.running = False

    async def _append(self, partition: int, lane: _Lane, batch: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        told = False
        while True:
            try:
                await self._journal.append(partition, batch)
            except (Unavailable, AppendUnknown) as error:
                if lane.down_since is None:
                    lane.down_since = loop.time()
                    _logger.warning("partition %d cannot be written: %s", partition, error)
                if not told and self._is_down(lane):
                    told = True
                    self._on_closed(lambda t, s: self._partition_of(t, s) == partition)
                await asyncio.sleep(RETRY_S)
            else:
                if lane.down_since is not None:
                    _logger.warning("partition %d can be written again", partition)
                    lane.down_since = None
                return


def _first(values: list[bytes]) -> list[bytes]:
    size = 0
    for count, value in enumerate(values[:BATCH_RECORDS_MAX]):
        size += len(value)
        if size > BATCH_BYTES_MAX and count:
            return values[:count]
    return values[:BATCH_RECORDS_MAX]
