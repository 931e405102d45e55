"""Payloads made from the official schemas: valid ones, and valid ones with something broken.

Only the keywords that those schemas use are known here; another one is an error, so that a new
release of the schemas is not silently taken for what it was.
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

from hypothesis import strategies as st

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
KNOWN = {
    "$id", "$schema", "$ref", "additionalItems", "additionalProperties", "comment", "default",
    "definitions", "description", "enum", "format", "items", "javaType", "maxItems", "maxLength",
    "maximum", "minItems", "minimum", "multipleOf", "properties", "required", "title", "type",
}  # fmt: skip
TEXT = st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn", "Co"])
TIMES = st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z")
BROKEN: Sequence[Any] = (None, "", "x" * 3000, 0, -1, 2**62, 1.5, True, [], {}, [{}], {"x": [1]})
Schema = Mapping[str, Any]


@cache
def schema(version: str, action: str) -> Schema:
    """Return the schema of the request, or of a SEND."""
    folder = files("ocpp") / FOLDERS[version] / "schemas"
    for name in (f"{action}Request.json", f"{action}.json"):
        if (folder / name).is_file():
            return dict(json.loads((folder / name).read_text("utf-8-sig")))
    raise KeyError(action)


@cache
def valid(version: str, action: str) -> st.SearchStrategy[Any]:
    whole = schema(version, action)
    return _of(whole, whole.get("definitions", {}))


@cache
def valid_result(version: str, action: str) -> st.SearchStrategy[Any]:
    file = files("ocpp") / FOLDERS[version] / "schemas" / f"{action}Response.json"
    whole = json.loads(file.read_text("utf-8-sig"))
    return _of(whole, whole.get("definitions", {}))


@st.composite
def broken(draw: st.DrawFn, version: str, action: str) -> Any:
    """Payloads in which one member is missing, is something else, or is one too many."""
    payload = deepcopy(draw(valid(version, action)))
    places = list(_places(payload))
    if not places:
        return {"unheard": 1}
    inside, key = draw(st.sampled_from(places))
    match draw(st.sampled_from(("drop", "add", "replace", "replace"))):
        case "drop":
            del inside[key]
        case "add" if isinstance(inside, dict):
            inside["unheard"] = draw(st.sampled_from(BROKEN))
        case _:
            inside[key] = draw(st.sampled_from(BROKEN))
    return payload


def _of(part: Schema, definitions: Schema) -> st.SearchStrategy[Any]:
    unknown = part.keys() - KNOWN
    assert not unknown, unknown
    if "$ref" in part:
        return st.deferred(lambda: _of(definitions[part["$ref"].rpartition("/")[2]], definitions))
    if "enum" in part:
        return st.sampled_from(part["enum"])
    match part.get("type"):
        case None:
            return st.sampled_from(BROKEN[1:])
        case "object":
            return _object(part, definitions)
        case "array":
            least = part.get("minItems", 0)
            most = min(part.get("maxItems", least + 2), least + 2)
            return st.lists(_of(part["items"], definitions), min_size=least, max_size=most)
        case "string":
            return _string(part)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(part.get("minimum", -(2**40)), part.get("maximum", 2**40))
        case "number":
            return _number(part)
        case unheard:
            raise AssertionError(unheard)


def _object(part: Schema, definitions: Schema) -> st.SearchStrategy[Any]:
    members = {name: _of(each, definitions) for name, each in part.get("properties", {}).items()}
    required = set(part.get("required", ()))
    return st.fixed_dictionaries(
        {name: each for name, each in members.items() if name in required},
        optional={name: each for name, each in members.items() if name not in required},
    )


def _string(part: Schema) -> st.SearchStrategy[str]:
    if part.get("format") == "date-time":
        return TIMES
    if part.get("format") == "uri":
        return st.just("https://example.org/a")
    return st.text(TEXT, max_size=min(part.get("maxLength", 20), 20))


def _number(part: Schema) -> st.SearchStrategy[Any]:
    tenths = st.integers(
        int(part.get("minimum", -(10**9))) * 10, int(part.get("maximum", 10**9)) * 10
    )
    return tenths.map(lambda number: number / 10 if number % 10 else number // 10)


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(inner)
