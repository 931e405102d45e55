"""Where secrets stand in a payload, whatever its action: found by the names beside them.

A secret is the value of a configuration key or variable whose name says so, a member whose own name
says so (apnPassword, simPin), the key of a VPN, and a URL that carries a password.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from schemas import secret_names

NAMES_MAX: Final = 4_096
"""Whose answer is remembered. A station's device model has a few hundred."""

_VALUES: Final = frozenset({"value", "attributevalue", "actualvalue"})
_SUBJECTS: Final = ("key", "name", "variable")
_URL_WITH_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@\s]*:[^/@\s]+@")


def replaced(payload: Any, instead: Callable[[Any], Any]) -> Any:
    """Return the payload with each secret in it replaced by what `instead` returns for it.

    The payload itself is left as it is. Its nesting is bounded by whoever read it.
    """
    return _replaced(payload, instead, inside="", is_held=False)


def has_secret(payload: Any) -> bool:
    found: list[Any] = []
    replaced(payload, found.append)
    return bool(found)


def names_secret(payload: Any) -> bool:
    """Whether one of the items in the payload's lists is of a variable or key that is secret.

    What reports are made of. Cheaper than to look everywhere.
    """
    if not isinstance(payload, dict):
        return False
    for items in payload.values():
        if isinstance(items, list):
            for item in items:
                if isinstance(item, dict) and any(_is_secret(name) for name in _subjects(item)):
                    return True
    return False


_is_secret = lru_cache(NAMES_MAX)(secret_names.is_secret)


def _replaced(value: Any, instead: Callable[[Any], Any], *, inside: str, is_held: bool) -> Any:
    """`is_held`: what stands here is of a variable or key whose name says that it is secret."""
    if isinstance(value, list):
        return [_replaced(item, instead, inside=inside, is_held=is_held) for item in value]
    if not isinstance(value, dict):
        return value
    is_held = is_held or any(_is_secret(name) for name in _subjects(value))
    return {
        name: instead(inner)
        if _is_secret_here(name, inner, inside, is_held)
        else _replaced(inner, instead, inside=name, is_held=is_held and name == "variableAttribute")
        for name, inner in value.items()
    }


def _subjects(value: dict[str, Any]) -> list[str]:
    """Return the names of what the values in this object are values of, in whatever case and list
    they stand.
    """
    named = [value[member] for member in _SUBJECTS if member in value]
    if not named:
        named = [inner for member, inner in value.items() if member.lower() in _SUBJECTS]
    found: list[str] = []
    for name in named:
        if isinstance(name, str):
            found.append(name)
        elif isinstance(name, list):
            found += [each for each in name if isinstance(each, str)]
        elif isinstance(name, dict):
            found += [each for each in name.values() if isinstance(each, str)]
    return found


def _is_secret_here(name: str, inner: Any, inside: str, is_held: bool) -> bool:
    if inner is None or inner == "" or isinstance(inner, bool):
        return False
    if is_held and name.lower() in _VALUES:
        return True
    if isinstance(inner, dict | list):
        return False
    return (
        _is_secret(name)
        or (name == "key" and inside == "vpn")
        or (isinstance(inner, str) and _URL_WITH_PASSWORD.match(inner) is not None)
    )
