"""Local wall time of a place, from UTC instants: a tariff's hours and days are local.

Each instant is converted by itself, so a window of the hour that an autumn night has twice is open
for two hours, and one of the hour that a spring night lacks is not open at all. Zones come from the
`tzdata` package and not from the machine: the same release gives the same prices everywhere.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_ZONE = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ZoneUnknown(ValueError):
    """No zone of that name in the IANA data base."""


class Stretch(NamedTuple):
    """Instants with one distance between local time and UTC; the end is not in it."""

    start_us: int
    end_us: int
    offset_us: int


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    """Return the zone of an IANA name. Raise `ZoneUnknown`."""
    if not _ZONE.fullmatch(name):
        raise ZoneUnknown(f"{name!r} is no IANA zone")
    try:
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as found:
            return ZoneInfo.from_file(found, key=name)
    except (OSError, ValueError) as error:
        raise ZoneUnknown(f"{name!r} is no IANA zone") from error


def offset_us(zone: ZoneInfo, at_us: int) -> int:
    away = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).utcoffset()
    assert away is not None
    return away // timedelta(microseconds=1)


def stretches(zone: ZoneInfo, start_us: int, end_us: int) -> Iterator[Stretch]:
    """Cut a time where local clocks are moved. Assumes one such move in a day at most."""
    at, offset = start_us, offset_us(zone, start_us)
    while at < end_us:
        until = min(at + DAY_US, end_us)
        later = offset_us(zone, until)
        if later == offset:
            yield Stretch(at, until, offset)
        else:
            moved = _move(zone, at, until, offset)
            yield Stretch(at, moved, offset)
            if moved < until:
                yield Stretch(moved, until, later)
        at, offset = until, later


def edges(
    zone: ZoneInfo, start_us: int, end_us: int, marks_us: Iterable[int]
) -> list[tuple[int, int]]:
    """Return (instant, offset from then on): the start, each mark of the local day, each move.

    A mark is microseconds after local midnight.
    """
    marks = sorted(marks_us)
    found: list[tuple[int, int]] = []
    for start, end, offset in stretches(zone, start_us, end_us):
        if not found or found[-1][1] != offset:
            found.append((start, offset))
        midnight = (start + offset) // DAY_US * DAY_US - offset
        while midnight < end:
            for mark in marks:
                at = midnight + mark
                if start <= at < end and at > found[-1][0]:
                    found.append((at, offset))
            midnight += DAY_US
    return found or [(start_us, offset_us(zone, start_us))]


def _move(zone: ZoneInfo, start_us: int, end_us: int, offset: int) -> int:
    low, high = start_us, end_us
    while high - low > 1:
        middle = (low + high) // 2
        if offset_us(zone, middle) == offset:
            low = middle
        else:
            high = middle
    # Zones move on whole seconds; the search is exact to the microsecond.
    return high
