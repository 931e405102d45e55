"""A tariff as OCPP 2.1 stations are told it: valid, and the same price on a grid of sessions."""

from decimal import Decimal
from itertools import product
from typing import Any

import msgspec
import pytest

from domain.charging_periods import Evidence, session_of
from domain.pricing import price
from domain.pricing_ocpi import time_of
from domain.pricing_session import Reservation
from domain.tariff import Tariff
from domain.tariff_for_stations import NotSayable, from_station, to_station
from schemas.payloads import violations
from tests.domain.pricing_examples import Json, component, element, tariff

VAT = "21"
SAYABLE = {
    "flat rate": tariff(element(component("ENERGY", "0.25", vat=VAT))),
    "hours": tariff(element(component("TIME", "2", vat=VAT), component("PARKING_TIME", "5"))),
    "time of use": tariff(
        element(component("ENERGY", "0.2"), end_time="17:00"),
        element(component("ENERGY", "0.3"), component("FLAT", "0.5", vat="20")),
    ),
    "weekend, by tiers": tariff(
        element(component("ENERGY", "0.1"), day_of_week=["SATURDAY", "SUNDAY"]),
        element(component("ENERGY", "0.2"), max_kwh=Decimal(4)),
        element(component("ENERGY", "0.4"), component("TIME", "1"), min_duration=1800),
    ),
    "power": tariff(
        element(component("TIME", "7"), max_power=Decimal("7.4")), element(component("TIME", "3"))
    ),
    "limits": tariff(
        element(component("ENERGY", "0.25", vat="10")),
        min_price={"excl_vat": Decimal("0.5"), "incl_vat": Decimal("0.55")},
        max_price={"excl_vat": Decimal(10), "incl_vat": Decimal(11)},
    ),
    "reservation": tariff(
        element(component("TIME", "5"), component("FLAT", "2"), reservation="RESERVATION"),
        element(component("ENERGY", "0.25", vat="10")),
    ),
    "dates": tariff(
        element(component("ENERGY", "0.1"), start_date="2026-03-10", end_date="2026-03-11"),
        element(component("ENERGY", "0.9")),
    ),
}


def wire(told: Json) -> Json:
    """As it comes out of the wire: numbers of JSON."""
    text = msgspec.json.Encoder(decimal_format="number").encode(told)
    found: Json = msgspec.json.Decoder(float_hook=Decimal).decode(text)
    return found


def sessions() -> list[Evidence]:
    minute = 60_000_000
    made = []
    for start, minutes, wh, states in product(
        ("2026-03-10T15:30:00Z", "2026-03-14T23:10:00Z"),
        (1, 45, 200),
        (0, 3_999, 18_000),
        ([], [(0, "Charging"), (30, "SuspendedEV")]),
    ):
        begin = time_of(start, "start")
        made.append(
            Evidence(
                start_us=begin,
                end_us=begin + minutes * minute,
                start_wh=0,
                energy_wh=wh,
                readings=[(begin + minutes * minute // 3, wh // 2)],
                states=[(begin + at * minute, state) for at, state in states],
                reservation=Reservation(start_us=begin - 17 * minute, end_us=begin),
            )
        )
    return made


@pytest.mark.parametrize("one", SAYABLE.values(), ids=SAYABLE.keys())
def test_a_station_is_told_what_its_schema_allows(one: Tariff) -> None:
    payload = wire({"evseId": 0, "tariff": to_station(one)})

    assert list(violations("2.1", "SetDefaultTariff", payload)) == []


@pytest.mark.parametrize("one", SAYABLE.values(), ids=SAYABLE.keys())
def test_both_give_the_same_price_on_a_grid_of_sessions(one: Tariff) -> None:
    theirs = from_station(wire(to_station(one)))
    for evidence in sessions():
        session = session_of(evidence)
        ours, told = (price(session, each, "Europe/Amsterdam") for each in (one, theirs))

        assert (told.excl_rounded, told.incl_rounded) == (ours.excl_rounded, ours.incl_rounded)
        assert abs(told.incl - ours.incl) < Decimal("0.000001")


def test_an_hour_s_price_is_told_by_the_minute() -> None:
    told = to_station(tariff(element(component("TIME", "3"), component("PARKING_TIME", "2"))))

    assert told["chargingTime"]["prices"] == [{"priceMinute": Decimal("0.05")}]
    assert told["idleTime"]["prices"] == [{"priceMinute": Decimal("0.033333333333")}]


def test_taxes_on_taxes_are_told_and_read() -> None:
    told = {
        "tariffId": "T",
        "currency": "EUR",
        "fixedFee": {
            "prices": [{"priceFixed": 10}],
            "taxRates": [{"type": "A", "tax": 5}, {"type": "B", "tax": 10, "stack": 1}],
        },
    }
    read = from_station(told)

    assert price(session_of(sessions()[0]), read, "UTC").incl == Decimal("11.55")
    assert wire(to_station(read)) == told


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (tariff(element(component("ENERGY", "1", step=500))), "steps"),
        (tariff(element(component("FLAT", "1"), min_kwh=Decimal(1))), "depends on energy"),
        (tariff(element(component("ENERGY", "1")), tax_included="YES"), "include taxes"),
        (
            tariff(element(component("ENERGY", "1", vat="1")), element(component("ENERGY", "2"))),
            "another tax",
        ),
        (
            tariff(element(component("FLAT", "1"), reservation="RESERVATION_EXPIRES")),
            "expired reservations",
        ),
    ],
)
def test_what_a_station_cannot_be_told_is_refused_with_the_reason(one: Tariff, reason: str) -> None:
    with pytest.raises(NotSayable, match=reason):
        to_station(one)


@pytest.mark.parametrize(
    "conditions", [{"evseKind": "DC"}, {"paymentBrand": "X"}, {"minIdleTime": 60}]
)
def test_conditions_that_we_cannot_judge_are_refused(conditions: dict[str, Any]) -> None:
    prices = [{"priceKwh": 1, "conditions": conditions}]
    with pytest.raises(NotSayable, match=next(iter(conditions))):
        from_station({"tariffId": "T", "currency": "EUR", "energy": {"prices": prices}})
