"""One simulated station: its connection, its CALLs, its life between boots.

One CALL in flight; the central system's CALLs are answered meanwhile. A lost connection is
opened again with jittered backoff, whatever ended it, and the outbox goes on where it was.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol
from uuid import UUID

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from infra.simulator import frames
from infra.simulator.answers import request_violation, retry_after_s
from infra.simulator.call_lane import CallLane, Witness, acknowledged
from infra.simulator.connector import Connector
from infra.simulator.features import Features
from infra.simulator.handshake import handshake
from infra.simulator.json_types import Configuration, Json, Payload
from infra.simulator.oplog import Operation, Outcome, TransactionRecord
from infra.simulator.outbox import ATTEMPTS_MAX, Message, Outbox
from infra.simulator.reply import Answer, CallError

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
RETRY_AFTER_MAX_S = 30.0
# OCPP 1.6, 9.1 TransactionMessageRetryInterval, after a CALLERROR.
RETRY_INTERVAL_S = 0.1
BOOT_RETRY_MAX_S = 10.0
# How often a station looks whether it has been given an interval.
BEAT_UNKNOWN_S = 1.0
# How often a station with reservations looks whether one is over.
EXPIRY_LOOK_S = 0.5


class GaveUp(Exception):
    """The station had no answer for longer than it was told to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOptions:
    name: str
    url: str
    password: str | None
    answer_timeout_s: float
    give_up_s: float | None


class Dialect(Protocol):
    """What a station says and does otherwise in another version of OCPP."""

    protocol: str
    heartbeat: str
    """The interval's place in the configuration."""
    names_transactions: bool
    """Whether the station does, not the central system."""

    def configuration(self) -> Configuration:
        """Return what a new station is set to."""
        ...

    def boot(self, station: str, reason: str) -> Payload: ...

    def announcements(self, at: datetime) -> list[Message]:
        """Return what a station says of itself, before its connectors."""
        ...

    def spoken(self, message: Message) -> tuple[str, Payload]:
        """Return the action and payload of a message that is kept in the words of 1.6."""
        ...

    def understood(self, answer: Payload | None) -> Payload | None:
        """Return it in the words of 1.6."""
        ...

    def is_done(self, action: str) -> bool:
        """Whether the station does what this CALL asks for."""
        ...

    def answer(self, station: "Station", action: str, payload: Json, *, valid: bool) -> Answer: ...

    def expired(self, station: "Station") -> Sequence[Message]:
        """Give back what was reserved for too long; return what to tell of it."""
        ...


