"""`chargeledger price`: shows each vector, and ends with 1 if a price differs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infra.cli.failures import Failed
from infra.cli.program import app

VECTORS = Path(__file__).parents[1] / "data" / "tariff_vectors.jsonl"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["price", *map(str, arguments)])


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Two vectors of the file; the second one's price is a tenth of a cent too high."""
    lines = VECTORS.read_text("utf-8").splitlines()[:3]
    vector = json.loads(lines[2])
    vector["correct"]["incl"] = "6.101"
    file = tmp_path / "changed.jsonl"
    file.write_text("\n".join([*lines[:2], json.dumps(vector), ""]), "utf-8")
    return file


def test_all_vectors_are_as_they_should_be() -> None:
    result = run(VECTORS)

    assert result.exit_code == 0, result.output
    assert "30 of 30 as they should be" in result.output


def test_a_difference_is_shown_and_ends_with_one(changed: Path) -> None:
    result = run(changed)

    assert result.exit_code == 1
    assert "incl: 6.1 instead of 6.101" in result.output
    assert "1 of 2 as they should be" in result.output


def test_one_vector_as_json(changed: Path) -> None:
    result = run(changed, "--only", "OCPI-T02", "--json")

    shown = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (shown["ok"], shown["excl"], shown["rounded"]) == (False, "5.5", ["5.50", "6.10"])
    assert [line["because"] for line in shown["lines"]] == ["element 1", "element 1"]


def test_what_cannot_be_priced_is_a_difference_of_its_vector(tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    vectors = [
        {"id": "A", "tariff": {"elements": []}, "correct": {"excl": "1"}},
        {"id": "B", "tariff": {"elements": []}, "periods": [{"SOC": 1}], "correct": {"excl": "1"}},
        {"id": "C", "periods": [], "extra": {"discount": 1}, "correct": {"excl": "1"}},
    ]
    file.write_text("\n".join(map(json.dumps, vectors)), "utf-8")

    result = run(file)

    assert result.exit_code == 1
    assert "0 of 3" in result.output


@pytest.mark.parametrize(("text", "only"), [("{", ""), ("[]", ""), ("", ""), ("{}", "Z")])
def test_a_file_without_such_vectors_is_refused(tmp_path: Path, text: str, only: str) -> None:
    file = tmp_path / "none.jsonl"
    file.write_text(text, "utf-8")

    result = run(file, "--only", only)

    assert isinstance(result.exception, Failed)
