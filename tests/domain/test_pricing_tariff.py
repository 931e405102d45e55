"""Reading tariffs and CDR periods of OCPI: exact, in either version, errors with a field."""

import copy
import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from domain.pricing import price
from domain.pricing_ocpi import session_of_cdr
from domain.pricing_session import SessionInvalid
from domain.tariff import Dimension, PriceLimit, ReservationKind, Weekday
from domain.tariff_reading import TariffInvalid, read_tariff
from tests.domain.pricing_examples import amounts, component, element, tariff

DOCUMENT = """{
  "country_code": "NL", "party_id": "TST", "id": "ALL", "currency": "EUR", "type": "REGULAR",
  "tariff_alt_text": [{"language": "en", "text": "x"}], "energy_mix": {"is_green_energy": true},
  "min_price": {"excl_vat": 0.1}, "max_price": {"before_taxes": 10.10, "after_taxes": 12},
  "elements": [
    {
      "price_components": [
        {"type": "ENERGY", "price": 0.1234, "vat": 21.0, "step_size": 500},
        {"type": "PARKING_TIME", "price": 2, "vat": null, "step_size": 0}
      ],
      "restrictions": {
        "start_time": "08:00", "end_time": "20:00", "start_date": "2026-01-01",
        "end_date": "2027-01-01", "min_kwh": 0.5, "max_kwh": 20, "min_current": 6,
        "max_current": 32.5, "min_power": 1.4, "max_power": 22, "min_duration": 60,
        "max_duration": 7200, "day_of_week": ["MONDAY", "SUNDAY"]
      }
    },
    {
      "price_components": [{"type": "FLAT", "price": 1, "step_size": 1}],
      "restrictions": {"reservation": "RESERVATION_EXPIRES"}
    }
  ],
  "tax_included": "N/A", "start_date_time": "2026-01-01T00:00:00Z",
  "last_updated": "2026-01-01T00:00:00Z", "something_else": 1.5
}"""


def test_a_document_is_read_whole_and_exactly() -> None:
    read = read_tariff(DOCUMENT)

    energy, parking = read.elements[0].price_components
    limits = read.elements[0].restrictions
    assert (energy.type, energy.price, energy.vat) == (
        Dimension.ENERGY,
        Decimal("0.1234"),
        Decimal(21),
    )
    assert (parking.price, parking.vat, parking.step_size) == (Decimal(2), None, 0)
    assert read.min_price == PriceLimit(excl=Decimal("0.1"))
    assert read.max_price == PriceLimit(excl=Decimal("10.10"), incl=Decimal(12))
    assert (limits.min_kwh, limits.max_current) == (Decimal("0.5"), Decimal("32.5"))
    assert limits.day_of_week == (Weekday.MONDAY, Weekday.SUNDAY)
    assert read.elements[1].restrictions.reservation is ReservationKind.RESERVATION_EXPIRES
    assert read.tax_included == "N/A"
    assert read == read_tariff(DOCUMENT.encode())
    assert read == read_tariff(json.loads(DOCUMENT, parse_float=Decimal) | {"something_else": 1})


FIRST = ("elements", 0, "price_components", 0)


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ((*FIRST, "price"), "much", "elements[0].price_components[0].price"),
        ((*FIRST, "price"), 0.25, "elements[0].price_components[0].price"),
        ((*FIRST, "price"), "NaN", "elements[0].price_components[0].price"),
        ((*FIRST, "price"), Decimal("1E+99"), "elements[0].price_components[0].price"),
        ((*FIRST, "type"), "POWER", "elements[0].price_components[0].type"),
        ((*FIRST, "type"), None, "elements[0].price_components[0].type"),
        ((*FIRST, "vat"), Decimal(-1), "elements[0].price_components[0].vat"),
        ((*FIRST, "step_size"), -1, "elements[0].price_components[0].step_size"),
        ((*FIRST, "step_size"), Decimal("1.5"), "elements[0].price_components[0].step_size"),
        (("elements", 0, "restrictions", "start_time"), "8:00", "elements[0].restrictions"),
        (("elements", 0, "restrictions", "end_time"), "24:00", "elements[0].restrictions"),
        (("elements", 0, "restrictions", "start_date"), "2026-02-30", "elements[0].restrictions"),
        (("elements", 0, "restrictions", "day_of_week"), ["FUNDAY"], "elements[0].restrictions"),
        (("elements", 0, "restrictions", "reservation"), "RESERVATION", "elements[0]"),
        (("elements", 0, "price_components"), [], "elements[0].price_components"),
        (("elements",), [], "elements"),
        (("currency",), "euro", "currency"),
        (("currency",), None, "currency"),
        (("tax_included",), "MAYBE", "tax_included"),
        (("min_price",), 5, "min_price"),
        (("min_price",), {"after_taxes": 5}, "min_price.before_taxes"),
        (("min_price",), {"before_taxes": 50}, "min_price"),
    ],
)
def test_an_error_names_the_field(place: tuple[Any, ...], value: Any, field: str) -> None:
    document = copy.deepcopy(json.loads(DOCUMENT, parse_float=Decimal))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value

    with pytest.raises(TariffInvalid) as caught:
        read_tariff(document)

    assert caught.value.field.startswith(field)
    assert caught.value.reason


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "3"])
def test_what_is_no_document_is_an_error(text: str) -> None:
    with pytest.raises(TariffInvalid):
        read_tariff(text)