class Station:
    def __init__(
        self, options: StationOptions, dialect: Dialect, witness: Witness, random: Random
    ) -> None:
        self.name = options.name
        self.outbox = Outbox()
        self.random = random
        self.witness = witness
        self.connectors: Sequence[Connector] = ()
        self.features = Features()
        self.password = options.password
        self.connections = 0
        self.connected = False
        # Why the last handshake failed; empty since one did not.
        self.trouble = ""
        # Set while something is reserved.
        self.reserved = asyncio.Event()
        self.resets_when_idle = False
        self.boot_reason = "PowerUp"
        # Set for good by the first connection.
        self.introduced = asyncio.Event()
        self._options = options
        self._booted = False
        self._connection: ClientConnection | None = None
        self._lane = CallLane(options.name, witness, options.answer_timeout_s, dialect.protocol)
        self._dialect = dialect
        self.configuration = dialect.configuration()
        self._subprotocol = Subprotocol(f"ocpp{dialect.protocol}")
        # Whether a transaction message was answered on this connection.
        self._progressed = False
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        # Bounded by the connectors: each asks for one absence per session.
        self._absence: asyncio.Queue[float] = asyncio.Queue()
        # Set for good once the station is to stay.
        self._staying = asyncio.Event()

    async def run(self) -> None:
        """Live until every connector's sessions are over and acknowledged.

        Raises:
            GaveUp: nobody answered for `give_up_s`.
        """
        gave_up = ""
        try:
            async with asyncio.TaskGroup() as group:
                lasting = (self._connect(), self._beat(), self._be_absent(), self._give_back())
                life = [group.create_task(each) for each in lasting]
                async with asyncio.TaskGroup() as work:
                    for connector in self.connectors:
                        work.create_task(connector.run())
                await self.outbox.drained()
                for task in life:
                    task.cancel()
        except* GaveUp as group_error:
            gave_up = str(group_error.exceptions[0])
        finally:
            self.connected = False
        if gave_up:
            raise GaveUp(gave_up)

    async def tell(self, action: str, payload: Payload) -> Payload | None:
        """Return the answer; None at once when offline, or when the connection ended first."""
        if not self.connected:
            return None
        message = Message(action=action, payload=payload)
        await self.outbox.put(message)
        return await message.done

    async def report(
        self,
        action: str,
        payload: Payload,
        transaction: TransactionRecord,
        *,
        repeat: bool,
        wait: bool,
    ) -> None:
        """Queue a transaction message; it will be told until it is answered."""
        if transaction.transaction_id is None and self._dialect.names_transactions:
            transaction.transaction_id = str(UUID(int=self.random.getrandbits(128)))
        message = Message(
            action=action,
            payload=payload,
            transaction=transaction,
            repeat=repeat,
            seq_no=transaction.messages,
        )
        transaction.messages += 1
        await self.outbox.put(message)
        if wait:
            await message.done

    def go_offline(self, seconds: float) -> None:
        """Lose the connection and stay away; what happens meanwhile is told afterwards."""
        self._absence.put_nowait(seconds)

    def stay(self) -> None:
        """Come back, and lose no connection any more."""
        self._staying.set()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def reboot(self) -> None:
        self._booted = False
        await self.disconnect()

    async def session_over(self) -> None:
        """Reset now if that was to wait for the last transaction."""
        if self.resets_when_idle and all(each.transaction is None for each in self.connectors):
            self.resets_when_idle, self.boot_reason = False, "ScheduledReset"
            await self.reboot()

    def wrong(self, sentence: str) -> None:
        self.witness.findings.add(self.name, sentence)

    async def _connect(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        url, subprotocol = self._options.url, self._subprotocol
        alive_at = loop.time()
        while True:
            await self._may_connect.wait()
            asked_s = 0.0
            self._lane.answered = self._progressed = False
            try:
                async with handshake(url, self.name, self.password, subprotocol) as connection:
                    await self._converse(connection)
            except InvalidStatus as error:
                asked_s = retry_after_s(error.response.headers)
                self.trouble = f"the server answers {error.response.status_code}"
            except (OSError, WebSocketException) as error:
                # Whatever it was, a station only knows that it has to try again.
                self.trouble = getattr(error, "strerror", None) or str(error) or repr(error)
            failures += 1
            if self._lane.answered and (self._progressed or len(self.outbox) == 0):
                failures, alive_at = 0, loop.time()
            silent_s = loop.time() - alive_at
            if self._options.give_up_s is not None and silent_s > self._options.give_up_s:
                why = f": {self.trouble}" if self.trouble else ""
                raise GaveUp(f"no answer for {silent_s:.0f} s{why}")
            backoff_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**failures)
            wait_s = max(backoff_s, min(asked_s, RETRY_AFTER_MAX_S))
            await asyncio.sleep(wait_s * self.random.uniform(0.5, 1.5))

    async def _converse(self, connection: ClientConnection) -> None:
        if connection.subprotocol != self._subprotocol:
            self.wrong(f"the handshake chose the sub-protocol {connection.subprotocol}")
        self._connection, self.trouble = connection, ""
        self.connections += 1
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._transmit(connection))
                try:
                    async for text in connection:
                        await self._received(connection, text)
                except ConnectionClosed:
                    pass
                finally:
                    sender.cancel()
        finally:
            self._connection = None
            self.connected = False
            self.outbox.disconnected()

    async def _transmit(self, connection: ClientConnection) -> None:
        while not self._booted:
            await self._boot(connection)
        self.connected = True
        self.introduced.set()
        announced = self._dialect.announcements(self.witness.wall())
        announced += [connector.announcement() for connector in self.connectors]
        self.outbox.put_first(announced)
        while True:
            message = await self.outbox.first()
            await self._deliver(connection, message)

    async def _boot(self, connection: ClientConnection) -> None:
        boot = self._dialect.boot(self.name, self.boot_reason)
        answer = await self._lane.exchange(connection, self.connections, "BootNotification", boot)
        match answer:
            case {"status": "Accepted", "interval": int(interval)}:
                self._booted = True
                self.configuration[self._dialect.heartbeat] = (str(interval), False)
            case {"status": "Pending" | "Rejected", "interval": int(interval)}:
                await asyncio.sleep(min(BOOT_RETRY_MAX_S, max(1, interval)))
            case _:
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def _deliver(self, connection: ClientConnection, message: Message) -> None:
        answer = await self._told(connection, message)
        if answer is None:
            message.attempts += 1
            if message.transaction is not None and message.attempts < ATTEMPTS_MAX:
                await asyncio.sleep(RETRY_INTERVAL_S * message.attempts)
                return
            if message.transaction is not None:
                self.wrong(f"{message.action} was given up after {message.attempts} CALLERRORs")
        elif message.transaction is not None:
            self._progressed = True
            acknowledged(message, message.transaction, answer, self.witness)
            if message.repeat:
                message.repeat = False
                return
        self.outbox.settled(message, answer)

    async def _told(self, connection: ClientConnection, message: Message) -> Payload | None:
        dialect, exchange = self._dialect, self._lane.exchange
        told = await exchange(connection, self.connections, *dialect.spoken(message))
        return dialect.understood(told)

    async def _received(self, connection: ClientConnection, text: str | bytes) -> None:
        try:
            frame = frames.parse(text)
        except ValueError:
            self.wrong(f"not JSON: {text[:80]!r}")
            return
        match frame:
            case [frames.CALLRESULT, str(message_id), _]:
                self._lane.resolve(message_id, frame)
            case [frames.CALLERROR, str(message_id), str(_), str(_), dict(_)]:
                self._lane.resolve(message_id, frame)
            case [frames.CALL, str(message_id), str(action), payload]:
                await self._commanded(connection, message_id, action, payload)
            case _:
                self.wrong(f"not an OCPP-J frame: {text[:80]!r}")

    async def _commanded(
        self, connection: ClientConnection, message_id: str, action: str, payload: Json
    ) -> None:
        received_at = self.witness.wall()
        answer = self._decide(action, payload)
        if isinstance(answer.payload, CallError):
            text = frames.error(message_id, answer.payload.code, answer.payload.description)
        else:
            text = frames.result(message_id, answer.payload)
        await connection.send(text)
        self.witness.oplog.note(
            Operation(
                station=self.name,
                connection=self.connections,
                command=True,
                message_id=message_id,
                action=action,
                payload=payload,
                sent_at=received_at,
                outcome=Outcome.ANSWERED,
                answer=frames.parse(text)[2:],
                answered_at=self.witness.wall(),
            )
        )
        await answer.then()

    def _decide(self, action: str, payload: Json) -> Answer:
        dialect, violation = self._dialect, None
        if dialect.is_done(action):
            violation = request_violation(action, payload, dialect.protocol)
        if violation is not None:
            self.wrong(f"the CALL {action} is wrong: {violation}")
        return dialect.answer(self, action, payload, valid=violation is None)

    async def _beat(self) -> None:
        while True:
            interval_s = int(self.configuration[self._dialect.heartbeat][0])
            if not self._booted or interval_s <= 0:
                await asyncio.sleep(BEAT_UNKNOWN_S)
                continue
            await asyncio.sleep(interval_s)
            await self.tell("Heartbeat", {})

    async def _be_absent(self) -> None:
        while True:
            seconds = await self._absence.get()
            if self._staying.is_set():
                return
            self._may_connect.clear()
            await self.disconnect()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._staying.wait(), seconds)
            self._may_connect.set()

    async def _give_back(self) -> None:
        while True:
            await self.reserved.wait()
            self.outbox.put_first(self._dialect.expired(self))
            if all(each.reservation is None for each in self.connectors):
                self.reserved.clear()
            await asyncio.sleep(EXPIRY_LOOK_S)
