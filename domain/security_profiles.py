"""A station's security profile: nobody lowers it through us, and one that was lowered is noted.

Whoever has our place on the wire must not be able to send a station back to a line without TLS
(2.0.1, A05.FR.03, B09.FR.04, B09.FR.31; 1.6 security, A05). In 2.x a station that has the variable
AllowSecurityProfileDowngrade switched on may go from 3 to 2; to 1 none may.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from domain.holdings import Change, Holdings, put
from domain.members import Payload, iso, key_of, object_of, objects_of, ordered, text_of
from domain.readings import read_integer
from schemas.records import VERSION_16

PROFILE = "SecurityProfile"
MAY_LOWER = "AllowSecurityProfileDowngrade"
LOWERED = "SecurityProfileLowered"
"""Among its security events, in our words: no station tells it."""

TLS = 2
"""The lowest profile with TLS."""

_PROFILES = range(4)
_COMPONENT = "SecurityCtrlr"
_PRIORITY = "NetworkConfigurationPriority"


def profiles_in(
    action: str, payload: Payload, profile_by_slot: Mapping[int, int]
) -> Iterator[tuple[str, int]]:
    """Yield (member, profile) for each security profile that this payload gives to a station.

    An order of network profiles gives those of its slots, as far as they are known.
    """
    match action:
        case "ChangeConfiguration" if text_of(payload, "key").casefold() == PROFILE.casefold():
            yield from _profile("value", payload.get("value"))
        case "SetNetworkProfile":
            data = object_of(payload, "connectionData")
            yield from _profile("connectionData.securityProfile", data.get("securityProfile"))
        case "SetVariables":
            for at, item in enumerate(objects_of(payload, "setVariableData")):
                for value in _given(item, profile_by_slot):
                    yield from _profile(f"setVariableData.{at}.attributeValue", value)
        case _:
            return


def _given(item: Payload, profile_by_slot: Mapping[int, int]) -> Iterator[Any]:
    value, name = item.get("attributeValue"), _variable(item)
    if name == PROFILE.casefold():
        yield value
    elif name == _PRIORITY.casefold():
        slots = (read_integer(slot.strip())[0] for slot in str(value).split(","))
        yield from (profile_by_slot.get(slot) for slot in slots if slot is not None)


def _variable(item: Payload) -> str:
    return text_of(object_of(item, "variable"), "name").casefold()


def may_concern(action: str, payload: Payload) -> bool:
    """Whether it may give a profile at all: most commands do not, and nothing is looked up."""
    if action == "SetVariables":
        names = {_variable(item) for item in objects_of(payload, "setVariableData")}
        return bool(names & {PROFILE.casefold(), _PRIORITY.casefold()})
    return action == "SetNetworkProfile" or any(profiles_in(action, payload, {}))


def is_lower(wanted: int, present: int, version: str, *, may_lower: bool) -> bool:
    """Whether a station that has the present one must not be given the wanted one."""
    if wanted >= present:
        return False
    return version == VERSION_16 or not may_lower or wanted < TLS


def noted(held: Holdings, changes: Iterable[Change], at: int) -> list[Change]:
    """Remember the profile that these changes tell; return what is noted if it is a lower one."""
    lowered = []
    for change in changes:
        is_variable = change.facet == "variables" and change.value is not None
        profile = told_profile(change.value or {}) if is_variable else None
        if profile is None:
            continue
        before, held.security_profile = held.security_profile, profile
        if before is not None and profile < before:
            value = {"type": LOWERED, "at": iso(at), "tech_info": f"from {before} to {profile}"}
            key = key_of((ordered(at), LOWERED, f"{before} {profile}"))
            lowered.append(put("security-events", key, value))
    return lowered


def told_profile(value: Mapping[str, Any]) -> int | None:
    """Return the profile that this value of a variable says the station has, if it says one."""
    if value.get("attribute") != "Actual" or value.get("component") not in ("", _COMPONENT):
        return None
    if str(value.get("variable")).casefold() != PROFILE.casefold():
        return None
    profile = read_integer(value.get("value"))[0]
    return profile if profile in _PROFILES else None


def _profile(member: str, value: Any) -> Iterator[tuple[str, int]]:
    number = read_integer(value)[0]
    if number is not None:
        yield member, number
