"""What people asked about CDRs, and what became of it."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.ports import Database
from projections.times import utc


class CdrRequestRow(Struct, frozen=True, kw_only=True):
    request_id: str
    action: str
    """release, reject or reprice."""
    fate: str
    """requested, done or refused."""
    refusal: str
    """Why it was refused."""
    result: tuple[str, ...]
    """The CDRs that came of it: the released or rejected one; of a reprice credit and
    replacement."""
    cdr_id: str
    station: str
    transaction_id: str
    actor: str
    reason: str
    idempotency_key: str
    request_digest: str
    energy_wh: int | None
    ended_at: datetime | None
    tariff_id: str
    requested_at: datetime
    decided_at: datetime | None
    position: str


async def find_request(db: Database, tenant: str, request_id: str) -> CdrRequestRow | None:
    rows = await db.fetch("cdrs.request", {"tenant": tenant, "id": request_id})
    if not rows:
        return None
    row: dict[str, Any] = dict(rows[0])
    for name in ("ended_at", "requested_at", "decided_at"):
        row[name] = utc(row[name])
    row["result"] = tuple(row["result"])
    return CdrRequestRow(**row)
