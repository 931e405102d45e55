"""The embedded journal for the processes beside the edge: reads the file, appends by the socket.

A connection that broke, or an answer that did not come in time, after a request was handed to the
socket: the append is *unknown*. Not connected in the first place: nothing was appended.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

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
    reply_in,
)
from infra.journal_batches import joined
from infra.journal_sqlite import SqliteJournal
from infra.sqlite_reader import SqliteJournalView, SqliteReader
from schemas.journal import AppendUnknown, Unavailable

ANSWER_WITHIN_S = 10.0
"""Answers are held a few seconds for a log that cannot be written; then doors close (DESIGN 3)."""

CONNECT_WITHIN_S = 2.0


class SocketJournal:
    def __init__(self, socket: Path, view: SqliteJournalView, *, answer_within_s: float) -> None:
        self._socket = socket
        self._view = view
        self._answer_within_s = answer_within_s
        self._ids = count(1)
        self._wire: _Wire | None = None
        self._connecting = asyncio.Lock()
        self._is_closed = False

    @classmethod
    async def open(
        cls, socket: Path, directory: Path, *, answer_within_s: float = ANSWER_WITHIN_S
    ) -> "SocketJournal":
        """Open the journal in the directory; the edge need not listen yet.

        Raises:
            Unavailable: there is no journal yet.
            WrongJournal: it is none.
        """
        view = await SqliteJournal.open_read_only(directory)
        return cls(socket, view, answer_within_s=answer_within_s)

    @property
    def id(self) -> str:
        return self._view.id

    @property
    def partitions(self) -> int:
        return self._view.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        joined(values)  # Refuses here what the edge would refuse.
        match await self._ask(Append(next(self._ids), partition, list(values))):
            case Appended(offsets=offsets):
                return offsets
            case Failed(kind="unavailable", reason=reason):
                raise Unavailable(reason)
            case Failed(kind="invalid", reason=reason):
                raise ValueError(reason)
            case Failed(reason=reason):
                raise AppendUnknown(reason)
            case Metrics():
                raise AppendUnknown("the edge answered another question")

    async def metrics(self) -> str:
        """Return the edge's metrics as Prometheus' text.

        Raises:
            Unavailable: the edge does not answer.
        """
        try:
            reply = await self._ask(ReadMetrics(next(self._ids)))
        except AppendUnknown as error:
            raise Unavailable(str(error)) from error
        if not isinstance(reply, Metrics):
            raise Unavailable("the edge has no metrics")
        return reply.text

    async def head(self, partition: int) -> int:
        return await self._view.head(partition)

    def reader(self, positions: Mapping[int, int]) -> SqliteReader:
        return self._view.reader(positions)

    async def close(self) -> None:
        self._is_closed = True
        if self._wire is not None:
            self._wire.close()
        await self._view.close()

    async def _ask(self, request: Request) -> Reply:
        wire = await self._connected()
        answer = wire.send(request)
        try:
            async with asyncio.timeout(self._answer_within_s):
                return await answer
        except TimeoutError as error:
            raise AppendUnknown(f"no answer within {self._answer_within_s} s") from error
        finally:
            wire.forget(request.id)

    async def _connected(self) -> "_Wire":
        async with self._connecting:
            if self._is_closed:
                raise Unavailable("the journal is closed")
            if self._wire is None or not self._wire.is_open:
                loop = asyncio.get_running_loop()
                try:
                    async with asyncio.timeout(CONNECT_WITHIN_S):
                        _, self._wire = await loop.create_unix_connection(_Wire, str(self._socket))
                except OSError as error:  # TimeoutError is one.
                    raise Unavailable(f"the edge does not listen on {self._socket}") from error
            return self._wire


class _Wire(asyncio.Protocol):
    def __init__(self) -> None:
        self._splitter = Splitter()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: Request) -> "asyncio.Future[Reply]":
        assert self._transport is not None
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = waiting
        self._transport.write(framed(request))
        return waiting

    def forget(self, request_id: int) -> None:
        self._waiting.pop(request_id, None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # uvloop's transports are no subclass of asyncio's, so nothing could narrow a BaseTransport.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._splitter.feed(data):
                reply = reply_in(body)
                waiting = self._waiting.pop(reply.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
        except BrokenFrame:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for waiting in self._waiting.values():
            if not waiting.done():
                with contextlib.suppress(asyncio.InvalidStateError):
                    waiting.set_exception(AppendUnknown("the connection to the edge broke"))
        self._waiting.clear()
