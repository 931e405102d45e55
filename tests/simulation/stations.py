"""A station modelled on real firmware, with its own op-log: the witness of the simulation.

Transaction messages wait in a queue while offline and leave in order, one CALL in flight. One that
gets a CALLERROR, or no answer on a sound connection, is sent again, with the same message id or a
new one as the make does, and discarded after three such attempts (OCPP 1.6, 3.7.1; libocpp). What a
broken link cost is not counted: there the station knows that it was offline.
"""

import asyncio
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from infra.simulator.oplog import Operation, Outcome, TransactionRecord
from tests.simulation.network import Link, Network
from tests.simulation.sockets import ClientSocket

ATTEMPTS_MAX = 3
ANSWER_S = 30.0
WH_PER_S_MAX = 200
"""720 kW."""

CALM_S = 20.0
"""Within which whatever is still waiting is answered once nothing is broken any more."""
AGAIN_S = 5.0
PING_S = 20.0
HANDSHAKE_S = 15.0
BACKOFF_S = (0.5, 15.0)
EPOCH = datetime(2026, 11, 23, 10, tzinfo=UTC)
MONEY = ("StartTransaction", "StopTransaction", "MeterValues")
ANSWERS: tuple[Any, ...] = ({"status": "Accepted"}, {"status": "Rejected"}, None)


@dataclass(slots=True, kw_only=True)
class Message:
    action: str
    payload: dict[str, Any]
    transaction: TransactionRecord | None = None
    message_id: str = ""
    attempts: int = 0


