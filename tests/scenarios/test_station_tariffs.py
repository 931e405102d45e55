"""Tariffs that a scenario's station knows by id, and a frame only names."""

from typing import Any

import pytest

from infra.scenario_file import Event, Json
from schemas.cdr import Cdr
from tests.scenarios.telling import ALL, TARIFFS, run

H05 = next(each for each in ALL if each.id == "H05")
"""8 kWh in an hour; in the middle of it another tariff is sold, and refused."""

AS_OCPP = {"tariffId": "DEAR", "currency": "EUR", "energy": {"prices": [{"priceKwh": 0.5}]}}
AS_OCPI = next(each for each in TARIFFS if each["id"] == "K25") | {
    "id": "DEAR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.5, "step_size": 1}]}],
}


def sold(named: Json, tariffs: Any) -> Cdr:
    """The other tariff is accepted, as the frame names it."""
    events: list[Event] = []
    for event in H05.events:
        raw = event.raw
        if raw[1] == "c1" and raw[0] == 2:
            raw = [*raw[:3], {"transactionId": raw[3]["transactionId"], **named}]
        elif raw[1] == "c1":
            raw = [3, "c1", {"status": "Accepted"}]
        events.append(event._replace(raw=raw))
    config = {**H05.config, "station_tariffs": tariffs}
    ran = run(H05._replace(events=events, config=config))
    assert ran.problems == []
    [cdr] = ran.cdrs
    return cdr


@pytest.mark.parametrize("tariffs", [{"DEAR": AS_OCPP}, [AS_OCPP], {"DEAR": AS_OCPI}])
@pytest.mark.parametrize(
    "named", [{"tariff": "DEAR"}, {"tariff": {"tariffId": "DEAR"}}, {"tariffId": "DEAR"}]
)
def test_a_tariff_that_the_frame_only_names_is_sold_in_full(named: Json, tariffs: Any) -> None:
    cdr = sold(named, tariffs)

    assert "TARIFF_CHANGED" in cdr.flags
    # Half of 8 kWh at 0.25, half at 0.50; no reading lies between, but for the second that is told.
    assert cdr.cost is not None
    assert cdr.cost.rounded[0] == "3.00"


def test_a_tariff_that_the_frame_has_in_full_is_that_one() -> None:
    cheap = {**AS_OCPP, "energy": {"prices": [{"priceKwh": 0}]}}
    cdr = sold({"tariff": cheap}, {"DEAR": AS_OCPP})

    assert cdr.cost is not None
    assert cdr.cost.rounded[0] == "1.00"


def test_one_that_nobody_knows_is_not_made_up() -> None:
    assert sold({"tariff": {"tariffId": "OTHER"}}, {"DEAR": AS_OCPP}).state == "HELD"
