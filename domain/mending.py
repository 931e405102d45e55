"""Payloads that break their schema, with all that has exactly one reading put as the schema has it.

Words of an enumeration in another case; a number or a truth in quotes, a number for a text; null
for a member that may be absent; one object for an array of them; a time that is none of RFC 3339.
Anything else stays as it is, and so do members that the schema does not know: some say something.

Of a money message only the words are put so: what else is odd in it is read where it is needed,
and flagged on its CDR.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from domain.members import iso
from domain.readings import read_decimal, read_integer, read_time
from schemas import payloads
from schemas.tolerance import MONEY

_TRUTHS = {"true": True, "false": False}

Part = Mapping[str, Any]


class _Schema(NamedTuple):
    definitions: Part
    words_only: bool
    drops_unknown: bool


def mended(version: str, action: str, payload: Any, response: bool = False) -> Any:
    """Return the payload as it is to be read; never raises."""
    if action not in payloads.actions(version):
        return payload
    return _mended(version, action, payload, response, words_only=action in MONEY)


def is_whole(version: str, action: str, payload: Any, response: bool = False) -> bool:
    """Whether a mended payload keeps its schema, but for members that this does not know."""
    if action not in payloads.actions(version):
        return False
    known = _mended(version, action, payload, response, drops_unknown=True)
    return not payloads.violations(version, action, known, response)


def _mended(
    version: str,
    action: str,
    payload: Any,
    response: bool,
    *,
    words_only: bool = False,
    drops_unknown: bool = False,
) -> Any:
    whole = payloads.schema(version, action, response)
    schema = _Schema(whole.get("definitions", {}), words_only, drops_unknown)
    return _read(payload, whole, schema)


def _read(value: Any, part: Part, schema: _Schema) -> Any:
    if "$ref" in part:
        part = schema.definitions[part["$ref"].rpartition("/")[2]]
    kind = part.get("type")
    if kind == "object":
        return _object(value, part, schema) if type(value) is dict else value
    if kind == "array":
        return _array(value, part["items"], schema)
    if "enum" in part:
        return _word(value, tuple(part["enum"]))
    if schema.words_only:
        return value
    if kind == "string":
        return _text(value, part.get("format") == "date-time")
    reader = _READERS.get(str(kind))
    return value if reader is None else reader(value)


def _object(value: Mapping[str, Any], part: Part, schema: _Schema) -> dict[str, Any]:
    known, needed = part.get("properties", {}), part.get("required", ())
    is_closed = schema.drops_unknown and part.get("additionalProperties") is False
    read: dict[str, Any] = {}
    for name, member in value.items():
        if name not in known:
            if not is_closed:
                read[name] = member
        elif member is not None or name in needed or schema.words_only:
            read[name] = _read(member, known[name], schema)
    return read


def _array(value: Any, items: Part, schema: _Schema) -> Any:
    if type(value) is list:
        return [_read(item, items, schema) for item in value]
    if type(value) is not dict:
        return value
    one = _read(value, items, schema)
    return one if schema.words_only else [one]


def _word(value: Any, words: tuple[str, ...]) -> Any:
    if type(value) is not str or value in words:
        return value
    return _by_any_case(words).get(value.strip().casefold(), value)


@lru_cache(maxsize=512)
def _by_any_case(words: tuple[str, ...]) -> Mapping[str, str]:
    return {word.casefold(): word for word in words}


def _text(value: Any, is_time: bool) -> Any:
    if type(value) is int or type(value) is Decimal:
        return str(value)
    if is_time and type(value) is str:
        at = read_time(value)[0]
        return value if at is None else iso(at)
    return value


def _integer(value: Any) -> Any:
    number = read_integer(value)[0] if type(value) is not bool else None
    return value if number is None else number


def _number(value: Any) -> Any:
    number = read_decimal(value) if type(value) is str else None
    return value if number is None else number


def _truth(value: Any) -> Any:
    if type(value) is str:
        return _TRUTHS.get(value.strip().casefold(), value)
    return bool(value) if type(value) is int and value in (0, 1) else value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _truth,
}
