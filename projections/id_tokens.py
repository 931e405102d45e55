"""Id tokens that people have registered."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.ports import Database
from projections.times import utc


class IdTokenRow(Struct, frozen=True, kw_only=True):
    tenant: str
    uid: str
    """As it was given; compared without case."""
    type: str
    status: str
    expires_at: datetime | None
    group: str
    actor: str
    """Who put it last."""
    updated_at: datetime
    position: str


async def find_id_token(db: Database, tenant: str, uid: str) -> IdTokenRow | None:
    rows = await db.fetch("id_tokens.one", {"tenant": tenant, "key": uid.casefold()})
    return _token(dict(rows[0])) if rows else None


async def find_id_tokens(
    db: Database, tenant: str, *, after: str | None = None, limit: int = 100
) -> list[IdTokenRow]:
    """Return tokens by uid without case; `after` is the last uid of the page before."""
    rows = await db.fetch(
        "id_tokens.find",
        {"tenant": tenant, "after": "" if after is None else after.casefold(), "limit": limit},
    )
    return [_token(dict(row)) for row in rows]


def _token(row: dict[str, Any]) -> IdTokenRow:
    row["expires_at"] = utc(row["expires_at"])
    row["updated_at"] = utc(row["updated_at"])
    return IdTokenRow(**row)
