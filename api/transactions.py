"""Transactions: each charging session as far as it is known."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import UNSET, Struct, UnsetType
from pydantic import Field

from api.access import Caller, Needs, allowed
from api.answers import Page, Query, documented, read
from api.problems import FieldError, Invalid, NotFound
from projections.transactions import (
    TransactionRow,
    Wanted,
    count_transactions,
    find_transaction,
    find_transactions,
)

router = APIRouter(tags=["transactions"])

Reader = Annotated[Caller, Depends(allowed("read-transactions"))]
Text = Annotated[str | None, Field(max_length=255)]


class TransactionsQuery(Page):
    station: Text = None
    id_token: Text = None
    state: Literal["active", "ended"] | None = None
    active: Annotated[bool | None, Field(description="The same as state=active, or ended.")] = None
    count: Annotated[bool, Field(description="Count all that match, on whatever page.")] = False


class Counted(Struct, frozen=True, omit_defaults=True):
    items: Sequence[TransactionRow]
    next: str | None
    """Ask `after` this for what follows; None: there was no more."""
    total: int | UnsetType = UNSET
    """How many match, where it was asked for."""


class TransactionQuery(Query):
    station: Text = None
    """Whose transaction it is, where the id is the station's own."""


@router.get("/v1/transactions", responses=documented((200, Counted)))
async def list_transactions(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[TransactionsQuery, QueryParameters()],
) -> Response:
    """Transactions, the latest first."""
    state = query.state
    if query.active is not None:
        meant: Literal["active", "ended"] = "active" if query.active else "ended"
        if state not in (None, meant):
            raise Invalid(FieldError("active", "says something else than state"))
        state = meant
    wanted = Wanted(query.station, query.id_token, state)
    found = await find_transactions(
        ports.db, caller.tenant, wanted, after=query.after, limit=query.limit
    )
    more = found[-1].id if len(found) == query.limit else None
    if not query.count:
        return read(request, Counted(found, more))
    total = await count_transactions(ports.db, caller.tenant, wanted)
    return read(request, Counted(found, more, total))


@router.get("/v1/transactions/{id}", responses=documented((200, TransactionRow), errors=[404]))
async def get_transaction(
    request: Request,
    id: Annotated[str, Path(max_length=255)],
    caller: Reader,
    ports: Needs,
    query: Annotated[TransactionQuery, QueryParameters()],
) -> Response:
    """One transaction, by its uuid (that of its CDR) or by the id that the station knows it by."""
    found = await find_transaction(ports.db, caller.tenant, id, query.station)
    if found is None:
        raise NotFound("no transaction has this id")
    return read(request, found)
