"""A tariff as OCPP 2.1 stations are told it (TariffType), and back. Pure.

Both models choose the first price whose conditions hold, dimension by dimension. Where they differ:
a station counts time in minutes, knows no steps and no hours of an expired reservation, and taxes a
dimension as a whole. What cannot be said is refused with the reason: a price that the driver sees
and another one on the bill would be worse than none.

An hour's price has no exact sixtieth in decimals: `priceMinute` has `MINUTE_DIGITS` digits after
the point, so that a session of a year comes out the same to the last unit of any currency.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from domain.pricing_money import half_up
from domain.readings import read_decimal, read_integer
from domain.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationKind,
    Restrictions,
    Tariff,
    TariffElement,
    TaxRate,
    Weekday,
)

MINUTE_DIGITS = 12
TAX_NAME_MAX, TARIFF_ID_MAX, RATES_MAX = 20, 60, 5

_SESSION = {
    Dimension.ENERGY: ("energy", "priceKwh"),
    Dimension.TIME: ("chargingTime", "priceMinute"),
    Dimension.PARKING_TIME: ("idleTime", "priceMinute"),
    Dimension.FLAT: ("fixedFee", "priceFixed"),
}
_RESERVED = {
    Dimension.TIME: ("reservationTime", "priceMinute"),
    Dimension.FLAT: ("reservationFixed", "priceFixed"),
}
_PLACES = [(False, dimension, *names) for dimension, names in _SESSION.items()] + [
    (True, dimension, *names) for dimension, names in _RESERVED.items()
]
_TEXTS = {
    "start_time": "startTimeOfDay",
    "end_time": "endTimeOfDay",
    "start_date": "validFromDate",
    "end_date": "validToDate",
}
_NUMBERS = {"kwh": ("Energy", 1000), "current": ("Current", 1), "power": ("Power", 1000)}
_UNKNOWN = ("evseKind", "paymentBrand", "paymentRecognition", "minChargingTime", "maxChargingTime",
            "minIdleTime", "maxIdleTime")  # fmt: skip


class NotSayable(ValueError):
    """The other model has no word for something in this tariff; `reasons` say for what."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


def to_station(tariff: Tariff) -> dict[str, Any]:
    """Return the TariffType, numbers as decimals. Raise `NotSayable`."""
    reasons = list(dict.fromkeys(_obstacles(tariff)))
    if reasons:
        raise NotSayable(reasons)
    told: dict[str, Any] = {"tariffId": tariff.id, "currency": tariff.currency}
    for element in tariff.elements:
        reserved = element.restrictions.reservation is not None
        for component in element.price_components:
            place, word = (_RESERVED if reserved else _SESSION)[component.type]
            dimension = told.setdefault(place, {"prices": []})
            one: dict[str, Any] = {word: _price(component)}
            conditions = _conditions(element.restrictions)
            if conditions:
                one["conditions"] = conditions
            dimension["prices"].append(one)
            if component.rates:
                dimension["taxRates"] = [_tax(rate) for rate in component.rates]
    for name, limit in (("minCost", tariff.min_price), ("maxCost", tariff.max_price)):
        if limit is not None:
            told[name] = {"exclTax": limit.excl}
            if limit.incl is not None:
                told[name]["inclTax"] = limit.incl
    return told


def from_station(told: Mapping[str, Any]) -> Tariff:
    """Read a TariffType. Raise `NotSayable` for what our tariffs have no word for."""
    elements = [
        element
        for reserved, dimension, place, word in _PLACES
        for element in _elements(told.get(place), dimension, word, reserved=reserved)
    ]
    try:
        return Tariff(
            country_code="",
            party_id="",
            id=str(told.get("tariffId", "")),
            currency=str(told.get("currency", "")),
            elements=tuple(elements),
            min_price=_limit(told.get("minCost")),
            max_price=_limit(told.get("maxCost")),
            tax_included="NO",
        )
    except ValueError as error:
        raise NotSayable([str(error)]) from error


def _obstacles(tariff: Tariff) -> Iterator[str]:
    if len(tariff.id) > TARIFF_ID_MAX:
        yield "its id is longer than 60 characters"
    if tariff.tax_included == "YES":
        yield "its prices include taxes"
    rates: dict[tuple[bool, Dimension], tuple[TaxRate, ...]] = {}
    for number, element in enumerate(tariff.elements, 1):
        limits = element.restrictions
        reserved = limits.reservation is not None
        if limits.reservation is ReservationKind.RESERVATION_EXPIRES:
            yield f"element {number}: prices of expired reservations"
        for component in element.price_components:
            where = f"element {number}, {component.type}"
            if rates.setdefault((reserved, component.type), component.rates) != component.rates:
                yield f"{where}: another tax than in an earlier element"
            for obstacle in _of_component(component, limits):
                yield f"{where}: {obstacle}"


