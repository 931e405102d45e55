"""What the registration of a station says of its make's habits: typed, with defaults.

Each is an attribute of the registration, named `switch_…`. Ingress reads them when the station
connects, the owner when it decides; a change of ingress' own counts from the next connection on.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

PREFIX: Final = "switch_"
SEPARATOR_CHARACTERS_MAX = 8


class Switches(Struct, frozen=True, kw_only=True):
    speaks: str = ""
    any_case_actions: bool = False
    numbers_as_ids: bool = False
    reuses_message_ids: bool = False
    cut_not_closed: bool = False
    never_pinged: bool = False
    id_token_until: str = ""


NONE: Final = Switches()

SAID: Final[Mapping[str, str]] = {
    "speaks": "The OCPP version (`1.6`, `2.0.1`, `2.1`) that is spoken whatever sub-protocol is"
    " offered, or none.",
    "any_case_actions": "Names of actions are read whatever their case.",
    "numbers_as_ids": "Message ids may be whole numbers; all that it says is answered under them.",
    "reuses_message_ids": "A message id that was used for another CALL just before means nothing.",
    "cut_not_closed": "Its connection is ended without a close frame: it comes again only after a"
    " drop.",
    "never_pinged": "No WebSocket pings are sent to it; it is cut only after long silence.",
    "id_token_until": "An id token that is not registered ends before this text (up to 8"
    " characters): some makes append a number of their own.",
}
"""For people; docs/tolerance.md has it."""

_VERSIONS: Final = ("", "1.6", "2.0.1", "2.1")


def switches_of(attributes: Mapping[str, Any]) -> Switches:
    """Return what these attributes switch; what is no switch, or has no such value, counts not."""
    if not any(name.startswith(PREFIX) for name in attributes):
        return NONE
    values = {
        name.removeprefix(PREFIX): value
        for name, value in attributes.items()
        if name.startswith(PREFIX) and value is not None and not fault_of(name, value)
    }
    return msgspec.convert(values, Switches)


def fault_of(name: str, value: Any) -> str:
    """Return what is wrong with this attribute of a registration; empty if nothing is."""
    if not name.startswith(PREFIX) or value is None:
        return ""
    switch = name.removeprefix(PREFIX)
    if switch not in Switches.__struct_fields__:
        known = ", ".join(PREFIX + known for known in Switches.__struct_fields__)
        return f"{name}: no such switch; there are {known}"
    wanted = bool if is_flag(name) else str
    if type(value) is not wanted:
        return f"{name}: {'true or false' if wanted is bool else 'a text'}"
    if switch == "speaks" and value not in _VERSIONS:
        return f"{name}: one of {', '.join(_VERSIONS[1:])}"
    if switch == "id_token_until" and len(str(value)) > SEPARATOR_CHARACTERS_MAX:
        return f"{name}: at most {SEPARATOR_CHARACTERS_MAX} characters"
    return ""


def is_flag(name: str) -> bool:
    """Whether the attribute of this name is a switch that is true or false."""
    return name.startswith(PREFIX) and type(getattr(NONE, name[len(PREFIX) :], "")) is bool


def table() -> str:
    """Return the table of switches of docs/tolerance.md."""
    lines = ["| attribute | default | what it says |", "|---|---|---|"]
    for name, said in SAID.items():
        default = getattr(NONE, name)
        shown = f"`{str(default).lower()}`" if isinstance(default, bool) else ""
        lines.append(f"| `{PREFIX}{name}` | {shown} | {said} |")
    return "\n".join(lines) + "\n"
