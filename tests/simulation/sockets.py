"""A station's end of a WebSocket (RFC 6455), as small as the simulation needs it."""

import asyncio
import re

_RETRY_AFTER = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A


class ClientSocket(asyncio.Protocol):
    def __init__(self, station: str) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[float | None] = loop.create_future()
        """None: it is open. A number: refused, and so many seconds to stay away."""
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        """Bounded by what the other end may write. None: it is over."""
        self._station = station
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._ponged = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            (
                f"GET /{self._station} HTTP/1.1\r\nHost: simulated\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            self._read_head()
        if self.opened.done():
            while self._read_frame():
                pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_result(0.0)
        self.texts.put_nowait(None)

    def send(self, text: str) -> None:
        self._write(_TEXT, text.encode())

    async def ping(self, timeout_s: float) -> bool:
        """Return whether it was answered in time."""
        self._ponged.clear()
        self._write(_PING, b"")
        try:
            async with asyncio.timeout(timeout_s):
                await self._ponged.wait()
        except TimeoutError:
            return False
        return True

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _write(self, opcode: int, payload: bytes) -> None:
        if self._transport is None:
            return
        size = len(payload)
        head = bytes([opcode, 0x80 | size]) if size < 126 else bytes([opcode, 0xFE])
        length = b"" if size < 126 else size.to_bytes(2, "big")
        self._transport.write(head + length + bytes(4) + payload)

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        if head.startswith(b"HTTP/1.1 101"):
            self.opened.set_result(None)
            return
        asked = _RETRY_AFTER.search(head)
        self.opened.set_result(float(asked[1]) if asked else 0.0)

    def _read_frame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            if len(buffer) < 4:
                return False
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < start + size:
            return False
        opcode, payload = buffer[0], bytes(buffer[start : start + size])
        del buffer[: start + size]
        if opcode == _TEXT:
            self.texts.put_nowait(payload.decode())
        elif opcode == _PING:
            self._write(_PONG, payload)
        elif opcode == _PONG:
            self._ponged.set()
        elif opcode == _CLOSE:
            self._write(_CLOSE, payload)
            if self._transport is not None:
                self._transport.close()
        return True
