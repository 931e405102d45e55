"""Payloads that break their schema, with all that has exactly one reading put as the schema has it.

Words of an enumeration in another case; a number or a truth in quotes, a number for a text; null
for a member that may be absent; one object for an array of them and an array of one for that; the
name of a member in another case; a time that is none of RFC 3339. Anything else stays as it is, and
so do members that the schema does not know: some say something.

Of a money message only words, names and arrays are put so: what else is odd in it is read where it
is needed, and flagged on its CDR.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from domain.members import iso
from domain.readings import read_decimal, read_integer, read_time
from schemas import payloads
from schemas.tolerance import MONEY

_TRUTHS = {"true": True, "false": False}

Part = Mapping[str, Any]
Reader = Callable[[Any], Any]
"""Returns the value itself where there is nothing to mend in it."""


def mended(version: str, action: str, payload: Any, response: bool = False) -> Any:
    """Return the payload as it is to be read; itself if it is so already. Never raises."""
    if action not in payloads.actions(version):
        return payload
    return _reader(version, action, response, action in MONEY)(payload)


def is_whole(version: str, action: str, payload: Any, response: bool = False) -> bool:
    """Whether a mended payload keeps its schema, but for members that this does not know."""
    if action not in payloads.actions(version):
        return False
    whole = payloads.schema(version, action, response)
    known = _known(payload, whole, whole.get("definitions", {}))
    return not payloads.violations(version, action, known, response)


@cache
def _reader(version: str, action: str, response: bool, words_only: bool) -> Reader:
    whole = payloads.schema(version, action, response)
    return _reader_of(whole, whole.get("definitions", {}), words_only) or (lambda value: value)


def _reader_of(part: Part, definitions: Part, words_only: bool) -> Reader | None:
    """Return what reads a value of this part of a schema; None: nothing can be mended there."""
    part = _resolved(part, definitions)
    kind = part.get("type")
    if kind == "object":
        return _object_reader(part, definitions, words_only)
    if kind == "array":
        return _array_reader(_reader_of(part["items"], definitions, words_only), words_only)
    if "enum" in part:
        return _word_reader(part["enum"])
    if words_only:
        return None
    return _time if part.get("format") == "date-time" else _READERS.get(str(kind))


def _object_reader(part: Part, definitions: Part, words_only: bool) -> Reader | None:
    found = {
        name: _reader_of(member, definitions, words_only)
        for name, member in part.get("properties", {}).items()
    }
    readers = [(name, reader) for name, reader in found.items() if reader is not None]
    omitted = () if words_only else tuple(found.keys() - set(part.get("required", ())))
    names = {name.casefold(): name for name in found}

    def read(value: Any) -> Any:
        value = _named(_one_of(value), names)
        if type(value) is not dict:
            return value
        changed: dict[str, Any] = {}
        for name, reader in readers:
            if name in value:
                member = value[name]
                meant = reader(member)
                if meant is not member:
                    changed[name] = meant
        absent = [name for name in omitted if name in value and value[name] is None]
        if not changed and not absent:
            return value
        return {name: each for name, each in {**value, **changed}.items() if name not in absent}

    return read


def _one_of(value: Any) -> Any:
    """Return the object that is alone in an array, where an object is due."""
    is_alone = type(value) is list and len(value) == 1 and type(value[0]) is dict
    return value[0] if is_alone else value


def _named(value: Any, names: Mapping[str, str]) -> Any:
    """Return the object with the names of its members in their case; two for one stay as they are.

    `names`: those that the schema has, by any case.
    """
    if type(value) is not dict or all(names.get(name.casefold()) in (name, None) for name in value):
        return value
    meant = {name: names.get(name.casefold(), name) for name in value}
    told = Counter(meant.values())
    return {name if told[meant[name]] > 1 else meant[name]: each for name, each in value.items()}


def _array_reader(reader: Reader | None, words_only: bool) -> Reader | None:
    if reader is None and words_only:
        return None
    one = reader or (lambda value: value)

    def read(value: Any) -> Any:
        if type(value) is list:
            items = [one(item) for item in value]
            same = all(item is each for item, each in zip(items, value, strict=True))
            return value if same else items
        if type(value) is not dict:
            return value
        return one(value) if words_only else [one(value)]

    return read


def _word_reader(enumerated: list[str]) -> Reader:
    words = frozenset(enumerated)
    by_any_case = {word.casefold(): word for word in enumerated}

    def read(value: Any) -> Any:
        if type(value) is not str or value in words:
            return value
        return by_any_case.get(value.strip().casefold(), value)

    return read


def _known(value: Any, part: Part, definitions: Part) -> Any:
    """Return the value without what a closed object of its schema does not have."""
    part = _resolved(part, definitions)
    if type(value) is list and "items" in part:
        return [_known(item, part["items"], definitions) for item in value]
    if type(value) is not dict or "properties" not in part:
        return value
    members, is_closed = part["properties"], part.get("additionalProperties") is False
    return {
        name: _known(each, members[name], definitions) if name in members else each
        for name, each in value.items()
        if name in members or not is_closed
    }


def _resolved(part: Part, definitions: Part) -> Part:
    return definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def _text(value: Any) -> Any:
    return str(value) if type(value) is int or type(value) is Decimal else value


def _time(value: Any) -> Any:
    at = read_time(value)[0]
    text = value if at is None else iso(at)
    return value if text == value else text


def _integer(value: Any) -> Any:
    if type(value) is int or type(value) is bool:
        return value
    number = read_integer(value)[0]
    return value if number is None else number


def _number(value: Any) -> Any:
    number = read_decimal(value) if type(value) is str else None
    return value if number is None else number


def _truth(value: Any) -> Any:
    if type(value) is str:
        return _TRUTHS.get(value.strip().casefold(), value)
    return bool(value) if type(value) is int and value in (0, 1) else value


_READERS: Mapping[str, Reader] = {
    "boolean": _truth,
    "integer": _integer,
    "number": _number,
    "string": _text,
}
