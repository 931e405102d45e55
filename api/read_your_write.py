"""Who reads after a write asks for what was written, and is told if it is not shown yet.

The answer to a write says where its records are (`Ledger-Position`). A GET that brings that back,
to whichever node, waits for a moment until the read model has come so far; if it has not, the
answer says `Ledger-Position: pending`: what it shows is older.
"""

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.ports import Appender, Place, Ports
from projections.progress import find_progress
from projections.read_model import NAME as READ
from schemas.records import Record

HEADER = "Ledger-Position"
PENDING = "pending"
WAIT_S, LOOK_S = 1.0, 0.05

_PLACES = re.compile(r"[0-9]{1,6}:[0-9]{1,18}")
_WHOLE = re.compile(rf"{_PLACES.pattern}(,{_PLACES.pattern}){{0,7}}")
_STATE = "is_behind"
_written: ContextVar[list[Place]] = ContextVar("written")


class NotingLog:
    """`api.ports.Appender` that notes where the records of a request are."""

    def __init__(self, log: Appender) -> None:
        self._log = log

    async def append(self, record: Record) -> Place:
        place = await self._log.append(record)
        if (places := _written.get(None)) is not None:
            places.append(place)
        return place

    async def heads(self) -> Mapping[int, int]:
        return await self._log.heads()

    async def trouble(self) -> str:
        return await self._log.trouble()


class ReadYourWrite:
    """ASGI: tells where a write is, and whether a read is older than what it asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        places: list[Place] = []
        state: MutableMapping[str, Any] = scope.setdefault("state", {})

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = ",".join(f"{p}:{offset}" for p, offset in newest(places).items())
                said = said or (PENDING if state.get(_STATE) else "")
                if said:
                    header = (HEADER.lower().encode(), said.encode())
                    message["headers"] = [*message["headers"], header]
            await send(message)

        token = _written.set(places)
        try:
            await self._app(scope, receive, sent)
        finally:
            _written.reset(token)


def newest(places: list[Place]) -> dict[int, int]:
    found: dict[int, int] = {}
    for partition, offset in places:
        found[partition] = max(offset, found.get(partition, 0))
    return found


async def wait_for_written(request: Request, ports: Ports) -> None:
    """Return once the read model has what a GET asks for, or after `WAIT_S`.

    Raises:
        StoreUnavailable
    """
    asked = request.headers.get(HEADER, "")
    if request.method != "GET" or not asked:
        return
    # What cannot be read is no reason to promise anything.
    places = [Place(*map(int, each.split(":"))) for each in _PLACES.findall(asked)]
    if not _WHOLE.fullmatch(asked) or not await _is_soon_shown(ports, newest(places)):
        request.scope["state"][_STATE] = True


async def _is_soon_shown(ports: Ports, wanted: Mapping[int, int]) -> bool:
    now = asyncio.get_running_loop().time
    until = now() + WAIT_S
    while not await _is_shown(ports, wanted):
        if now() >= until:
            return False
        await asyncio.sleep(LOOK_S)
    return True


async def _is_shown(ports: Ports, wanted: Mapping[int, int]) -> bool:
    found = await find_progress(ports.db)
    positions = next((each.positions for each in found if each.name == READ), {})
    return all(positions.get(p, 0) > offset for p, offset in wanted.items())
