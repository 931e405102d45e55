"""Lists that a station takes only so many items of per message: one command, several CALLs.

The CALLs follow one another, each after the answer to the one before, under one fate. The first has
the command's id as message id; the lists of the answers are joined. How many items a station takes
is what it reported of itself (2.0.1, part 2: ItemsPerMessage; 1.6: GetConfigurationMaxKeys); where
it did not, the list is sent whole.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.commands import Command, payload_in
from domain.station import Station
from schemas.frames import parse, reread
from schemas.records import MessageSent

LISTS: Mapping[str, str] = {
    "ClearVariableMonitoring": "id",
    "GetConfiguration": "key",
    "GetVariables": "getVariableData",
    "SetVariableMonitoring": "setMonitoringData",
    "SetVariables": "setVariableData",
}
"""Action to the list in its request. GetReport is no such: its list says what one report has."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def message_of(command: Command, most: int) -> tuple[str, str]:
    """Return the message id and the payload, as JSON, of the next CALL of this command."""
    name = LISTS.get(command.action)
    whole = command.payload.decode()
    if name is None or (not command.items_sent and not 0 < most < _items(command)):
        return command.command_id, whole
    payload = parse(whole)
    first = command.items_sent
    payload[name] = payload[name][first : first + max(most, 1)]
    message_id = f"{first}-{command.command_id.replace('-', '')}"[:36] if first else ""
    return message_id or command.command_id, _encode(payload).decode()


def items_in(record: MessageSent) -> int:
    """Return how many items this CALL of ours carries, of a list that may take several."""
    name = LISTS.get(record.action)
    if name is None:
        return 0
    payload = reread(record.message_type, record.frame)
    items = payload.get(name) if isinstance(payload, dict) else None
    return len(items) if isinstance(items, list) else 0


def has_more(command: Command) -> bool:
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


def items_max(station: Station, command: Command) -> int:
    """Return how many items of its list the station takes at once; 0: it did not say."""
    if command.action == "GetConfiguration":
        return station.limit_of("GetConfigurationMaxKeys") or 0
    return station.limit_of(f"ItemsPerMessage{command.action}") or 0
