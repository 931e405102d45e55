"""Laws of pricing that hold for every tariff and every session."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.pricing import TariffChange, price
from domain.pricing_money import apportion, half_up
from domain.pricing_session import MICROSECONDS, Period, PricedSession
from domain.pricing_totals import Cost
from domain.tariff import Dimension, Restrictions, Tariff
from tests.domain.pricing_examples import (
    DAYS,
    ZONES,
    amounts,
    charge,
    component,
    cost,
    element,
    sessions,
    tariff,
    tariffs,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEK_US = 7 * 24 * 3600 * MICROSECONDS
zones = st.sampled_from(ZONES)
no_step = st.just(0)


@settings(max_examples=60, deadline=None)
@given(tariffs(steps=no_step, tiered=False), sessions(longest=90), zones)
def test_it_is_the_sum_over_its_minutes(charged: Tariff, session: PricedSession, zone: str) -> None:
    assert price(session, charged, zone).excl == minute_by_minute(session, charged, ZoneInfo(zone))


@settings(max_examples=150, deadline=None)
@given(tariffs(), sessions(), zones, st.data())
def test_a_period_cut_in_two_costs_the_same(
    charged: Tariff, session: PricedSession, zone: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(session.periods) - 1))
    period = session.periods[place]
    at = data.draw(st.integers(period.start_us, period.end_us))
    length = period.end_us - period.start_us
    share = Fraction(at - period.start_us, length) if length else Fraction(1, 3)
    halves = (part(period, period.start_us, at, share), part(period, at, period.end_us, 1 - share))
    periods = (*session.periods[:place], *halves, *session.periods[place + 1 :])

    assert amounts(price(PricedSession(periods=periods), charged, zone)) == amounts(
        price(session, charged, zone)
    )


@settings(max_examples=100, deadline=None)
@given(tariffs(steps=no_step), sessions(), zones, st.data())
def test_a_change_to_the_same_tariff_changes_nothing(
    charged: Tariff, session: PricedSession, zone: str, data: st.DataObject
) -> None:
    begin, end = session.periods[0].start_us, session.periods[-1].end_us
    times = data.draw(st.lists(st.integers(begin - 10, end + 10), max_size=3, unique=True))
    changes = [TariffChange(at, charged) for at in sorted(times)]

    changed = price(session, charged, zone, changes)

    assert amounts(changed) == amounts(price(session, charged, zone))
    assert changed.usage == price(session, charged, zone).usage


@settings(max_examples=100, deadline=None)
@given(tariffs(tiered=False), sessions(), st.integers(1, 3), zones)
def test_what_comes_in_other_portions_at_one_price_costs_the_same(
    charged: Tariff, session: PricedSession, turn: int, zone: str
) -> None:
    unbound = replace(
        charged,
        elements=tuple(replace(each, restrictions=Restrictions()) for each in charged.elements),
    )
    volumes = session.periods[turn:] + session.periods[:turn]
    periods = tuple(
        replace(
            now,
            energy_wh=other.energy_wh,
            charging_s=other.charging_s,
            parking_s=other.parking_s,
        )
        for now, other in zip(session.periods, volumes, strict=True)
    )

    assert amounts(price(PricedSession(periods=periods), unbound, zone)) == amounts(
        price(session, unbound, zone)
    )


@settings(max_examples=100, deadline=None)
@given(tariffs(steps=no_step, tiered=False), sessions(), st.integers(0, 300))
def test_more_energy_never_costs_less(
    charged: Tariff, session: PricedSession, percent: int
) -> None:
    more = PricedSession(
        periods=tuple(
            replace(each, energy_wh=each.energy_wh * Fraction(100 + percent, 100))
            for each in session.periods
        )
    )

    assert excl(price(more, charged, "UTC")) >= excl(price(session, charged, "UTC"))


@given(st.integers(0, 5000), st.integers(0, 40_000), st.integers(0, 40_000), st.integers(0, 500))
def test_more_energy_never_costs_less_whatever_the_step(
    step: int, wh: int, more_wh: int, cents: int
) -> None:
    charged = tariff(element(component("ENERGY", f"{cents / 100:.2f}", step)))

    less, more = (
        cost(charged, charge("2026-03-09T09:00:00Z", 1, each)) for each in (wh, wh + more_wh)
    )

    assert excl(less) <= excl(more)
    assert less.billed(Dimension.ENERGY) >= wh


@given(st.integers(1, 5000), st.integers(1, 100))
def test_a_multiple_of_the_step_stays(step: int, count: int) -> None:
    charged = tariff(element(component("ENERGY", "0.25", step)))

    exactly = cost(charged, charge("2026-03-09T09:00:00Z", 1, step * count))
    above = cost(charged, charge("2026-03-09T09:00:00Z", 1, step * count + Fraction(1, 7)))

    assert exactly.billed(Dimension.ENERGY) == step * count
    assert above.billed(Dimension.ENERGY) == step * (count + 1)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["EUR", "JPY", "KWD"]).flatmap(
        lambda currency: tariffs(
            currency=currency,
            min_price={"excl_vat": 1, "incl_vat": 2},
            max_price={"excl_vat": 15, "incl_vat": 17},
        )
    ),
    sessions(),
    zones,
)
def test_parts_and_taxes_add_up_exactly_and_rounded(
    charged: Tariff, session: PricedSession, zone: str
) -> None:
    priced = price(session, charged, zone)

    assert priced.excl_rounded is not None
    assert sum(part.excl or 0 for part in priced.parts) == priced.excl
    assert sum(part.incl for part in priced.parts) == priced.incl
    assert sum(tax.amount for tax in priced.taxes) == priced.incl - excl(priced)
    assert sum(part.incl_rounded.amount for part in priced.parts) == priced.incl_rounded
    without = [part.excl_rounded.amount for part in priced.parts if part.excl_rounded]
    assert sum(without) == priced.excl_rounded
    taxed = sum(tax.rounded.amount for tax in priced.taxes)
    assert taxed == priced.incl_rounded - priced.excl_rounded
    assert 1 <= excl(priced) <= 15
    assert 2 <= priced.incl <= 17


@settings(max_examples=100, deadline=None)
@given(tariffs(), sessions(), zones)
def test_periods_add_up_to_the_session(charged: Tariff, session: PricedSession, zone: str) -> None:
    priced = price(session, charged, zone)

    assert sum(each.energy_wh for each in priced.periods) == priced.usage.energy_wh
    assert sum(each.charging_s for each in priced.periods) == priced.usage.charging_s
    assert sum(each.parking_s for each in priced.periods) == priced.usage.parking_s
    assert priced.periods[0].start_us == session.periods[0].start_us
    assert priced.periods[-1].end_us == session.periods[-1].end_us
    assert priced.usage.energy_wh == sum(each.energy_wh for each in session.periods)


@settings(max_examples=60, deadline=None)
@given(tariffs(), sessions(), st.integers(1, 200))
def test_weeks_later_it_costs_the_same_where_clocks_stand_still(
    charged: Tariff, session: PricedSession, weeks: int
) -> None:
    dateless = replace(
        charged,
        elements=tuple(
            replace(each, restrictions=replace(each.restrictions, start_date=None, end_date=None))
            for each in charged.elements
        ),
    )
    later = PricedSession(
        periods=tuple(
            replace(
                each,
                start_us=each.start_us + weeks * WEEK_US,
                end_us=each.end_us + weeks * WEEK_US,
            )
            for each in session.periods
        )
    )

    assert amounts(price(later, dateless, "UTC")) == amounts(price(session, dateless, "UTC"))


@given(
    st.lists(st.fractions(-1000, 1000, max_denominator=997), min_size=1, max_size=8),
    st.integers(0, 4),
)
def test_rounded_parts_add_up_and_none_is_off_by_more_than_a_unit(
    parts: list[Fraction], decimals: int
) -> None:
    total = half_up(sum(parts), decimals)

    rounded = apportion(parts, total, decimals)

    assert sum(each.amount for each in rounded) == total
    for part, each in zip(parts, rounded, strict=True):
        assert abs(Fraction(each.amount) - part) <= Fraction(1, 10**decimals)
        assert each.amount - each.correction == half_up(part, decimals)


def excl(priced: Cost) -> Fraction:
    assert priced.excl is not None
    return priced.excl


def part(period: Period, start_us: int, end_us: int, share: Fraction) -> Period:
    return replace(
        period,
        start_us=start_us,
        end_us=end_us,
        energy_wh=period.energy_wh * share,
        charging_s=period.charging_s * share,
        parking_s=period.parking_s * share,
    )


def minute_by_minute(session: PricedSession, charged: Tariff, zone: ZoneInfo) -> Fraction:
    """The same price the slow way: ask the calendar of Python for every minute."""
    total = Fraction(0)
    begin = session.periods[0].start_us
    flat_owed = True
    for period in session.periods:
        minutes = (period.end_us - period.start_us) // 60_000_000
        share = Fraction(1, minutes) if minutes else Fraction(1)
        for minute in range(max(minutes, 1)):
            at = period.start_us + minute * 60_000_000
            now = (EPOCH + timedelta(microseconds=at)).astimezone(zone)
            elapsed = (at - begin) // MICROSECONDS
            fee = first(charged, Dimension.FLAT, now, elapsed)
            if flat_owed and fee is not None:
                total, flat_owed = total + fee, False
            total += (first(charged, Dimension.ENERGY, now, elapsed) or 0) * (
                period.energy_wh * share / 1000
            )
            total += (first(charged, Dimension.TIME, now, elapsed) or 0) * (
                period.charging_s * share / 3600
            )
            total += (first(charged, Dimension.PARKING_TIME, now, elapsed) or 0) * (
                period.parking_s * share / 3600
            )
    return total


def first(charged: Tariff, dimension: Dimension, now: datetime, elapsed: int) -> Fraction | None:
    for each in charged.elements:
        for priced in each.price_components:
            if priced.type is dimension and holds(each.restrictions, now, elapsed):
                return Fraction(priced.price)
    return None


def holds(limits: Restrictions, now: datetime, elapsed: int) -> bool:
    clock, day = f"{now:%H:%M}", f"{now:%Y-%m-%d}"
    start, end = limits.start_time or "00:00", limits.end_time or "24:00"
    end = "24:00" if end == "00:00" else end
    inside = start <= clock < end
    over_midnight = start > end and (clock >= start or clock < end)
    return (
        (inside or over_midnight or start == end)
        and not (limits.day_of_week and DAYS[now.weekday()] not in limits.day_of_week)
        and not (limits.start_date and day < limits.start_date)
        and not (limits.end_date and day >= limits.end_date)
        and not (limits.min_duration is not None and elapsed < limits.min_duration)
        and not (limits.max_duration is not None and elapsed >= limits.max_duration)
    )
