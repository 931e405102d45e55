"""Every scenario comes out as it says; variants and edges are others of the same rules."""

import pytest

from infra.scenario_file import Json, Scenario
from infra.scenario_run import judge
from tests.scenarios.telling import ALL, EDGES, run


@pytest.mark.parametrize("scenario", [*ALL, *EDGES.scenarios], ids=lambda scenario: scenario.id)
def test_a_scenario_comes_out_as_it_says(scenario: Scenario) -> None:
    assert judge(scenario, run(scenario)) == []


def test_what_differs_is_said() -> None:
    scenario = next(each for each in ALL if each.id == "A01")
    expect = {**scenario.expect, "cdrs": [{**scenario.expect["cdrs"][0], "total_energy_wh": "1"}]}

    assert judge(scenario._replace(expect=expect), run(scenario)) == [
        "S1: total_energy_wh: 8000 instead of 1"
    ]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("edge-Z01", {"running_energy_wh_before_stop": "5999"}),
        ("edge-Z02", {"cdrs": [{"billing_period_local": "2026-03"}]}),
        ("edge-Z03", {"cdrs": [{}, {"cdr_seq": 1}, {"cdr_seq": 2, "credit_reference": 2}]}),
        ("edge-Z04", {"cdrs": [{}, {"credit": True, "credit_reference": "nobody"}, {}]}),
    ],
)
def test_what_is_otherwise_differs(name: str, wrong: Json) -> None:
    scenario = next(each for each in EDGES.scenarios if each.id == name)

    assert judge(scenario._replace(expect=wrong), run(scenario))
