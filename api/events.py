"""Server-sent events: what changes, as it changes, in the order of the log.

Every event has an id; a reader that lost its connection goes on after it (`Last-Event-ID`, which
browsers send by themselves, or `?after=`). Without either, it begins with what happens next. A
reader that does not keep up holds one batch and is let go after a while; one whose key was revoked
as well.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi import Query as QueryParameters
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.access import Caller, Needs, allowed, authorize
from api.answers import Query, documented
from api.ports import Ports
from api.problems import ApiError, TooManyStreams
from projections.events import EventRow, events_after, newest
from projections.ports import Database, StoreUnavailable
from schemas import positions

BATCH = 200
POLL_S = 0.5
HEARTBEAT_S = 15.0
"""Proxies close what is silent for a minute; a revoked key is noticed at the next one."""

SEND_TIMEOUT_S = 30.0
STREAMS_MAX, STREAMS_OF_TENANT_MAX = 128, 32
"""While anything happens each asks the store twice a second; else they ask it together."""

RETRY_MS = 2_000

_log = logging.getLogger(__name__)
router = APIRouter(tags=["events"])


class EventsQuery(Query):
    after: Annotated[
        str | None,
        Field(max_length=positions.LENGTH_MAX, description="The id of the last event seen."),
    ] = None


class Streams:
    """The open ones, counted; and how far the views are, asked once for all of them."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._newest = ""
        self._asked_s = 0.0

    async def newest(self, db: Database) -> str:
        """Return a position that differs whenever there may be events since; POLL_S old at most.

        Raises:
            StoreUnavailable
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._asked_s >= POLL_S:
            self._asked_s = now_s
            self._newest = await newest(db)
        return self._newest

    def enter(self, tenant: str) -> None:
        here = self._open.get(tenant, 0)
        if here >= STREAMS_OF_TENANT_MAX or sum(self._open.values()) >= STREAMS_MAX:
            raise TooManyStreams("close one, or come again later")
        self._open[tenant] = here + 1

    def leave(self, tenant: str) -> None:
        self._open[tenant] -= 1
        if not self._open[tenant]:
            del self._open[tenant]


@router.get(
    "/v1/events",
    responses={**documented(errors=[429]), 200: {"content": {"text/event-stream": {}}}},
)
async def get_events(
    request: Request,
    caller: Annotated[Caller, Depends(allowed("read-fleet"))],
    ports: Needs,
    query: Annotated[EventsQuery, QueryParameters()],
    last_event_id: Annotated[str | None, Header(max_length=positions.LENGTH_MAX)] = None,
) -> Response:
    """A stream that ends when the server stops; resume it."""
    after = last_event_id or query.after or await newest(ports.db)
    positions.decode(after)

    async def is_allowed() -> bool:
        try:
            return await authorize(request, ports, "read-fleet") == caller
        except ApiError:
            return False

    return EventStream(request, ports, caller.tenant, after, is_allowed)


class EventStream(Response):
    media_type = "text/event-stream"

    def __init__(
        self,
        request: Request,
        ports: Ports,
        tenant: str,
        after: str,
        is_allowed: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._ports = ports
        self._tenant = tenant
        self._after = after
        self._looked_at = ""
        self._is_allowed = is_allowed
        self._streams: Streams = request.app.state.streams
        self._closing: asyncio.Event = request.app.state.closing
        self._streams.enter(tenant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(_until_gone(receive, gone))
                closing = tasks.create_task(_until_closing(self._closing, gone))
                await self._stream(send, gone)
                listening.cancel()
                closing.cancel()
        finally:
            self._streams.leave(self._tenant)

    async def _stream(self, send: Send, gone: asyncio.Event) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send(start)
            # An id without data moves a browser's place and fires nothing.
            await _send(send, f"retry: {RETRY_MS}\nid: {self._after}\n\n".encode())
            await self._send_all(send, gone)
            await _send(send, b"", more=False)
        except TimeoutError:
            _log.info("an event stream was ended: its reader does not keep up")

    async def _send_all(self, send: Send, gone: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        spoken_s = checked_s = loop.time()
        while not gone.is_set():
            events = await self._next()
            if events:
                await _send(send, b"".join(map(_text, events)))
                self._after = events[-1].position
                spoken_s = loop.time()
            if loop.time() - checked_s >= HEARTBEAT_S:
                checked_s = loop.time()
                if not await self._is_allowed():
                    return
            if loop.time() - spoken_s >= HEARTBEAT_S:
                spoken_s = loop.time()
                await _send(send, b":\n\n")
            if len(events) < BATCH:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), POLL_S)

    async def _next(self) -> Sequence[EventRow]:
        try:
            place = await self._streams.newest(self._ports.db)
            if place == self._looked_at:
                return ()
            found = await events_after(self._ports.db, self._tenant, self._after, BATCH)
        except StoreUnavailable:
            return ()
        if len(found.items) < BATCH:
            self._looked_at = place
        return found.items


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _until_gone(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _until_closing(closing: asyncio.Event, gone: asyncio.Event) -> None:
    await closing.wait()
    gone.set()


def _text(event: EventRow) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        event.position.encode(),
        event.kind.encode(),
        msgspec.json.encode(event),
    )
