"""What a station still has to say, in order (OCPP 1.6, 3.7).

Transaction messages stay until they are answered, over any number of connections; everything else
is forgotten when the connection ends. Starts, meter values and stops leave in the order in which
they happened, so an id that a Start gets is known when its Stop leaves.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.simulator.json_types import Payload
from infra.simulator.oplog import TransactionRecord

# OCPP 1.6, 9.1 TransactionMessageAttempts: how often a CALLERROR is met before we give up.
ATTEMPTS_MAX = 3
# A station's memory is small; beyond it the session waits (as fast as the server answers).
QUEUED_MAX = 500
# Errata 3.18: the id of a transaction whose Start was never answered.
UNKNOWN_TRANSACTION = -1


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    action: str
    payload: Payload
    transaction: TransactionRecord | None = None
    # Told again after its answer, as by firmware that did not see the answer.
    repeat: bool = False
    # Among the messages of its transaction.
    seq_no: int = 0
    attempts: int = 0
    done: asyncio.Future[Payload | None] = field(default_factory=asyncio.Future)

    def settle(self, answer: Payload | None) -> None:
        if not self.done.done():
            self.done.set_result(answer)

    def wire_payload(self) -> Payload:
        """The same content however often it is told; the transaction's id once it is known."""
        if self.transaction is None or self.action == "StartTransaction":
            return self.payload
        number = self.transaction.transaction_id
        if number is not None:
            return self.payload | {"transactionId": number}
        if self.action == "StopTransaction":
            return self.payload | {"transactionId": UNKNOWN_TRANSACTION}
        return self.payload


class Outbox:
    def __init__(self, queued_max: int = QUEUED_MAX) -> None:
        self._queue: deque[Message] = deque()
        self._queued_max = queued_max
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._changed()

    def __len__(self) -> int:
        return len(self._queue)

    async def put(self, message: Message) -> None:
        """Wait while the outbox is full."""
        while len(self._queue) >= self._queued_max:
            await self._room.wait()
        self._queue.append(message)
        self._changed()

    def put_first(self, messages: Sequence[Message]) -> None:
        """Before everything else, however full it is: what a new connection begins with."""
        self._queue.extendleft(reversed(messages))
        self._changed()

    async def first(self) -> Message:
        """The next message to tell. It stays where it is until `settled`."""
        await self._filled.wait()
        return self._queue[0]

    def settled(self, message: Message, answer: Payload | None) -> None:
        self._queue.remove(message)
        self._changed()
        message.settle(answer)

    def disconnected(self) -> None:
        gone = [message for message in self._queue if message.transaction is None]
        self._queue = deque(message for message in self._queue if message.transaction is not None)
        self._changed()
        for message in gone:
            message.settle(None)

    async def drained(self) -> None:
        await self._empty.wait()

    def _changed(self) -> None:
        for event, holds in (
            (self._filled, len(self._queue) > 0),
            (self._empty, len(self._queue) == 0),
            (self._room, len(self._queue) < self._queued_max),
        ):
            if holds:
                event.set()
            else:
                event.clear()
