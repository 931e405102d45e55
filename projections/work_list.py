"""What waits for a person: CDRs held or in doubt, with the reasons, and orphaned messages."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.cdrs import CdrRow, row_of
from projections.ports import Database
from projections.times import utc
from schemas import positions


class OrphanRow(Struct, frozen=True, kw_only=True):
    station: str
    reason: str
    transaction_id: str
    """The id that the message names; of no transaction that we know."""
    recorded_at: datetime
    detail: dict[str, Any]
    position: str
    """Of the message: its frame is there, word for word."""


async def find_held(
    db: Database,
    tenant: str,
    *,
    station: str | None = None,
    reason: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[CdrRow]:
    """Return held CDRs and released ones in doubt, the longest unchanged first in each partition.

    Raises:
        UnreadablePosition: `after` is none.
    """
    place = next(iter(positions.decode(after).items()), None) if after else None
    partition, (offset, index) = place if place is not None else (None, (None, None))
    rows = await db.fetch(
        "cdrs.held",
        {
            "tenant": tenant,
            "station": station,
            "reason": reason,
            "partition": partition,
            "offset": offset,
            "index": index,
            "limit": limit,
        },
    )
    return [row_of(row) for row in rows]


async def find_orphans(db: Database, tenant: str, *, limit: int = 100) -> list[OrphanRow]:
    """Return the latest first."""
    rows = await db.fetch("orphans.find", {"tenant": tenant, "limit": limit})
    return [OrphanRow(**{**row, "recorded_at": utc(row["recorded_at"])}) for row in rows]
