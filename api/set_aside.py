"""What could not be folded or decided about: each record with a pointer, for a person."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi import Query as QueryParameters
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Items, Query, documented, read
from projections.set_aside import find_set_aside

router = APIRouter(tags=["operation"])


class SetAsideQuery(Query):
    station: Annotated[str | None, Field(max_length=255)] = None


@router.get("/v1/set-aside", responses=documented((200, Items)))
async def get_set_aside(
    request: Request,
    caller: Annotated[Caller, Depends(allowed("read-conversation"))],
    ports: Needs,
    query: Annotated[SetAsideQuery, QueryParameters()],
) -> Response:
    """Records that are in the log and in no view, or whose station gets no answers any more.

    Each is a fault of ours that wants a person.
    """
    untold = "read-metrics" in caller.rights
    rows = await find_set_aside(ports.db, caller.tenant, query.station, untold=untold)
    return read(request, Items(items=rows, next=None))
