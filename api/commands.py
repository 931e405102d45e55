"""Commands: asked of a station once per idempotency key, and their one fate.

A repeat with the same key is the same command and gets the same answer; another action or payload
under the key is refused. Two nodes that are asked different things under one key within the lag
of the read side both append; the owner keeps the first, and so does `GET /v1/commands/{id}`.
"""

import asyncio
import contextlib
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi import Query as QueryParameters

from api import wanted as asking
from api.access import Caller, Needs, allowed
from api.answers import Items, Page, Query, WaitQuery, documented, read, written
from api.asked import Recent, same
from api.bodies import body_of
from api.bodies import documented as body_documented
from api.command_shape import Command, from_record, from_row
from api.downgrades import refuse_downgrade
from api.payloads import secrets_of
from api.ports import Ports
from api.problems import FieldError, Invalid, NotFound, Refused
from api.stations import StationId, known
from api.waits import POLL_S, Waits
from api.wanted import Asked, CommandWanted
from domain.admission import refusal
from domain.commands import OPEN_FATES
from domain.passwords import weakness
from projections.commands import CommandRow, find_command, find_commands
from projections.stations import StationDetail
from schemas.records import CommandRequested, StationPasswordOffered

SEEN_WITHIN_S = 1.0


router = APIRouter(tags=["commands"])

Operator = Annotated[Caller, Depends(allowed("command"))]
Reader = Annotated[Caller, Depends(allowed("read-fleet"))]


class CommandsQuery(Page):
    open: bool = False
    """Only those without a fate."""


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="The same key is the same command, however often it is sent.",
    ),
]


@router.post(
    "/v1/stations/{station}/commands",
    status_code=202,
    responses=documented((201, Command), (202, Command), errors=[404, 409, 413, 415]),
    openapi_extra=dict(body_documented(CommandWanted)),
)
async def post_command(
    request: Request,
    station: StationId,
    caller: Operator,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[CommandWanted, Depends(body_of(CommandWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ask something of a station. 201: it has its fate already; 202: look it up at Location."""
    detail = await _seen_soon(ports, caller.tenant, station, body.version or "")
    key = idempotency_key or str(uuid4())
    command_id = asking.command_id(caller.tenant, station, key)
    asked = asking.asked(body, detail.station.version, command_id, ports.now_us())
    recent: Recent = request.app.state.recent
    await _refuse_held_back(ports, recent, detail, asked, command_id)
    password = asking.password_in(asked)
    if password is not None and (why := weakness(password, station)) is not None:
        raise Invalid(FieldError("payload", f"the password is {why}"))
    await refuse_downgrade(ports, detail, asked, command_id)
    record = await _request(ports, recent, caller, station, body, asked, key)
    row = await find_command(ports.db, caller.tenant, record.command_id)
    if row is not None:
        _same_command(row, record)
    elif not recent.is_appended(record.command_id):
        if password is not None and detail.station.registered:
            await _offer(ports, record, password)
        await recent.append(ports.log, record.command_id, record)
    if row is None or row.fate in OPEN_FATES:
        row = await _settled(ports, record, query.wait, request.app.state.waits) or row
    command = from_record(record) if row is None else from_row(row)
    status = 202 if command.fate in OPEN_FATES else 201
    headers = {"Location": f"/v1/commands/{command.command_id}", "Idempotency-Key": key}
    return written(command, status, headers)


@router.get("/v1/stations/{station}/commands", responses=documented((200, Items), errors=[404]))
async def list_commands(
    request: Request,
    station: StationId,
    caller: Reader,
    ports: Needs,
    query: Annotated[CommandsQuery, QueryParameters()],
) -> Response:
    """A station's commands, the latest first."""
    await known(ports, caller.tenant, station)
    found = await find_commands(
        ports.db,
        caller.tenant,
        station,
        open_only=query.open,
        after=query.after,
        limit=query.limit,
    )
    more = found[-1].command_id if len(found) == query.limit else None
    return read(request, Items([from_row(row) for row in found], more))


@router.get("/v1/commands/{id}", responses=documented((200, Command), errors=[404]))
async def get_command(
    request: Request,
    id: Annotated[str, Path(max_length=255)],
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    found = await find_command(ports.db, caller.tenant, id)
    if found is None:
        raise NotFound("no command has this id; one that was just asked appears in a moment")
    return read(request, from_row(found))


async def _seen_soon(ports: Ports, tenant: str, station: str, version: str) -> StationDetail:
    """Return the station. That it has only just connected, and which version it speaks where
    `version` does not say, the views show in a moment."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SEEN_WITHIN_S
    while loop.time() < end:
        with contextlib.suppress(NotFound):
            detail = await known(ports, tenant, station)
            if version or detail.station.version:
                return detail
        await asyncio.sleep(POLL_S)
    return await known(ports, tenant, station)


async def _refuse_held_back(
    ports: Ports, recent: Recent, detail: StationDetail, asked: Asked, command_id: str
) -> None:
    """
    Raises:
        Refused: as its last boot was answered, the station may not be asked this. A command that
            was taken before is what it was. Whether it still may when its turn comes, the owner
            sees; that it was accepted just now, the views show in a moment.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + SEEN_WITHIN_S
    station = detail.station
    while why := refusal(station.boot_status, asked.version, asked.action, asked.payload):
        if recent.is_appended(command_id):
            return
        if await find_command(ports.db, station.tenant, command_id) is not None:
            return
        if loop.time() >= end:
            raise Refused(why)
        await asyncio.sleep(POLL_S)
        station = (await known(ports, station.tenant, station.station)).station


async def _request(
    ports: Ports,
    recent: Recent,
    caller: Caller,
    station: str,
    wanted: CommandWanted,
    asked: Asked,
    key: str,
) -> CommandRequested:
    """Return the record to append. Refuses first and keeps the secrets after, so that only those
    that a record will name are kept."""
    command_id = asking.command_id(caller.tenant, station, key)
    digest = asking.digest_of(asked, ports.vault.digest)
    recent.claim(command_id, asked.name, digest)
    secret_ids = {
        secret: await ports.vault.put_secret(caller.tenant, station, command_id, secret)
        for secret in secrets_of(asked.payload)
    }
    return asking.record(
        wanted,
        asked,
        tenant=caller.tenant,
        station=station,
        actor=caller.actor,
        idempotency_key=key,
        digest=digest,
        secret_ids=secret_ids,
        now_us=ports.now_us(),
    )


async def _offer(ports: Ports, record: CommandRequested, password: str) -> None:
    """Let the station in with the password that the command will set, beside the one it has.

    In the registry before the command is: the station may come back as soon as it was told.
    """
    async with ports.vault.registering(record.tenant, record.station) as passwords:
        password_id = await passwords.put(password.encode())
        await ports.log.append(
            StationPasswordOffered(
                tenant=record.tenant,
                station=record.station,
                recorded_at=record.recorded_at,
                actor=record.actor,
                command_id=record.command_id,
                credential=f"secret:{password_id}",
            )
        )


async def _settled(
    ports: Ports, record: CommandRequested, wait_s: float, waits: Waits
) -> CommandRow | None:
    """Return the command as the read side has it, waiting so long for its fate; None: not yet."""
    row = await waits.until(
        record.tenant,
        lambda: find_command(ports.db, record.tenant, record.command_id),
        lambda row: row.fate not in OPEN_FATES,
        wait_s,
    )
    if row is not None:
        _same_command(row, record)
    return row


def _same_command(row: CommandRow, record: CommandRequested) -> None:
    there, here = row.command or row.action, record.command or record.action
    same((there, row.payload_digest), (here, record.payload_digest))
