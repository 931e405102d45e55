"""Which element of a tariff prices what: the first in the list that has a component of the
dimension and whose restrictions all hold. Each dimension chooses by itself (OCPI, Tariffs).

Lower bounds are inclusive and upper ones exclusive, for time of day, date, energy so far, current,
power and duration alike. A window that ends before it begins runs over midnight; an end of 00:00 is
the end of the day; a window that ends where it begins is the whole day.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from domain.pricing_clock import DAY_US
from domain.pricing_session import Exact
from domain.tariff import (
    Dimension,
    PriceComponent,
    ReservationKind,
    Tariff,
    TariffElement,
    Weekday,
)

_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000
_THURSDAY = 3
"""The weekday of 1 January 1970, Monday being 0."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_WEEKDAYS = {day: number for number, day in enumerate(Weekday)}
_UNNAMED = "YES, BY RATES NOT NAMED"
_UNITS = {Dimension.FLAT: 1, Dimension.ENERGY: 1000, Dimension.TIME: 3600}


class Moment(NamedTuple):
    """What restrictions are tested against. Current and power: None is unknown."""

    local_us: int
    elapsed_us: Exact
    energy_wh: Exact
    current_a: Exact | None
    power_w: Exact | None


class Tax(NamedTuple):
    name: str
    percentage: Decimal
    share: Fraction
    """Of the amount excluding tax; a stacked tax's contains the taxes it is levied on."""


class Priced(NamedTuple):
    """A component, ready for arithmetic: its price per Wh, per second or, FLAT, once."""

    element: int
    component: PriceComponent
    price: Fraction
    without: Fraction | None
    """The share of that price which is no tax; None: it contains taxes that nobody named."""
    including: Fraction
    taxes: tuple[Tax, ...]
    because: str
    group: tuple[Fraction, tuple[Tax, ...]]
    """What it charges: two components with the same group are the same price."""


class Bounds(NamedTuple):
    low: Fraction | None
    high: Fraction | None

    def hold(self, value: Exact) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value < self.high)


class Rule(NamedTuple):
    """One element. Bounds that bind nothing are None, so that most tests are skipped."""

    priced: dict[Dimension, Priced]
    reservation: ReservationKind | None
    window: tuple[int, int] | None
    days: tuple[int | None, int | None] | None
    weekdays: frozenset[int]
    energy: Bounds | None
    current: Bounds | None
    power: Bounds | None
    duration: Bounds | None


class RuleSet(NamedTuple):
    """Rules in the order in which they are asked, and every value at which one may change."""

    rules: tuple[Rule, ...]
    marks_us: frozenset[int]
    """Times of the local day."""
    energies_wh: frozenset[Fraction]
    currents_a: frozenset[Fraction]
    powers_w: frozenset[Fraction]
    durations_us: frozenset[Fraction]


class Rules(NamedTuple):
    session: RuleSet
    reserved: RuleSet
    expired: RuleSet
    """For a reservation that nobody came for: RESERVATION_EXPIRES goes before RESERVATION."""


@lru_cache(maxsize=1024)
def rules_of(tariff: Tariff) -> Rules:
    mode: str = tariff.tax_included or "NO"
    if mode == "YES" and not any(
        part.rates for element in tariff.elements for part in element.price_components
    ):
        mode = _UNNAMED
    rules = [_rule(number, element, mode) for number, element in enumerate(tariff.elements)]
    reserved = [each for each in rules if each.reservation is ReservationKind.RESERVATION]
    expires = [each for each in rules if each.reservation is ReservationKind.RESERVATION_EXPIRES]
    return Rules(
        _rule_set([each for each in rules if each.reservation is None]),
        _rule_set(reserved),
        _rule_set(expires + reserved),
    )


def choose(rules: RuleSet, dimension: Dimension, moment: Moment) -> tuple[Priced | None, str]:
    """Return (component, flag); None is free. The flag names a value that was needed, unknown."""
    unknown = ""
    for rule in rules.rules:
        priced = rule.priced.get(dimension)
        if priced is None or not _holds(rule, moment):
            continue
        missing = _unknown(rule, moment)
        if not missing:
            return priced, unknown
        unknown = missing
    return None, unknown


def _holds(rule: Rule, at: Moment) -> bool:
    if rule.window is not None:
        start, end = rule.window
        time = at.local_us % DAY_US
        if not (start <= time < end if start < end else time >= start or time < end):
            return False
    if rule.days is not None or rule.weekdays:
        day = at.local_us // DAY_US
        if rule.weekdays and (day + _THURSDAY) % 7 not in rule.weekdays:
            return False
        if rule.days is not None:
            first, after = rule.days
            if (first is not None and day < first) or (after is not None and day >= after):
                return False
    return _bounds_hold(rule, at)


