"""The way of outbound frames to the ingress nodes: in order, one batch in flight per slot.

All owners of a process share one, so that what they say at the same time leaves in one batch. A
send that fails, or of which nobody knows whether it arrived, is made again: ingress writes nothing
twice on a connection. What is lost with this process its successor sends anew.
"""

import asyncio
import logging
from types import TracebackType
from typing import Self

from infra.kafka_dispatch import KafkaDispatch
from schemas.deliveries import DispatchedFrame, encode
from schemas.journal import AppendUnknown, Unavailable

VALUE_CHARACTERS_MAX = 64 * 1024
"""Of the frames in one value. Escaped and in UTF-8 it stays below what a batch may hold."""

WAITING_MAX = 50_000
"""Frames; owners read no further meanwhile."""

RETRY_S = 0.2

_logger = logging.getLogger(__name__)


class Dispatcher:
    """Use as `async with`, on one event loop."""

    def __init__(self, deliveries: KafkaDispatch) -> None:
        self._deliveries = deliveries
        self._waiting: list[list[DispatchedFrame]] = [[] for _ in range(deliveries.partitions)]
        self._count = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._tasks = asyncio.TaskGroup()
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._sending.values():
            task.cancel()
        # Not told of an error of the body, which would come out wrapped in a group.
        await self._tasks.__aexit__(None, None, None)

    def put(self, slot: int, frame: DispatchedFrame) -> None:
        """Send the frame soon, after those put before it."""
        if not 0 <= slot < len(self._waiting):
            _logger.error("there is no slot %d: %s/%s", slot, frame.tenant, frame.station)
            return
        self._waiting[slot].append(frame)
        self._count += 1
        if slot not in self._sending:
            self._sending[slot] = self._tasks.create_task(self._send_waiting(slot))

    async def room(self) -> None:
        """Return at once, or when there is room again."""
        if self._count > WAITING_MAX:
            self._has_room.clear()
            await self._has_room.wait()

    async def _send_waiting(self, slot: int) -> None:
        while frames := self._waiting[slot]:
            self._waiting[slot] = []
            for values in _batches(frames):
                await self._send(slot, values)
            self._count -= len(frames)
            if self._count <= WAITING_MAX:
                self._has_room.set()
        # In the same turn in which it found nothing: what is put later begins anew.
        del self._sending[slot]

    async def _send(self, slot: int, values: list[bytes]) -> None:
        while True:
            try:
                await self._deliveries.send(slot, values)
            except (Unavailable, AppendUnknown) as error:
                _logger.warning("frames for slot %d cannot be sent: %s", slot, error)
                await asyncio.sleep(RETRY_S)
            else:
                return


def _batches(frames: list[DispatchedFrame]) -> list[list[bytes]]:
    """Return values, each a batch of its own: one frame may be as large as a batch."""
    batches, begin, characters = [], 0, 0
    for end, frame in enumerate(frames):
        characters += len(frame.frame)
        if characters > VALUE_CHARACTERS_MAX and end > begin:
            batches.append([encode(frames[begin:end])])
            begin, characters = end, len(frame.frame)
    batches.append([encode(frames[begin:])])
    return batches
