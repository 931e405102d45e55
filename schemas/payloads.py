"""The official payload schemas of OCPP 1.6, 2.0.1 and 2.1, and what breaking one is called.

The schemas come with the `ocpp` package and are compiled once, when first used. Checking a valid
payload takes a microsecond; only an invalid one is looked at closely. The verdict is a flag on the
frame, never a reason not to keep it.

Error codes: OCPP-J 1.6, table 7 (with its own spelling of two of them); OCPP 2.0.1, part 4, 4.3.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any, Final

from jsonschema_rs import ValidationError, ValidationErrorKind, Validator, validator_for
from msgspec import Struct

VERSIONS: Final = ("1.6", "2.0.1", "2.1")

VIOLATIONS_MAX = 5
"""Somebody reads them; the frame itself is kept."""

RULE_CHARACTERS_MAX = 160

_FOLDERS: Final = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
_OCCURRENCE: Final = {"required", "minItems", "maxItems", "minProperties", "maxProperties"}
_FORMATION: Final = {"additionalProperties", "additionalItems", "falseSchema", "propertyNames"}


class Violation(Struct, frozen=True):
    path: str
    """JSON path, "$" for the payload itself."""
    rule: str
    code: str
    """The error code that the version prescribes."""
    missing: str = ""
    """The member that what is at the path lacks."""
    unexpected: str = ""
    """A member that it has and must not have."""

    @property
    def is_of_absence(self) -> bool:
        """The payload itself lacks a member that must be there."""
        return self.path == "$" and self.missing != ""

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}"


@cache
def actions(version: str) -> frozenset[str]:
    """Return the actions of CALLs and SENDs that this version of OCPP defines."""
    return frozenset(_requests(version))


def schema_name(version: str, action: str) -> str:
    """Return the file of the request's schema, in the `ocpp` package's folder of the version."""
    return _requests(version)[action]


def formation_violation(version: str) -> str:
    """Return the code for what is not formed as this version says."""
    return "FormationViolation" if version == "1.6" else "FormatViolation"


def occurrence_violation(version: str) -> str:
    return "OccurenceConstraintViolation" if version == "1.6" else "OccurrenceConstraintViolation"


def violations(
    version: str, action: str, payload: Any, response: bool = False
) -> Sequence[Violation]:
    """Return what is wrong with the payload, at most a few; empty if nothing is.

    Raises:
        KeyError: the version has no such action.
    """
    validator = _validator(version, action, response)
    if validator.is_valid(payload):
        return ()
    return tuple(
        _violation(version, error)
        for error in islice(validator.iter_errors(payload), VIOLATIONS_MAX)
    )


@cache
def schema(version: str, action: str, response: bool = False) -> dict[str, Any]:
    """Return the official schema of the request (or SEND), or of the result.

    Raises:
        KeyError: the version has no such action.
    """
    name = _responses(version)[action] if response else _requests(version)[action]
    text = (files("ocpp") / _FOLDERS[version] / "schemas" / name).read_text("utf-8-sig")
    return dict(json.loads(text))


@cache
def _validator(version: str, action: str, response: bool) -> Validator:
    return validator_for(schema(version, action, response), validate_formats=True)


@cache
def _names(version: str) -> Sequence[str]:
    folder = files("ocpp") / _FOLDERS[version] / "schemas"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))


@cache
def _requests(version: str) -> Mapping[str, str]:
    # 1.6 names a request "Heartbeat", 2.x "HeartbeatRequest".
    return {
        name.removesuffix(".json").removesuffix("Request"): name
        for name in _names(version)
        if not name.endswith("Response.json")
    }


@cache
def _responses(version: str) -> Mapping[str, str]:
    return {
        name.removesuffix("Response.json"): name
        for name in _names(version)
        if name.endswith("Response.json")
    }


def _violation(version: str, error: ValidationError) -> Violation:
    path = "$" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path
    )
    kind = error.kind
    missing = kind.property if isinstance(kind, ValidationErrorKind.Required) else ""
    too_many = kind.unexpected if isinstance(kind, ValidationErrorKind.AdditionalProperties) else []
    return Violation(
        path=path[:RULE_CHARACTERS_MAX],
        rule=error.message[:RULE_CHARACTERS_MAX],
        code=_code(version, kind.name),
        missing=missing,
        unexpected="".join(too_many[:1])[:RULE_CHARACTERS_MAX],
    )


def _code(version: str, keyword: str) -> str:
    if keyword == "type":
        return "TypeConstraintViolation"
    if keyword in _OCCURRENCE:
        return occurrence_violation(version)
    if keyword in _FORMATION:
        return formation_violation(version)
    return "PropertyConstraintViolation"
