"""What units do to a bill: energy is what is told in Wh or kWh, and nothing else."""

from typing import Any

import pytest

from domain.meter_values_16 import ends_in, read_energy, read_samples
from schemas.cdr import Cdr
from tests.domain.edge import Edge
from tests.domain.events import ended, reading, started
from tests.domain.log import start, stop

AT = "2026-11-23T10:00:00Z"


def session(begin: Any, end: Any, **measure: Any) -> Cdr:
    """The CDR of a session of 2.x whose two registers are told so."""
    edge = Edge("2.1")
    first = reading(begin, "Transaction.Begin", **measure)
    edge.calls("TransactionEvent", started(meterValue=[first]))
    last = reading(end, "Transaction.End", AT, **measure)
    edge.calls("TransactionEvent", ended(meterValue=[last]))
    [cdr] = edge.cdrs()
    return cdr


@pytest.mark.parametrize("unit", ["MWh", "GWh", "mWh", "J", "Ws", "kVAh", "W", "?"])
def test_a_session_in_a_unit_that_is_none_of_energy_is_held_without_a_figure(unit: str) -> None:
    cdr = session(1, 2, unitOfMeasure={"unit": unit})

    assert (cdr.state, cdr.energy_wh) == ("HELD", None)
    assert {"BAD_SAMPLE", "METER_START_INVALID"} <= set(cdr.flags)


@pytest.mark.parametrize(("unit", "wh"), [("Wh", 2500), (" wh ", 2500), ("KWH", 2_500_000)])
def test_a_session_in_wh_or_kwh_however_it_is_written_is_final(unit: str, wh: int) -> None:
    cdr = session(1000, 3500, unitOfMeasure={"unit": unit})

    assert (cdr.state, cdr.energy_wh) == ("FINAL", wh)


@pytest.mark.parametrize("measure", [{"unitOfMeasure": "kWh"}, {"unit": "kWh"}])
def test_a_unit_told_as_other_versions_have_it_counts_and_is_flagged(measure: Any) -> None:
    cdr = session(1, 2, **measure)

    assert cdr.energy_wh == 1000
    assert "SCHEMA_DEVIATION" in cdr.flags


@pytest.mark.parametrize(
    ("measure", "wh"),
    [
        ({"multiplier": 3}, 2_500_000),
        ({"unitOfMeasure": "Wh", "multiplier": 3}, 2_500_000),
        ({"unit": "kWh", "multiplier": 0}, 2_500_000),
        ({"unit": "Wh", "unitOfMeasure": {"unit": "wh"}}, 2_500),
        ({"unit": "Wh", "unitOfMeasure": {"unit": "kWh"}}, None),
        ({"unit": "kWh", "unitOfMeasure": "Wh"}, None),
    ],
)
def test_a_multiplier_counts_wherever_it_stands_and_two_units_that_differ_are_none(
    measure: Any, wh: int | None
) -> None:
    cdr = session(1000, 3500, **measure)

    assert cdr.energy_wh == wh
    assert ("SCHEMA_DEVIATION" if wh else "BAD_SAMPLE") in cdr.flags


def test_a_register_of_2_in_quotes_counts_and_is_flagged() -> None:
    cdr = session("1000", "3500")

    assert (cdr.energy_wh, "SCHEMA_DEVIATION" in cdr.flags) == (2500, True)
    assert "SCHEMA_DEVIATION" not in session(1000, 3500).flags


def values(unit: str, *told: tuple[str, str]) -> list[dict[str, Any]]:
    sampled = [{"value": value, "context": context, "unit": unit} for value, context in told]
    return [{"timestamp": AT, "sampledValue": sampled}]


def test_a_sample_of_1_6_in_another_unit_is_no_reading() -> None:
    told = values("MWh", ("1.001", "Transaction.Begin"), ("1.002", "Transaction.End"))

    assert read_energy(told) == ((), ("BAD_SAMPLE",), ())
    assert ends_in(read_samples(told)) == (None, None)


def test_a_sample_of_1_6_may_have_its_unit_as_2_x_has_it() -> None:
    sampled = {"value": "2.5", "unitOfMeasure": {"unit": "kWh"}}

    registers, flags, _ = read_energy([{"timestamp": AT, "sampledValue": [sampled]}])

    assert [wh for _, wh in registers] == [2500]
    assert flags == ("SCHEMA_DEVIATION",)


def test_samples_in_another_unit_move_no_bound_of_a_session_of_1_6() -> None:
    edge = Edge()
    number = edge.calls("StartTransaction", start(1000))[2]["transactionId"]
    told = values("MWh", ("0.002", "Sample.Periodic"))
    edge.calls("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": told})
    edge.calls("StopTransaction", stop(number))

    [cdr] = edge.cdrs()
    assert (cdr.state, cdr.energy_wh, "BAD_SAMPLE" in cdr.flags) == ("FINAL", 8000, True)
    assert "METER_BASE_MISMATCH" not in cdr.flags


def test_an_orphan_has_no_energy_of_another_unit() -> None:
    edge = Edge()
    told = values("MWh", ("1", "Transaction.Begin"), ("2", "Transaction.End"))
    edge.calls("StopTransaction", {**stop(77), "transactionData": told})

    [orphan] = edge.orphans()
    assert "energy_wh" not in orphan.detail
