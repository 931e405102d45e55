"""Payloads of OCPP that callers send: checked, and their secrets kept where secrets are.

Where a secret stood the journal has "secret:<id>", or "secret-number:<id>"; it is filled in on the
wire.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from api.problems import FieldError, Invalid
from schemas.payloads import Violation, violations
from schemas.secret_values import has_secret, replaced

_SECRETIVE = frozenset({"ChangeConfiguration", "SetVariables", "SetNetworkProfile"})
"""Of their values none is repeated, whatever is wrong with them."""

canonical = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
"""The same bytes for the same content: sorted members, numbers as they were written."""


def check_request(version: str, action: str, payload: Mapping[str, Any]) -> None:
    """Raise Invalid, naming the fields, if it breaks the schema of the action's request."""
    # The rule repeats the value, and that may be a secret.
    is_closed = action in _SECRETIVE or has_secret(payload)
    _refuse(version, action, payload, response=False, is_closed=is_closed)


def check_result(version: str, action: str, payload: Mapping[str, Any]) -> None:
    """As `check_request`, of the action's result; of that no value is ever repeated."""
    _refuse(version, action, payload, response=True, is_closed=True)


def secrets_of(payload: Mapping[str, Any]) -> list[str]:
    """Return the secrets in it, each once; a number as its digits."""
    found: dict[str, None] = {}
    replaced(payload, lambda secret: _each(secret, lambda leaf: found.setdefault(str(leaf))))
    return list(found)


def with_ids(payload: Mapping[str, Any], secret_ids: Mapping[str, str]) -> Mapping[str, Any]:
    """Return it with the id of each secret in its place; `secret_ids` has those of `secrets_of`."""

    def named(secret: Any) -> str:
        # What is filled in on the wire is a number where a number was asked for (a SIM's PIN).
        kind = "secret" if isinstance(secret, str) else "secret-number"
        return f"{kind}:{secret_ids[str(secret)]}"

    if not secret_ids:
        return payload
    kept: Mapping[str, Any] = replaced(payload, lambda secret: _each(secret, named))
    return kept


def _each(secret: Any, instead: Callable[[Any], Any]) -> Any:
    """Where an object or a list is the secret, each text and number in it is one."""
    if isinstance(secret, dict):
        return {name: _each(inner, instead) for name, inner in secret.items()}
    if isinstance(secret, list):
        return [_each(inner, instead) for inner in secret]
    return secret if secret is None or isinstance(secret, bool) else instead(secret)


def _refuse(
    version: str, action: str, payload: Mapping[str, Any], *, response: bool, is_closed: bool
) -> None:
    found = violations(version, action, payload, response)
    if found:
        raise Invalid(*(_field_error(each, is_closed=is_closed) for each in found))


def _field_error(violation: Violation, *, is_closed: bool) -> FieldError:
    # A name that nobody asked for is the caller's own text, as values are.
    name = violation.missing or ("" if is_closed else violation.unexpected)
    path = f"payload{violation.path[1:]}" + (f".{name}" if name else "")
    return FieldError(path, violation.code if is_closed else violation.rule)
