"""A station's password, changed by a command: when the new one counts, and when the old one ends.

Between the request and its answer both work. What the station accepts counts alone from then on;
what it refuses, or never got, counts for nothing (2.0.1, A01). Where nobody knows (no answer came,
or the new one counts after a reboot only), each works until the station has connected with one of
them; then only that one does, so that no station is locked out.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

import msgspec

from domain.commands import Command
from domain.registry import Registry
from domain.station import PasswordChange, Station
from schemas.records import StationPasswordOffered, StationPasswordSettled

CHANGES_MAX = 8
"""Of a station, remembered until they are settled; older ones are not."""

UNASKED_US = 2 * 86_400 * 1_000_000
"""A password that no command sets by then was offered by a request that failed."""

LENGTH_MIN = 16
DISTINCT_MIN = 5
REPEATED_MIN = 4
"""So many characters at both ends that are the same are no accident."""

_Verdict = Literal["open", "accepted", "refused", "later", "unknown"]


def sets_password(action: str, payload: Mapping[str, Any]) -> str | None:
    """Return what stands where this payload sets the password for OCPP; None: it sets none."""
    value: Any = None
    if action == "ChangeConfiguration":
        if str(payload.get("key", "")).casefold() == "authorizationkey":
            value = payload.get("value")
    elif action == "SetVariables":
        for item in _items(payload, "setVariableData"):
            if _is_password(item):
                value = item.get("attributeValue")
    elif action == "SetNetworkProfile":
        profile = payload.get("connectionData")
        value = profile.get("basicAuthPassword") if isinstance(profile, dict) else None
    return value if isinstance(value, str) else None


def weakness(password: str, station: str) -> str | None:
    """Return why nobody may give this password to the station; None: it will do.

    OCPP asks for at least 16 characters (2.0.1, BasicAuthPassword; 1.6 security, AuthorizationKey).
    One that a station came with is registered as it is: this is of those that we set.
    """
    if len(password) < LENGTH_MIN:
        return f"at least {LENGTH_MIN} characters"
    text = password.casefold()
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    repeats = any(text[by:] == text[:-by] for by in range(1, len(text) - REPEATED_MIN + 1))
    if len(set(text)) < DISTINCT_MIN or len(steps) == 1 or repeats:
        return "too easy to guess: it repeats itself or only counts"
    if len(station) >= REPEATED_MIN and station.casefold() in text:
        return "too easy to guess: the station's name is in it"
    return None


def follow(station: Station, command: Command, offset: int) -> None:
    """The command has moved: remember what that says of the password that it sets, if it does."""
    if not command.secrets or sets_password(command.action, _decoded(command.payload)) is None:
        return
    changes = station.passwords
    known = changes.pop(command.command_id, None)
    verdict = _verdict(command)
    if known is None or known.verdict != verdict:
        known = PasswordChange(verdict, offset)
    changes[command.command_id] = known
    while len(changes) > CHANGES_MAX:
        del changes[next(iter(changes))]


def settled(
    registry: Registry, stations: Mapping[tuple[str, str], Station], now: int
) -> Iterator[StationPasswordSettled]:
    """Return what is decided of the passwords that are offered to these stations."""
    for key, offers in registry.offers.items():
        station = stations.get(key)
        if station is None:
            continue
        registered = registry.stations.get(key)
        credential = registered.credential if registered is not None else ""
        for offer in offers.values():
            decided = _decided(station, offer, credential, now)
            if decided is not None:
                counts, reason = decided
                yield StationPasswordSettled(
                    tenant=offer.tenant,
                    station=offer.station,
                    recorded_at=now,
                    command_id=offer.command_id,
                    counts=counts,
                    reason=reason,
                )


def _decided(
    station: Station, offer: StationPasswordOffered, credential: str, now: int
) -> tuple[bool, str] | None:
    change = station.passwords.get(offer.command_id)
    if change is None:
        if offer.recorded_at + UNASKED_US < now:
            return False, "no command sets it"
        return None
    connection = station.connection
    proof = connection.credential if connection is not None else ""
    if proof == offer.credential:
        return True, "the station has connected with it"
    if change.verdict == "accepted":
        return True, "the station accepted it"
    if change.verdict == "refused":
        return False, "the station did not take it"
    if (
        change.verdict == "unknown"
        and proof
        and proof == credential
        and connection is not None
        and connection.opened > change.at
    ):
        return False, "the station has connected with the old one"
    return None


def _verdict(command: Command) -> _Verdict:
    if command.answered >= 0 and not command.has_more:
        return "refused" if command.error_code else _told(command)
    if command.fate == "undeliverable":
        return "refused"
    return "open" if command.is_open else "unknown"


def _told(command: Command) -> _Verdict:
    answer = _decoded(command.answer or b"null")
    status = answer.get("status")
    if command.action == "SetVariables":
        told = [item for item in _items(answer, "setVariableResult") if _is_password(item)]
        status = told[-1].get("attributeStatus") if told else None
    if status == "RebootRequired" or (status == "Accepted" and command.action not in _AT_ONCE):
        return "later"
    return "accepted" if status == "Accepted" else "refused"


_AT_ONCE = ("ChangeConfiguration", "SetVariables")
"""A network profile counts once the station moves to it."""


def _is_password(item: Mapping[str, Any]) -> bool:
    variable = item.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else None
    return (
        isinstance(name, str)
        and name.casefold() == "basicauthpassword"
        and item.get("attributeType") in (None, "Actual")
    )


def _items(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    items = payload.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _decoded(text: bytes) -> Mapping[str, Any]:
    value = msgspec.json.decode(text)
    return value if isinstance(value, dict) else {}
