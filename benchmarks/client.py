"""One station of the load generator: a WebSocket client as a raw asyncio protocol.

It knows only what it needs of RFC 6455: unfragmented text frames, ping and close. One CALL is in
flight at a time; whoever owns the client decides when the next one leaves.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from os import urandom

from benchmarks.frames import PONG, Script

TEXT, CLOSE, PING = 0x81, 0x88, 0x89


class Client(asyncio.Protocol):
    def __init__(
        self, script: Script, host: str, path: str, heard: Callable[["Client", bytes], None]
    ) -> None:
        self.script = script
        # Called with the text of every frame.
        self.heard = heard
        # When the CALL in flight left, or should have (open loop).
        self.since = 0.0
        self.lost = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._write: Callable[[bytes], None] = lambda _: None
        self._transport: asyncio.Transport | None = None
        self._upgrade = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {b64encode(urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        ).encode()

    # uvloop's transport is one by its methods, not by inheritance.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._write = transport.write
        transport.write(self._upgrade)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed during the handshake"))

    def call(self, frame: bytes, since: float) -> None:
        self.since = since
        self._write(frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        # The usual case: nothing is waiting, and one short text frame has come in whole.
        if (
            not self._buffer
            and len(data) > 2
            and data[0] == TEXT
            and len(data) - 2 == data[1] < 126
        ):
            self.heard(self, data[2:])
            return
        self._buffer += data
        if not self.opened.done():
            self._handshake()
            return
        self._take_frames()

    def _handshake(self) -> None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        self._buffer = rest
        if head.startswith(b"HTTP/1.1 101 "):
            self.opened.set_result(None)
            self._take_frames()
        else:
            status = head.split(b"\r\n", 1)[0].decode("latin-1")
            self.opened.set_exception(ConnectionError(status))

    def _take_frames(self) -> None:
        while len(self._buffer) >= 2:
            length, at = self._buffer[1], 2
            if length == 126:
                at = 4
                length = int.from_bytes(self._buffer[2:4], "big")
            elif length == 127:
                at = 10
                length = int.from_bytes(self._buffer[2:10], "big")
            if len(self._buffer) < at + length:
                return  # More to come; what is here waits.
            kind, payload = self._buffer[0], self._buffer[at : at + length]
            self._buffer = self._buffer[at + length :]
            if kind == TEXT:
                self.heard(self, payload)
            elif kind == PING and length == 0:
                self._write(PONG)
            elif kind == PING:
                self._write(b"\x8a%c\x00\x00\x00\x00%b" % (0x80 | length, payload))
            elif kind == CLOSE:
                self.close()
