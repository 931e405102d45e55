"""Meter values of OCPP 2.0.1 and 2.1: normalised for views, and read for their registers."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.meter_values_2 import read_registers, read_samples
from tests.domain.log import NOW

AT = "2026-11-23T10:00:00Z"


def values(*sampled: dict[str, Any], at: str = AT) -> list[dict[str, Any]]:
    return [{"timestamp": at, "sampledValue": list(sampled)}]


def test_what_is_absent_means_what_the_specification_says() -> None:
    [sample] = read_samples(values({"value": Decimal("1200.5")}))

    assert (sample.at, sample.value, sample.raw) == (NOW, Decimal("1200.5"), "1200.5")
    assert sample.measurand == "Energy.Active.Import.Register"
    assert (sample.context, sample.location) == ("Sample.Periodic", "Outlet")
    assert (sample.unit, sample.phase, sample.signed) == ("Wh", "", None)


@pytest.mark.parametrize(
    ("measure", "unit", "value"),
    [
        ({}, "Wh", "12.345"),
        ({"multiplier": 3}, "Wh", "12345"),
        ({"unit": None, "multiplier": None}, "Wh", "12.345"),
        ({"unit": "KWH"}, "Wh", "12345"),
        ({"unit": "kw"}, "W", "12345"),
        ({"unit": "kWh"}, "Wh", "12345"),
        ({"unit": "kWh", "multiplier": -3}, "Wh", "12.345"),
        ({"unit": "kWh", "multiplier": 3}, "Wh", "12345000"),
        ({"unit": "Wh", "multiplier": -1}, "Wh", "1.2345"),
        ({"unit": "kW"}, "W", "12345"),
        ({"unit": "kvarh"}, "varh", "12345"),
        ({"unit": "V"}, "V", "12.345"),
        ({"unit": "A", "multiplier": -2}, "A", "0.12345"),
    ],
)
def test_a_value_counts_in_its_unit_and_multiplier(
    measure: dict[str, Any], unit: str, value: str
) -> None:
    sampled = {"value": Decimal("12.345"), "unitOfMeasure": measure}

    [sample] = read_samples(values(sampled))

    assert (sample.unit, str(sample.value)) == (unit, value)


@pytest.mark.parametrize("unit", ["MWh", "mWh", "GWh", "J", "Ws", "kVAh", "W", "kilowatt", 7, []])
def test_a_register_in_another_unit_is_no_energy_and_stays_as_told(unit: Any) -> None:
    sampled = {"value": 7, "context": "Transaction.End", "unitOfMeasure": {"unit": unit}}

    readings = read_registers(values(sampled))

    assert (readings.registers, readings.end, readings.flags) == ((), None, ("BAD_SAMPLE",))
    [sample] = read_samples(values(sampled))
    assert (sample.raw, sample.unit == "Wh") == ("7", False)


@pytest.mark.parametrize(
    "measurand", ["Energy.Active.Import.Interval", "Energy.Active.Export.Register"]
)
def test_nor_is_an_interval_or_an_export_register(measurand: str) -> None:
    sampled = {"value": 7, "measurand": measurand, "unitOfMeasure": {"unit": "MWh"}}

    assert read_registers(values(sampled)).others == ()


@pytest.mark.parametrize(
    ("sampled", "wh", "flags"),
    [
        ({"unitOfMeasure": {"unit": " kWh "}}, 7000, ()),
        ({"unitOfMeasure": {"unit": "WH"}}, 7, ()),
        ({"unitOfMeasure": {"unit": ""}}, 7, ()),
        ({"unitOfMeasure": "kWh"}, 7000, ("SCHEMA_DEVIATION",)),
        ({"unit": "kWh"}, 7000, ("SCHEMA_DEVIATION",)),
    ],
)
def test_a_unit_is_read_wherever_and_however_it_is_told(
    sampled: dict[str, Any], wh: int, flags: tuple[str, ...]
) -> None:
    readings = read_registers(values({"value": 7, **sampled}))

    assert [each for _, each in readings.registers] == [wh]
    assert readings.flags == flags


@pytest.mark.parametrize(
    ("told", "unit"), [("C", "Celsius"), ("Celcius", "Celsius"), ("hertz", "Hz"), ("°C", "°C")]
)
def test_units_that_are_spelled_otherwise_are_those_of_the_specification(
    told: str, unit: str
) -> None:
    sampled = {"value": 7, "measurand": "Temperature", "unitOfMeasure": {"unit": told}}

    assert [sample.unit for sample in read_samples(values(sampled))] == [unit]


def test_a_value_that_its_unit_makes_too_large_is_no_number() -> None:
    sampled = {"value": Decimal("1E+29"), "unitOfMeasure": {"unit": "kWh", "multiplier": 12}}

    assert read_registers(values(sampled)).flags == ("BAD_SAMPLE",)


@pytest.mark.parametrize("multiplier", [13, -13, 10**9, "x", 1.5])
def test_a_multiplier_that_is_none_leaves_no_number_and_is_flagged(multiplier: Any) -> None:
    sampled = {"value": 7, "unitOfMeasure": {"multiplier": multiplier}}

    readings = read_registers(values(sampled))

    assert (readings.registers, readings.flags) == ((), ("BAD_SAMPLE",))
    [sample] = read_samples(values(sampled))
    assert (sample.value, sample.raw) == (None, "7")


def test_begin_and_end_are_found_by_their_context() -> None:
    readings = read_registers(
        values(
            {"value": 10, "context": "Transaction.Begin"},
            {"value": 11},
            {"value": 12, "context": "Transaction.End"},
        )
    )

    assert readings.begin == (NOW, Decimal(10))
    assert readings.end == (NOW, Decimal(12))
    assert [wh for _, wh in readings.registers] == [10, 11, 12]


@pytest.mark.parametrize(
    "other",
    [
        {"measurand": "Energy.Active.Export.Register"},
        {"measurand": "Energy.Active.Import.Interval"},
        {"phase": "N"},
        {"location": "Inlet"},
    ],
)
def test_other_values_are_no_register(other: dict[str, str]) -> None:
    sampled = {"value": 10, "context": "Transaction.Begin", **other}

    assert read_registers(values(sampled))[:3] == ((), None, None)


def test_signed_data_stand_beside_the_value() -> None:
    signed = {
        "signedMeterData": "T0NNRg==",
        "signingMethod": "",
        "encodingMethod": "OCMF",
        "publicKey": "",
    }

    [sample] = read_samples(values({"value": 1, "signedMeterValue": signed}))

    assert (sample.value, sample.signed) == (Decimal(1), signed)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text()
    | st.sampled_from(["value", "1", "kWh", AT]),
    lambda inner: st.lists(inner)
    | st.dictionaries(
        st.sampled_from(["timestamp", "sampledValue", "value", "unitOfMeasure", "multiplier",
                         "unit", "context", "measurand", "signedMeterValue"]), inner
    ),
))  # fmt: skip
def test_anything_has_a_reading(value: Any) -> None:
    read_samples(value)
    read_registers(value)
