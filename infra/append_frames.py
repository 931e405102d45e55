"""What goes over the edge's Unix socket: length-prefixed msgpack, several requests in flight.

Four bytes of length (big endian), then one message. Replies name the request that they answer and
come in any order.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from infra.journal_batches import BATCH_BYTES_MAX, BATCH_RECORDS_MAX

LENGTH_BYTES = 4
RECORD_OVERHEAD_BYTES = 8
FRAME_BYTES_MAX = BATCH_BYTES_MAX + BATCH_RECORDS_MAX * RECORD_OVERHEAD_BYTES
"""One append with all that msgpack adds. A page of metrics is far below."""

FailureKind = Literal["unavailable", "unknown", "invalid"]


class BrokenFrame(Exception):
    """What came is not of this protocol; the connection is of no use any more."""


class Append(Struct, frozen=True, array_like=True, tag=1):
    """The values carry the caller's own incarnation and sequences."""

    id: int
    partition: int
    values: list[bytes]


class ReadMetrics(Struct, frozen=True, array_like=True, tag=2):
    id: int


class Appended(Struct, frozen=True, array_like=True, tag=11):
    id: int
    offsets: list[int]


class Failed(Struct, frozen=True, array_like=True, tag=12):
    id: int
    kind: FailureKind
    reason: str


class Metrics(Struct, frozen=True, array_like=True, tag=13):
    id: int
    text: str


Request = Append | ReadMetrics
Reply = Appended | Failed | Metrics

_encode = msgspec.msgpack.Encoder().encode
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def framed(message: Request | Reply) -> bytes:
    body = _encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def request_in(body: bytes) -> Request:
    """Raises BrokenFrame."""
    try:
        return _requests.decode(body)
    except msgspec.MsgspecError as error:
        raise BrokenFrame(str(error)) from error


def reply_in(body: bytes) -> Reply:
    """Raises BrokenFrame."""
    try:
        return _replies.decode(body)
    except msgspec.MsgspecError as error:
        raise BrokenFrame(str(error)) from error


class Splitter:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield what is complete. Raises BrokenFrame for a length that nobody may send."""
        buffer = self._buffer
        buffer += received
        while len(buffer) >= LENGTH_BYTES:
            length = int.from_bytes(buffer[:LENGTH_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise BrokenFrame(f"a message of {length} bytes")
            end = LENGTH_BYTES + length
            if len(buffer) < end:
                return
            body = bytes(buffer[LENGTH_BYTES:end])
            del buffer[:end]
            yield body
