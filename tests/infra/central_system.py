"""A small OCPP 1.6 central system for the simulator's tests, in the manner of the `ocpp` package.

`python -m tests.infra.central_system PORT` runs one as a process that a test can kill.

It is right unless a `Misbehaviour` is asked for. `Book` is what it has heard; it outlives
connections and restarts, as a central system's memory must.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zlib import crc32

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

QUIET = logging.getLogger("tests.central_system")
QUIET.setLevel(logging.CRITICAL)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def handles(action: Action) -> Callable[[Handler], Handler]:
    decorate: Callable[[Handler], Handler] = on(action)
    return decorate


@dataclass(slots=True)
class Misbehaviour:
    # Every nth transaction message is heard, but its connection dies before the answer.
    dies_after: int = 0
    forgets_starts: bool = False
    same_id_for_all: bool = False
    refuses_tokens: bool = False
    breaks_stops: bool = False
    never_answers: str = ""
    pending_boots: int = 0


@dataclass(slots=True)
class Book:
    heartbeat_s: int = 300
    ids: dict[tuple[object, ...], int] = field(default_factory=dict)
    starts: dict[int, dict[str, Any]] = field(default_factory=dict)
    stops: dict[int, dict[str, Any]] = field(default_factory=dict)
    heard: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    points: dict[str, "Point"] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    transaction_messages: int = 0

    # Ids that a restarted process gives again, without having stored them.
    derives_ids: bool = False

    def number_of(self, key: tuple[object, ...]) -> int:
        if self.derives_ids:
            return crc32(repr(key).encode()) % (2**31 - 1) + 1
        return self.ids.setdefault(key, len(self.ids) + 1)

    def energy_wh(self) -> int:
        return sum(
            stop["meter_stop"] - self.starts[number]["meter_start"]
            for number, stop in self.stops.items()
        )

    def heard_of(self, action: str) -> list[dict[str, Any]]:
        return [payload for _, name, payload in self.heard if name == action]


class Point(ChargePoint):  # type: ignore[misc]
    def __init__(self, name: str, connection: ServerConnection, book: Book) -> None:
        super().__init__(name, connection, logger=QUIET)
        self.book = book

    async def route_message(self, raw_msg: str) -> None:
        silent = self.book.misbehaviour.never_answers
        if silent and f'"{silent}"' in raw_msg:
            return
        await super().route_message(raw_msg)
        self.book.frames.append(raw_msg)
        self.book.news.set()

    async def _note(self, action: str, payload: dict[str, Any]) -> None:
        self.book.heard.append((self.id, action, payload))
        if action not in ("StartTransaction", "MeterValues", "StopTransaction"):
            return
        self.book.transaction_messages += 1
        every = self.book.misbehaviour.dies_after
        if every and self.book.transaction_messages % every == 0:
            self.abort()

    def abort(self) -> None:
        """End the connection as a killed process does."""
        self._connection.transport.abort()

    def _id_tag_info(self) -> IdTagInfo:
        refused = self.book.misbehaviour.refuses_tokens
        return IdTagInfo(
            status=AuthorizationStatus.blocked if refused else AuthorizationStatus.accepted
        )

    @handles(Action.boot_notification)
    async def on_boot(self, **payload: Any) -> call_result.BootNotification:
        await self._note("BootNotification", payload)
        pending = self.book.misbehaviour.pending_boots > 0
        self.book.misbehaviour.pending_boots -= 1
        return call_result.BootNotification(
            current_time="2026-01-01T00:00:00Z",
            interval=1 if pending else self.book.heartbeat_s,
            status=RegistrationStatus.pending if pending else RegistrationStatus.accepted,
        )

    @handles(Action.heartbeat)
    async def on_heartbeat(self, **payload: Any) -> call_result.Heartbeat:
        await self._note("Heartbeat", payload)
        return call_result.Heartbeat(current_time="2026-01-01T00:00:00Z")

    @handles(Action.status_notification)
    async def on_status(self, **payload: Any) -> call_result.StatusNotification:
        await self._note("StatusNotification", payload)
        return call_result.StatusNotification()

    @handles(Action.authorize)
    async def on_authorize(self, **payload: Any) -> call_result.Authorize:
        await self._note("Authorize", payload)
        return call_result.Authorize(id_tag_info=self._id_tag_info())

    @handles(Action.start_transaction)
    async def on_start(self, **payload: Any) -> call_result.StartTransaction:
        await self._note("StartTransaction", payload)
        key: tuple[object, ...] = (
            self.id,
            payload["connector_id"],
            payload["id_tag"],
            payload["timestamp"],
        )
        if self.book.misbehaviour.forgets_starts:
            key = (*key, self.book.transaction_messages)
        number = self.book.number_of(key)
        if self.book.misbehaviour.same_id_for_all:
            number = 1
        self.book.starts.setdefault(number, payload)
        return call_result.StartTransaction(transaction_id=number, id_tag_info=self._id_tag_info())

    @handles(Action.meter_values)
    async def on_meter_values(self, **payload: Any) -> call_result.MeterValues:
        await self._note("MeterValues", payload)
        return call_result.MeterValues()

    @handles(Action.stop_transaction)
    async def on_stop(self, **payload: Any) -> call_result.StopTransaction:
        await self._note("StopTransaction", payload)
        if self.book.misbehaviour.breaks_stops:
            raise ValueError("asked for")
        self.book.stops.setdefault(payload["transaction_id"], payload)
        return call_result.StopTransaction(id_tag_info=self._id_tag_info())

    @handles(Action.firmware_status_notification)
    async def on_firmware(self, **payload: Any) -> call_result.FirmwareStatusNotification:
        await self._note("FirmwareStatusNotification", payload)
        return call_result.FirmwareStatusNotification()

    @handles(Action.diagnostics_status_notification)
    async def on_diagnostics(self, **payload: Any) -> call_result.DiagnosticsStatusNotification:
        await self._note("DiagnosticsStatusNotification", payload)
        return call_result.DiagnosticsStatusNotification()


def port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


@asynccontextmanager
async def central_system(book: Book, port: int = 0) -> AsyncIterator[str]:
    """Yield the URL that stations connect to."""

    async def converse(connection: ServerConnection) -> None:
        assert connection.request is not None
        name = connection.request.path.rsplit("/", 1)[-1]
        point = Point(name, connection, book)
        book.points[name] = point
        with suppress(ConnectionClosed):
            await point.start()

    async with serve(
        converse, "127.0.0.1", port, subprotocols=[Subprotocol("ocpp1.6")], close_timeout=0.1
    ) as server:
        yield f"ws://127.0.0.1:{port_of(server)}/ocpp"


async def main(port: int) -> None:
    async with central_system(Book(derives_ids=True), port) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
