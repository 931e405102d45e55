"""A tariff in the model of OCPI 2.2.1 and 2.3.0: what is charged for what, and when.

One model for both versions. Where they differ, the newer one's meaning has a field of its own
(`tax_included` is None in a tariff of 2.2.1) and limits are read from either spelling; reading is
`domain.tariff_reading`. Texts and the energy mix are no part of a price and stay in the document
the tariff was read from.

A percentage that is absent is not 0 %: with none, no tax applies.
"""

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EXPONENT_MAX = 12
"""No price, limit or percentage is longer than that on either side of its point."""


class Dimension(StrEnum):
    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReservationKind(StrEnum):
    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"


class TaxRate(msgspec.Struct, frozen=True, cache_hash=True):
    """A tax by name. One with a higher stack is also levied on the taxes of lower stacks."""

    name: str
    percentage: Decimal
    stack: int = 0

    def __post_init__(self) -> None:
        _bounded("percentage", self.percentage)
        if self.percentage < 0:
            raise ValueError("percentage is negative")


class PriceComponent(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """A price per kWh, per hour or, FLAT, per session.

    `taxes` is for tariffs that know more than one; OCPI's own `vat` is one rate of that name.
    """

    type: Dimension
    price: Decimal
    step_size: int = 1
    vat: Decimal | None = None
    taxes: tuple[TaxRate, ...] = ()

    def __post_init__(self) -> None:
        _bounded("price", self.price)
        if self.vat is not None:
            _bounded("vat", self.vat)
            if self.vat < 0:
                raise ValueError("vat is negative")
        if self.step_size < 0:
            raise ValueError("step_size is negative")

    @property
    def rates(self) -> tuple[TaxRate, ...]:
        if self.taxes or self.vat is None:
            return self.taxes
        return (TaxRate("VAT", self.vat),)


class Restrictions(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    start_time: str | None = None
    end_time: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[Weekday, ...] = ()
    reservation: ReservationKind | None = None

    def __post_init__(self) -> None:
        for name in ("start_time", "end_time"):
            _spelled(name, getattr(self, name), _TIME_OF_DAY, "HH:MM")
        for name in ("start_date", "end_date"):
            _dated(name, getattr(self, name))
        for name in ("min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power"):
            if getattr(self, name) is not None:
                _bounded(name, getattr(self, name))


class TariffElement(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions = msgspec.field(default_factory=Restrictions)

    def __post_init__(self) -> None:
        if not self.price_components:
            raise ValueError("price_components is empty")
        if self.restrictions.reservation is not None and any(
            each.type not in (Dimension.FLAT, Dimension.TIME) for each in self.price_components
        ):
            raise ValueError("price_components of a reservation may be FLAT and TIME only")


class PriceLimit(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """Excluding and including tax; each bounds its own amount."""

    excl: Decimal
    incl: Decimal | None = None

    def __post_init__(self) -> None:
        _bounded("the limit excluding tax", self.excl)
        if self.incl is not None:
            _bounded("the limit including tax", self.incl)


class Tariff(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    country_code: str
    party_id: str
    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    type: str | None = None
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    tax_included: Literal["YES", "NO", "N/A"] | None = None
    preauthorize_amount: Decimal | None = None
    tariff_alt_url: str | None = None
    start_date_time: str | None = None
    end_date_time: str | None = None
    last_updated: str = ""

    def __post_init__(self) -> None:
        if not self.elements:
            raise ValueError("elements is empty")
        if not _CURRENCY.fullmatch(self.currency):
            raise ValueError("currency is no ISO 4217 code")
        low, high = self.min_price, self.max_price
        if low is not None and high is not None and low.excl > high.excl:
            raise ValueError("min_price is above max_price")


def _bounded(name: str, number: Decimal) -> None:
    if not number.is_finite():
        raise ValueError(f"{name} is no number")
    if len(number.as_tuple().digits) > 2 * _EXPONENT_MAX or abs(number.adjusted()) > _EXPONENT_MAX:
        raise ValueError(f"{name} has too many digits")


def _dated(name: str, text: str | None) -> None:
    _spelled(name, text, _DATE, "YYYY-MM-DD")
    if text is not None:
        try:
            date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{name} is no day of the calendar") from error


def _spelled(name: str, text: str | None, pattern: re.Pattern[str], form: str) -> None:
    if text is not None and not pattern.fullmatch(text):
        raise ValueError(f"{name} is not spelled {form}")
