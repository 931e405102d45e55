"""Statements in SQL files are found by their names."""

import pytest

from infra.statements import statements


@pytest.mark.parametrize("file", ["migrations", "postgres_embedded"])
def test_each_statement_of_a_file_has_its_name(file: str) -> None:
    found = statements(file)

    assert found
    assert all(text and not text.startswith("-- name") for text in found.values())
