"""R-05: every field of every action, missing, null, mistyped, too long, none of a list, no date.

The payload is the largest one that the official schema allows to be made of its own words; in it
one member is broken at a time. The codes are those of OCPP-J 1.6, table 7 (with its own spelling),
and of OCPP 2.0.1 and 2.1, part 4, 4.3.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

import msgspec
import pytest

from ingress import rpc
from schemas import payloads
from tests.payload_strategies import Schema, schema

ACTIONS = [(version, name) for version in payloads.VERSIONS for name in payloads.actions(version)]
ABSENT = object()
CODES: Mapping[str, Mapping[str, str]] = {
    "1.6": {
        "missing": "OccurenceConstraintViolation",
        "count": "OccurenceConstraintViolation",
        "type": "TypeConstraintViolation",
        "value": "PropertyConstraintViolation",
        "unknown": "FormationViolation",
    },
    "2.0.1": {
        "missing": "OccurrenceConstraintViolation",
        "count": "OccurrenceConstraintViolation",
        "type": "TypeConstraintViolation",
        "value": "PropertyConstraintViolation",
        "unknown": "FormatViolation",
    },
}


class Break(NamedTuple):
    path: tuple[str | int, ...]
    value: Any
    kind: str


def whole(part: Schema, definitions: Schema) -> Any:
    """Return a value with every member that the schema knows."""
    if "$ref" in part:
        return whole(definitions[part["$ref"].rpartition("/")[2]], definitions)
    if "enum" in part:
        return part["enum"][0]
    match part.get("type"):
        case "object":
            return {
                name: whole(each, definitions) for name, each in part.get("properties", {}).items()
            }
        case "array":
            return [whole(part["items"], definitions)] * max(1, part.get("minItems", 1))
        case "string":
            formats = {"date-time": "2026-11-23T10:00:00Z", "uri": "https://example.org/a"}
            return formats.get(part.get("format", ""), "a")
        case "boolean":
            return True
        case "integer" | "number":
            return min(max(1, part.get("minimum", 1)), part.get("maximum", 1))
        case other:
            return {} if other is None else pytest.fail(str(other))


def breaks(part: Schema, definitions: Schema, path: tuple[str | int, ...] = ()) -> Iterator[Break]:
    """Yield every way to break one member, by what is wrong with it then."""
    if "$ref" in part:
        yield from breaks(definitions[part["$ref"].rpartition("/")[2]], definitions, path)
        return
    yield from wrong_types(part, path)
    kind = part.get("type")
    if kind == "object":
        yield from wrong_members(part, definitions, path)
    elif kind == "array":
        yield from wrong_counts(part, definitions, path)
        yield from breaks(part["items"], definitions, (*path, 0))
    elif kind == "string":
        yield from wrong_texts(part, path)
    else:
        yield from wrong_numbers(part, path)


def wrong_members(
    part: Schema, definitions: Schema, path: tuple[str | int, ...]
) -> Iterator[Break]:
    if part.get("additionalProperties") is False:
        yield Break((*path, "unheardOf"), 1, "unknown")
    for name, each in part.get("properties", {}).items():
        if name in part.get("required", ()):
            yield Break((*path, name), ABSENT, "missing")
        yield from breaks(each, definitions, (*path, name))


def wrong_counts(part: Schema, definitions: Schema, path: tuple[str | int, ...]) -> Iterator[Break]:
    if part.get("minItems", 0) > 0:
        yield Break(path, [], "count")
    if "maxItems" in part:
        one = whole(part["items"], definitions)
        yield Break(path, [one] * (part["maxItems"] + 1), "count")


def wrong_numbers(part: Schema, path: tuple[str | int, ...]) -> Iterator[Break]:
    if "minimum" in part:
        yield Break(path, part["minimum"] - 1, "value")
    if "maximum" in part:
        yield Break(path, part["maximum"] + 1, "value")


def wrong_types(part: Schema, path: tuple[str | int, ...]) -> Iterator[Break]:
    kind = part.get("type")
    if kind is None or not path:
        return
    yield Break(path, None, "type")
    yield Break(path, [5] if kind != "array" else {"a": 5}, "type")
    yield Break(path, 5 if kind in ("string", "boolean", "object", "array") else "5", "type")


def wrong_texts(part: Schema, path: tuple[str | int, ...]) -> Iterator[Break]:
    if "enum" in part:
        yield Break(path, "NoneOfThese", "value")
    elif part.get("format") == "date-time":
        for text in ("yesterday", "2026-13-01T00:00:00Z", "2026-11-23", ""):
            yield Break(path, text, "value")
    elif "maxLength" in part:
        yield Break(path, "a" * (part["maxLength"] + 1), "value")


def broken(payload: Any, change: Break) -> Any:
    copy = deepcopy(payload)
    inside = copy
    for step in change.path[:-1]:
        inside = inside[step]
    if change.value is ABSENT:
        del inside[change.path[-1]]
    else:
        inside[change.path[-1]] = change.value
    return copy


def read(version: str, action: str, payload: Any) -> rpc.Frame:
    return rpc.read(version, msgspec.json.encode([2, "1", action, payload]).decode())


@pytest.mark.parametrize(("version", "action"), sorted(ACTIONS))
def test_r_05_each_field_that_is_wrong_gets_the_code_of_its_version(
    version: str, action: str
) -> None:
    root = schema(version, action)
    definitions = root.get("definitions", {})
    payload = whole(root, definitions)
    assert read(version, action, payload).violations == ()
    codes = CODES["1.6" if version == "1.6" else "2.0.1"]

    for change in breaks(root, definitions):
        frame = read(version, action, broken(payload, change))
        assert frame.error == codes[change.kind], (change, frame.violations)
        assert frame.version == ""
        assert frame.message_id == "1"


def test_every_action_is_looked_at() -> None:
    assert len(ACTIONS) == 39 + 64 + 91
    found = [change for version, action in ACTIONS for change in _all_breaks(version, action)]
    kinds = {change.kind for change in found}
    assert kinds == {"missing", "count", "type", "value", "unknown"}
    assert len(found) > 10_000


def _all_breaks(version: str, action: str) -> Iterator[Break]:
    root = schema(version, action)
    return breaks(root, root.get("definitions", {}))
