"""Attributes of a station's registration that decide something, and what each may be.

Others are the operator's own and mean nothing here. What cannot be meant is refused where it is
registered; a flag in a CSV file is the word, for a cell has no type.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas import switches

BLOCKED: Final = "blocked"
EICHRECHT: Final = "eichrecht"
COST_UPDATES_S: Final = "cost_updates_s"
MAX_POWER_W: Final = "max_power_w"
REGISTER_MODULUS_WH: Final = "register_modulus_wh"
CONNECTORS: Final = "connectors"

_FLAGS: Final = frozenset({BLOCKED, EICHRECHT})
_NUMBERS: Final = frozenset({COST_UPDATES_S, MAX_POWER_W, REGISTER_MODULUS_WH, CONNECTORS})
_NO: Final = frozenset({"none", "false", "no", "n", "off", "0", ""})
"""Of `blocked`, as it could be registered in any form once."""

_WORDS: Final = {"true": True, "false": False}


def is_blocked(attributes: Mapping[str, Any]) -> bool:
    """Whether its station is refused: whatever was registered that does not say no."""
    return str(attributes.get(BLOCKED)).strip().casefold() not in _NO


def fault_of(name: str, value: Any) -> str:
    """Return what is wrong with this attribute of a registration; empty if nothing is."""
    if value is None:
        return ""
    if name in _FLAGS and type(value) is not bool:
        return f"{name}: true or false"
    if name in _NUMBERS and (type(value) is not int or value <= 0):
        return f"{name}: a whole number above 0"
    return switches.fault_of(name, value)


def typed(name: str, text: str) -> str | int | bool:
    """Return what a text says of this attribute; a text where it has no other reading."""
    if name in _FLAGS or switches.is_flag(name):
        return _WORDS.get(text.strip().casefold(), text)
    if name in _NUMBERS and text.strip().isdecimal():
        return int(text)
    return text
