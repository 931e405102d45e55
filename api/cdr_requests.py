"""What people decide about CDRs: release, reject, reprice. And what waits for them.

A request is durable in the journal when it is answered; the owner of the station's partition does
it or refuses it, and says so at Location. The same Idempotency-Key is the same request, however
often it is sent. The person is the API key's actor.
"""

from hashlib import sha256
from typing import Annotated, Literal, NamedTuple
from uuid import UUID, uuid4, uuid5

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw
from pydantic import AwareDatetime, Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, Query, WaitQuery, documented, read, written
from api.asked import Recent, same
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.cdrs import item_of
from api.commands import IdempotencyKey
from api.ports import Ports
from api.problems import FieldError, Invalid, NotFound
from api.waits import Waits
from projections.cdr_requests import CdrRequestRow, find_request
from projections.cdrs import CdrRow, find_cdr
from projections.times import microseconds, utc
from projections.work_list import OrphanRow, find_held, find_orphans
from schemas.records import NO_DOCUMENT, CdrActionRequested

router = APIRouter(tags=["cdrs"])

Action = Literal["release", "reject", "reprice", "overrule"]
Reader = Annotated[Caller, Depends(allowed("read-cdrs"))]
Decider = Annotated[Caller, Depends(allowed("release-cdrs"))]
CdrId = Annotated[str, Path(max_length=255)]
Reason = Annotated[str, Field(min_length=3, max_length=500, description="Kept in the CDR.")]
ENERGY_WH_MAX = 10**10
_NAMESPACE = UUID("3e1f6b0c-5f8e-5d6a-9c1f-6f0a2b7c9d41")
_encode = msgspec.json.Encoder(order="sorted").encode


class _Asked(NamedTuple):
    action: Action
    reason: str
    energy_wh: int | None = None
    ended_at: int | None = None
    tariff_id: str = ""


class ReleaseWanted(Body):
    reason: Reason
    energy_wh: Annotated[
        int | None,
        Field(
            ge=0,
            le=ENERGY_WH_MAX,
            strict=True,
            description="What it is taken for, where the evidence does not say.",
        ),
    ] = None
    ended_at: Annotated[
        AwareDatetime | None, Field(description="RFC 3339; where the evidence does not say.")
    ] = None
    tariff_id: Annotated[
        str, Field(max_length=36, description="By this tariff, as of the session's start.")
    ] = ""


class RejectWanted(Body):
    reason: Reason


class RepriceWanted(Body):
    reason: Reason
    tariff_id: Annotated[
        str,
        Field(max_length=36, description="As of the session's start; empty: the one assigned."),
    ] = ""


class OverruleWanted(Body):
    reason: Reason


class WorkListQuery(Page):
    station: Annotated[str | None, Field(max_length=255)] = None
    held_by: Annotated[str | None, Field(max_length=50, description="A flag that holds.")] = None


class OrphansQuery(Query):
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


_ANSWERS = documented((201, CdrRequestRow), (202, CdrRequestRow), errors=[404, 409, 413, 415])


