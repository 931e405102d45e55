"""Pricing a released document anew, by its own periods: of transactions that are archived.

A period of a CDR has one price of the old tariff. Where a new price begins inside one, its energy
is shared out evenly and the cost is flagged INTERPOLATED.
"""

from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest

from msgspec import Raw
from msgspec.structs import replace

from domain.cdr_pricing import depends_on_zone, known_zone, price_rules
from domain.cost_document import cost_document, period_documents
from domain.pricing import price
from domain.pricing_session import Exact, Period, PricedSession, Ramp, exact
from domain.readings import read_time
from domain.reference import AppliedTariff, Reference
from domain.reserved_time import EXPIRED, reservation_told
from schemas.cdr import Cdr
from schemas.cdr_cost import CdrPeriod, TariffSnapshot
from schemas.journal import REGISTRY_PARTITION


def reprice(released: Cdr, reference: Reference, tariff_id: str, position: int) -> Cdr | None:
    """Return the document with the cost of another tariff or version; None: none applies.

    The tariff is that of the session's start as `position` of the registry knows it. Documents of
    earlier versions do not name the group of their token: there a group's tariff must be named.
    """
    start, end = read_time(released.started_at)[0], read_time(released.ended_at)[0]
    if start is None or end is None or released.energy_wh is None or end < start:
        return None
    if released.reserved_from and not released.reserved_until:
        return None  # Released by a version that did not say for how long.
    where = released.tenant, released.station
    applied = (
        reference.version_at(released.tenant, tariff_id, start, position)
        if tariff_id
        else reference.tariff_at(
            *where, released.evse, released.id_token_group or "", start, position
        )
    )
    located = reference.location_at(*where, start, position)
    zone = located.location.time_zone if located is not None else ""
    if applied is None or (depends_on_zone(applied.tariff) and known_zone(zone) != zone):
        return None
    reservation = reservation_told(released.flags, released.reserved_from, released.reserved_until)
    if EXPIRED in released.flags:
        session = PricedSession(periods=(), reservation=reservation)
    else:
        session = session_of_document(released, start, end)
        session = replace(session, reservation=reservation)
    return _priced(released, session, applied, zone)


def session_of_document(released: Cdr, start_us: int, end_us: int) -> PricedSession:
    periods = released.charging_periods or (
        CdrPeriod(
            start_date_time=released.started_at or "",
            energy_wh=str(released.energy_wh),
            time_s=str(Fraction(end_us - start_us, 1_000_000)),
        ),
    )
    begins = [read_time(each.start_date_time)[0] or start_us for each in periods]
    made = [
        _period(each, begin, following if following is not None else end_us)
        for each, begin, following in zip_longest(periods, begins, begins[1:])
    ]
    return PricedSession(periods=tuple(made))


def _priced(released: Cdr, session: PricedSession, applied: AppliedTariff, zone: str) -> Cdr:
    cost = price(session, applied.tariff, known_zone(zone))
    return replace(
        released,
        flags=tuple(sorted({*released.flags, *cost.flags})),
        cost=cost_document(cost),
        charging_periods=period_documents(cost),
        tariff=TariffSnapshot(
            id=applied.id,
            position=f"{REGISTRY_PARTITION}:{applied.offset}",
            document=Raw(applied.document),
        ),
        rules=price_rules(),
    )


def _period(told: CdrPeriod, start_us: int, end_us: int) -> Period:
    energy = _number(told.energy_wh)
    span: Exact = end_us - start_us
    mean = energy * 3_600_000_000 / Fraction(span) if span else Fraction(0)
    return Period(
        start_us=start_us,
        end_us=end_us,
        energy_wh=energy,
        charging_s=_number(told.time_s),
        parking_s=_number(told.parking_time_s),
        unpriced_s=_number(told.unpriced_s),
        power_w=Ramp(mean, mean),
    )


def _number(text: str) -> Exact:
    return exact(Fraction(text)) if "/" in text else exact(Decimal(text))
