"""Records that could not be folded, or not be decided about: pointers into the log for a person."""

from msgspec import Struct

from projections.ports import Database

LISTED_MAX = 1_000
NO_RECORD = "it is no record of a kind and version that is known here"


class SetAsideRow(Struct, frozen=True, kw_only=True):
    station: str
    position: str
    """In the log: partition and offset."""
    projections: tuple[str, ...]
    """Which views lack what it says."""
    owner: bool
    """Whether the owner of its partition decides nothing for the station because of it."""
    reason: str


async def find_set_aside(
    db: Database, tenant: str, station: str | None, *, untold: bool = False
) -> list[SetAsideRow]:
    """Return the tenant's in log order, `LISTED_MAX` at most.

    `untold`: with values of which nobody can read whose they are, without what stands in them.
    """
    parameters = {"tenant": tenant, "station": station, "untold": untold, "limit": LISTED_MAX}
    rows = await db.fetch("progress.set_aside", parameters)
    return [
        SetAsideRow(
            station=row["station"],
            position=f"{row['partition']}:{row['record_offset']}",
            projections=tuple(row["names"]),
            owner=row["owner"],
            reason=row["reason"] if row["tenant"] else NO_RECORD,
        )
        for row in rows
    ]
