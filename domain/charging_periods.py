"""From what a transaction's station told to a session to price. Pure and exact.

The energy is given: it was decided from two registers. Readings in between only split it over time;
where they count from another base they are moved to this one, and where they contradict it they
are left out. Time is CHARGING, PARKING or UNPRICED by the charging states that were told (OCPI
2.3.0, PARKING_TIME is time in which the *vehicle* asks for no power):

- `SuspendedEV`, and `Idle` or `EVConnected` after the first `Charging`: parking;
- `SuspendedEVSE`, and `Idle` or `EVConnected` before the first `Charging`: unpriced (policies
  SUSPENDED-EVSE and IDLE-BEFORE);
- `Charging`, and whatever was before the first state that was told: charging.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from domain.pricing_session import (
    Activity,
    Change,
    Exact,
    Period,
    PricedSession,
    Reading,
    Reservation,
    exact,
    session_of_readings,
)

TOLERANCE_WH = 1
"""Registers at the ends may be whole Wh beside decimals in between."""

NEAR_END_US = 60 * 1_000_000
"""A reading so near to an end of the session says where the readings count from."""

_IDLE = ("Idle", "EVConnected")


class Evidence(Struct, frozen=True, kw_only=True):
    start_us: int
    end_us: int
    start_wh: Exact
    """The register at the start."""
    energy_wh: Exact
    readings: Sequence[tuple[int, Decimal | int]] = ()
    """(station time, register), as told: in any order, of any base."""
    states: Sequence[tuple[int, str]] = ()
    """(station time, charging state of OCPP 2.0.1), as told."""
    reservation: Reservation | None = None


def session_of(
    evidence: Evidence, edges_us: Sequence[int] | None = None, edges_wh: Sequence[Exact] = ()
) -> PricedSession:
    """Return the session up to the end that the evidence names. It is not before its start.

    `edges_us` are the only moments, `edges_wh` the only amounts since the start, at which a price
    may change, where that is known: then readings that are next to none of them are left out. They
    split nothing that counts.
    """
    e = evidence
    changes = activities(e.states, e.start_us, e.end_us)
    if e.end_us == e.start_us:
        whole = Period(start_us=e.start_us, end_us=e.end_us, energy_wh=e.energy_wh)
        return PricedSession(periods=(whole,), reservation=e.reservation)
    usable = usable_readings(e)
    if edges_us is not None:
        moments = {*edges_us, *(change.at_us for change in changes)}
        usable = _next_to(usable, sorted(moments), edges_wh)
    readings = [
        Reading(at_us=e.start_us, register_wh=0),
        *(Reading(at_us=at, register_wh=wh) for at, wh in usable),
        Reading(at_us=e.end_us, register_wh=e.energy_wh),
    ]
    return session_of_readings(readings, changes, e.reservation)


def activities(states: Sequence[tuple[int, str]], start_us: int, end_us: int) -> list[Change]:
    """Return the changes of activity, the first one at the start."""
    told = sorted((at, state) for at, state in states if at < end_us)
    first = told[0][1] if told else "Charging"
    changes = [Change(start_us, Activity.UNPRICED if first in _IDLE else Activity.CHARGING)]
    has_charged = False
    for at, state in told:
        has_charged = has_charged or state == "Charging"
        activity = _activity(state, has_charged)
        if activity is None:
            continue
        if at <= start_us:
            changes = [Change(start_us, activity)]
        elif changes[-1].activity is not activity:
            changes.append(Change(at, activity))
    return changes


def seconds_by_activity(changes: Sequence[Change], end_us: int) -> dict[Activity, int]:
    """Return the microseconds of each activity between the first change and the end."""
    spent = dict.fromkeys(Activity, 0)
    for change, until in zip(changes, [c.at_us for c in changes[1:]] + [end_us], strict=True):
        spent[change.activity] += until - change.at_us
    return spent


def usable_readings(evidence: Evidence) -> list[tuple[int, Exact]]:
    """Return the readings strictly within the session, as energy since its start.

    One per moment, never falling, and none outside what was charged: a reading that contradicts
    the others or the two ends splits nothing.
    """
    e = evidence
    inside = sorted({(at, exact(wh)) for at, wh in e.readings if e.start_us <= at <= e.end_us})
    base = _base(inside, e)
    if base is None:
        return []
    top = e.energy_wh
    rebased = [(at, _within(wh - base, top)) for at, wh in inside if e.start_us < at < e.end_us]
    fitting = [(at, wh) for at, wh in rebased if 0 <= wh <= top]
    rising = fitting if _rises(fitting) else _longest_rise(fitting)
    return list(dict(rising).items())


def _next_to(
    readings: Sequence[tuple[int, Exact]], moments: Sequence[int], amounts: Sequence[Exact]
) -> list[tuple[int, Exact]]:
    """Return the readings right before and after each moment and amount, and those at it."""
    times, registers = [at for at, _ in readings], [wh for _, wh in readings]
    kept: set[int] = set()
    for moment in moments:
        kept |= {bisect_right(times, moment) - 1, bisect_left(times, moment)}
    for amount in amounts:
        low, high = bisect_left(registers, amount), bisect_right(registers, amount)
        kept |= {low - 1, low, high - 1, high}
    return [readings[index] for index in sorted(kept) if 0 <= index < len(readings)]


def _base(inside: Sequence[tuple[int, Exact]], e: Evidence) -> Exact | None:
    if not inside:
        return None
    (first_at, first), (last_at, last) = inside[0], inside[-1]
    candidates: list[Exact] = [e.start_wh, 0]
    if first_at <= e.start_us + NEAR_END_US:
        candidates.append(first)
    if last_at >= e.end_us - NEAR_END_US:
        candidates.append(last - e.energy_wh)
    values = sorted(wh for _, wh in inside)
    # One wild value does not move the base of the others.
    low, high = values[len(values) // 4], values[-1 - len(values) // 4]
    for base in candidates:
        if low - base >= -TOLERANCE_WH and high - base <= e.energy_wh + TOLERANCE_WH:
            return base
    return None


def _within(wh: Exact, top: Exact) -> Exact:
    """Move what differs from the ends by their rounding to the ends."""
    if -TOLERANCE_WH <= wh < 0:
        return 0
    return top if top < wh <= top + TOLERANCE_WH else wh


def _rises(readings: Sequence[tuple[int, Exact]]) -> bool:
    return all(before[1] <= after[1] for before, after in pairwise(readings))


def _longest_rise(readings: Sequence[tuple[int, Exact]]) -> list[tuple[int, Exact]]:
    tails: list[Exact] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, wh) in enumerate(readings):
        place = bisect_right(tails, wh)
        before.append(ends[place - 1] if place else -1)
        tails[place : place + 1] = [wh]
        ends[place : place + 1] = [index]
    chain: list[tuple[int, Exact]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(readings[index])
        index = before[index]
    return chain[::-1]


def _activity(state: str, has_charged: bool) -> Activity | None:
    if state == "Charging":
        return Activity.CHARGING
    if state == "SuspendedEV":
        return Activity.PARKING
    if state == "SuspendedEVSE":
        return Activity.UNPRICED
    if state in _IDLE:
        return Activity.PARKING if has_charged else Activity.UNPRICED
    return None
