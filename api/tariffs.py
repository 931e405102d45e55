"""Tariffs in the model of OCPI 2.2.1 and 2.3.0, in versions, and which of them prices what.

A version prices the sessions that begin from `valid_from` on, until the next version. What is
registered after a session's start was answered never changes that session's price.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw, Struct
from pydantic import AwareDatetime, Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, Query, documented, read, written
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.problems import FieldError, Invalid, NotFound
from domain.readings import read_time
from domain.tariff import Tariff
from domain.tariff_lint import warnings
from domain.tariff_reading import TariffInvalid, read_tariff
from projections.tariffs import (
    AssignmentRow,
    TariffRow,
    find_assignments,
    find_tariff_versions,
    find_tariffs,
    version_for,
)
from projections.times import microseconds, utc
from schemas.names import NAME_CHARACTERS_MAX, is_name
from schemas.records import TariffAssigned, TariffPut, TariffRemoved

ID_CHARACTERS_MAX = 36
"""OCPI, Tariff.id: CiString(36)."""

router = APIRouter(tags=["tariffs"])

TariffId = Annotated[str, Path(max_length=255, description="Of OCPI; case counts here.")]
Reader = Annotated[Caller, Depends(allowed("read-tariffs"))]
Writer = Annotated[Caller, Depends(allowed("write-tariffs"))]
Reason = Annotated[str, Field(max_length=500, description="Kept for the auditor.")]
ValidFrom = Annotated[
    AwareDatetime | None,
    Field(description="RFC 3339. For sessions that begin then or later; without: from now on."),
]
_encode = msgspec.json.Encoder(decimal_format="number").encode


class TariffWanted(Body):
    tariff: Annotated[
        dict[str, Any], Field(description="The whole tariff as OCPI 2.2.1 or 2.3.0 has it.")
    ]
    valid_from: Annotated[
        AwareDatetime | None,
        Field(description="RFC 3339; without: its own start_date_time, else from now on."),
    ] = None
    reason: Reason = ""


class AssignmentWanted(Body):
    tariff_id: Annotated[
        str | None,
        Field(max_length=ID_CHARACTERS_MAX, description="Null: the scope has none of its own."),
    ]
    group: Annotated[str, Field(max_length=36, description="Of id tokens.")] = ""
    location_id: Annotated[str, Field(max_length=36)] = ""
    station: Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)] = ""
    evse: Annotated[int, Field(ge=0, le=10_000, strict=True, description="Of the station.")] = 0
    valid_from: ValidFrom = None
    reason: Reason = ""


class TariffsQuery(Page):
    at: Annotated[
        AwareDatetime | None, Field(description="RFC 3339: for sessions begun then, not now.")
    ] = None


class AssignmentsQuery(Query):
    at: Annotated[AwareDatetime | None, Field(description="RFC 3339; now without.")] = None


class RemovalQuery(Query):
    valid_from: ValidFrom = None
    reason: Reason = ""


class TariffDetail(TariffRow, frozen=True, kw_only=True):
    versions: Sequence[TariffRow]
    """All of them, the last registered first; also those that are valid later."""
    warnings: Sequence[str]
    """What in the present one is probably not meant."""


class TariffWritten(Struct, frozen=True, kw_only=True):
    id: str
    valid_from: datetime
    tariff: Raw
    actor: str
    warnings: Sequence[str]


class Assigned(Struct, frozen=True, kw_only=True):
    tariff_id: str | None
    group: str
    location_id: str
    station: str
    evse: int
    valid_from: datetime
    actor: str


@router.get("/v1/tariffs", responses=documented((200, Items)))
async def list_tariffs(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[TariffsQuery, QueryParameters()],
) -> Response:
    """Tariffs by id, each in the version for a session that begins now."""
    at = ports.now_us() if query.at is None else microseconds(query.at)
    found = await find_tariffs(ports.db, caller.tenant, at=at, after=query.after, limit=query.limit)
    more = found[-1].id if len(found) == query.limit else None
    return read(request, Items(found, more))


@router.get("/v1/tariffs/{id}", responses=documented((200, TariffDetail), errors=[404]))
async def get_tariff(
    request: Request,
    id: TariffId,
    caller: Reader,
    ports: Needs,
    query: Annotated[AssignmentsQuery, QueryParameters()],
) -> Response:
    """A tariff as it is for a session that begins now, and all its versions."""
    at = utc(ports.now_us()) if query.at is None else query.at
    versions = await find_tariff_versions(ports.db, caller.tenant, id)
    if not versions:
        raise NotFound("no tariff has this id")
    present = version_for(versions, at) or versions[0]
    lint = warnings(read_tariff(bytes(present.tariff))) if present.tariff is not None else []
    return read(
        request,
        TariffDetail(
            **{name: getattr(present, name) for name in present.__struct_fields__},
            versions=versions,
            warnings=lint,
        ),
    )


@router.put(
    "/v1/tariffs/{id}",
    responses=documented((200, TariffWritten), errors=[413, 415]),
    openapi_extra=dict(body_documented(TariffWanted)),
)
async def put_tariff(
    id: TariffId,
    caller: Writer,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: Annotated[TariffWanted, Depends(body_of(TariffWanted))],
) -> Response:
    """Add a version of a tariff; answered when it is durable. Earlier ones stay."""
    tariff = checked(id, body.tariff)
    now = ports.now_us()
    begins = read_time(tariff.start_date_time)[0]
    valid_from = microseconds(body.valid_from)
    if valid_from is None:
        valid_from = now if begins is None else begins
    document = Raw(_encode(body.tariff))
    await ports.log.append(
        TariffPut(
            tenant=caller.tenant,
            recorded_at=now,
            actor=caller.actor,
            tariff_id=id,
            valid_from=valid_from,
            tariff=document,
            reason=body.reason,
        )
    )
    return written(
        TariffWritten(
            id=id,
            valid_from=utc(valid_from),
            tariff=document,
            actor=caller.actor,
            warnings=warnings(tariff),
        )
    )


@router.delete("/v1/tariffs/{id}", status_code=204, responses=documented())
async def delete_tariff(
    id: TariffId,
    caller: Writer,
    ports: Needs,
    query: Annotated[RemovalQuery, QueryParameters()],
) -> Response:
    """Let it price no session that begins from now on. What it has priced keeps its price."""
    if is_identifier(id):
        now = ports.now_us()
        await ports.log.append(
            TariffRemoved(
                tenant=caller.tenant,
                recorded_at=now,
                actor=caller.actor,
                tariff_id=id,
                valid_from=now if query.valid_from is None else microseconds(query.valid_from),
                reason=query.reason,
            )
        )
    return Response(status_code=204)


@router.get("/v1/tariff-assignments", responses=documented((200, Items)))
async def list_assignments(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[AssignmentsQuery, QueryParameters()],
) -> Response:
    """Which tariff prices the sessions of which scope. The narrowest scope decides."""
    at = ports.now_us() if query.at is None else microseconds(query.at)
    found: list[AssignmentRow] = await find_assignments(ports.db, caller.tenant, at=at)
    return read(request, Items(found, None))


@router.put(
    "/v1/tariff-assignments",
    responses=documented((200, Assigned), errors=[404, 413, 415]),
    openapi_extra=dict(body_documented(AssignmentWanted)),
)
async def put_assignment(
    caller: Writer,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: Annotated[AssignmentWanted, Depends(body_of(AssignmentWanted))],
) -> Response:
    """Assign a tariff to a scope: token group, location, station, EVSE of it, or the tenant."""
    _check_scope(body)
    if body.tariff_id is not None and not await find_tariff_versions(
        ports.db, caller.tenant, body.tariff_id
    ):
        raise NotFound("no tariff has this id; one that was just put appears in a moment")
    now = ports.now_us()
    valid_from = now if body.valid_from is None else microseconds(body.valid_from)
    await ports.log.append(
        TariffAssigned(
            tenant=caller.tenant,
            station=body.station,
            recorded_at=now,
            actor=caller.actor,
            valid_from=valid_from,
            tariff_id=body.tariff_id or "",
            group=body.group,
            location_id=body.location_id,
            evse=body.evse,
            reason=body.reason,
        )
    )
    return written(
        Assigned(
            tariff_id=body.tariff_id,
            group=body.group,
            location_id=body.location_id,
            station=body.station,
            evse=body.evse,
            valid_from=utc(valid_from),
            actor=caller.actor,
        )
    )


def checked(id: str, document: dict[str, Any]) -> Tariff:
    """Return the tariff. Raise Invalid where it cannot be read or has another id."""
    if not is_identifier(id):
        raise Invalid(FieldError("id", f"1 to {ID_CHARACTERS_MAX} printable characters"))
    try:
        tariff = read_tariff(document)
    except TariffInvalid as error:
        where = f"tariff.{error.field}" if error.field else "tariff"
        raise Invalid(FieldError(where, error.reason)) from error
    if tariff.id != id:
        raise Invalid(FieldError("tariff.id", "another one than in the path"))
    for name in ("start_date_time", "end_date_time"):
        if getattr(tariff, name) is not None and read_time(getattr(tariff, name))[0] is None:
            raise Invalid(FieldError(f"tariff.{name}", "not a time of RFC 3339"))
    return tariff


def is_identifier(text: str) -> bool:
    return 0 < len(text) <= ID_CHARACTERS_MAX and text.isprintable() and text.strip(" ") == text


def _check_scope(body: AssignmentWanted) -> None:
    if body.station and not is_name(body.station):
        raise Invalid(FieldError("station", "not the name of a station"))
    if body.evse and not body.station:
        raise Invalid(FieldError("evse", "of which station?"))
    if body.location_id and body.station:
        raise Invalid(FieldError("location_id", "a scope has a location or a station"))
    for name in ("group", "location_id", "tariff_id"):
        text = getattr(body, name)
        if text and not is_identifier(text):
            raise Invalid(FieldError(name, f"1 to {ID_CHARACTERS_MAX} printable characters"))
