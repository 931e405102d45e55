"""What a session costs under a tariff: the one function behind everything that shows money.

Pure and exact: fractions to the end, and one rounding there. In this order: cut the periods where a
price may change, choose a component for each volume, round up by step, multiply, tax, sum, bound by
the limits, round. docs/pricing.md has the rules and the choices that are ours.
"""

from itertools import pairwise

from domain.pricing_clock import zone_of
from domain.pricing_lines import Gathered, gather_reservation, gather_session, round_up
from domain.pricing_rules import Rules, rules_of
from domain.pricing_session import (
    Period,
    PricedSession,
    Reservation,
    SessionInvalid,
    seconds_of,
)
from domain.pricing_splitting import split
from domain.pricing_totals import Cost, Usage, total
from domain.tariff import Tariff

_TIME_MIN_US, _TIME_MAX_US = -2_208_988_800_000_000, 253_370_764_799_999_999
"""1900 to 9998: what a calendar can hold, a day to spare."""


def price(session: PricedSession, tariff: Tariff, zone: str) -> Cost:
    """Price a session, running or over, by the local time of an IANA zone.

    The same arguments give the same cost in every process. Raise `SessionInvalid` for periods out
    of order and `ZoneUnknown`.
    """
    _check(session)
    rules, where = rules_of(tariff), zone_of(zone)
    gathered = gather_session(split(session.periods, rules.session, where), rules.session)
    reserved = _reserved(session.reservation, rules, zone)
    drafts = reserved.drafts + gathered.drafts
    round_up(drafts)
    return total(
        tariff,
        drafts,
        _usage(session),
        names_a_rate=rules.names_a_rate,
        took_place=bool(session.periods),
        periods=gathered.periods,
        flags={*session.flags, *gathered.flags, *reserved.flags},
    )


def _reserved(reservation: Reservation | None, rules: Rules, zone: str) -> Gathered:
    if reservation is None:
        return Gathered()
    chosen = rules.expired if reservation.expired else rules.reserved
    period = Period(
        start_us=reservation.start_us,
        end_us=reservation.end_us,
        charging_s=seconds_of(reservation.end_us - reservation.start_us),
    )
    return gather_reservation(split([period], chosen, zone_of(zone)), chosen)


def _usage(session: PricedSession) -> Usage:
    periods, reservation = session.periods, session.reservation
    return Usage(
        energy_wh=sum(each.energy_wh for each in periods),
        charging_s=sum(each.charging_s for each in periods),
        parking_s=sum(each.parking_s for each in periods),
        unpriced_s=sum(each.unpriced_s for each in periods),
        reservation_s=seconds_of(reservation.end_us - reservation.start_us) if reservation else 0,
    )


def _check(session: PricedSession) -> None:
    times = [at for period in session.periods for at in (period.start_us, period.end_us)]
    ends = session.reservation
    if any(after < before for before, after in pairwise(times)):
        raise SessionInvalid("the periods of a session follow one another")
    if ends is not None and ends.end_us < ends.start_us:
        raise SessionInvalid("a reservation ends after it begins")
    times = [*times, *((ends.start_us, ends.end_us) if ends else ())]
    if times and not (min(times) >= _TIME_MIN_US and max(times) <= _TIME_MAX_US):
        raise SessionInvalid("a session lies between the years 1900 and 9998")
