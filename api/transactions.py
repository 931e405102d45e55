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
from projections.cdrs import find_chain
from projections.transactions import (
    TransactionRow,
    Wanted,
    count_transactions,
    find_running_cost,
    find_transaction,
    find_transactions,
)
from schemas.cdr_cost import CdrCost

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


class TransactionDetail(TransactionRow, frozen=True, kw_only=True):
    cost: CdrCost | None
    """Of a running one up to its last reading; of one that is over, as its CDR says now."""
    cost_as_of: str | None
    """The time of that reading; null: it is over, or has no price."""


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


@router.get("/v1/transactions/{id}", responses=documented((200, TransactionDetail), errors=[404]))
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
    running = await find_running_cost(ports.db, caller.tenant, found.id)
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    if running is not None:
        return read(
            request, TransactionDetail(**fields, cost=running.cost, cost_as_of=running.as_of)
        )
    chain = await find_chain(ports.db, caller.tenant, found.id)
    stands = chain[-1].cdr.cost if chain else None
    return read(request, TransactionDetail(**fields, cost=stands, cost_as_of=None))
