"""Charge detail records, and billing's ordered feed of them.

The feed's position is a vector: per partition the (offset, index) of the record that was folded
when the CDR became this revision. A consumer that keeps `next` never misses a revision that stands;
a CDR that changes moves forward and is seen again. FINAL ones never move.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.ports import Database
from projections.session_rows import token_key
from projections.times import microseconds
from schemas import positions
from schemas.cdr import Cdr, CdrState


class CdrRow(Struct, frozen=True, kw_only=True):
    cdr: Cdr
    body: bytes
    """Canonical; of a FINAL one the released document, byte for byte."""
    sha256: str
    record: str
    """ "partition:offset" of the record that made this revision."""
    position: str
    """Of the feed, once this row is consumed; in the answer to a look-up, of this row alone."""
    doubts: tuple[str, ...] = ()
    """In the work list: what was told after its release and holds what that would change."""


class Feed(Struct, frozen=True, kw_only=True):
    items: Sequence[CdrRow]
    next: str
    """Ask again after this; what was asked after, if nothing came."""


async def feed(
    db: Database,
    tenant: str,
    *,
    after: str | None = None,
    limit: int = 100,
    state: CdrState | None = None,
    id_token: str | None = None,
    station: str | None = None,
    started_from: datetime | None = None,
    started_to: datetime | None = None,
) -> Feed:
    """Return the CDRs that changed after a position, ascending within each partition.

    `started_from` is inclusive, `started_to` exclusive; a CDR without a start is in no such range.

    Raises:
        UnreadablePosition: `after` is none.
    """
    vector = positions.decode(after) if after else {}
    rows = await db.fetch(
        "cdrs.feed",
        {
            "tenant": tenant,
            "partitions": list(vector),
            "offsets": [offset for offset, _ in vector.values()],
            "indexes": [index for _, index in vector.values()],
            "state": state,
            "id_token": None if id_token is None else token_key(id_token),
            "station": station,
            "started_from": microseconds(started_from),
            "started_to": microseconds(started_to),
            "limit": limit,
        },
    )
    items = []
    for row in rows:
        vector[row["partition"]] = (row["record_offset"], row["record_index"])
        items.append(_item(row, vector))
    return Feed(items=items, next=items[-1].position if items else after or positions.encode({}))


async def find_cdr(db: Database, tenant: str, cdr_id: str) -> CdrRow | None:
    try:
        key = str(UUID(cdr_id))
    except ValueError:
        return None
    rows = await db.fetch("cdrs.one", {"tenant": tenant, "id": key})
    return row_of(rows[0]) if rows else None


async def find_chain(db: Database, tenant: str, cdr_id: str) -> list[CdrRow]:
    """Return every document of the transaction that this CDR is of, in their order."""
    try:
        key = str(UUID(cdr_id))
    except ValueError:
        return []
    rows = await db.fetch("cdrs.of_transaction", {"tenant": tenant, "id": key})
    return [row_of(row) for row in rows]


def row_of(row: Mapping[str, Any]) -> CdrRow:
    return _item(row, {row["partition"]: (row["record_offset"], row["record_index"])})


def _item(row: Mapping[str, Any], vector: Mapping[int, tuple[int, int]]) -> CdrRow:
    body = row["body"].encode()
    return CdrRow(
        cdr=msgspec.json.decode(body, type=Cdr),
        body=body,
        sha256=row["sha256"],
        record=f"{row['partition']}:{row['record_offset']}",
        position=positions.encode(vector),
        doubts=tuple(row.get("doubts") or ()),
    )
