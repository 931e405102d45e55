"""Charge detail records: billing's feed, and one of them.

The feed is ordered. A consumer keeps `next` and asks `?after=` it, for ever; a CDR that changed
comes again further on, with a higher revision. A FINAL one never changes, and its members are those
of the released document, byte for byte, followed by `position`, `record` and `sha256`.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi import Query as QueryParameters
from msgspec import Raw, Struct
from pydantic import AwareDatetime, Field

from api.access import Caller, Needs, allowed
from api.answers import Page, Query, documented, read
from api.problems import Conflict, NotFound
from domain.ocpi_cdrs import NotInOcpi, ocpi_document
from projections.cdrs import CdrRow, find_cdr
from projections.cdrs import feed as cdr_feed
from projections.evidence import Bundle, evidence_of, released_at_of, signed_frames
from schemas.cdr import Cdr, CdrState
from schemas.ocpi_cdr import Version
from schemas.released import read_released

router = APIRouter(tags=["cdrs"])

Reader = Annotated[Caller, Depends(allowed("read-cdrs"))]
Text = Annotated[str | None, Field(max_length=255)]


class FeedQuery(Page):
    state: CdrState | None = None
    id_token: Text = None
    station: Text = None
    started_from: Annotated[
        AwareDatetime | None, Field(alias="from", description="RFC 3339; started at or after.")
    ] = None
    started_to: Annotated[
        AwareDatetime | None, Field(alias="to", description="RFC 3339; started before.")
    ] = None


class CdrItem(Cdr, frozen=True, kw_only=True):
    position: str
    """Of the feed, once this is consumed."""
    record: str
    """ "partition:offset" of the record in the journal that made this revision."""
    sha256: str
    """Of the document: of the members before `position`."""


class CdrFeed(Struct, frozen=True):
    items: Sequence[CdrItem]
    next: str


class _RawFeed(Struct, frozen=True):
    items: Sequence[Raw]
    next: str


class _Place(Struct, frozen=True, omit_defaults=True):
    position: str
    record: str
    sha256: str
    doubts: tuple[str, ...] = ()


@router.get("/v1/cdrs", responses=documented((200, CdrFeed)))
async def feed(
    request: Request,
    caller: Reader,
    ports: Needs,
    query: Annotated[FeedQuery, QueryParameters()],
) -> Response:
    """CDRs in the order in which they became what they are, after a position."""
    found = await cdr_feed(
        ports.db,
        caller.tenant,
        after=query.after,
        limit=query.limit,
        state=query.state,
        id_token=query.id_token,
        station=query.station,
        started_from=query.started_from,
        started_to=query.started_to,
    )
    return read(request, _RawFeed([item_of(row) for row in found.items], found.next))


@router.get("/v1/cdrs/{id}", responses=documented((200, CdrItem), errors=[404]))
async def get_cdr(
    request: Request,
    id: Annotated[str, Path(max_length=255)],
    caller: Reader,
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    found = await find_cdr(ports.db, caller.tenant, id)
    if found is None:
        raise NotFound("no CDR has this id")
    return read(request, item_of(found))


@router.get("/v1/cdrs/{id}/evidence", responses=documented((200, Bundle), errors=[404]))
async def get_evidence(
    request: Request,
    id: Annotated[str, Path(max_length=255)],
    caller: Annotated[Caller, Depends(allowed("read-conversation"))],
    ports: Needs,
    query: Annotated[Query, QueryParameters()],
) -> Response:
    """Everything that a CDR was made from: its revisions, every frame, signed values, digests."""
    found = await find_cdr(ports.db, caller.tenant, id)
    made = found and await evidence_of(ports.db, ports.frames, caller.tenant, found.cdr.id)
    if not made:
        raise NotFound("no CDR has this id")
    return read(request, Raw(made))


class OcpiCdr(Struct, frozen=True):
    """A CDR object of OCPI 2.2.1 or 2.3.0, as its own document describes it."""


class OcpiQuery(Query):
    version: Version


@router.get("/v1/cdrs/{id}/ocpi", responses=documented((200, OcpiCdr), errors=[404, 409]))
async def get_ocpi(
    request: Request,
    id: Annotated[str, Path(max_length=255)],
    caller: Reader,
    ports: Needs,
    query: Annotated[OcpiQuery, QueryParameters()],
) -> Response:
    """A released CDR in the words of OCPI; 409 where it has no form there, with the reason."""
    found = await find_cdr(ports.db, caller.tenant, id)
    if found is None:
        raise NotFound("no CDR has this id")
    if found.cdr.state != "FINAL":
        raise Conflict("it is not released")
    # A released one stands at the record that released it.
    released_at = await released_at_of(ports.db, caller.tenant, found.cdr.id)
    named = [value.position for value in found.cdr.signed.values] if found.cdr.signed else []
    frames = await signed_frames(ports.db, ports.frames, caller.tenant, found.cdr.station, named)
    try:
        document = ocpi_document(
            read_released(found.body), query.version, released_at, frames, ports.signed_data_url
        )
    except NotInOcpi as error:
        raise Conflict(str(error)) from error
    return read(request, Raw(document))


def item_of(row: CdrRow) -> Raw:
    place = msgspec.json.encode(_Place(row.position, row.record, row.sha256, row.doubts))
    return Raw(b"%b,%b" % (row.body[:-1], place[1:]))
