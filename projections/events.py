"""Events for whoever watches live: what just changed, in the order of the log.

They are a window, not a history: kept are those of the last `KEPT_RECORDS` records of a partition.
A reader that was away longer asks the views and goes on from `newest`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from projections.ports import Database, Progress, Write
from projections.times import utc
from schemas import positions

KEPT_RECORDS = 100_000
"""Minutes at full load, days at rest; a pure function of the position, as every view must be."""


class EventRow(Struct, frozen=True, kw_only=True):
    position: str
    """Resume after this."""
    kind: str
    """station-connected, station-disconnected, connector-status, transaction-started,
    transaction-ended, cdr-changed, command-moved, provider-request-moved, message-orphaned."""
    station: str
    subject: str
    """The id of what changed: connection, "evse/connector", transaction or CDR uuid, command."""
    recorded_at: datetime
    detail: dict[str, Any]


class Events(Struct, frozen=True, kw_only=True):
    items: Sequence[EventRow]
    next: str


async def events_after(
    db: Database, tenant: str, after: str | None = None, limit: int = 100
) -> Events:
    """Return the events after a position; None: from the oldest one kept.

    Raises:
        UnreadablePosition: `after` is none.
    """
    vector = positions.decode(after) if after else {}
    rows = await db.fetch(
        "events.after",
        {
            "tenant": tenant,
            "partitions": list(vector),
            "offsets": [offset for offset, _ in vector.values()],
            "indexes": [index for _, index in vector.values()],
            "limit": limit,
        },
    )
    items = []
    for row in rows:
        vector[row["partition"]] = (row["record_offset"], row["record_index"])
        items.append(_event(row, positions.encode(vector)))
    return Events(items=items, next=items[-1].position if items else after or positions.encode({}))


async def newest(db: Database) -> str:
    """Return the position from which only what happens from now on follows."""
    rows = await db.fetch("events.newest", {})
    return positions.encode({row["partition"]: (row["next_offset"] - 1, 2**31) for row in rows})


def _event(row: Mapping[str, Any], position: str) -> EventRow:
    return EventRow(
        position=position,
        kind=row["kind"],
        station=row["station"],
        subject=row["subject"],
        recorded_at=utc(row["recorded_at"]),
        detail=row["detail"],
    )


def pruned(progress: Progress) -> Write:
    oldest = {
        partition: offset - KEPT_RECORDS
        for partition, offset in progress.positions.items()
        if offset > KEPT_RECORDS and offset != progress.before.get(partition)
    }
    return Write("events.prune", {"partitions": list(oldest), "offsets": list(oldest.values())})
