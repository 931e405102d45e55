"""What is priced: a session as periods, and a reservation before it. Exact numbers only.

A period has volumes of its own (OCPI's TIME is what the CDR says, not what the clock between two
periods says) and a stretch of time over which they are taken to be even. Times are microseconds
since 1970, UTC.

Sessions of our own are made of a register at both ends, samples in between and the moments at
which the vehicle began and ceased to ask for power: `session_of_readings`. The energy between two
readings is spread over the time in which the vehicle charged (policy INTERP); a boundary without a
reading is marked, so that a price which changes there is flagged.
"""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

Exact = int | Fraction
ZERO = Fraction(0)
MICROSECONDS = 1_000_000


class Activity(StrEnum):
    """CHARGING is OCPI's TIME; UNPRICED is neither that nor parking (SUSPENDED-EVSE, IDLE-BEFORE).

    Which state of OCPP is which activity is decided where the states are read.
    """

    CHARGING = "CHARGING"
    PARKING = "PARKING"
    UNPRICED = "UNPRICED"


class Ramp(NamedTuple):
    """A current or a power that changes evenly from the first value to the last."""

    first: Exact
    last: Exact


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """`is_measured`: its start is a reading, so what came before is known and not spread."""

    start_us: int
    end_us: int
    energy_wh: Exact = 0
    charging_s: Exact = 0
    parking_s: Exact = 0
    unpriced_s: Exact = 0
    current_a: Ramp | None = None
    power_w: Ramp | None = None
    is_measured: bool = True


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    start_us: int
    end_us: int
    expired: bool = False


class PricedSession(msgspec.Struct, frozen=True, kw_only=True):
    """Periods in order; none: nobody came for the reservation."""

    periods: tuple[Period, ...]
    reservation: Reservation | None = None
    flags: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the register showed; current is the sum over the phases."""

    at_us: int
    register_wh: int | Decimal | Fraction
    current_a: int | Decimal | Fraction | None = None
    power_w: int | Decimal | Fraction | None = None


class Change(NamedTuple):
    at_us: int
    activity: Activity


def parted(period: Period, at_us: int) -> tuple[Period, Period]:
    """Cut a period at a time inside it that was not read."""
    share = Fraction(at_us - period.start_us, period.end_us - period.start_us)
    first, last = (_share(period, each) for each in (share, 1 - share))
    current, power = period.current_a, period.power_w
    return (
        replace(
            first,
            end_us=at_us,
            current_a=current and Ramp(current.first, _along(current, share)),
            power_w=power and Ramp(power.first, _along(power, share)),
        ),
        replace(
            last,
            start_us=at_us,
            current_a=current and Ramp(_along(current, share), current.last),
            power_w=power and Ramp(_along(power, share), power.last),
            is_measured=False,
        ),
    )


def _share(period: Period, share: Fraction) -> Period:
    return replace(
        period,
        energy_wh=period.energy_wh * share,
        charging_s=period.charging_s * share,
        parking_s=period.parking_s * share,
        unpriced_s=period.unpriced_s * share,
    )


def _along(ramp: Ramp, share: Fraction) -> Exact:
    return ramp.first + (ramp.last - ramp.first) * share


class SessionInvalid(ValueError):
    """The readings are no session: fewer than two, or out of order."""


def session_of_readings(
    readings: Sequence[Reading],
    changes: Sequence[Change] = (),
    reservation: Reservation | None = None,
) -> PricedSession:
    """Make a session of registers in order of time; before the first change the vehicle charges.

    The first and the last reading are its ends. Raise `SessionInvalid` if there are not two.
    """
    if len(readings) < 2:
        raise SessionInvalid("a session has a register at both ends")
    if any(after.at_us < before.at_us for before, after in pairwise(readings)):
        raise SessionInvalid("readings are in order of time")
    changes = sorted(changes, key=lambda change: change.at_us)
    activity, following = Activity.CHARGING, 0
    periods: list[Period] = []
    for before, after in pairwise(readings):
        parts: list[tuple[int, int, Activity]] = []
        at = before.at_us
        while following < len(changes) and changes[following].at_us < after.at_us:
            change = changes[following]
            if change.at_us > at:
                parts.append((at, change.at_us, activity))
                at = change.at_us
            activity = change.activity
            following += 1
        parts.append((at, after.at_us, activity))
        periods += _between(before, after, parts)
    return PricedSession(periods=tuple(periods), reservation=reservation)


def _between(
    before: Reading, after: Reading, parts: Sequence[tuple[int, int, Activity]]
) -> list[Period]:
    energy = exact(after.register_wh) - exact(before.register_wh)
    charging_us = sum(end - start for start, end, what in parts if what is Activity.CHARGING)
    flows = [
        what is Activity.CHARGING if charging_us else True  # It must have flowed at some time.
        for _, _, what in parts
    ]
    flowing_us = charging_us or parts[-1][1] - parts[0][0]
    mean_w = None
    if flowing_us and before.power_w is None and after.power_w is None:
        mean_w = Fraction(energy * 3600 * MICROSECONDS) / flowing_us
    made = []
    for (start, end, what), flow in zip(parts, flows, strict=True):
        # Integers are five times as fast as fractions, and most sessions need no others.
        share = Fraction(end - start, flowing_us) if flowing_us and flow else Fraction(flow)
        seconds = seconds_of(end - start)
        made.append(
            Period(
                start_us=start,
                end_us=end,
                energy_wh=exact(energy * share),
                charging_s=seconds if what is Activity.CHARGING else 0,
                parking_s=seconds if what is Activity.PARKING else 0,
                unpriced_s=seconds if what is Activity.UNPRICED else 0,
                current_a=_ramp(before.current_a, after.current_a, None) if flow else Ramp(0, 0),
                power_w=_ramp(before.power_w, after.power_w, mean_w) if flow else Ramp(0, 0),
                is_measured=start == before.at_us,
            )
        )
    return made


def exact(number: int | Decimal | Fraction) -> Exact:
    """Return the same number, as an integer if it is one."""
    if isinstance(number, int):
        return number
    numerator, denominator = number.as_integer_ratio()
    return numerator if denominator == 1 else Fraction(numerator, denominator)


def seconds_of(microseconds: int) -> Exact:
    whole, rest = divmod(microseconds, MICROSECONDS)
    return Fraction(microseconds, MICROSECONDS) if rest else whole


def _ramp(
    first: int | Decimal | Fraction | None,
    last: int | Decimal | Fraction | None,
    otherwise: Exact | None,
) -> Ramp | None:
    begin = first if first is not None else last
    if begin is None:
        return None if otherwise is None else Ramp(otherwise, otherwise)
    return Ramp(exact(begin), exact(begin if last is None else last))
