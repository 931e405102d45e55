"""Bodies of requests: JSON, bounded, with exact numbers, checked against a model.

The framework's own parsing is not used: it reads without a bound and turns decimals into floats.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from api.problems import (
    BodyTooLarge,
    BodyTooSlow,
    Invalid,
    UnreadableBody,
    WrongMediaType,
    field_errors,
)
from schemas.frames import UnreadableFrame, parse

BODY_BYTES_MAX = 65_536
"""Ten times the largest command (a charging profile or a local list of 1.6 fits easily)."""

BODY_WITHIN_S = 20.0

Model = TypeVar("Model", bound="Body")


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def body_of(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """Return the dependency that reads the body as this model."""

    async def read(request: Request) -> Model:
        return _validated(model, await _bytes(request))

    return read


def documented(model: type[Body]) -> Mapping[str, Any]:
    """Return what the OpenAPI document says of this body."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


async def _bytes(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType("send Content-Type: application/json")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        raise BodyTooLarge(f"at most {BODY_BYTES_MAX} bytes")
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await _read(request)
    except TimeoutError as error:
        raise BodyTooSlow(f"it must be here within {BODY_WITHIN_S:.0f} seconds") from error


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge(f"at most {BODY_BYTES_MAX} bytes")
    return bytes(body)


def _validated(model: type[Model], body: bytes) -> Model:
    try:
        value = parse(body.decode())
    except (UnicodeDecodeError, UnreadableFrame) as error:
        # The message of a decoder may repeat what it read.
        raise UnreadableBody("not JSON, or nested or numbered beyond our bounds") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid(*field_errors(errors)) from None
