"""CALLs of stations that somebody else answers: what waits, and the answer to it.

A provider lists what waits (`?waiting=true&wait=30` answers as soon as there is something) and
posts the result that the station is to get. An answer is durable in the journal when it is
acknowledged; the station gets it unless its CALL was answered before. The same answer may be posted
again. Which actions wait here, and for how long, the settings say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, documented, read, written
from api.asked import looked_for
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.commands import WaitQuery
from api.ports import Ports
from api.problems import Conflict, NotFound
from api.wanted import check
from projections.provider_requests import ProviderRequest, find_request, find_requests
from schemas.records import ProviderAnswered

router = APIRouter(tags=["provider requests"])

Reader = Annotated[Caller, Depends(allowed("read-provider-requests"))]
Provider = Annotated[Caller, Depends(allowed("provide"))]
RequestId = Annotated[
    str, Path(pattern=r"^[0-9]{1,5}:[0-9]{1,18}$", description='The CALL\'s "partition:offset".')
]

_encode = msgspec.json.Encoder(decimal_format="number").encode


class RequestsQuery(Page, WaitQuery):
    station: Annotated[str | None, Field(max_length=255)] = None
    action: Annotated[str | None, Field(max_length=50)] = None
    waiting: Annotated[bool, Field(description="Only those that nobody has answered yet.")] = False


class Answer(Body):
    payload: Annotated[
        dict[str, Any], Field(description="As OCPP has it for the result of this action.")
    ]


@router.get("/v1/provider-requests", responses=documented((200, Items)))
async def list_requests(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[RequestsQuery, QueryParameters()],
) -> Response:
    """CALLs that a provider answers, the latest first. With `wait`, once there is one."""

    async def look() -> Sequence[ProviderRequest]:
        return await find_requests(
            ports.db,
            caller.tenant,
            station=query.station,
            action=query.action,
            waiting_only=query.waiting,
            after=query.after,
            limit=query.limit,
        )

    closing: asyncio.Event = request.app.state.closing
    found = await look() or await looked_for(look, bool, query.wait, closing) or ()
    more = found[-1].request_id if len(found) == query.limit else None
    return read(request, Items(found, more))


@router.get(
    "/v1/provider-requests/{id}", responses=documented((200, ProviderRequest), errors=[404])
)
async def get_request(
    request: Request,
    id: RequestId,
    caller: Reader,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
) -> Response:
    """What a station asked, and what became of it: waiting, answered or unanswered."""
    found = await _known(ports, caller, id)
    if found.fate == "waiting" and query.wait:
        found = await _settled(request, ports, caller, id, query.wait) or found
    return read(request, found)


@router.post(
    "/v1/provider-requests/{id}/answer",
    status_code=202,
    responses=documented(
        (201, ProviderRequest), (202, ProviderRequest), errors=[404, 409, 413, 415]
    ),
    openapi_extra=dict(body_documented(Answer)),
)
async def post_answer(
    request: Request,
    id: RequestId,
    caller: Provider,
    ports: Needs,
    query: Annotated[WaitQuery, QueryParameters()],
    body: Annotated[Answer, Depends(body_of(Answer))],
) -> Response:
    """Say what the station is told. 201: it was told; 202: look it up at Location."""
    found = await _known(ports, caller, id)
    check(found.version, found.action, body.payload, response=True)
    if found.fate == "waiting":
        await ports.log.append(_record(ports, caller, found, body.payload))
        found = await _settled(request, ports, caller, id, query.wait) or found
    if found.fate == "unanswered":
        raise Conflict("too late: the station does not wait for it any more")
    if found.answer is not None and not _is_same(found.answer, body.payload):
        raise Conflict("the station was told something else before")
    headers = {"Location": f"/v1/provider-requests/{found.request_id}"}
    return written(found, 202 if found.fate == "waiting" else 201, headers)


async def _known(ports: Ports, caller: Caller, request_id: str) -> ProviderRequest:
    found = await find_request(ports.db, caller.tenant, request_id)
    if found is None:
        raise NotFound("no CALL that waits, or waited, for a provider has this id")
    return found


async def _settled(
    request: Request, ports: Ports, caller: Caller, request_id: str, wait_s: float
) -> ProviderRequest | None:
    closing: asyncio.Event = request.app.state.closing
    return await looked_for(
        lambda: find_request(ports.db, caller.tenant, request_id),
        lambda row: row.fate != "waiting",
        wait_s,
        closing,
    )


def _is_same(told: Raw, payload: Mapping[str, Any]) -> bool:
    decode = msgspec.json.decode
    return bool(decode(told) == decode(_encode(payload)))


def _record(
    ports: Ports, caller: Caller, asked: ProviderRequest, payload: Mapping[str, Any]
) -> ProviderAnswered:
    return ProviderAnswered(
        tenant=caller.tenant,
        station=asked.station,
        recorded_at=ports.now_us(),
        call=int(asked.request_id.partition(":")[2]),
        payload=Raw(_encode(payload)),
        actor=caller.actor,
    )
