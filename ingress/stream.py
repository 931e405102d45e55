"""The WebSocket of one connection after its handshake, without I/O: bytes in, messages out.

`websockets` does the protocol; a whole, unfragmented, uncompressed text (nearly all of OCPP) takes
the short way of `ingress.wire`. A frame is handed to the library only once it is complete, so that
a large frame that comes byte by byte costs no more than its bytes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from ingress import wire
from ingress.handshake import LOGGER

COMPRESS_FROM_BYTES = 512
"""Below, compressing costs more time than it saves bytes; each message may choose (RFC 7692, 6)."""

FRAMES_AT_ONCE = 16
"""One read may hold forty thousand pings; who else sends must not wait for all of them."""

POLICY_VIOLATION = 1008


class Binary(NamedTuple):
    payload: bytes


class Ended(NamedTuple):
    """What the close frame said that ended the stream: theirs, or ours if they broke a rule."""

    code: int
    reason: str


Message = bytes | Binary
"""Bytes are a text's, not yet decoded."""


class Stream:
    __slots__ = (
        "_buffer",
        "_bytes_max",
        "_fragment_is_text",
        "_fragments",
        "_fragments_max",
        "_fragments_seen",
        "_protocol",
        "_wanted",
        "frames_seen",
        "has_answered",
        "has_more",
        "ponged",
    )

    def __init__(
        self, extensions: Sequence[Extension], *, bytes_max: int, fragments_max: int
    ) -> None:
        # The handshake's own protocol object would keep the request alive.
        self._protocol = Protocol(SERVER, state=OPEN, max_size=bytes_max, logger=LOGGER)
        self._protocol.extensions = list(extensions)
        self._bytes_max = bytes_max
        self._buffer: bytearray | None = None
        self._wanted = 0
        self._fragments: list[bytes] | None = None
        self._fragment_is_text = True
        self._fragments_max = fragments_max
        self._fragments_seen = 0
        self.frames_seen = 0
        """All frames, control frames too: what a flood costs us."""
        self.ponged = False
        self.has_more = False
        self.has_answered = False
        """Something was received that the protocol may have answered, or ended upon."""

    def receive(self, data: bytes) -> Sequence[Message]:
        """Return the first messages that are complete now; afterwards ask `ended`, `to_write`.

        While it `has_more`, go on with no data.
        """
        buffer = self._buffer
        if buffer is not None:
            buffer += data
            if len(buffer) < self._wanted:
                return ()
            data = bytes(buffer)
            self._buffer = None
            self.has_more = False
        messages: list[Message] = []
        at, size = 0, len(data)
        left = FRAMES_AT_ONCE
        while at < size:
            if not left:
                self._buffer, self._wanted, self.has_more = bytearray(data[at:]), 0, True
                break
            left -= 1
            start, end = wire.extent(data, at)
            if start == wire.UNMASKED or end - start > self._bytes_max:
                self._hand_over(data[at:], messages)  # It knows what to say to that.
                break
            if start == 0 or end > size:
                self._buffer = bytearray(data[at:])
                self._wanted = (end or at + len(self._buffer) + 1) - at
                break
            self.frames_seen += 1
            if (
                data[at] == wire.FINAL_TEXT
                and self._fragments is None
                and self._protocol.state is OPEN
            ):
                messages.append(wire.unmasked(data, start, end))
            else:
                self._hand_over(data[at:end], messages)
            at = end
        return messages

    @property
    def is_open(self) -> bool:
        return self._protocol.state is OPEN

    @property
    def ended(self) -> Ended | None:
        """What ended it; None while it is open, and when it broke without a close frame."""
        close = self._protocol.close_rcvd or self._protocol.close_sent
        return None if self.is_open or close is None else Ended(int(close.code), close.reason)

    def to_write(self) -> Sequence[bytes]:
        """Return what is to be written now; an empty one means: then close the socket."""
        return self._protocol.data_to_send()

    def text(self, payload: bytes) -> bytes:
        """Return what to write to send a text; the stream must be open."""
        if self._protocol.extensions and len(payload) >= COMPRESS_FROM_BYTES:
            self._protocol.send_text(payload)
            return b"".join(self._protocol.data_to_send())
        return wire.text_frame(payload)

    def ping(self) -> None:
        self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        if self.is_open:
            self._protocol.send_close(code, reason)

    def _hand_over(self, data: bytes, messages: list[Message]) -> None:
        if self._protocol.eof_sent:
            return
        self._protocol.receive_data(data)
        # Its traceback would keep what was half inflated until the garbage collector comes.
        self._protocol.parser_exc = None
        self.has_answered = True
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame):
                continue
            if frame.opcode is Opcode.PONG:
                self.ponged = True
            elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._fragment(frame, messages)

    def _fragment(self, frame: Frame, messages: list[Message]) -> None:
        if self._fragments is None:
            self._fragment_is_text = frame.opcode is Opcode.TEXT
            self._fragments, self._fragments_seen = [], 0
        self._fragments_seen += 1
        if frame.data:
            self._fragments.append(bytes(frame.data))
        if frame.fin:
            payload = b"".join(self._fragments)
            self._fragments = None
            messages.append(payload if self._fragment_is_text else Binary(payload))
        elif self._fragments_seen > self._fragments_max:
            self._fragments = None
            self._protocol.fail(POLICY_VIOLATION, "too many fragments")
