"""Named SQL from `infra/sql/*.sql`: one file, each statement below its `-- name: its_name`."""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, LiteralString]:
    """Return the statements of `infra/sql/{file}.sql` by name.

    Raises:
        ValueError: a name occurs twice, or there is SQL above the first name.
    """
    text = (files("infra") / "sql" / f"{file}.sql").read_text()
    head, *parts = _NAME.split(text)
    if any(line and not line.startswith("--") for line in head.splitlines()):
        raise ValueError(f"{file}.sql: SQL above the first name")
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{file}.sql: a name occurs twice")
    return {name: literal(body.strip()) for name, body in zip(names, bodies, strict=True)}


def literal(text: str) -> LiteralString:
    """Vouch for SQL that was read from a file of this package: it is part of the program."""
    return text
