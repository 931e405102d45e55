"""Reads the CSV files of `chargeledger import`: every row is checked before any is used."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from api.id_tokens import UID_CHARACTERS_MAX, IdToken
from api.stations import Registration
from infra.cli.failures import Failed
from infra.csv_file import UnreadableCsv, read_csv
from schemas.attributes import typed
from schemas.names import is_name

WRONG_SHOWN = 20
T = TypeVar("T")


def read_stations(path: Path) -> list[tuple[str, Registration]]:
    """Raises Failed: see `_read`."""
    return _read(path, "station", _station)


def read_tokens(path: Path) -> list[tuple[str, IdToken]]:
    """Raises Failed: see `_read`."""
    return _read(path, "uid", _token)


def _read(path: Path, key: str, checked: Callable[[dict[str, str]], T]) -> list[tuple[str, T]]:
    """Return the rows by the column `key`.

    Raises:
        Failed: the message names the lines that are wrong, and why; or the column is missing.
    """
    found: dict[str, T] = {}
    wrong: list[str] = []
    try:
        reader = read_csv(path)
    except UnreadableCsv as error:
        raise Failed(f"{error}: nothing was registered") from error
    if key not in (reader.fieldnames or ()):
        raise Failed(f"{path}: the header names no column {key!r}")
    try:
        for cells in reader:
            try:
                name = _added(found, key, cells)
                found[name] = checked({k: v for k, v in cells.items() if k != key})
            except ValueError as error:
                wrong.append(f"line {reader.line_num}: {_reason(error)}")
    except csv.Error as error:
        wrong.append(f"line {reader.line_num}: {error}")
    if wrong:
        more = f"\n… and {len(wrong) - WRONG_SHOWN} more" if len(wrong) > WRONG_SHOWN else ""
        shown = "\n".join(wrong[:WRONG_SHOWN])
        raise Failed(f"{path}: nothing was registered\n{shown}{more}")
    return list(found.items())


def _added(found: Mapping[str, object], key: str, cells: Mapping[Any, Any]) -> str:
    name = cells[key]
    if None in cells or None in cells.values():
        raise ValueError("not as many cells as the header has")
    is_right = is_name(name) if key == "station" else _is_identifier(name)
    if not is_right:
        raise ValueError(f"{name!r} is no {key}")
    if name in found:
        raise ValueError(f"{name!r} stands in the file twice")
    return str(name)


def _is_identifier(text: str) -> bool:
    return 0 < len(text) <= UID_CHARACTERS_MAX and text.isprintable() and text.strip(" ") == text


def _station(cells: dict[str, str]) -> Registration:
    members: dict[str, Any] = {"name": cells.pop("name", "")}
    if password := cells.pop("password", ""):
        if not all("!" <= character <= "~" for character in password):
            raise ValueError("password: only visible ASCII characters")
        members["password"] = password
    attributes = {name: typed(name, value) for name, value in cells.items() if value}
    return Registration.model_validate({**members, "attributes": attributes})


def _token(cells: dict[str, str]) -> IdToken:
    return IdToken.model_validate({name: value for name, value in cells.items() if value})


def _reason(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        )
    return str(error)
