"""A node on a free port of loopback, with a log that plays misfortunes, and stations that call."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import websockets
from websockets.asyncio.client import ClientConnection

from ingress.options import Options
from ingress.ports import UNKNOWN, Admission, NotAtHand
from ingress.server import Server
from schemas.credentials import make_verifier
from schemas.journal import Unavailable
from schemas.records import CALLRESULT, ConnectionClosed, MessageReceived, Record

PEPPER = b"pepper"
NOW_US = 1_795_444_000_000_000
HEARTBEAT = '[2,"1","Heartbeat",{}]'

R = TypeVar("R", bound=Record)


@dataclass
class Log:
    """Keeps what it is told; can be down, and can be slow to confirm an opening."""

    down: bool = False
    confirms: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Record] = field(default_factory=list)
    payloads: list[object] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.confirms.set()

    def post(self, record: Record, payload: object = None) -> None:
        if self.down:
            raise Unavailable
        self.records.append(record)
        if isinstance(record, MessageReceived):
            self.payloads.append(payload)
        self.changed.set()

    async def append(self, record: Record) -> None:
        if self.down:
            raise Unavailable
        self.records.append(record)
        self.changed.set()
        await self.confirms.wait()

    def accepts(self, tenant: str, station: str) -> bool:
        return not self.down

    def of(self, kind: type[R]) -> list[R]:
        return [record for record in self.records if isinstance(record, kind)]

    async def until(self, kind: type[R], count: int = 1) -> list[R]:
        """Wait until there are so many records of a kind; return them."""
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.of(kind)

    async def received(self, count: int = 1) -> list[MessageReceived]:
        return await self.until(MessageReceived, count)

    async def closed(self, count: int = 1) -> list[ConnectionClosed]:
        return await self.until(ConnectionClosed, count)


@dataclass
class Stations:
    """The directory: who is registered, with which passwords."""

    known: dict[tuple[str, str], Admission] = field(default_factory=dict)
    cold: bool = False
    late: int = 0
    """So many looks until a password is at hand."""

    def register(self, station: str, *passwords: bytes, tenant: str = "default") -> None:
        verifiers = tuple(make_verifier(word, PEPPER, bytes(16)) for word in passwords)
        self.known[tenant, station] = Admission(registered=True, verifiers=verifiers)

    def admission(self, tenant: str, station: str) -> Admission:
        if self.cold:
            raise Unavailable
        if self.late:
            self.late -= 1
            raise NotAtHand
        return self.known.get((tenant, station), UNKNOWN)


@dataclass
class Vault:
    """Secrets; they can be slow to come, and then some are gone."""

    secrets: dict[str, str] = field(default_factory=dict)
    opens: asyncio.Event = field(default_factory=asyncio.Event)
    fails: Exception | None = None

    def digest(self, secret: str) -> str:
        return f"digest-of-{len(secret)}"

    async def reveal(self, secret_id: str) -> str:
        await self.opens.wait()
        if self.fails is not None:
            raise self.fails
        return self.secrets[secret_id]


class Answering(Log):
    """Answers each CALL at once, as an owner in the same process would."""

    server: Server
    offset = 0

    def post(self, record: Record, payload: object = None) -> None:
        super().post(record, payload)
        if isinstance(record, MessageReceived) and record.action:
            self.offset += 1
            self.server.deliver(
                record.connection,
                self.offset,
                f'[3,"{record.message_id}",{{"currentTime":"2026-11-23T14:00:00Z"}}]',
                message_type=CALLRESULT,
            )


@dataclass
class Node:
    server: Server
    log: Log
    stations: Stations
    vault: Vault
    port: int
    clock: list[int]

    def url(self, path: str = "/ocpp/CP1") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    async def connect(
        self,
        path: str = "/ocpp/CP1",
        *,
        protocols: Sequence[str] = ("ocpp1.6",),
        authorization: str = "",
        **options: Any,
    ) -> ClientConnection:
        headers = {"Authorization": authorization} if authorization else {}
        return await websockets.connect(
            self.url(path),
            subprotocols=[websockets.Subprotocol(name) for name in protocols] or None,
            additional_headers=headers,
            ping_interval=None,
            **options,
        )

    async def raw(self) -> "Raw":
        return Raw(*await asyncio.open_connection("127.0.0.1", self.port))

    def turn(self, seconds: float) -> None:
        """Let the node's clockwork run this long, at once."""
        for _ in range(self.server.pace.ticks(seconds)):
            self.server.pace.tick()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that no record tells."""
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - the kernel's buffers tell nobody
                await asyncio.sleep(0.002)


class Raw:
    """A client that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Read until the node closes or cuts."""
        async with asyncio.timeout(20):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def upgrade(self, path: str = "/ocpp/CP1", *headers: str) -> bytes:
        self.write(request(path, *headers))
        return await self.head()

    async def frame(self) -> tuple[int, bytes]:
        """Read one short frame: its first byte and its payload."""
        async with asyncio.timeout(20):
            first, length = await self.reader.readexactly(2)
            return first, await self.reader.readexactly(length)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def request(path: str = "/ocpp/CP1", *headers: str, protocol: str = "ocpp1.6") -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *((f"Sec-WebSocket-Protocol: {protocol}",) if protocol else ()),
        *headers,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def masked(payload: bytes, first: int = 0x81) -> bytes:
    """Return a client's frame, under a mask of zeros."""
    length = len(payload)
    if length < 126:
        header = struct.pack("!BB", first, 0x80 | length)
    elif length < 65536:
        header = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        header = struct.pack("!BBQ", first, 0x80 | 127, length)
    return header + bytes(4) + payload


def basic(user: bytes | str, password: bytes | str) -> str:
    user = user.encode() if isinstance(user, str) else user
    password = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(user + b":" + password).decode()


@asynccontextmanager
async def serving(log: Log | None = None, **options: Any) -> AsyncIterator[Node]:
    """Serve until the end of the block; the clockwork is turned by the test, not by time."""
    log = log or Log()
    stations, vault, clock = Stations(), Vault(), [NOW_US]
    settings: dict[str, Any] = {
        "accept_unknown_stations": True,
        "pepper": PEPPER,
        "drain_s": 5.0,
        "drain_finish_s": 0.0,
    }
    async with Server(
        log=log,
        directory=stations,
        secrets=vault,
        now_us=lambda: clock[0],
        node="0/test",
        options=Options(**settings | options),
    ) as server:
        if isinstance(log, Answering):
            log.server = server
        port = await server.listen("127.0.0.1", 0)
        yield Node(server, log, stations, vault, port, clock)