def _of_component(component: PriceComponent, limits: Restrictions) -> Iterator[str]:
    is_fee = component.type is Dimension.FLAT
    if component.step_size > 1 and not is_fee:
        yield "steps"
    if len(component.rates) > RATES_MAX:
        yield "more than five taxes"
    if any(len(rate.name) > TAX_NAME_MAX for rate in component.rates):
        yield "a tax whose name has more than 20 characters"
    if is_fee and _is_measured(limits):
        yield "a fee that depends on energy, current, power or duration"


def _is_measured(limits: Restrictions) -> bool:
    names = ("kwh", "current", "power", "duration")
    return any(
        getattr(limits, f"{side}_{name}") is not None for name in names for side in ("min", "max")
    )


def _price(component: PriceComponent) -> Decimal:
    if component.type in (Dimension.TIME, Dimension.PARKING_TIME):
        return _plain(half_up(Fraction(component.price) / 60, MINUTE_DIGITS))
    return component.price


def _plain(number: Decimal) -> Decimal:
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _conditions(limits: Restrictions) -> dict[str, Any]:
    told: dict[str, Any] = {
        word: getattr(limits, name)
        for name, word in _TEXTS.items()
        if getattr(limits, name) is not None
    }
    if limits.day_of_week:
        told["dayOfWeek"] = [day.capitalize() for day in limits.day_of_week]
    for name, (word, scale) in _NUMBERS.items():
        for side in ("min", "max"):
            value = getattr(limits, f"{side}_{name}")
            if value is not None:
                told[f"{side}{word}"] = _plain(value * scale)
    for side in ("min", "max"):
        seconds = getattr(limits, f"{side}_duration")
        if seconds is not None:
            told[f"{side}Time"] = seconds
    return told


def _tax(rate: TaxRate) -> dict[str, Any]:
    told: dict[str, Any] = {"type": rate.name, "tax": rate.percentage}
    return {**told, "stack": rate.stack} if rate.stack else told


def _elements(
    told: Any, dimension: Dimension, word: str, *, reserved: bool
) -> Iterator[TariffElement]:
    if not isinstance(told, Mapping):
        return
    rates = tuple(_rate(each) for each in told.get("taxRates") or ())
    for one in told.get("prices") or ():
        price = read_decimal(one.get(word))
        if price is None:
            raise NotSayable([f"{word}: no number"])
        if dimension in (Dimension.TIME, Dimension.PARKING_TIME):
            price = _per_hour(price)
        component = PriceComponent(type=dimension, price=price, taxes=rates)
        yield TariffElement(
            price_components=(component,),
            restrictions=_restrictions(one.get("conditions") or {}, reserved=reserved),
        )


def _per_hour(minute: Decimal) -> Decimal:
    """Return the hour's price that this minute's price was cut from, if it was from a short one."""
    short = _plain(half_up(Fraction(minute) * 60, MINUTE_DIGITS - 3))
    is_cut = half_up(Fraction(short) / 60, MINUTE_DIGITS) == minute
    return short if is_cut else minute * 60


def _rate(told: Mapping[str, Any]) -> TaxRate:
    percentage = read_decimal(told.get("tax"))
    if percentage is None:
        raise NotSayable(["tax: no number"])
    return TaxRate(str(told.get("type")), percentage, read_integer(told.get("stack", 0))[0] or 0)


def _restrictions(told: Mapping[str, Any], *, reserved: bool) -> Restrictions:
    unknown = [f"conditions.{name}" for name in _UNKNOWN if name in told]
    if unknown:
        raise NotSayable(unknown)
    fields: dict[str, Any] = {name: told.get(word) for name, word in _TEXTS.items()}
    for name, (word, scale) in _NUMBERS.items():
        for side in ("min", "max"):
            number = read_decimal(told.get(f"{side}{word}"))
            fields[f"{side}_{name}"] = None if number is None else number / scale
    for side in ("min", "max"):
        fields[f"{side}_duration"] = read_integer(told.get(f"{side}Time"))[0]
    fields["day_of_week"] = tuple(Weekday(str(d).upper()) for d in told.get("dayOfWeek") or ())
    fields["reservation"] = ReservationKind.RESERVATION if reserved else None
    try:
        return Restrictions(**fields)
    except ValueError as error:
        raise NotSayable([str(error)]) from error


def _limit(told: Any) -> PriceLimit | None:
    if not isinstance(told, Mapping):
        return None
    excl, incl = read_decimal(told.get("exclTax")), read_decimal(told.get("inclTax"))
    if excl is None:
        raise NotSayable(["a limit without an amount excluding tax"])
    return PriceLimit(excl=excl, incl=incl)
