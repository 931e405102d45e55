"""Tariffs and sessions for the tests of pricing: a test names only what it is about."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from domain.pricing import price
from domain.pricing_ocpi import time_of
from domain.pricing_session import Period, PricedSession
from domain.pricing_totals import Cost
from domain.tariff import Tariff
from domain.tariff_reading import read_tariff

Json = dict[str, Any]

HOUR_US = 3_600_000_000
ZONES = ("UTC", "Europe/Amsterdam", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu")
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
VERNAL, AUTUMNAL = "2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"
"""Half a day before the clocks of Europe are moved."""


def component(kind: str, amount: str, step: int = 1, vat: str | None = None) -> Json:
    told: Json = {"type": kind, "price": Decimal(amount), "step_size": step}
    return told if vat is None else {**told, "vat": Decimal(vat)}


def element(*components: Json, **restrictions: Any) -> Json:
    return {"price_components": list(components), "restrictions": restrictions}


def tariff(*elements: Json, currency: str = "EUR", **members: Any) -> Tariff:
    return read_tariff(
        {
            "country_code": "NL",
            "party_id": "TST",
            "id": "T",
            "currency": currency,
            "elements": list(elements),
            "last_updated": "2026-01-01T00:00:00Z",
            **members,
        }
    )


def at(text: str) -> int:
    return time_of(text, "time")


def charge(start: str, hours: Fraction | int | str, wh: Fraction | int = 0, **other: Any) -> Period:
    seconds = Fraction(hours) * 3600
    begin = at(start)
    return Period(
        start_us=begin,
        end_us=begin + int(seconds * 1_000_000),
        energy_wh=wh,
        charging_s=seconds,
        **other,
    )


def park(start: str, hours: Fraction | int | str) -> Period:
    charged = charge(start, hours)
    return Period(start_us=charged.start_us, end_us=charged.end_us, parking_s=charged.charging_s)


def cost(charged: Tariff, *periods: Period, zone: str = "UTC") -> Cost:
    return price(PricedSession(periods=periods), charged, zone)


def amounts(priced: Cost) -> tuple[str, str]:
    """Exactly, as text: a fraction that is no decimal shows as one."""
    return str(priced.excl), str(priced.incl)


times_of_day = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
prices = st.decimals("0", "2", places=3).map(str)
rates = st.none() | st.sampled_from(["0", "5.5", "10", "21"])
windows = st.fixed_dictionaries(
    {},
    optional={
        "start_time": times_of_day,
        "end_time": times_of_day,
        "day_of_week": st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True),
        "start_date": st.sampled_from(["2026-03-28", "2026-03-29", "2026-10-25"]),
        "end_date": st.sampled_from(["2026-03-29", "2026-03-30", "2026-10-26"]),
        "min_duration": st.integers(0, 200).map(lambda minutes: minutes * 60),
        "max_duration": st.integers(0, 2000).map(lambda minutes: minutes * 60),
    },
)
tiers = st.fixed_dictionaries(
    {},
    optional={
        "min_kwh": st.integers(0, 30).map(Decimal),
        "max_kwh": st.integers(1, 60).map(Decimal),
    },
)


@st.composite
def elements(draw: st.DrawFn, *, steps: st.SearchStrategy[int], tiered: bool = True) -> Json:
    kinds = draw(
        st.lists(
            st.sampled_from(["FLAT", "ENERGY", "TIME", "PARKING_TIME"]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    parts = [component(kind, draw(prices), draw(steps), draw(rates)) for kind in kinds]
    limits = draw(windows) | (draw(tiers) if tiered else {})
    return element(*parts, **limits)


@st.composite
def tariffs(
    draw: st.DrawFn,
    /,
    *,
    steps: st.SearchStrategy[int] | None = None,
    tiered: bool = True,
    currency: str = "EUR",
    **members: Any,
) -> Tariff:
    """Up to six elements, none of which need price anything."""
    each = elements(steps=st.integers(0, 1000) if steps is None else steps, tiered=tiered)
    return tariff(*draw(st.lists(each, min_size=1, max_size=6)), currency=currency, **members)


@st.composite
def sessions(draw: st.DrawFn, longest: int = 500) -> PricedSession:
    """Whole minutes, near the nights in which the clocks of Europe are moved."""
    begin = at(draw(st.sampled_from([VERNAL, AUTUMNAL]))) + draw(st.integers(0, 1200)) * 60_000_000
    made = []
    for _ in range(draw(st.integers(1, 5))):
        minutes = draw(st.integers(0, longest))
        end = begin + minutes * 60_000_000
        parked = draw(st.booleans())
        made.append(
            Period(
                start_us=begin,
                end_us=end,
                energy_wh=0 if parked else draw(st.integers(0, 20_000)),
                charging_s=0 if parked else minutes * 60,
                parking_s=minutes * 60 if parked else 0,
            )
        )
        begin = end
    return PricedSession(periods=tuple(made))
