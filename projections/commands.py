"""Commands: what operators asked of stations, and what became of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from domain.commands import Fate
from projections.ports import Database
from projections.times import utc


class CommandRow(Struct, frozen=True, kw_only=True):
    command_id: str
    tenant: str
    station: str
    version: str
    action: str
    command: str
    """What was asked for, where that was not the action itself."""
    payload: Any
    """Secrets stand in it as "secret:<id>"."""
    payload_digest: str
    actor: str
    reason: str
    idempotency_key: str
    fate: Fate
    requested_at: datetime
    expires_at: datetime
    dispatched_at: datetime | None
    answered_at: datetime | None
    answer: Any
    """The station's own answer; None if it gave none."""
    error_code: str
    error_description: str
    late: bool
    """The answer came after the fate was settled otherwise."""
    effect_at: datetime | None
    """When the effect was seen; None if it was not (yet)."""
    effect: str | None
    """ "partition:offset" of the record that showed it."""
    progress: str
    """Where a job that it began is, in the station's words."""
    position: str


async def find_command(db: Database, tenant: str, command_id: str) -> CommandRow | None:
    rows = await db.fetch("commands.one", {"tenant": tenant, "command_id": command_id})
    return _command(rows[0]) if rows else None


async def find_commands(
    db: Database,
    tenant: str,
    station: str,
    *,
    open_only: bool = False,
    after: str | None = None,
    limit: int = 100,
) -> list[CommandRow]:
    """Return a station's commands, the latest first; `after` is the id of the last one seen."""
    rows = await db.fetch(
        "commands.find",
        {
            "tenant": tenant,
            "station": station,
            "open_only": open_only,
            "after": after,
            "limit": limit,
        },
    )
    return [_command(row) for row in rows]


def _command(found: Mapping[str, Any]) -> CommandRow:
    row = dict(found)
    for name in ("requested_at", "expires_at", "dispatched_at", "answered_at", "effect_at"):
        row[name] = utc(row[name])
    row["payload"] = msgspec.json.decode(row["payload"])
    row["answer"] = None if row["answer"] is None else msgspec.json.decode(row["answer"])
    return CommandRow(**row)
