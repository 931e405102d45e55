"""The worked examples of OCPI and others' test data, exactly. NOTICE says where they are from."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from infra.cli.price_vectors import judge, price_of, read_vectors
from tests.domain.pricing_examples import amounts, charge, component, cost, element, park, tariff

VECTORS = list(read_vectors(Path(__file__).parents[1] / "data" / "tariff_vectors.jsonl"))

PEAK_STEPS = tariff(
    element(
        component("TIME", "1.2", 1800),
        component("PARKING_TIME", "1.0", 900),
        end_time="17:00",
    ),
    element(
        component("TIME", "2.4", 900),
        component("PARKING_TIME", "1.0", 900),
        start_time="17:00",
        end_time="20:00",
    ),
    element(component("TIME", "2.4", 900), start_time="20:00", end_time="00:00"),
)


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 30


@pytest.mark.parametrize("vector", VECTORS, ids=[str(vector["id"]) for vector in VECTORS])
def test_a_vector_has_its_price(vector: dict[str, Any]) -> None:
    outcome = judge(vector)

    assert (list(outcome.differences), list(outcome.remarks)) == ([], [])


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if vector["kind"] == "ocpi-spec"],
    ids=[str(vector["id"]) for vector in VECTORS if vector["kind"] == "ocpi-spec"],
)
def test_a_worked_example_is_met_exactly(vector: dict[str, Any]) -> None:
    priced, correct = price_of(vector), vector["correct"]

    for got, told in ((priced.excl, correct["excl"]), (priced.incl, correct["incl"])):
        if told is None:
            continue
        assert got is not None
        if len(told.partition(".")[2]) < 10:
            assert got == Fraction(told)
        else:
            assert abs(got - Fraction(told)) < Fraction(1, 10**10)


def test_without_a_rate_a_price_that_includes_taxes_says_nothing_of_the_rest() -> None:
    vector = next(vector for vector in VECTORS if vector["id"] == "OCPI-T10")

    assert price_of(vector).excl is None
    assert price_of(vector).incl == Fraction("5.25")


def test_time_with_a_tax_of_many_digits_is_not_rounded() -> None:
    hourly = tariff(element(component("TIME", "1.90", 1, "5.2")))

    assert amounts(cost(hourly, charge("2026-03-09T09:30:00Z", "2.5"))) == ("19/4", "4997/1000")


def test_the_step_after_a_switch_of_elements_rounds_the_sum() -> None:
    priced = cost(PEAK_STEPS, charge("2026-03-09T16:35:00Z", Fraction(35, 60)))

    assert amounts(priced) == ("13/10", "13/10")
    assert [(line.volume, line.step_surplus) for line in priced.lines] == [(1500, 0), (600, 600)]


def test_parking_that_is_free_from_a_time_on_is_rounded_by_what_was_paid() -> None:
    priced = cost(
        PEAK_STEPS, charge("2026-03-09T19:40:00Z", "1/5"), park("2026-03-09T19:52:00Z", "1/3")
    )

    assert amounts(priced) == ("73/100", "73/100")


def test_charging_before_paid_parking_is_not_rounded() -> None:
    both = tariff(element(component("TIME", "1", 600), component("PARKING_TIME", "2", 600)))

    priced = cost(
        both, charge("2026-03-09T09:00:00Z", "7/20"), park("2026-03-09T09:21:00Z", "4/15")
    )

    assert [line.volume + line.step_surplus for line in priced.lines] == [1260, 1200]


@pytest.mark.parametrize(("wh", "billed"), [(101, "1/32"), (125, "1/32"), (126, "3/80")])
def test_energy_in_steps_of_25_wh(wh: int, billed: str) -> None:
    charged = tariff(element(component("ENERGY", "0.25", 25)))

    assert amounts(cost(charged, charge("2026-03-09T09:00:00Z", 1, wh)))[0] == billed


@pytest.mark.parametrize(
    ("wh", "expected"), [(20_000, ("5", "11/2")), (1_999, ("1/2", "11/20")), (0, ("1/2", "11/20"))]
)
def test_a_minimum_price(wh: int, expected: tuple[str, str]) -> None:
    least = tariff(
        element(component("ENERGY", "0.25", 1, "10")),
        min_price={"excl_vat": "0.5", "incl_vat": "0.55"},
    )

    assert amounts(cost(least, charge("2026-03-09T09:00:00Z", 1, wh))) == expected


def test_a_maximum_price_bounds_both_amounts() -> None:
    most = tariff(
        element(component("FLAT", "0.5", 1, "20"), component("ENERGY", "0.25", 1, "10")),
        max_price={"before_taxes": 10, "after_taxes": 11},
    )

    priced = cost(most, charge("2026-03-09T09:00:00Z", 1, 50_000))

    assert amounts(priced) == ("10", "11")
    assert priced.limit_applied == "max_price"


def test_first_free_then_dear() -> None:
    charged = tariff(
        element(component("ENERGY", "0.00", 1, "20"), max_duration=1800),
        element(component("ENERGY", "0.25", 1, "20"), max_duration=3600),
        element(component("ENERGY", "0.40", 1, "20")),
    )

    priced = cost(
        charged,
        charge("2026-03-09T09:00:00Z", "1/2", 5_000),
        charge("2026-03-09T09:30:00Z", "1/6", 1_200),
    )

    assert amounts(priced) == ("3/10", "9/25")
    assert priced.flags == ()
