"""CALLs of stations that somebody else answers: what waits, and the answer to it.

A provider lists what waits, and posts the result that the station is to get. With `wait` the list
answers once there is something, and with the ETag of the last list once there is something else.
An answer is durable in the journal when it is acknowledged; the station gets it unless its CALL was
answered before. The same answer may be posted again. Which actions wait here, and for how long, the
settings say.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw
from msgspec.structs import replace
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, WaitQuery, documented, is_known, read, written
from api.asked import Recent
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.payloads import canonical, check_result, secrets_of, with_ids
from api.ports import Ports
from api.problems import Conflict, NotFound, TooManyStreams
from api.waits import Waits
from projections.provider_requests import ProviderRequest, find_request, find_requests
from schemas.frames import parse
from schemas.records import NO_DOCUMENT, ProviderAnswered

router = APIRouter(tags=["provider requests"])

Reader = Annotated[Caller, Depends(allowed("read-provider-requests"))]
Provider = Annotated[Caller, Depends(allowed("provide"))]
RequestId = Annotated[
    str, Path(pattern=r"^[0-9]{1,5}:[0-9]{1,18}$", description='The CALL\'s "partition:offset".')
]

_encode = msgspec.json.Encoder(decimal_format="number").encode
_NAMESPACE = UUID("5d0c4f0e-3a1b-5c56-8f0d-2f5f1f6a7b10")


class RequestsQuery(Page, WaitQuery):
    station: Annotated[str | None, Field(max_length=255)] = None
    action: Annotated[str | None, Field(max_length=50)] = None
    waiting: Annotated[
        bool, Field(description="Only those that nobody has answered yet, the oldest first.")
    ] = False


class Answer(Body):
    payload: Annotated[
        dict[str, Any], Field(description="As OCPP has it for the result of this action.")
    ]


@router.get("/v1/provider-requests", responses=documented((200, Items), errors=[429]))
async def list_requests(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[RequestsQuery, QueryParameters()],
) -> Response:
    """CALLs that a provider answers, the latest first. With `wait`, once there is one; with `wait`
    and If-None-Match, once the list is another one (304: it is not)."""

    async def look() -> Items:
        found = await find_requests(
            ports.db,
            caller.tenant,
            station=query.station,
            action=query.action,
            waiting_only=query.waiting,
            after=query.after,
            limit=query.limit,
        )
        return Items(found, found[-1].request_id if len(found) == query.limit else None)

    def is_news(page: Items) -> bool:
        if "if-none-match" in request.headers:
            return not is_known(request, page)
        return bool(page.items)

    page = await look()
    if query.wait and not is_news(page):
        waits: Waits = request.app.state.waits
        if waits.is_full(caller.tenant):
            raise TooManyStreams("close one, or come again later")
        page = await waits.until(caller.tenant, look, is_news, query.wait) or page
    return read(request, page)


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
    """Say what the station is told. 201: it was decided so; 202: look it up at Location."""
    found = await _known(ports, caller, id)
    check_result(found.version, found.action, body.payload)
    secrets = secrets_of(body.payload)
    record = _record(ports, caller, found, body.payload, secrets)
    if found.fate == "waiting":
        for secret in secrets:
            await ports.vault.put_secret(caller.tenant, found.station, _kept_under(record), secret)
        await _append(ports, request.app.state.recent_answers, record)
        found = await _settled(request, ports, caller, id, query.wait) or found
    if found.fate == "unanswered":
        raise Conflict("too late: the station does not wait for it any more")
    if found.answer is not None and not _is_same(found.answer, record.payload):
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
    waits: Waits = request.app.state.waits
    return await waits.until(
        caller.tenant,
        lambda: find_request(ports.db, caller.tenant, request_id),
        lambda row: row.fate != "waiting",
        wait_s,
    )


def _record(
    ports: Ports,
    caller: Caller,
    asked: ProviderRequest,
    payload: Mapping[str, Any],
    secrets: Sequence[str],
) -> ProviderAnswered:
    record = ProviderAnswered(
        tenant=caller.tenant,
        station=asked.station,
        recorded_at=ports.now_us(),
        call=int(asked.request_id.partition(":")[2]),
        payload=NO_DOCUMENT,
        actor=caller.actor,
    )
    kept_under = _kept_under(record)
    ids = {secret: ports.vault.secret_id(kept_under, secret) for secret in secrets}
    answer = Raw(_encode(with_ids(payload, ids)))
    return replace(record, payload=answer, secrets=tuple(ids.values()))


def _kept_under(record: ProviderAnswered) -> str:
    return str(uuid5(_NAMESPACE, f"{record.tenant}/{record.station}/{record.call}"))


async def _append(ports: Ports, recent: Recent, record: ProviderAnswered) -> None:
    """Append it unless this process has: a provider may post again and again while it waits."""
    digest = sha256(bytes(record.payload)).hexdigest()
    key = f"{_kept_under(record)} {digest}"
    recent.claim(key, "answer", digest)
    if not recent.is_appended(key):
        await recent.append(ports.log, key, record)


def _is_same(told: Raw, given: Raw) -> bool:
    return canonical(parse(bytes(told).decode())) == canonical(parse(bytes(given).decode()))
