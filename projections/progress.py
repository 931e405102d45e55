"""How far the projections are, and the counts of a status line."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from projections.marks import Marks
from projections.ports import Database
from projections.times import microseconds, utc


class ProjectionProgress(Struct, frozen=True, kw_only=True):
    name: str
    positions: Mapping[int, int]
    """The next offset of each partition."""
    recorded_at: datetime
    """Our clock in the last record projected."""
    poison: int
    """Records set aside."""
    waiting: Mapping[int, int] = {}
    """By partition: when (microseconds) the first CALL or canary came since its
    owner's last record."""


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
    set_aside: int = 0
    """Records because of which owners decide nothing for their stations."""


async def find_progress(db: Database) -> list[ProjectionProgress]:
    rows = await db.fetch("progress.all", {})
    return [
        ProjectionProgress(
            name=row["name"],
            positions={int(key): value for key, value in row["positions"].items()},
            recorded_at=utc(row["recorded_at"]),
            poison=row["poison"],
            waiting={int(key): value for key, value in row["waiting"].items()},
        )
        for row in rows
    ]


def records_behind(progress: ProjectionProgress, heads: Mapping[int, int]) -> int:
    """Return how many records (or offsets, where they have gaps) are not projected yet."""
    return sum(max(0, head - progress.positions.get(p, 0)) for p, head in heads.items())


class Lateness:
    """How late projections are, for somebody who looks again and again.

    What waits was recorded after the last record projected, and after the last look that found
    nothing waiting: without the second, the first record after a quiet night would be hours late.
    Of a partition that stands still while others go on, the looks themselves say how long.
    """

    def __init__(self) -> None:
        self._abreast_us: dict[str, int] = {}
        self._marks = Marks()

    def saw(self, heads: Mapping[int, int], now_us: int) -> None:
        """Look without asking how late anybody is."""
        self._marks.saw(heads, now_us)

    def seconds(self, progress: ProjectionProgress, heads: Mapping[int, int], now_us: int) -> float:
        """Return the age of what waits longest, about that; 0 if nothing waits."""
        self._marks.saw(heads, now_us)
        if records_behind(progress, heads) == 0:
            self._abreast_us[progress.name] = now_us
            return 0.0
        since_us = max(microseconds(progress.recorded_at), self._abreast_us.get(progress.name, 0))
        standing = self._marks.waiting_us(progress.positions, now_us)
        return max(0, now_us - since_us, *standing.values()) / 1e6


async def count(db: Database, tenant: str | None = None) -> Counts:
    """Return the counts of a tenant; None: of all together. Their cost is flat in the history."""
    rows = await db.fetch("progress.counts", {"tenant": tenant})
    return Counts(**rows[0])
