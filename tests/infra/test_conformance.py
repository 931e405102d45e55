"""The conformance page is the generated one, names every action, and the tests it names exist."""

import ast
from pathlib import Path

import pytest

from domain.outbound import OUTBOUND
from domain.routes import ROUTES, SENDS
from domain.state_fields import ASKED, TOLD
from infra.conformance import ASKED_TESTS, MEANINGS, TOLD_TESTS, conformance_page
from schemas import payloads
from tests.domain import test_command_effects, test_commands

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text("utf-8") == conformance_page()


NAMED = {test for tests in TOLD_TESTS.values() for test in tests.split()}


@pytest.mark.parametrize("test", sorted({*NAMED, *ASKED_TESTS.values()}))
def test_a_test_that_the_page_names_exists(test: str) -> None:
    path, _, name = test.partition("::")

    assert name.startswith("test_")
    assert name in functions_of(path)


@pytest.mark.parametrize("version", payloads.VERSIONS)
def test_every_action_of_the_version_has_its_row(version: str) -> None:
    section = conformance_page().partition(f"## OCPP {version}\n")[2].partition("\n## OCPP")[0]
    inbound, _, outbound = section.partition(f"### To stations, {version}")
    rows = {
        direction: {line.split("|")[1].strip() for line in text.splitlines() if line[:2] == "| "}
        - {"action", "---"}
        for direction, text in (("in", inbound), ("out", outbound))
    }

    assert rows["in"] == ROUTES[version].keys() | SENDS[version]
    assert rows["out"] == OUTBOUND[version].keys()
    assert rows["in"] | rows["out"] == payloads.actions(version)


def test_what_carries_state_names_where_it_is_read() -> None:
    told = {action for routes in ROUTES.values() for action in routes}
    told |= {action for sent in SENDS.values() for action in sent}

    assert told == MEANINGS.keys() | TOLD.keys()
    assert not MEANINGS.keys() & TOLD.keys()
    assert {a for actions in OUTBOUND.values() for a in actions} >= ASKED.keys()


def test_every_effect_that_shows_later_has_a_case() -> None:
    cases = {action for _, action, *_ in test_command_effects.CASES.values()}
    cases |= test_command_effects.REPORTS.keys()
    cases |= {action for action, *_ in test_commands.EFFECTS.values()} | {"RemoteStopTransaction"}

    later = {
        action
        for actions in OUTBOUND.values()
        for action, effect in actions.items()
        if effect.rule is not None
    }

    assert later <= cases
