"""A TCP proxy on loopback that does to bytes what networks do: it delays, slices, stalls and cuts.

`reset` ends sockets with RST; `silent` carries nothing any more and tells nobody (a half-open
connection); with `refuses` nobody gets through. All of it can change while sockets are open.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

READ_BYTES = 65_536
LOOK_EVERY_S = 0.01
CONNECTED_WITHIN_S = 2.0
LOOPBACK = "127.0.0.1"
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(slots=True, eq=False)
class _Pair:
    near: asyncio.StreamWriter
    far: asyncio.StreamWriter

    def end(self, *, reset: bool) -> None:
        for writer in (self.near, self.far):
            if reset:
                sock = writer.get_extra_info("socket")
                if sock is not None and sock.fileno() >= 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort() if reset else writer.close()


@dataclass(slots=True, kw_only=True)
class Link:
    """Of several targets each new socket takes the next that answers."""

    targets: Sequence[tuple[str, int]]
    delay_s: float = 0.0
    slice_bytes: int = READ_BYTES
    """At most so many bytes at a time, each of them delayed."""
    silent_up: bool = False
    """Nothing reaches the target."""
    silent_down: bool = False
    """Nothing comes back."""
    refuses: bool = False
    port: int = 0
    _next: int = 0
    _pairs: set[_Pair] = field(default_factory=set)

    @property
    def sockets(self) -> int:
        return len(self._pairs)

    def silence(self, silent: bool = True) -> None:
        self.silent_up = self.silent_down = silent

    def cut(self, *, reset: bool = False) -> int:
        """End every socket; return how many there were."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.end(reset=reset)
        return len(pairs)

    def heal(self) -> None:
        """New sockets are carried as if nothing had been; silent ones have lost bytes: cut them."""
        if self.silent_up or self.silent_down:
            self.cut(reset=True)
        self.silence(False)
        self.delay_s, self.slice_bytes, self.refuses = 0.0, READ_BYTES, False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = None if self.refuses else await self._open()
        if far is None:
            writer.transport.abort()
            return
        pair = _Pair(writer, far[1])
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, far[1], up=True))
                tasks.create_task(self._pump(far[0], writer, up=False))
        except* OSError:
            pair.end(reset=True)
        finally:
            self._pairs.discard(pair)
            pair.end(reset=False)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self.targets:
            target = self.targets[self._next % len(self.targets)]
            self._next += 1
            with suppress(OSError):
                async with asyncio.timeout(CONNECTED_WITHIN_S):
                    return await asyncio.open_connection(*target)
        return None

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        while data := await reader.read(min(self.slice_bytes, READ_BYTES)):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            if self.silent_up if up else self.silent_down:
                continue
            writer.write(data)
            await writer.drain()
        while self.silent_up if up else self.silent_down:  # noqa: ASYNC110 - asked, not told.
            # Who is cut off does not hear that the other has hung up.
            await asyncio.sleep(LOOK_EVERY_S)
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


@asynccontextmanager
async def linked(*targets: tuple[str, int], host: str = LOOPBACK) -> AsyncIterator[Link]:
    """Carry whoever connects to `port` of this address to one of the targets."""
    link = Link(targets=targets)
    server = await asyncio.start_server(link.carry, host, 0, backlog=1024)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.silence(False)
        link.cut(reset=True)
        while link.sockets:  # noqa: ASYNC110 - each ends by itself, and tells nobody
            await asyncio.sleep(LOOK_EVERY_S)