@router.post(
    "/v1/cdrs/{id}/release",
    status_code=202,
    responses=_ANSWERS,
    openapi_extra=dict(body_documented(ReleaseWanted)),
)
async def post_release(
    request: Request,
    id: CdrId,
    caller: Decider,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[ReleaseWanted, Depends(body_of(ReleaseWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Release a held CDR, on your word where the evidence leaves a doubt."""
    asked = _Asked(
        "release",
        body.reason,
        energy_wh=body.energy_wh,
        ended_at=microseconds(body.ended_at),
        tariff_id=body.tariff_id,
    )
    return await _ask(request, ports, caller, id, asked, idempotency_key, query.wait)


@router.post(
    "/v1/cdrs/{id}/reject",
    status_code=202,
    responses=_ANSWERS,
    openapi_extra=dict(body_documented(RejectWanted)),
)
async def post_reject(
    request: Request,
    id: CdrId,
    caller: Decider,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[RejectWanted, Depends(body_of(RejectWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Reject a held CDR: nobody is billed for it."""
    asked = _Asked(
        "reject",
        body.reason,
    )
    return await _ask(request, ports, caller, id, asked, idempotency_key, query.wait)


@router.post(
    "/v1/cdrs/{id}/reprice",
    status_code=202,
    responses=_ANSWERS,
    openapi_extra=dict(body_documented(RepriceWanted)),
)
async def post_reprice(
    request: Request,
    id: CdrId,
    caller: Decider,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[RepriceWanted, Depends(body_of(RepriceWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Price a released CDR by a corrected tariff: a credit, and a replacement in its place."""
    asked = _Asked(
        "reprice",
        body.reason,
        tariff_id=body.tariff_id,
    )
    return await _ask(request, ports, caller, id, asked, idempotency_key, query.wait)


@router.post(
    "/v1/cdrs/{id}/overrule",
    status_code=202,
    responses=_ANSWERS,
    openapi_extra=dict(body_documented(OverruleWanted)),
)
async def post_overrule(
    request: Request,
    id: CdrId,
    caller: Decider,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[OverruleWanted, Depends(body_of(OverruleWanted))],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Overrule what was told after a release and is in doubt: what it changes is corrected."""
    asked = _Asked(
        "overrule",
        body.reason,
    )
    return await _ask(request, ports, caller, id, asked, idempotency_key, query.wait)


@router.get("/v1/cdr-requests/{id}", responses=documented((200, CdrRequestRow), errors=[404]))
async def get_request(
    request: Request,
    id: CdrId,
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    """What was asked about a CDR, and what became of it: requested, done or refused."""
    found = await find_request(ports.db, caller.tenant, id)
    if found is None:
        raise NotFound("no request has this id; one that was just made appears in a moment")
    return read(request, found)


@router.get("/v1/work-list", responses=documented((200, Items)))
async def work_list(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[WorkListQuery, QueryParameters()],
) -> Response:
    """CDRs that wait for a person, those that wait the longest first.

    Held ones with what holds them, and released ones with the `doubts` told since.
    """
    found = await find_held(
        ports.db,
        caller.tenant,
        station=query.station,
        reason=query.held_by,
        after=query.after,
        limit=query.limit,
    )
    more = found[-1].position if len(found) == query.limit else None
    return read(request, Items([item_of(row) for row in found], more))


@router.get("/v1/orphans", responses=documented((200, Items)))
async def orphans(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[OrphansQuery, QueryParameters()],
) -> Response:
    """Money messages that belong to no transaction we know, the latest first."""
    found: list[OrphanRow] = await find_orphans(ports.db, caller.tenant, limit=query.limit)
    return read(request, Items(found, None))


def request_id(tenant: str, station: str, idempotency_key: str) -> str:
    return str(uuid5(_NAMESPACE, f"{tenant}/{station}/{idempotency_key}"))


async def _ask(
    request: Request,
    ports: Ports,
    caller: Caller,
    cdr_id: str,
    asked: _Asked,
    key: str | None,
    wait_s: float,
) -> Response:
    cdr = await find_cdr(ports.db, caller.tenant, cdr_id)
    if cdr is None:
        raise NotFound("no CDR has this id")
    record = _record(ports, caller, cdr, asked, key or str(uuid4()))
    recent: Recent = request.app.state.recent
    recent.claim(record.request_id, record.action, record.request_digest)
    row = await find_request(ports.db, record.tenant, record.request_id)
    if row is not None:
        same((row.action, row.request_digest), (record.action, record.request_digest))
    elif not recent.is_appended(record.request_id):
        await recent.append(ports.log, record.request_id, record)
    if row is None or row.fate == "requested":
        waits: Waits = request.app.state.waits
        row = (
            await waits.until(
                record.tenant,
                lambda: find_request(ports.db, record.tenant, record.request_id),
                lambda row: row.fate != "requested",
                wait_s,
            )
            or row
        )
    shown = _shown(record) if row is None else row
    headers = {
        "Location": f"/v1/cdr-requests/{record.request_id}",
        "Idempotency-Key": record.idempotency_key,
    }
    return written(shown, 202 if shown.fate == "requested" else 201, headers)


def _record(
    ports: Ports, caller: Caller, row: CdrRow, asked: _Asked, key: str
) -> CdrActionRequested:
    cdr = row.cdr
    is_reprice = asked.action == "reprice"
    if is_reprice and (cdr.state != "FINAL" or cdr.credit):
        raise Invalid(FieldError("id", "not a released CDR that stands"))
    return CdrActionRequested(
        tenant=caller.tenant,
        station=cdr.station,
        recorded_at=ports.now_us(),
        request_id=request_id(caller.tenant, cdr.station, key),
        action=asked.action,
        transaction_id=cdr.transaction_id,
        cdr_id=cdr.id,
        actor=caller.actor,
        reason=asked.reason,
        idempotency_key=key,
        request_digest=sha256(_encode([cdr.id, *asked])).hexdigest(),
        energy_wh=asked.energy_wh,
        ended_at=asked.ended_at,
        tariff_id=asked.tariff_id,
        document=Raw(row.body) if is_reprice else NO_DOCUMENT,
    )


def _shown(record: CdrActionRequested) -> CdrRequestRow:
    return CdrRequestRow(
        request_id=record.request_id,
        action=record.action,
        fate="requested",
        refusal="",
        result=(),
        cdr_id=record.cdr_id,
        station=record.station,
        transaction_id=record.transaction_id,
        actor=record.actor,
        reason=record.reason,
        idempotency_key=record.idempotency_key,
        request_digest=record.request_digest,
        energy_wh=record.energy_wh,
        ended_at=None if record.ended_at is None else utc(record.ended_at),
        tariff_id=record.tariff_id,
        requested_at=utc(record.recorded_at),
        decided_at=None,
        position="",
    )
