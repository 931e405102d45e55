"""A socket before its handshake is answered; afterwards a `Connection` takes its place.

The request is collected, within a bound and a deadline. While the log is told of the opening
nothing is read; what came with the request already is kept for the connection.
"""

import asyncio
from typing import Final, Protocol

from ingress.connection import Connection
from ingress.handshake import NoSubprotocol, refusal
from ingress.options import Options
from ingress.stream import Stream

_HEAD_END: Final = b"\r\n\r\n"


class Admission(Protocol):
    """Who decides what becomes of it."""

    def accepted(self, opening: "Opening") -> None: ...

    def requested(self, opening: "Opening", head: bytes) -> None:
        """The request is complete, and waits for its answer."""
        ...

    def refused(self, opening: "Opening") -> None:
        """Its socket has gone without having become a connection."""
        ...

    def count_handshake(self, outcome: str) -> None: ...


class Opening(asyncio.Protocol):
    __slots__ = ("_admission", "_early", "_head", "_transport", "is_waiting", "options")

    def __init__(self, admission: Admission, options: Options) -> None:
        self._admission = admission
        self.options = options
        """Of the listener that it came by."""
        self._transport: asyncio.Transport | None = None
        self._head: bytearray | None = bytearray()
        self._early = b""
        self.is_waiting = True
        """For the end of the request, or for the log."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = transport  # type: ignore[assignment]
        self._admission.accepted(self)

    def data_received(self, data: bytes) -> None:
        head = self._head
        if head is None:
            self._early += data
            if len(self._early) > self.options.frame_bytes_max:
                self.abort("")
            return
        head += data
        end = head.find(_HEAD_END)
        end = end + len(_HEAD_END) if end >= 0 else 0
        if (end or len(head)) > self.options.head_bytes_max:
            self.refuse("malformed", refusal(431))
        elif end and self._transport is not None:
            self._head = None
            self._early = bytes(head[end:])
            self._transport.pause_reading()
            self._admission.requested(self, bytes(head[:end]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.is_waiting = False
        self._admission.refused(self)

    @property
    def remote(self) -> str:
        peer = self._transport.get_extra_info("peername") if self._transport else None
        return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""

    def refuse(self, outcome: str, response: bytes) -> None:
        """Answer with something else than 101."""
        if not self.is_waiting:
            return
        self._admission.count_handshake(outcome)
        self.is_waiting = False
        self._head, self._early = None, b""
        if self._transport is not None:
            self._transport.write(response)
            self._transport.close()

    def refuse_in_websocket(self, outcome: str, verdict: NoSubprotocol) -> None:
        """Complete the handshake, and close at once (OCPP-J 1.6, 3.2)."""
        stream = Stream((), bytes_max=0, fragments_max=0)
        stream.close(1002, "no common sub-protocol")
        self.refuse(outcome, b"".join((verdict.response, *stream.to_write())))

    def complete(self, response: bytes, connection: Connection) -> None:
        """Answer 101 and hand the socket over."""
        transport = self._transport
        assert transport is not None
        self.is_waiting = False
        self._transport = None
        transport.set_protocol(connection)
        transport.write(response)
        connection.take(transport, self._early)

    def abort(self, _: str) -> None:
        if self._transport is not None:
            self._transport.abort()

    def due(self) -> float:
        """The deadline has come; return 0, for there is no other."""
        if self.is_waiting:
            self.refuse("timeout", refusal(408))
        else:
            self.abort("")
        return 0
