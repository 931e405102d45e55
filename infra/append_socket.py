"""The edge's door for other local processes: a Unix socket through which they append to the log.

The edge is the only writer of the embedded journal; the API and the importers hand it values that
they have encoded under their own record ids. A reply is sent when the batch is durable.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.append_frames import (
    Append,
    Appended,
    BrokenFrame,
    Failed,
    Metrics,
    ReadMetrics,
    Reply,
    Request,
    Splitter,
    framed,
    request_in,
)
from infra.unix_listener import listen
from schemas.journal import AppenderFailed, AppendUnknown, Unavailable
from schemas.records import UnreadableRecord

IN_FLIGHT_MAX = 256
"""Of one connection. Each holds a batch in memory until it is durable."""

AppendValues = Callable[[int, Sequence[bytes]], Awaitable[Sequence[int]]]

_logger = logging.getLogger(__name__)


class AppendSocket:
    """Use as `async with AppendSocket(...)`; requests in flight are finished at the end."""

    def __init__(
        self, path: Path, *, append: AppendValues, partitions: int, metrics: Callable[[], str]
    ) -> None:
        self._path = path
        self._append = append
        self._partitions = partitions
        self._metrics = metrics
        self._tasks = asyncio.TaskGroup()
        self._peers: set[_Peer] = set()
        self._server: asyncio.AbstractServer | None = None

    async def __aenter__(self) -> Self:
        listener = listen(self._path)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Peer(self), sock=listener
        )
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for peer in self._peers:
            peer.stop_reading()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            for peer in list(self._peers):
                peer.close()
            self._path.unlink(missing_ok=True)

    def joined(self, peer: "_Peer") -> None:
        self._peers.add(peer)

    def left(self, peer: "_Peer") -> None:
        self._peers.discard(peer)

    def asked(self, peer: "_Peer", request: Request) -> None:
        self._tasks.create_task(self._answer(peer, request))

    async def _answer(self, peer: "_Peer", request: Request) -> None:
        try:
            reply = await self._reply(request)
        except Exception:
            # Our bug, and nobody can say how far the append came.
            _logger.exception("a request on the edge's socket failed")
            reply = Failed(request.id, "unknown", "an error inside the edge")
        peer.reply(reply)

    async def _reply(self, request: Request) -> Reply:
        if isinstance(request, ReadMetrics):
            return Metrics(request.id, self._metrics())
        if not 0 <= request.partition <= self._partitions:
            return Failed(request.id, "invalid", f"there is no partition {request.partition}")
        try:
            offsets = await self._append(request.partition, request.values)
        except Unavailable as error:
            return Failed(request.id, "unavailable", str(error))
        except (AppendUnknown, AppenderFailed) as error:
            return Failed(request.id, "unknown", str(error))
        except (UnreadableRecord, ValueError) as error:
            return Failed(request.id, "invalid", str(error))
        return Appended(request.id, list(offsets))


class _Peer(asyncio.Protocol):
    def __init__(self, owner: AppendSocket) -> None:
        self._owner = owner
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._in_flight = 0

    # uvloop's transports are no subclass of asyncio's, so nothing could narrow a BaseTransport.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._owner.joined(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._splitter.feed(data):
                self._requested(request_in(body))
        except BrokenFrame as error:
            _logger.warning("closed a local connection that does not speak our protocol: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.left(self)

    def reply(self, reply: Reply) -> None:
        self._in_flight -= 1
        if self._transport is not None:
            self._transport.write(framed(reply))

    def stop_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _requested(self, request: Append | ReadMetrics) -> None:
        self._in_flight += 1
        if self._in_flight > IN_FLIGHT_MAX:
            self.reply(Failed(request.id, "unavailable", "too many requests are in flight"))
            return
        self._owner.asked(self, request)
