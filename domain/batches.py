"""Lists that a station takes only so many items of per message: one command, several CALLs.

The CALLs follow one another, each after the answer to the one before, under one fate. The first has
the command's id as message id; the lists of the answers are joined. How many items and bytes a
station takes is what it reported of itself (2.0.1, part 2: ItemsPerMessage, BytesPerMessage; 1.6:
GetConfigurationMaxKeys, SendLocalListMaxLength); where it did not, the list is sent whole.

A local list goes on as changes to its first part, each with the next version (1.6, 5.15; 2.0.1,
D01): a station takes no change under a version that it has. Where it refuses one, no more is sent.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from domain.commands import Command, is_accepted, payload_in
from domain.station import Station
from schemas.frames import parse, reread
from schemas.records import VERSION_16, MessageSent

LISTS: Mapping[str, str] = {
    "ClearVariableMonitoring": "id",
    "GetConfiguration": "key",
    "GetVariables": "getVariableData",
    "SendLocalList": "localAuthorizationList",
    "SetVariableMonitoring": "setMonitoringData",
    "SetVariables": "setVariableData",
}
"""Action to the list in its request. GetReport is no such: its list says what one report has."""

LIMITS_16: Mapping[str, str] = {
    "GetConfiguration": "GetConfigurationMaxKeys",
    "SendLocalList": "SendLocalListMaxLength",
}
"""Action to the configuration key of 1.6 that says how many items it takes."""

_ENVELOPE = len('[2,"","",]')
_VERSIONS = ("listVersion", "versionNumber")


class Limits(NamedTuple):
    """What a station takes in one message; 0: it did not say."""

    items: int = 0
    bytes: int = 0


_encode = msgspec.json.Encoder(decimal_format="number").encode


def message_of(command: Command, limits: Limits) -> tuple[str, str]:
    """Return the message id and the payload, as JSON, of the next CALL of this command."""
    name = LISTS.get(command.action)
    whole = command.payload.decode()
    if name is None or (not command.items_sent and _takes_whole(command, limits)):
        return command.command_id, whole
    payload, first = parse(whole), command.items_sent
    items = payload[name][first:]
    payload[name] = []
    if first and command.action == "SendLocalList":
        payload["updateType"] = "Differential"
        for version in _VERSIONS:
            if version in payload:
                payload[version] += command.calls_sent
    count = min(len(items), limits.items) if limits.items > 0 else len(items)
    if limits.bytes > 0:
        count = _fitting(items[:count], limits.bytes - _size(command, _encode(payload)))
    payload[name] = items[:count]
    message_id = f"{first}-{command.command_id.replace('-', '')}"[:36] if first else ""
    return message_id or command.command_id, _encode(payload).decode()


def _takes_whole(command: Command, limits: Limits) -> bool:
    items = _items(command)
    if items == 0:
        return True
    is_few = limits.items <= 0 or items <= limits.items
    return is_few and (limits.bytes <= 0 or _size(command, command.payload) <= limits.bytes)


def _size(command: Command, payload: bytes) -> int:
    return _ENVELOPE + len(command.command_id) + len(command.action) + len(payload)


def _fitting(items: list[Any], room: int) -> int:
    """Return how many of them have room; one that is too large by itself goes alone."""
    for number, item in enumerate(items):
        room -= len(_encode(item)) + (number > 0)
        if room < 0:
            return max(number, 1)
    return len(items)


def items_in(record: MessageSent) -> int:
    """Return how many items this CALL of ours carries, of a list that may take several."""
    name = LISTS.get(record.action)
    if name is None:
        return 0
    payload = reread(record.message_type, record.frame)
    items = payload.get(name) if isinstance(payload, dict) else None
    return len(items) if isinstance(items, list) else 0


def has_more(command: Command, answer: Any) -> bool:
    """Whether another CALL is to follow this answer."""
    if command.action == "SendLocalList" and not is_accepted(answer):
        return False
    return command.items_sent < _items(command)


def joined(before: bytes | None, answer: Any) -> Any:
    """Return the answers so far and this one as one: their lists joined, the rest as told last."""
    earlier = payload_in(before) if before is not None else {}
    if not earlier or not isinstance(answer, dict):
        return answer
    result = {**earlier, **answer}
    for name, items in earlier.items():
        told = answer.get(name)
        if isinstance(items, list) and isinstance(told, list):
            result[name] = [*items, *told]
    return result


def _items(command: Command) -> int:
    items = payload_in(command.payload).get(LISTS[command.action])
    return len(items) if isinstance(items, list) else 0


def limits_of(station: Station, command: Command) -> Limits:
    """Return what the station takes at once of this command's list."""
    key = LIMITS_16.get(command.action) if command.version == VERSION_16 else None
    return Limits(
        station.limit_of(key or f"ItemsPerMessage{command.action}") or 0,
        station.limit_of(f"BytesPerMessage{command.action}") or 0,
    )
