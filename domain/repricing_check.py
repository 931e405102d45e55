"""Whether a released CDR is worth what it says: its own periods, priced again by its own tariff.

What the document does not carry (powers and currents; of an earlier version's, for how long it was
reserved) cannot be priced again; a tariff that asks for it is passed.
"""

from fractions import Fraction
from itertools import pairwise

from domain.pricing import price
from domain.pricing_clock import ZoneUnknown
from domain.pricing_rules import rules_of
from domain.pricing_session import Period, PricedSession, SessionInvalid
from domain.readings import read_time
from domain.reserved_time import EXPIRED, reservation_told
from domain.tariff import Tariff
from domain.tariff_reading import TariffInvalid, read_tariff
from schemas.released import Released

TOLERANCE = Fraction(1, 1_000_000)
"""Volumes that no decimal ends stand in the document with ten digits."""


def reprices(cdr: Released, zone: str) -> bool:
    """`zone` is that of its location. False: it cannot be read, or the price is another one."""
    cost = cdr.cost
    if cost is None or cdr.tariff is None:
        return False
    try:
        tariff = read_tariff(bytes(cdr.tariff.document))
        session = _session(cdr)
        if _asks_for_more(tariff) or "TARIFF_CHANGED" in cdr.flags:
            return True
        if cost.reservation is not None and not cdr.reserved_until:
            return True
        again = price(session, tariff, zone or "UTC")
    except (TariffInvalid, SessionInvalid, ZoneUnknown, ValueError):
        return False
    sign = -1 if cdr.kind == "credit" else 1
    if again.excl is not None and cost.excl_vat is not None:
        return _near(sign * again.excl, cost.excl_vat) and _near(sign * again.incl, cost.incl_vat)
    return again.excl is None and cost.excl_vat is None and _near(sign * again.incl, cost.incl_vat)


def _near(value: Fraction, told: str) -> bool:
    return abs(value - Fraction(told)) <= TOLERANCE


def _asks_for_more(tariff: Tariff) -> bool:
    rules = rules_of(tariff).session
    return bool(rules.powers_w or rules.currents_a)


def _session(cdr: Released) -> PricedSession:
    reservation = reservation_told(cdr.flags, cdr.reserved_from, cdr.reserved_until)
    if EXPIRED in cdr.flags:
        return PricedSession(periods=(), reservation=reservation)
    begins = [_moment(period.start_date_time) for period in cdr.charging_periods]
    ends = [after for _, after in pairwise(begins)] + [_moment(cdr.ended_at)]
    return PricedSession(
        periods=tuple(
            Period(
                start_us=start,
                end_us=end,
                energy_wh=Fraction(period.energy_wh),
                charging_s=Fraction(period.time_s),
                parking_s=Fraction(period.parking_time_s),
                unpriced_s=Fraction(period.unpriced_s),
            )
            for period, start, end in zip(cdr.charging_periods, begins, ends, strict=True)
        ),
        reservation=reservation,
    )


def _moment(text: str | None) -> int:
    moment, _ = read_time(text)
    if moment is None:
        raise ValueError("no time")
    return moment
