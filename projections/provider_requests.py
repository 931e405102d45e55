"""CALLs of stations that somebody else answers: those that wait, and what became of the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Raw, Struct

from domain.provider_requests import ProviderFate
from projections.ports import Database
from projections.times import utc


class ProviderRequest(Struct, frozen=True, kw_only=True):
    request_id: str
    """The position of the CALL in the journal, "partition:offset"."""
    station: str
    version: str
    """Of OCPP, as the station speaks it."""
    action: str
    payload: Raw
    """As the station told it."""
    fate: ProviderFate
    asked_at: datetime
    expires_at: datetime
    """Then the station is told what it is told without a provider."""
    settled_at: datetime | None
    """When the station was answered."""
    answer: Raw | None
    """What it was told in the provider's words; None: nothing."""
    actor: str
    """Who answered."""
    position: str


async def find_request(db: Database, tenant: str, request_id: str) -> ProviderRequest | None:
    rows = await db.fetch("provider_requests.one", {"tenant": tenant, "request_id": request_id})
    return _request(rows[0]) if rows else None


async def find_requests(
    db: Database,
    tenant: str,
    *,
    station: str | None = None,
    action: str | None = None,
    waiting_only: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> list[ProviderRequest]:
    """Return the latest first, or of those that wait the oldest; `after` is the last one seen."""
    statement = "provider_requests.waiting" if waiting_only else "provider_requests.find"
    wanted = {
        "tenant": tenant,
        "station": station,
        "action": action,
        "after": after,
        "limit": limit,
    }
    rows = await db.fetch(statement, wanted)
    return [_request(row) for row in rows]


def _request(found: Mapping[str, Any]) -> ProviderRequest:
    row = dict(found)
    for name in ("asked_at", "expires_at", "settled_at"):
        row[name] = utc(row[name])
    row["payload"] = Raw(row["payload"].encode())
    row["answer"] = None if row["answer"] is None else Raw(row["answer"].encode())
    return ProviderRequest(**row)
