"""Billing's statement of completeness, by day."""

from datetime import date, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as QueryParameters
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Query, documented, read
from api.problems import FieldError, Invalid
from projections.completeness import DAYS_MAX, Completeness, completeness

router = APIRouter(tags=["cdrs"])


class CompletenessQuery(Query):
    first: Annotated[date, Field(alias="from", description="The first day.")]
    last: Annotated[date, Field(alias="to", description="The day after the last one.")]
    zone: Annotated[
        str, Field(max_length=64, description="IANA; whose days they are. Not UTC: say so.")
    ] = "UTC"


@router.get("/v1/cdrs/completeness", responses=documented((200, Completeness)))
async def get_completeness(
    request: Request,
    caller: Annotated[Caller, Depends(allowed("read-cdrs"))],
    ports: Needs,
    query: Annotated[CompletenessQuery, QueryParameters()],
) -> Response:
    """What became of the sessions of each day, and of their energy."""
    try:
        zone = ZoneInfo(query.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(FieldError(field="zone", message="no IANA time zone")) from error
    if not timedelta(0) < query.last - query.first <= timedelta(days=DAYS_MAX):
        message = f"after from, and at most {DAYS_MAX} days after"
        raise Invalid(FieldError(field="to", message=message))
    return read(request, await completeness(ports.db, caller.tenant, query.first, query.last, zone))