@dataclass(slots=True)
class Witness:
    """What the stations of a run know."""

    operations: list[Operation] = field(default_factory=list)
    transactions: list[TransactionRecord] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    """Transaction messages given up, which our side is to blame for."""
    strays: list[str] = field(default_factory=list)
    """Answers beyond one for each CALL sent on that connection."""
    unanswered: list[str] = field(default_factory=list)
    """CALLs without an answer in time although nothing was wrong with the link, nor for the last
    `CALM_S` with the log or whoever reads it: troubles that follow each other may last longer."""
    troubled_at: float = -CALM_S
    """When the log, or the way of a process to it, was last seen broken; loop time."""
    status: dict[str, str] = field(default_factory=dict)
    """By station: what it told last, answered on its newest connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """How a firmware behaves."""

    same_id: bool
    chatty_s: float = 60.0
    """Between heartbeats."""


class SimulatedStation:
    def __init__(
        self,
        name: str,
        *,
        make: Make,
        sessions: int,
        ports: list[int],
        network: Network,
        witness: Witness,
        random: Random,
        asks: int,
        asking: Random,
    ) -> None:
        self.name = name
        self.link: Link | None = None
        self.loses_an_answer = False
        """The answer to its next transaction message goes astray, and the link with it."""
        self.done = asyncio.Event()
        """Every session is told and answered, or given up."""
        self._make = make
        self._sessions = sessions
        self._asks, self._asking = asks, asking
        self._ports = ports
        self._network = network
        self._witness = witness
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Message] = deque()
        self._work = asyncio.Event()
        self._booted = False
        self._number = 0
        self._connections = 0
        self._status = "Available"
        self._register_wh = random.randint(0, 10_000)
        self._in_flight: tuple[str, asyncio.Future[Any]] | None = None
        self._sent: Counter[str] = Counter()
        """By message id, on this connection."""
        self._is_plugged = True
        self._is_over = False

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time())

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_connected())
            group.create_task(self._charge())
            group.create_task(self._beat())
            group.create_task(self._ask())

    async def go_offline(self, seconds: float) -> None:
        self._is_plugged = False
        if self.link is not None:
            self.link.cut()
        await asyncio.sleep(seconds)
        self._is_plugged = True

    # Sessions.

    async def _charge(self) -> None:
        for _ in range(self._sessions):
            await asyncio.sleep(self._random.uniform(1, 60))
            await self._session()
        if not any(each.transaction for each in self._queue):
            self.done.set()
        self._is_over = True

    async def _session(self) -> None:
        random = self._random
        self._report("Preparing")
        begun = self.wall().replace(microsecond=0)
        transaction = TransactionRecord(
            station=self.name,
            connector_id=1,
            id_token=f"TAG{random.randint(1, 3)}",
            started_at=begun,
            meter_start_wh=self._register_wh,
            reference=f"{self.name}-{len(self._witness.transactions)}",
        )
        self._witness.transactions.append(transaction)
        start = {
            "connectorId": 1,
            "idTag": transaction.id_token,
            "meterStart": self._register_wh,
            "timestamp": _iso(begun),
        }
        self._put("StartTransaction", start, transaction)
        self._report("Charging")
        for _ in range(random.randint(0, 3)):
            await self._draw(random.uniform(2, 30), wh=random.randint(1, 900))
            self._put("MeterValues", _meter_values(self.wall(), self._register_wh), transaction)
        await self._draw(random.uniform(2, 30), wh=random.randint(0, 900))
        transaction.ended_at = self.wall().replace(microsecond=0)
        transaction.meter_stop_wh = self._register_wh
        stop = {"meterStop": self._register_wh, "timestamp": _iso(transaction.ended_at)}
        self._put("StopTransaction", stop, transaction)
        self._report("Available")

    async def _draw(self, seconds: float, *, wh: int) -> None:
        # Told in whole seconds, it took a second less. A megawatt would be no charging station's.
        await asyncio.sleep(seconds)
        self._register_wh += min(wh, int((seconds - 1) * WH_PER_S_MAX))

    def _put(self, action: str, payload: dict[str, Any], transaction: TransactionRecord) -> None:
        self._queue.append(Message(action=action, payload=payload, transaction=transaction))
        self._work.set()

    def _report(self, status: str) -> None:
        self._status = status
        if self._booted and self.link is not None:
            self._queue.append(self._status_message())
            self._work.set()

    def _status_message(self) -> Message:
        payload = {
            "connectorId": 1,
            "errorCode": "NoError",
            "status": self._status,
            "timestamp": self.wall().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        return Message(action="StatusNotification", payload=payload)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._make.chatty_s * self._random.uniform(0.8, 1.2))
            if self.link is not None and self._booted and len(self._queue) < 50:
                self._queue.append(Message(action="Heartbeat", payload={}))
                self._work.set()

    async def _ask(self) -> None:
        # With a random of its own: a station that asks nothing is what it was.
        for number in range(self._asks):
            await asyncio.sleep(self._asking.uniform(1, 60))
            if self.link is not None and self._booted:
                asked = {"vendorId": "V", "data": f"{self.name} asks {number}"}
                self._queue.append(Message(action="DataTransfer", payload=asked))
                self._work.set()

    # The connection.

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            if self._is_plugged:
                asked_s = await self._connected_once()
                failures = 0 if asked_s is None else failures + 1
                backoff_s = min(BACKOFF_S[1], BACKOFF_S[0] * 2**failures)
                await asyncio.sleep(max(backoff_s, asked_s or 0) * self._random.uniform(0.5, 1.5))
            else:
                await asyncio.sleep(1)

    async def _connected_once(self) -> float | None:
        """Return None after a connection, else how long we were asked to stay away."""
        port = self._random.choice(self._ports)
        socket = ClientSocket(self.name)
        try:
            link = self._network.connect(port, self.name, socket)
        except ConnectionRefusedError:
            return 0.0
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                refused_s = await socket.opened
        except TimeoutError:
            socket.abort()
            return 0.0
        if refused_s is not None:
            return refused_s
        self.link = link
        self._connections += 1
        self._sent.clear()
        self._booted = False
        try:
            await self._converse(socket)
        finally:
            self.link = None
            self._queue = deque(each for each in self._queue if each.transaction is not None)
            socket.abort()
        return None

    async def _converse(self, socket: ClientSocket) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._transmit(socket)),
                group.create_task(self._ping(socket)),
            ]
            while (text := await socket.texts.get()) is not None:
                tasks.extend(self._received(group, socket, text))
            for task in tasks:
                task.cancel()

    async def _ping(self, socket: ClientSocket) -> None:
        while True:
            await asyncio.sleep(PING_S)
            if not await socket.ping(PING_S / 2):
                socket.abort()
                return

    async def _transmit(self, socket: ClientSocket) -> None:
        while not self._booted:
            boot = {"chargePointVendor": "Simulated", "chargePointModel": self.name}
            frame = await self._exchange(socket, "BootNotification", boot, self._next_id())
            accepted = frame is not None and frame[0] == 3 and frame[2]["status"] == "Accepted"
            self._booted = accepted
            if not accepted:
                await asyncio.sleep(AGAIN_S)
        self._queue.appendleft(self._status_message())
        while True:
            while not self._queue:
                self._work.clear()
                await self._work.wait()
            await self._deliver(socket, self._queue[0])

    async def _deliver(self, socket: ClientSocket, message: Message) -> None:
        if not (message.message_id and self._make.same_id):
            message.message_id = self._next_id()
        payload, transaction = message.payload, message.transaction
        if transaction is not None and message.action != "StartTransaction":
            number = transaction.transaction_id
            payload = payload | {"transactionId": -1 if number is None else number}
        frame = await self._exchange(socket, message.action, payload, message.message_id)
        if frame is not None and frame[0] == 3:
            self._answered(message, frame[2])
        elif transaction is not None:
            message.attempts += 1
            if message.attempts < ATTEMPTS_MAX:
                await asyncio.sleep(AGAIN_S * message.attempts)
                return
            self._witness.discarded.append(f"{self.name} {message.action} {message.message_id}")
        self._queue.remove(message)
        if self._is_over and not any(each.transaction for each in self._queue):
            self.done.set()

    def _answered(self, message: Message, payload: dict[str, Any]) -> None:
        transaction = message.transaction
        if message.action == "StatusNotification":
            self._witness.status[self.name] = message.payload["status"]
        elif message.action == "StartTransaction" and transaction is not None:
            transaction.transaction_id = payload["transactionId"]
            transaction.start_acked = True
        elif message.action == "StopTransaction" and transaction is not None:
            transaction.stop_acked = True

    def _next_id(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number}"

    async def _exchange(
        self, socket: ClientSocket, action: str, payload: dict[str, Any], message_id: str
    ) -> Any:
        """Return the answer's frame, or None; waits to be cancelled once the link is broken."""
        answered: asyncio.Future[Any] = self._loop.create_future()
        self._in_flight = (message_id, answered)
        self._sent[message_id] += 1
        sent_at, outcome, frame = self.wall(), Outcome.INTERRUPTED, None
        if self.loses_an_answer and self.link is not None and action in MONEY:
            self.loses_an_answer = False
            self.link.silence(to_server=False, to_client=True)
        socket.send(json.dumps([2, message_id, action, payload]))
        try:
            async with asyncio.timeout(ANSWER_S):
                frame = await answered
            outcome = Outcome.ANSWERED if frame[0] == 3 else Outcome.REFUSED
        except TimeoutError:
            outcome = Outcome.MISSING
        finally:
            self._in_flight = None
            self._witness.operations.append(
                Operation(
                    station=self.name,
                    connection=self._connections,
                    command=False,
                    message_id=message_id,
                    action=action,
                    payload=payload,
                    sent_at=sent_at,
                    outcome=outcome,
                    answer=None if frame is None else frame[2:],
                )
            )
        calm_s = asyncio.get_running_loop().time() - self._witness.troubled_at
        is_faulted = self.link is None or self.link.is_faulted
        if outcome is Outcome.MISSING and not is_faulted and calm_s >= CALM_S:
            self._witness.unanswered.append(f"{self.name} {action} {message_id} at {sent_at}")
        if frame is None and is_faulted:
            socket.abort()
            await asyncio.Future()
        return frame

    def _received(
        self, group: asyncio.TaskGroup, socket: ClientSocket, text: str
    ) -> list["asyncio.Task[None]"]:
        frame = json.loads(text)
        if frame[0] == 2:
            return [group.create_task(self._commanded(socket, frame))]
        self._sent[frame[1]] -= 1
        if self._sent[frame[1]] < 0:
            self._witness.strays.append(f"{self.name} {text}")
        message_id, answered = self._in_flight or ("", None)
        if answered is not None and message_id == frame[1] and not answered.done():
            answered.set_result(frame)
        return []

    async def _commanded(self, socket: ClientSocket, frame: Any) -> None:
        received_at = self.wall()
        answer = self._random.choice(ANSWERS)
        told = answer is not None
        self._witness.operations.append(
            Operation(
                station=self.name,
                connection=self._connections,
                command=True,
                message_id=frame[1],
                action=frame[2],
                payload=frame[3],
                sent_at=received_at,
                outcome=Outcome.ANSWERED if told else Outcome.MISSING,
                answer=[answer] if told else None,
            )
        )
        if told:
            await asyncio.sleep(self._random.uniform(0.01, 3))
            socket.send(json.dumps([3, frame[1], answer]))


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _meter_values(at: datetime, register_wh: int) -> dict[str, Any]:
    value = {
        "value": str(register_wh),
        "measurand": "Energy.Active.Import.Register",
        "unit": "Wh",
        "context": "Sample.Periodic",
    }
    return {
        "connectorId": 1,
        "meterValue": [{"timestamp": _iso(at.replace(microsecond=0)), "sampledValue": [value]}],
    }