def told(start: str, **volumes: str) -> dict[str, Any]:
    return {
        "start_date_time": start,
        "dimensions": [
            {"type": name, "volume": Decimal(volume)} for name, volume in volumes.items()
        ],
    }


def test_periods_of_a_cdr_have_their_own_volumes() -> None:
    charged = tariff(
        element(component("ENERGY", "0.27", 1, "21"), start_time="14:00", end_time="15:00"),
        element(component("ENERGY", "0.31", 1, "21"), start_time="15:00", end_time="16:00"),
    )
    session = session_of_cdr(
        [told("2025-08-20T12:00:00Z", ENERGY="7.3"), told("2025-08-20T13:00:00Z", ENERGY="0.9")],
        "2025-08-20T12:20:06Z",
        "2025-08-20T13:05:31Z",
    )

    priced = price(session, charged, "Europe/Amsterdam")

    assert priced.excl == Fraction("7.3") * Fraction("0.27") + Fraction("0.9") * Fraction("0.31")
    assert priced.flags == ("PERIOD_OUTSIDE",)


def test_a_cdr_brings_limits_and_a_reservation() -> None:
    charged = tariff(
        element(component("TIME", "6"), reservation="RESERVATION"),
        element(component("TIME", "1"), max_power=11),
        element(component("TIME", "2")),
    )
    session = session_of_cdr(
        [
            told("2026-03-09T09:00:00Z", RESERVATION_TIME="0.5"),
            told("2026-03-09T09:30:00Z", TIME="1", MIN_POWER="3.6", MAX_POWER="7"),
            told("2026-03-09T10:30:00Z", TIME="1", MAX_POWER="22"),
        ],
        "2026-03-09T09:00:00Z",
        "2026-03-09T11:30:00Z",
    )

    priced = price(session, charged, "UTC")

    assert amounts(priced)[0] == "6"
    assert priced.flags == ()


def test_a_reservation_alone_has_expired() -> None:
    session = session_of_cdr(
        [told("2026-03-09T09:00:00Z", RESERVATION_TIME="0.5")],
        "2026-03-09T09:00:00Z",
        "2026-03-09T09:30:00Z",
    )

    assert session.reservation is not None
    assert session.reservation.expired


def test_a_period_that_crosses_a_price_is_cut_and_flagged() -> None:
    charged = tariff(
        element(component("ENERGY", "1"), end_time="10:00"), element(component("ENERGY", "2"))
    )
    session = session_of_cdr(
        [told("2026-03-09T09:30:00Z", ENERGY="10", TIME="1")],
        "2026-03-09T09:30:00Z",
        "2026-03-09T10:30:00Z",
    )

    priced = price(session, charged, "UTC")

    assert (amounts(priced)[0], priced.flags) == ("15", ("INTERPOLATED",))


@pytest.mark.parametrize(
    "period",
    [
        told("never", TIME="1"),
        {"start_date_time": "2026-03-09T09:00:00Z", "dimensions": [{"type": "TIME"}]},
        {"dimensions": []},
    ],
)
def test_a_cdr_that_cannot_be_read_is_an_error(period: dict[str, Any]) -> None:
    with pytest.raises(SessionInvalid, match="charging_periods"):
        session_of_cdr([period], "2026-03-09T09:00:00Z", "2026-03-09T10:00:00Z")
