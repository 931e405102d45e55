"""The fastest server that answers at all: it shows where the load generator itself ends.

It looks at nothing but the message id. Prints its port, then serves until it is ended.
"""

import asyncio
from base64 import b64encode
from hashlib import sha1
from itertools import count

import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
ANSWER = (
    b'[3,"%b",{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300,'
    b'"transactionId":%d}]'
)
numbers = count(1)


class Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self._open = False
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    # uvloop's transport is one by its methods, not by inheritance.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._open:
            self._buffer += data
            head, separator, _ = self._buffer.partition(b"\r\n\r\n")
            if separator:
                self._open = True
                self._transport.write(_accept(head))
            return
        # The generator's mask is zero and one CALL is in flight, so a frame is one whole read.
        at = data.index(b'[2,"') + 4
        answer = ANSWER % (data[at : data.index(b'"', at)], next(numbers))
        length = len(answer)
        if length < 126:
            self._transport.write(b"\x81%c%b" % (length, answer))
        else:
            self._transport.write(b"\x81\x7e%c%c%b" % (length >> 8, length & 0xFF, answer))


def _accept(head: bytes) -> bytes:
    key = next(
        line.split(b":", 1)[1].strip()
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    digest = b64encode(sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + digest + b"\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    )


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
