"""Id tokens: who may charge."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Struct
from pydantic import AwareDatetime, Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Page, Query, documented, read, written
from api.bodies import Body, body_of
from api.bodies import documented as body_documented
from api.problems import FieldError, Invalid, NotFound
from projections.id_tokens import IdTokenRow, find_id_token, find_id_tokens
from projections.times import microseconds
from schemas.records import IdTokenPut, IdTokenRemoved

UID_CHARACTERS_MAX = 36
"""OCPP 2.0.1 IdTokenType; 1.6 stations send at most 20."""

EXPIRY_MIN, EXPIRY_MAX = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

router = APIRouter(tags=["id tokens"])

Uid = Annotated[str, Path(max_length=255, description="Compared without case.")]
Reader = Annotated[Caller, Depends(allowed("read-id-tokens"))]
Writer = Annotated[Caller, Depends(allowed("write-id-tokens"))]


class IdToken(Body):
    status: Literal["Accepted", "Blocked", "Expired", "Invalid"] = "Accepted"
    type: Annotated[str, Field(min_length=1, max_length=20)] = "Central"
    expires_at: Annotated[
        AwareDatetime | None, Field(ge=EXPIRY_MIN, le=EXPIRY_MAX, description="RFC 3339")
    ] = None
    group: Annotated[str, Field(max_length=UID_CHARACTERS_MAX, description="1.6: parentIdTag")] = ""


class IdTokenWritten(Struct, frozen=True, kw_only=True):
    tenant: str
    uid: str
    type: str
    status: str
    expires_at: datetime | None
    group: str
    actor: str


@router.get("/v1/id-tokens", responses=documented((200, Items)))
async def list_id_tokens(
    request: Request, caller: Reader, ports: Needs, query: Annotated[Page, QueryParameters()]
) -> Response:
    found = await find_id_tokens(ports.db, caller.tenant, after=query.after, limit=query.limit)
    more = found[-1].uid if len(found) == query.limit else None
    return read(request, Items(found, more))


@router.get("/v1/id-tokens/{uid:path}", responses=documented((200, IdTokenRow), errors=[404]))
async def get_id_token(
    request: Request,
    uid: Uid,
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    found = await find_id_token(ports.db, caller.tenant, uid)
    if found is None:
        raise NotFound("no such id token is registered")
    return read(request, found)


@router.put(
    "/v1/id-tokens/{uid:path}",
    responses=documented((200, IdTokenWritten), errors=[413, 415]),
    openapi_extra=dict(body_documented(IdToken)),
)
async def put_id_token(
    uid: Uid,
    caller: Writer,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
    body: Annotated[IdToken, Depends(body_of(IdToken))],
) -> Response:
    """Register an id token, or replace it; answered when it is durable."""
    for field, text in (("uid", uid), ("group", body.group), ("type", body.type)):
        if not _is_identifier(text) and (text or field == "uid"):
            message = f"1 to {UID_CHARACTERS_MAX} printable characters, no space around them"
            raise Invalid(FieldError(field, message))
    await ports.log.append(
        IdTokenPut(
            tenant=caller.tenant,
            recorded_at=ports.now_us(),
            actor=caller.actor,
            uid=uid,
            type=body.type,
            status=body.status,
            expires_at=microseconds(body.expires_at),
            group=body.group,
        )
    )
    return written(
        IdTokenWritten(
            tenant=caller.tenant,
            uid=uid,
            type=body.type,
            status=body.status,
            expires_at=body.expires_at and body.expires_at.astimezone(UTC),
            group=body.group,
            actor=caller.actor,
        )
    )


@router.delete("/v1/id-tokens/{uid:path}", status_code=204, responses=documented())
async def delete_id_token(
    uid: Uid, caller: Writer, ports: Needs, query: Annotated[Query, QueryParameters()]
) -> Response:
    """Take an id token out of the registry. Repeating it changes nothing."""
    if _is_identifier(uid):
        await ports.log.append(
            IdTokenRemoved(
                tenant=caller.tenant, recorded_at=ports.now_us(), actor=caller.actor, uid=uid
            )
        )
    return Response(status_code=204)


def _is_identifier(text: str) -> bool:
    return 0 < len(text) <= UID_CHARACTERS_MAX and text.isprintable() and text.strip(" ") == text
