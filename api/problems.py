"""Errors as HTTP: one table from error to status, and RFC 9457 documents for all of them.

A document never repeats what was sent: it might hold a secret.
"""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, Struct, UnsetType
from starlette.exceptions import HTTPException
from starlette.routing import Match

from projections.evidence import SeriesBehind, TooManyFrames
from projections.ports import StoreUnavailable
from schemas.journal import AppendUnknown, Unavailable
from schemas.positions import UnreadablePosition

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:chargeledger:problem:"

FIELD_ERRORS_MAX = 20

_log = logging.getLogger(__name__)


class ApiError(Exception):
    """The message is the document's `detail`: for who asked, and without what they sent."""


class Unauthorized(ApiError): ...


class Forbidden(ApiError): ...


class NotFound(ApiError): ...


class Conflict(ApiError): ...


class Refused(ApiError): ...


class UnreadableBody(ApiError): ...


class BodyTooLarge(ApiError): ...


class BodyTooSlow(ApiError): ...


class WrongMediaType(ApiError): ...


class TooManyStreams(ApiError): ...


class FieldError(Struct, frozen=True):
    field: str
    """Where: "payload.connectorId", "limit"; empty: the body as a whole."""
    message: str


class Invalid(ApiError):
    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class Problem(Struct, frozen=True, kw_only=True):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: Sequence[FieldError] | UnsetType = UNSET


class _Rule(Struct, frozen=True):
    status: HTTPStatus
    name: str
    title: str
    detail: str = ""
    """Instead of the error's own message."""
    headers: Mapping[str, str] = {}


_AGAIN_SOON = {"Retry-After": "2"}

TABLE: Mapping[type[Exception], _Rule] = {
    UnreadableBody: _Rule(HTTPStatus.BAD_REQUEST, "unreadable-body", "The body cannot be read"),
    Unauthorized: _Rule(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "An API key is needed",
        headers={"WWW-Authenticate": 'Bearer realm="chargeledger"'},
    ),
    Forbidden: _Rule(HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"),
    NotFound: _Rule(HTTPStatus.NOT_FOUND, "not-found", "There is no such thing"),
    Conflict: _Rule(HTTPStatus.CONFLICT, "conflict", "It contradicts what was asked before"),
    Refused: _Rule(HTTPStatus.CONFLICT, "refused", "The station may not be asked this now"),
    BodyTooSlow: _Rule(HTTPStatus.REQUEST_TIMEOUT, "body-too-slow", "The body did not come"),
    BodyTooLarge: _Rule(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large", "The body is too large"
    ),
    WrongMediaType: _Rule(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong-media-type", "The body must be application/json"
    ),
    Invalid: _Rule(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "A field is not valid"),
    UnreadablePosition: _Rule(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid-position",
        "The position is not one of ours",
        "Positions are opaque: give back what `next`, or the last event's id, said.",
    ),
    TooManyStreams: _Rule(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-streams",
        "Too many streams are open",
        headers={"Retry-After": "30"},
    ),
    SeriesBehind: _Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not-yet",
        "The frames are not all in the series yet",
        "Repeat the request in a moment.",
        _AGAIN_SOON,
    ),
    TooManyFrames: _Rule(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "too-many-frames",
        "The evidence is too long for one answer",
        "chargeledger evidence writes it from the log.",
    ),
    StoreUnavailable: _Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store-unavailable",
        "The store cannot be used now",
        "Repeat the same request.",
        _AGAIN_SOON,
    ),
    Unavailable: _Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "journal-unavailable",
        "The journal cannot be written now",
        "Nothing was recorded. Repeat the request.",
        _AGAIN_SOON,
    ),
    AppendUnknown: _Rule(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "outcome-unknown",
        "Nobody knows whether it was recorded",
        "Repeat the request; a command with the same Idempotency-Key, and it happens once.",
        _AGAIN_SOON,
    ),
}


def install(app: FastAPI) -> None:
    """Make every error of this application a problem document."""
    for kind in TABLE:
        app.add_exception_handler(kind, _from_table)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(HTTPException, _from_framework)
    app.add_exception_handler(Exception, _from_bug)


def field_errors(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> tuple[FieldError, ...]:
    """Return pydantic's errors without the input that they would repeat."""
    return tuple(
        FieldError(
            field=".".join(str(step) for step in error["loc"][skip:]),
            message=str(error["msg"]),
        )
        for error in errors[:FIELD_ERRORS_MAX]
    )


async def _from_table(request: Request, error: Exception) -> Response:
    rule = next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)
    if rule.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s answered %d: %s", request.method, rule.status, error)
    errors = error.errors if isinstance(error, Invalid) else UNSET
    return _response(request, rule, rule.detail or str(error), errors, rule.headers)


async def _from_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The first step of a location says "query", "path" or "header".
    invalid = Invalid(*field_errors(error.errors(), skip=1))
    return await _from_table(request, invalid)


async def _from_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    rule = _Rule(status, status.phrase.lower().replace(" ", "-"), status.phrase)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return _response(request, rule, status.description or status.phrase, UNSET, headers)


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes of this path; the framework names those of one."""
    return {
        method
        for method in ("GET", "PUT", "POST", "DELETE")
        for route in request.app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }


async def _from_bug(request: Request, error: Exception) -> Response:
    # The framework raises it again after this answer, and the server logs it.
    rule = _Rule(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error", "Internal error")
    return _response(request, rule, "This is our fault; it was logged.", UNSET, {})


def _response(
    request: Request,
    rule: _Rule,
    detail: str,
    errors: Sequence[FieldError] | UnsetType,
    headers: Mapping[str, str],
) -> Response:
    problem = Problem(
        type=TYPE_PREFIX + rule.name,
        title=rule.title,
        status=rule.status,
        detail=detail,
        instance=request.url.path,
        errors=errors,
    )
    body = msgspec.json.encode(problem)
    return Response(body, rule.status, dict(headers), MEDIA_TYPE)
