"""When a transaction began and ended, from what its station's clock said and when we were told.

A station's time is kept unless it cannot be (policy CLOCK): before the station was commissioned, or
ahead of us. Then the time of receipt stands in for it, but only where the frame was live, that is,
not out of a queue. Nothing here moves a time that is merely late or a little wrong.
"""

from msgspec import Struct

from domain.limits import EARLIEST_US, Limits

TOLERANCE_US = 300_000_000
"""By so much two clocks may differ and mean the same."""

STEADY_US = 60_000_000
"""An offset that stays within this from one end to the other is a skew of the clock."""

LONG_US = 24 * 3_600_000_000


class Moment(Struct, frozen=True, gc=False):
    at: int | None
    """By the station's clock."""
    received: int
    is_live: bool
    """Nothing says that it waited in a queue."""


class Times(Struct, frozen=True, gc=False):
    start: int | None
    end: int | None
    flags: frozenset[str]
    holds: frozenset[str]


_NONE: frozenset[str] = frozenset()
_LONG = frozenset({"LONG_SESSION"})


class _Read(Struct, frozen=True, gc=False):
    at: int | None
    flags: tuple[str, ...]
    lag: int | None
    """How much later we were told, of a time that can be."""


def times_of(start: Moment | None, end: Moment | None, limits: Limits) -> Times:
    """Return both times as they count; an end before its start counts as unknown."""
    began, ended = _read(start, end, limits), _read(end, start, limits)
    if (lasts := _plainly(began, ended)) is not None:
        return Times(began.at, ended.at, _LONG if lasts > LONG_US else _NONE, _NONE)
    flags = {*began.flags, *ended.flags}
    holds: set[str] = set()
    for read in (began, ended):
        if "CLOCK_INVALID" in read.flags and "CLOCK_SUBSTITUTED" not in read.flags:
            holds.add("CLOCK_INVALID")
    if start is not None and end is not None:
        flags |= _between(start, end, began, ended)
    if any(read.lag is not None and read.lag > TOLERANCE_US for read in (began, ended)):
        flags |= set() if "CLOCK_SKEW" in flags else {"LATE_DELIVERY"}
    if "CLOCK_STEP" in flags:
        holds.add("CLOCK_STEP")
    first, last = began.at, ended.at
    if first is not None and last is not None:
        if last < first:
            return Times(first, None, frozenset({*flags, "NEGATIVE_DURATION"}), frozenset(holds))
        if last - first > LONG_US:
            flags.add("LONG_SESSION")
    return Times(first, last, frozenset(flags), frozenset(holds))


def _plainly(began: _Read, ended: _Read) -> int | None:
    """Return how long it took, where both times can be and were told at once: nothing to say."""
    if began.lag is None or ended.lag is None or began.at is None or ended.at is None:
        return None
    if abs(began.lag) > STEADY_US or abs(ended.lag) > STEADY_US or ended.at < began.at:
        return None
    return ended.at - began.at


def reading_time(at: int | None, received: int) -> int:
    """Return when a reading was taken: the time of receipt where the station's cannot be."""
    if at is None or at > received + TOLERANCE_US or at < EARLIEST_US:
        return received
    return at


def _is_possible(moment: Moment, limits: Limits) -> bool:
    at = moment.at
    return at is not None and limits.commissioned_us <= at <= moment.received + TOLERANCE_US


def _may_stand_in(moment: Moment, other: Moment | None, limits: Limits) -> bool:
    """Whether the receipt may stand in: live, and not contradicted by the other end."""
    if not moment.is_live:
        return False
    if other is None or moment.at is None or other.at is None or _is_possible(other, limits):
        return True
    by_clock, by_receipt = abs(moment.at - other.at), abs(moment.received - other.received)
    return abs(by_clock - by_receipt) <= TOLERANCE_US


def _read(moment: Moment | None, other: Moment | None, limits: Limits) -> _Read:
    if moment is None or moment.at is None:
        return _Read(None, (), None)
    if _is_possible(moment, limits):
        return _Read(moment.at, (), moment.received - moment.at)
    is_ahead = moment.at > moment.received
    if _may_stand_in(moment, other, limits):
        flag = "CLOCK_FUTURE" if is_ahead else "CLOCK_INVALID"
        return _Read(moment.received, (flag, "CLOCK_SUBSTITUTED"), None)
    return _Read(None, ("CLOCK_INVALID", "CLOCK_FUTURE") if is_ahead else ("CLOCK_INVALID",), None)


def _between(start: Moment, end: Moment, began: _Read, ended: _Read) -> set[str]:
    if began.lag is not None and ended.lag is not None:
        is_off = abs(began.lag) > STEADY_US and abs(ended.lag) > STEADY_US
        if abs(began.lag - ended.lag) <= STEADY_US:
            return {"CLOCK_SKEW"} if is_off and start.is_live and end.is_live else set()
    if start.at is None or end.at is None or not (start.is_live and end.is_live):
        return set()
    if start.at < EARLIEST_US or end.at < EARLIEST_US:
        return set()  # It was never set, which is said already.
    # An end that was told late says nothing of the clock: a stop may have been sent again. Nor do
    # two that were told at one go: they came out of a queue.
    between = end.received - start.received
    is_longer = (end.at - start.at) - between > TOLERANCE_US
    return {"CLOCK_STEP"} if is_longer and between > TOLERANCE_US else set()
