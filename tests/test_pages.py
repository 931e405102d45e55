"""The pages name things that exist: bounds, settings, figures and commands."""

import re
from pathlib import Path

import pytest

from infra.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TEXT = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in PAGES}

_LINK = re.compile(r"\]\(([^)#]+)\)")
_NAME = re.compile(r"`([a-zA-Z_]+_[a-zA-Z_]+)`")
_SETTING = re.compile(r"CHARGELEDGER_([A-Z_]*[A-Z])(?![A-Z_*])")
_FIGURE = re.compile(r"`(chargeledger_[a-z_]+)")
_COMMAND = re.compile(r"^(?:\.venv/bin/|[A-Z_]+=\S+ )*chargeledger ([a-z-]+)", re.MULTILINE)
_TEST = re.compile(r"`(test_[a-z0-9_]+)`")

NOT_SETTINGS = {"REQUIRE_KAFKA", "REQUIRE_NODE"}
"""Read by tests only."""


def rows_of(page: str, heading: str) -> list[str]:
    section = TEXT[page].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", rows_of("docs/architecture.md", "What is bounded"))
def test_a_bound_is_where_the_page_says(row: str) -> None:
    linked = "".join((ROOT / "docs" / link).read_text("utf-8") for link in _LINK.findall(row))
    names = _NAME.findall(row)

    assert names
    assert [name for name in names if not re.search(rf"\b{name}\b.* = ", linked)] == []


@pytest.mark.parametrize("page", TEXT)
def test_settings_that_a_page_names_exist(page: str) -> None:
    known = {name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    named = {name for name in _SETTING.findall(TEXT[page]) if not name.startswith("TEST_")}

    assert named - known == set()


def test_figures_that_operators_are_told_of_exist() -> None:
    code = "".join((ROOT / name).read_text() for name in ("infra/metrics.py", "api/metrics.py"))
    figures = _FIGURE.findall(TEXT["docs/operations.md"])

    assert len(figures) > 10
    assert [name for name in figures if f'"{name.removesuffix("_total")}' not in code] == []


@pytest.mark.parametrize("page", TEXT)
def test_commands_that_a_page_names_exist(page: str) -> None:
    program = (ROOT / "infra/cli/program.py").read_text("utf-8")
    program += "".join(path.read_text("utf-8") for path in (ROOT / "infra/cli").glob("*.py"))

    for command in _COMMAND.findall(TEXT[page]):
        name = command.replace("-", "_")
        assert re.search(rf"def {name}\b|name=\"{command}\"|\"{command}\"", program), command


def test_tests_that_a_page_names_exist() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py"))
    named = {name for text in TEXT.values() for name in _TEST.findall(text)}

    assert len(named) > 40
    assert [name for name in sorted(named) if f"def {name}(" not in code] == []
