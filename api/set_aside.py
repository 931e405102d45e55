"""What could not be folded: each record with a pointer, until a version that folds it rebuilds."""

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
    """Records that are in the log and in no view: a fault of ours that wants a person."""
    rows = await find_set_aside(ports.db, caller.tenant, query.station)
    return read(request, Items(items=rows, next=None))
