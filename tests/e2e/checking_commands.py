"""What became of operators' commands, compared with what reached the stations.

Each has one fate; none reaches its station twice; what is answered was answered so by the station;
undeliverable means that no byte was written.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from domain.commands import OPEN_FATES
from infra.simulator.oplog import Operation
from schemas.journal import Entry
from schemas.records import CALL, MessageSent, decode


class Commanded(NamedTuple):
    """As the API shows it in the end."""

    command_id: str
    fate: str
    answer: Any


def wrong_fates(
    operations: Iterable[Operation], entries: Iterable[Entry], commands: Sequence[Commanded]
) -> list[str]:
    """Return a sentence for each contradiction."""
    command_of: dict[str, str] = {}
    for entry in entries:
        record = decode(entry.value)
        if isinstance(record, MessageSent) and record.message_type == CALL:
            command_of[record.message_id] = record.command_id
    reached: dict[str, list[Operation]] = defaultdict(list)
    for each in operations:
        if each.command:
            reached[command_of.get(each.message_id, "")].append(each)
    found = [f"{each.action} reached {each.station}: of no command" for each in reached[""]]
    for command in commands:
        found += _wrong(command, reached.get(command.command_id, []))
    return found


def _wrong(command: Commanded, reached: Sequence[Operation]) -> list[str]:
    found = []
    if command.fate in OPEN_FATES:
        found.append("is stuck")
    if len(reached) > 1:
        found.append(f"reached the station {len(reached)} times")
    if command.fate == "undeliverable" and reached:
        found.append("reached the station")
    if command.fate == "answered":
        answers = [each.answer[0] if each.answer else None for each in reached]
        if json.loads(json.dumps(answers)) != [command.answer]:
            found.append(f"was answered {answers} by the station")
    return [f"{command} {each}" for each in found]
