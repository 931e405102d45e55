"""Cuts the periods of a session wherever a price may change, so that each piece has one price.

A cut is a time of the local day, a move of the clocks, a duration, an amount of energy, or the
moment at which a current or a power that is taken to change evenly crosses a limit. Volumes are
shared out evenly over the period. A cut more than needed changes no price.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.pricing_clock import edges
from domain.pricing_rules import Moment, RuleSet
from domain.pricing_session import Exact, Period, Ramp

NOBODY_KNOWS: tuple[tuple[int, int], ...] = ((0, 0),)
"""Offsets from UTC for a tariff that asks for no local time."""


class Piece(NamedTuple):
    start_us: Exact
    end_us: Exact
    moment: Moment
    energy_wh: Exact
    charging_s: Exact
    parking_s: Exact
    unpriced_s: Exact
    reading: int
    """Counts the readings before it: pieces of one number share energy that was not measured."""
    is_estimated: bool
    """It begins where a value was calculated to cross a limit, not at a known time."""


def split(
    periods: Sequence[Period], rules: RuleSet, zone: ZoneInfo, earlier: Sequence[Period] = ()
) -> list[Piece]:
    """Return the pieces in order. Their volumes are the periods' volumes, exactly.

    `earlier` periods of the same session count for its duration and energy so far.
    """
    if not periods:
        return []
    begin = (earlier or periods)[0].start_us
    times: Sequence[tuple[int, int]] = NOBODY_KNOWS
    if rules.marks_us:
        end = max(each.end_us for each in periods)
        times = edges(zone, periods[0].start_us, end + 1, rules.marks_us)
    changes = sorted({at for at, _ in times} | {begin + int(each) for each in rules.durations_us})
    pieces: list[Piece] = []
    energy: Exact = sum(each.energy_wh for each in earlier)
    reading = sum(each.is_measured for each in earlier)
    for period in periods:
        reading += period.is_measured
        cuts = _cuts(period, rules, changes, energy)
        pieces += _cut(period, cuts, times, begin, energy, reading)
        energy += period.energy_wh
    return pieces


def _cuts(
    period: Period, rules: RuleSet, changes: Sequence[int], energy: Exact
) -> dict[Fraction, bool]:
    """Return where to cut, as shares of the period, and whether that place is calculated."""
    cuts: dict[Fraction, bool] = {}
    if rules.energies_wh and period.energy_wh:
        _cross(cuts, Ramp(energy, energy + period.energy_wh), rules.energies_wh)
    if rules.currents_a and period.current_a is not None:
        _cross(cuts, period.current_a, rules.currents_a)
    if rules.powers_w and period.power_w is not None:
        _cross(cuts, period.power_w, rules.powers_w)
    start, end = period.start_us, period.end_us
    for at in changes[bisect_right(changes, start) : bisect_left(changes, end)]:
        cuts[Fraction(at - start, end - start)] = False
    return cuts


def _cross(cuts: dict[Fraction, bool], ramp: Ramp, limits: Iterable[Fraction]) -> None:
    first, last = ramp
    if first == last:
        return
    for limit in limits:
        share = Fraction(limit - first) / (last - first)
        if 0 < share < 1:
            cuts[share] = True


def _cut(
    period: Period,
    cuts: dict[Fraction, bool],
    times: Sequence[tuple[int, int]],
    begin: int,
    energy: Exact,
    reading: int,
) -> list[Piece]:
    if not cuts:
        return [_whole(period, times, begin, energy, reading)]
    length = period.end_us - period.start_us
    bounds: list[Exact] = [0, *sorted(cuts), 1]
    pieces = []
    for first, last in pairwise(bounds):
        share = last - first
        start = period.start_us + length * first
        so_far = energy + period.energy_wh * first
        flow = period.energy_wh * share
        pieces.append(
            Piece(
                start,
                period.start_us + length * last,
                Moment(
                    _local(times, start),
                    start - begin,
                    # Where energy flows back, the piece is what lies below its start.
                    so_far + flow if flow < 0 else so_far,
                    _between(period.current_a, first, last),
                    _between(period.power_w, first, last),
                ),
                flow,
                period.charging_s * share,
                period.parking_s * share,
                period.unpriced_s * share,
                reading,
                cuts.get(Fraction(first), False) if first else False,
            )
        )
    return pieces


def _whole(
    period: Period,
    times: Sequence[tuple[int, int]],
    begin: int,
    energy: Exact,
    reading: int,
) -> Piece:
    return Piece(
        period.start_us,
        period.end_us,
        Moment(
            _local(times, period.start_us),
            period.start_us - begin,
            energy + period.energy_wh if period.energy_wh < 0 else energy,
            _between(period.current_a, 0, 1),
            _between(period.power_w, 0, 1),
        ),
        period.energy_wh,
        period.charging_s,
        period.parking_s,
        period.unpriced_s,
        reading,
        False,
    )


def _local(times: Sequence[tuple[int, int]], at: Exact) -> int:
    if len(times) == 1:
        return int(at) + times[0][1]
    return int(at) + times[bisect_right(times, at, key=lambda time: time[0]) - 1][1]


def _between(ramp: Ramp | None, first: Exact, last: Exact) -> Exact | None:
    if ramp is None or ramp.first == ramp.last:
        return None if ramp is None else ramp.first
    return ramp.first + (ramp.last - ramp.first) * Fraction(first + last, 2)
