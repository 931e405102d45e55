"""What a session costs under a tariff: the one function behind everything that shows money.

Pure and exact: fractions to the end, and one rounding there. In this order: cut the periods where a
price may change, choose a component for each volume, round up by step, multiply, tax, sum, bound by
the limits, round. docs/pricing.md has the rules and the choices that are ours.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.pricing_clock import zone_of
from domain.pricing_lines import Gathered, gather_reservation, gather_session, round_up
from domain.pricing_rules import Rules, rules_of
from domain.pricing_session import (
    Period,
    PricedSession,
    Reservation,
    SessionInvalid,
    parted,
    seconds_of,
)
from domain.pricing_splitting import split
from domain.pricing_totals import Cost, Usage, total
from domain.tariff import Tariff

_TIME_MIN_US, _TIME_MAX_US = -2_208_988_800_000_000, 253_370_764_799_999_999
"""1900 to 9998: what a calendar can hold, a day to spare."""


class TariffChange(NamedTuple):
    """From then on the session is priced by this tariff."""

    at_us: int
    tariff: Tariff


def price(
    session: PricedSession, tariff: Tariff, zone: str, changes: Sequence[TariffChange] = ()
) -> Cost:
    """Price a session, running or over, by the local time of an IANA zone.

    The same arguments give the same cost in every process. `changes`, in order, are of tariffs in
    the same currency; the last one that applied has the limits. Raise `SessionInvalid` for periods
    or changes that are out of order and `ZoneUnknown`.
    """
    _check(session, tariff, changes)
    where = zone_of(zone)
    gathered = _reserved(session.reservation, rules_of(tariff), where)
    round_up(gathered.drafts)
    earlier: list[Period] = []
    for stage in _stages(session.periods, tariff, changes):
        tariff, rules = stage.tariff, rules_of(stage.tariff).session
        before = len(gathered.drafts)
        gather_session(gathered, split(stage.periods, rules, where, earlier), rules)
        round_up(gathered.drafts[before:])
        earlier += stage.periods
    return total(
        tariff,
        gathered.drafts,
        _usage(session),
        took_place=bool(session.periods),
        periods=gathered.periods,
        flags={*session.flags, *gathered.flags},
    )


class _Stage(NamedTuple):
    tariff: Tariff
    periods: list[Period]


def _stages(
    periods: Sequence[Period], tariff: Tariff, changes: Sequence[TariffChange]
) -> list[_Stage]:
    stages = [_Stage(tariff, [])]
    following = 0
    for whole in periods:
        period = whole
        while following < len(changes) and changes[following].at_us <= period.start_us:
            stages.append(_Stage(changes[following].tariff, []))
            following += 1
        while following < len(changes) and changes[following].at_us < period.end_us:
            first, period = parted(period, changes[following].at_us)
            stages[-1].periods.append(first)
            stages.append(_Stage(changes[following].tariff, []))
            following += 1
        stages[-1].periods.append(period)
    return [stage for stage in stages if stage.periods]


def _reserved(reservation: Reservation | None, rules: Rules, zone: ZoneInfo) -> Gathered:
    if reservation is None:
        return Gathered()
    chosen = rules.expired if reservation.expired else rules.reserved
    period = Period(
        start_us=reservation.start_us,
        end_us=reservation.end_us,
        charging_s=seconds_of(reservation.end_us - reservation.start_us),
    )
    return gather_reservation(split([period], chosen, zone), chosen)


def _usage(session: PricedSession) -> Usage:
    periods, reservation = session.periods, session.reservation
    return Usage(
        energy_wh=sum(each.energy_wh for each in periods),
        charging_s=sum(each.charging_s for each in periods),
        parking_s=sum(each.parking_s for each in periods),
        unpriced_s=sum(each.unpriced_s for each in periods),
        reservation_s=seconds_of(reservation.end_us - reservation.start_us) if reservation else 0,
    )


def _check(session: PricedSession, tariff: Tariff, changes: Sequence[TariffChange]) -> None:
    if any(after.at_us <= before.at_us for before, after in pairwise(changes)):
        raise SessionInvalid("changes of the tariff are in order of time")
    if any(change.tariff.currency != tariff.currency for change in changes):
        raise SessionInvalid("a session is priced in one currency")
    times = [at for period in session.periods for at in (period.start_us, period.end_us)]
    ends = session.reservation
    if any(after < before for before, after in pairwise(times)):
        raise SessionInvalid("the periods of a session follow one another")
    if ends is not None and ends.end_us < ends.start_us:
        raise SessionInvalid("a reservation ends after it begins")
    times = [*times, *((ends.start_us, ends.end_us) if ends else ())]
    if times and not (min(times) >= _TIME_MIN_US and max(times) <= _TIME_MAX_US):
        raise SessionInvalid("a session lies between the years 1900 and 9998")
