"""Billing's statement of completeness: what became of the sessions of a day, and of their energy.

A session belongs to the day on which we were told of its start, by our clock, in the zone that is
asked for: that never moves, so a day's `sessions` never change again, only what became of them. The
energy that the frames told is accounted for to the last decimal:

    frames_wh = released_wh + held_wh + open_wh + rejected_wh + orphaned_wh + adjusted_wh
        + unexplained_wh

and `unexplained_wh` is 0. An orphan counts on the day it came, once however often it was told, and
with energy where it tells both registers itself (`domain.orphan_energy`).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from domain.readings import whole
from projections.ports import Database
from projections.progress import find_progress
from projections.times import microseconds, utc_text

DAYS_MAX = 366

_SUMS = ("released_wh", "held_wh", "open_wh", "rejected_wh", "orphaned_wh", "adjusted_wh")
Wh = int | Decimal


class Day(Struct, frozen=True, kw_only=True):
    day: str
    """A day of the calendar in the zone."""
    starts_at: str
    ends_at: str
    sessions: int
    released: int
    held: int
    open: int
    rejected: int
    orphans: int
    """Messages of the day that belong to no session."""
    orphans_unknown: int
    """Of them, each once, those that do not tell two registers."""
    credits: int
    """Documents by which released ones were given back, whenever that was."""
    replacements: int
    unknown: int
    """Sessions of which the frames do not tell two registers (yet)."""
    frames_wh: Wh
    """By the registers told: the stop, or so far the latest sample, less the start."""
    released_wh: Wh
    """Of released documents, credits taken off."""
    held_wh: Wh
    open_wh: Wh
    rejected_wh: Wh
    orphaned_wh: Wh
    """By the two registers that orphans tell, each once."""
    adjusted_wh: Wh
    """What frames say and documents do not, for a reason that the document names: signed values,
    a person's decision, a register that rolled over."""
    unexplained_wh: Wh
    """Must be 0."""
    is_balanced: bool
    """Every session is in one state and nothing is unexplained."""


class Completeness(Struct, frozen=True, kw_only=True):
    zone: str
    folded_until: str | None
    """Our clock in the last record that is folded: nothing later is known here."""
    positions: Mapping[str, int]
    """By partition of the journal, the next offset: all before is folded."""
    days: list[Day]


async def completeness(
    db: Database, tenant: str, first: date, last: date, zone: ZoneInfo
) -> Completeness:
    """Return the days from the first, inclusive, to the last, exclusive."""
    days = [first + timedelta(days=n) for n in range((last - first).days)]
    bounds = [microseconds(_midnight(day, zone)) for day in [*days, last]]
    progress = {each.name: each for each in await find_progress(db)}.get("read")
    rows = await db.fetch(
        "completeness.days",
        {
            "tenant": tenant,
            "days": [day.isoformat() for day in days],
            "starts": bounds[:-1],
            "ends": bounds[1:],
        },
    )
    told = zip(rows, bounds[:-1], bounds[1:], strict=True)
    return Completeness(
        zone=zone.key,
        folded_until=utc_text(microseconds(progress.recorded_at)) if progress else None,
        positions={str(p): n for p, n in sorted(progress.positions.items())} if progress else {},
        days=[_day(row, start, end) for row, start, end in told],
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _day(row: Mapping[str, int | str | Decimal], start: int, end: int) -> Day:
    def number(name: str) -> Wh:
        return whole(Decimal(row[name]))

    def count(name: str) -> int:
        return int(row[name])

    unexplained = whole(Decimal(row["frames_wh"]) - sum(Decimal(row[name]) for name in _SUMS))
    states = ("released", "held", "open", "rejected")
    return Day(
        day=str(row["day"]),
        starts_at=utc_text(start),
        ends_at=utc_text(end),
        sessions=count("sessions"),
        released=count("released"),
        held=count("held"),
        open=count("open"),
        rejected=count("rejected"),
        orphans=count("orphans"),
        orphans_unknown=count("orphans_unknown"),
        credits=count("credits"),
        replacements=count("replacements"),
        unknown=count("unknown"),
        frames_wh=number("frames_wh"),
        released_wh=number("released_wh"),
        held_wh=number("held_wh"),
        open_wh=number("open_wh"),
        rejected_wh=number("rejected_wh"),
        orphaned_wh=number("orphaned_wh"),
        adjusted_wh=number("adjusted_wh"),
        unexplained_wh=unexplained,
        is_balanced=unexplained == 0 and count("sessions") == sum(count(state) for state in states),
    )
