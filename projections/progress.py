"""How far the projections are, and the counts of a status line."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from projections.ports import Database
from projections.times import utc


class ProjectionProgress(Struct, frozen=True, kw_only=True):
    name: str
    positions: Mapping[int, int]
    """The next offset of each partition."""
    recorded_at: datetime
    """Our clock in the last record projected: while behind, now minus this is the lag."""
    poison: int
    """Records set aside."""


class Counts(Struct, frozen=True, kw_only=True):
    stations: int
    stations_online: int
    transactions_active: int
    cdrs_open: int
    cdrs_held: int
    cdrs_final: int
    energy_wh: int
    """Of all CDRs whose energy is known."""
    commands_open: int


async def find_progress(db: Database) -> list[ProjectionProgress]:
    rows = await db.fetch("progress.all", {})
    return [
        ProjectionProgress(
            name=row["name"],
            positions={int(key): value for key, value in row["positions"].items()},
            recorded_at=utc(row["recorded_at"]),
            poison=row["poison"],
        )
        for row in rows
    ]


def records_behind(progress: ProjectionProgress, heads: Mapping[int, int]) -> int:
    """Return how many records (or offsets, where they have gaps) are not projected yet."""
    return sum(max(0, head - progress.positions.get(p, 0)) for p, head in heads.items())


async def count(db: Database, tenant: str | None = None) -> Counts:
    """Return the counts of a tenant; None: of all together. Their cost is flat in the history."""
    rows = await db.fetch("progress.counts", {"tenant": tenant})
    return Counts(**rows[0])
