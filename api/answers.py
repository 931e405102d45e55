"""Answers: compact JSON, times in RFC 3339 with Z, decimals as strings, an ETag on what is read."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from fastapi import Request, Response
from msgspec import Raw, Struct
from pydantic import BaseModel, ConfigDict, Field

from api.problems import MEDIA_TYPE, Problem

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
WAIT_S_MAX = 60

SCHEMA_PLACE = "#/components/schemas/{name}"

_encode = msgspec.json.Encoder().encode


class Query(BaseModel):
    """Parameters after the question mark. An unknown one is refused: a misspelt filter filters
    nothing, and billing would never know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[
        str | None,
        Field(description="Only while no API key was made; otherwise at most the key's own."),
    ] = None


class Page(Query):
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT
    after: Annotated[
        str | None,
        Field(max_length=16_384, description="`next` of the page before; from the start without."),
    ] = None


class WaitQuery(Query):
    wait: Annotated[
        float,
        Field(
            ge=0,
            le=WAIT_S_MAX,
            allow_inf_nan=False,
            description="Seconds to wait for what comes of it, or for something else to show",
        ),
    ] = 0


class Items(Struct, frozen=True):
    items: Sequence[Any]
    next: str | None
    """Ask `after` this for what follows; None: there was no more."""


def read(request: Request, value: Any) -> Response:
    """Answer a GET: 304 if the caller has it already."""
    body = value if isinstance(value, Raw) else _encode(value)
    etag = _etag(bytes(body))
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(bytes(body), headers=headers, media_type="application/json")


def is_known(request: Request, value: Any) -> bool:
    """Whether the caller says (If-None-Match) that it has this already."""
    return _matches(request.headers.get("if-none-match", ""), _etag(_encode(value)))


def written(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer what is durable now."""
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(_encode(value), status, all_headers, "application/json")


def documented(*answers: tuple[int, Any], errors: Iterable[int] = ()) -> dict[int | str, Any]:
    """Return what the OpenAPI document says of a route's answers; `schemas_of` defines them."""
    found: dict[int | str, Any] = {
        status: {
            "description": "Successful",
            "content": {"application/json": {"schema": _reference(shape)}},
        }
        for status, shape in answers
    }
    problem = {MEDIA_TYPE: {"schema": _reference(Problem)}}
    for status in (401, 403, 422, 503, *errors):
        found[status] = {"description": "Problem", "content": problem}
    return found


def schemas_of(shapes: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON schemas of all the shapes and of what they consist of, by name."""
    return msgspec.json.schema_components(shapes, ref_template=SCHEMA_PLACE)[1]


def _reference(shape: Any) -> dict[str, Any]:
    return {"$ref": SCHEMA_PLACE.format(name=shape.__name__)}


def _etag(body: bytes) -> str:
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def _matches(header: str, etag: str) -> bool:
    return any(part.strip().removeprefix("W/") in (etag, "*") for part in header.split(","))
