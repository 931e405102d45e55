"""Records of a tenant that could not be folded: pointers into the log for a person."""

from msgspec import Struct

from projections.ports import Database

LISTED_MAX = 1_000


class SetAsideRow(Struct, frozen=True, kw_only=True):
    station: str
    position: str
    """In the log: partition and offset."""
    projections: tuple[str, ...]
    """Which views lack what it says."""
    reason: str


async def find_set_aside(db: Database, tenant: str, station: str | None) -> list[SetAsideRow]:
    """Return them in log order, `LISTED_MAX` at most."""
    parameters = {"tenant": tenant, "station": station, "limit": LISTED_MAX}
    rows = await db.fetch("progress.set_aside", parameters)
    return [
        SetAsideRow(
            station=row["station"],
            position=f"{row['partition']}:{row['record_offset']}",
            projections=tuple(row["names"]),
            reason=row["reason"],
        )
        for row in rows
    ]