def _bounds_hold(rule: Rule, at: Moment) -> bool:
    return (
        (rule.energy is None or rule.energy.hold(at.energy_wh))
        and (rule.duration is None or rule.duration.hold(at.elapsed_us))
        and (rule.current is None or at.current_a is None or rule.current.hold(at.current_a))
        and (rule.power is None or at.power_w is None or rule.power.hold(at.power_w))
    )


def _unknown(rule: Rule, at: Moment) -> str:
    if rule.current is not None and at.current_a is None:
        return "CURRENT_UNKNOWN"
    if rule.power is not None and at.power_w is None:
        return "POWER_UNKNOWN"
    return ""


def _rule(number: int, element: TariffElement, mode: str) -> Rule:
    priced: dict[Dimension, Priced] = {}
    because, limits = _why(number, element), element.restrictions
    for component in element.price_components:
        priced.setdefault(component.type, _priced(number, component, because, mode))
    days = (_day(limits.start_date), _day(limits.end_date))
    return Rule(
        priced,
        limits.reservation,
        _window(limits.start_time, limits.end_time),
        None if days == (None, None) else days,
        frozenset(_WEEKDAYS[day] for day in limits.day_of_week),
        _bounds(limits.min_kwh, limits.max_kwh, 1000),
        _bounds(limits.min_current, limits.max_current, 1),
        _bounds(limits.min_power, limits.max_power, 1000),
        _bounds(limits.min_duration, limits.max_duration, _SECOND_US),
    )


def _why(number: int, element: TariffElement) -> str:
    limits = [
        f"{name} {' '.join(value) if isinstance(value, tuple) else value}"
        for name in element.restrictions.__struct_fields__
        if (value := getattr(element.restrictions, name)) not in (None, ())
    ]
    return f"element {number + 1}" + (f" ({', '.join(limits)})" if limits else "")


def _rule_set(rules: Sequence[Rule]) -> RuleSet:
    return RuleSet(
        tuple(rules),
        _marks(rules),
        _limits(rule.energy for rule in rules),
        _limits(rule.current for rule in rules),
        _limits(rule.power for rule in rules),
        _limits(rule.duration for rule in rules),
    )


def _limits(bounds: Iterable[Bounds | None]) -> frozenset[Fraction]:
    return frozenset(
        limit for each in bounds if each is not None for limit in each if limit is not None
    )


def _marks(rules: Iterable[Rule]) -> frozenset[int]:
    found: set[int] = set()
    for rule in rules:
        if rule.window is not None:
            found.update(mark % DAY_US for mark in rule.window)
        if rule.days is not None or rule.weekdays:
            found.add(0)
    return frozenset(found)


def _priced(element: int, component: PriceComponent, because: str, mode: str) -> Priced:
    taxes: list[Tax] = []
    lower = level = Fraction(1)
    stack: int | None = None
    rates = () if mode == "N/A" else component.rates
    for rate in sorted(rates, key=lambda rate: rate.stack):
        if rate.stack != stack:
            lower, stack = level, rate.stack
        share = lower * Fraction(rate.percentage) / 100
        taxes.append(Tax(rate.name, rate.percentage, share))
        level += share
    price = Fraction(component.price) / _UNITS.get(component.type, 3600)
    without: Fraction | None = Fraction(1)
    including = level
    if mode == "YES":
        without, including = 1 / level, Fraction(1)
    elif mode == _UNNAMED:
        without = None
    group = (price, tuple(taxes))
    return Priced(element, component, price, without, including, group[1], because, group)


def _bounds(low: Decimal | int | None, high: Decimal | int | None, scale: int) -> Bounds | None:
    if low is None and high is None:
        return None
    return Bounds(
        None if low is None else Fraction(low) * scale,
        None if high is None else Fraction(high) * scale,
    )


def _window(start: str | None, end: str | None) -> tuple[int, int] | None:
    first = 0 if start is None else _minutes(start) * _MINUTE_US
    last = DAY_US if end is None else _minutes(end) * _MINUTE_US or DAY_US
    return None if first == last % DAY_US else (first, last)


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _day(text: str | None) -> int | None:
    return None if text is None else date.fromisoformat(text).toordinal() - _EPOCH_DAY
