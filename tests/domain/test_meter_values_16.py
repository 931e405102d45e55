"""Meter values of OCPP 1.6: normalised for views, and read for their registers by decisions."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.meter_values_16 import SAMPLES_MAX, read_registers, read_samples
from tests.domain.log import NOW

AT = "2026-11-23T10:00:00Z"


def values(*sampled: dict[str, Any], at: str = AT) -> list[dict[str, Any]]:
    return [{"timestamp": at, "sampledValue": list(sampled)}]


def test_what_is_absent_means_what_the_specification_says() -> None:
    [sample] = read_samples(values({"value": "1200"}))

    assert (sample.at, sample.value, sample.raw) == (NOW, Decimal(1200), "1200")
    assert sample.measurand == "Energy.Active.Import.Register"
    assert (sample.context, sample.location) == ("Sample.Periodic", "Outlet")
    assert (sample.format, sample.unit, sample.phase) == ("Raw", "Wh", "")


@pytest.mark.parametrize(
    ("unit", "normalised", "value"),
    [
        ("kWh", "Wh", "12345"),
        ("kW", "W", "12345"),
        ("kvar", "var", "12345"),
        ("kvarh", "varh", "12345"),
        ("kVA", "VA", "12345"),
        ("V", "V", "12.345"),
    ],
)
def test_units_are_normalised_exactly(unit: str, normalised: str, value: str) -> None:
    [sample] = read_samples(values({"value": "12.345", "unit": unit}))

    assert (sample.unit, sample.value) == (normalised, Decimal(value))


@pytest.mark.parametrize(
    ("measurand", "unit"),
    [
        ("Power.Active.Import", "W"),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("SoC", "Percent"),
        ("Energy.Active.Export.Register", "Wh"),
        ("Temperature", ""),
    ],
)
def test_an_absent_unit_follows_its_measurand(measurand: str, unit: str) -> None:
    assert read_samples(values({"value": "1", "measurand": measurand}))[0].unit == unit


def test_signed_data_is_kept_as_text_and_is_no_number() -> None:
    [sample] = read_samples(values({"value": "8f3a", "format": "SignedData"}))

    assert (sample.value, sample.raw) == (None, "8f3a")
    assert read_registers(values({"value": "12", "format": "SignedData"})) == ((), ())


def test_only_the_outlets_import_register_over_all_phases_is_a_register() -> None:
    told = values(
        {"value": "1000"},
        {"value": "2", "unit": "kWh"},
        {"value": "1", "phase": "L1"},
        {"value": "2", "location": "Inlet"},
        {"value": "3", "measurand": "Energy.Active.Export.Register"},
        {"value": "4", "measurand": "Power.Active.Import"},
        {"value": "3000", "measurand": "Energy.Active.Import.Register", "context": "Other"},
    )

    registers, flags = read_registers(told)

    assert [value for _, value in registers] == [1000, 2000, 3000]
    assert flags == ()


def test_a_register_that_is_no_number_is_flagged_and_the_others_are_read() -> None:
    told = values({"value": "n/a"}, {"value": "1000"})

    assert read_registers(told) == (((NOW, Decimal(1000)),), ("BAD_SAMPLE",))


def test_a_time_without_a_zone_is_flagged() -> None:
    registers, flags = read_registers(values({"value": "1"}, at="2026-11-23T10:00:00"))

    assert registers == ((NOW, Decimal(1)),)
    assert flags == ("TZ_ASSUMED_UTC",)


def test_an_unreadable_time_is_unknown_and_the_register_is_kept() -> None:
    assert read_registers(values({"value": "1"}, at="soon"))[0] == ((None, Decimal(1)),)


def test_a_null_means_the_same_as_an_absent_field_to_decisions_and_views() -> None:
    nulls = dict.fromkeys(["unit", "measurand", "phase", "context", "location", "format"])

    assert read_samples(values({"value": "5", **nulls})) == read_samples(values({"value": "5"}))
    assert read_registers(values({"value": "5", **nulls})) == (((NOW, Decimal(5)),), ())


def test_an_absent_value_is_no_text_and_no_number() -> None:
    [sample] = read_samples(values({}))

    assert (sample.value, sample.raw) == (None, "")
    assert read_registers(values({})) == ((), ("BAD_SAMPLE",))


def test_the_order_of_the_frame_is_kept() -> None:
    told = values({"value": "3"}, {"value": "1"}) + values({"value": "2"})

    assert [sample.value for sample in read_samples(told)] == [3, 1, 2]


def test_samples_are_bounded() -> None:
    assert len(read_samples(values(*[{"value": "1"}] * (SAMPLES_MAX + 1)))) == SAMPLES_MAX


scalars = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text()
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
sampled_values = st.fixed_dictionaries(
    {},
    optional={
        "value": anything | st.sampled_from(["1", "2.5", "-3", "1e3", "9" * 30]),
        "unit": anything | st.sampled_from(["Wh", "kWh", "W"]),
        "measurand": anything | st.sampled_from(["Energy.Active.Import.Register", "SoC"]),
        "phase": anything,
        "location": anything | st.just("Outlet"),
        "format": anything | st.sampled_from(["Raw", "SignedData"]),
        "context": anything,
    },
)
meter_values = st.lists(
    anything
    | st.fixed_dictionaries(
        {},
        optional={
            "timestamp": anything | st.just(AT),
            "sampledValue": anything | st.lists(anything | sampled_values, max_size=4),
        },
    ),
    max_size=3,
)


@given(anything | meter_values)
def test_nothing_a_station_writes_raises(told: Any) -> None:
    read_registers(told)
    for sample in read_samples(told):
        assert sample.value is None or sample.value.is_finite()


@given(meter_values)
def test_a_register_is_one_of_the_samples(told: Any) -> None:
    samples = [(sample.at, sample.value) for sample in read_samples(told)]

    for at, value in read_registers(told)[0]:
        assert (at, value) in samples
