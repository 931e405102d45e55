"""What operators ask of a station, and what became of it.

A command has exactly one fate: answered, timed out, undeliverable (no byte of it was written) or
unknown (it was on its way when the connection went). The first terminal record decides; later ones
annotate. Beside the fate stands whether the effect was seen: a remote start is done when the
transaction starts, not when the station says Accepted.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from domain.command_effects import Parts, Seen
from domain.facts import Fact
from domain.mending import mended
from domain.outbound import effect_of
from schemas import payloads
from schemas.records import VERSION_16, CommandRequested, MessageSent

Fate = Literal["requested", "dispatched", "answered", "timed_out", "undeliverable", "unknown"]
OPEN_FATES = ("requested", "dispatched")

QUEUED_MAX = 32
"""Unfinished commands of a station. A station that does not drain them does not answer at all."""

WATCHED_MAX = 16
"""Answered commands whose effect is still looked for; the oldest is given up first."""

_ACCEPTED = (
    None, "accepted", "acceptedcanceled", "rebootrequired", "scheduled", "unlocked", "unpublished",
)  # fmt: skip
"""What an answer says of what was asked, in any case, as far as it says anything; it may be no
text at all."""

_STATUSES = ("status", "attributeStatus")
_NOTHING_THERE = ("notfound", "notariff")
"""An answer to a question, too."""


class Command(Struct, kw_only=True):
    command_id: str
    version: str = VERSION_16
    """Of OCPP, whose action and payload these are."""
    action: str
    payload: bytes
    command: str = ""
    """What the operator asked for where that was not the action of a version."""
    requested: int
    requested_at: int
    expires_at: int
    actor: str
    idempotency_key: str
    payload_digest: str
    reason: str
    secrets: tuple[str, ...] = ()
    fate: Fate = "requested"
    dispatch_cause: int
    """The record because of which it may be sent: the request, or a delivery that failed."""
    dispatched: int = -1
    dispatched_at: int | None = None
    connection: str = ""
    refused_by: str = ""
    """The connection that did not take it. It takes nothing any more; another one may."""
    deadline: int = 0
    answered: int = -1
    answered_at: int | None = None
    answer: bytes | None = None
    error_code: str = ""
    error_description: str = ""
    late: bool = False
    """An answer came after the fate was settled otherwise."""
    effect: int = -1
    """Offset of the record that showed the effect; -1 while it was not seen."""
    effect_at: int | None = None
    progress: str = ""
    """Where the job is that it began, in the station's words, as far as the station told."""
    parts: Parts = msgspec.field(default_factory=Parts)
    is_over: bool = False
    """What it asked for will not happen any more: its effect is not looked for."""
    registry: int = -1
    """How much of the registry was known when its CALL was sent."""
    message_id: str = ""
    """Of its CALL that was sent last: its own id, or that of a later one where it takes several."""
    items_sent: int = 0
    """Of a list that takes several CALLs; 0 where it takes one."""
    calls_sent: int = 0
    """Of those."""
    has_more: bool = False
    """Its CALL was answered, and another one is to be sent."""

    @property
    def is_open(self) -> bool:
        return self.fate in OPEN_FATES

    @property
    def due(self) -> int:
        """When it times out: on its way its answer's deadline, before that its expiry."""
        return self.deadline if self.dispatched >= 0 else self.expires_at


class CommandMoved(Fact, frozen=True, kw_only=True):
    """Requested, dispatched, settled, annotated, or its effect was seen: `command` as it is now."""

    command: Command


def request(offset: int, record: CommandRequested) -> Command:
    return Command(
        command_id=record.command_id,
        version=record.version,
        action=record.action,
        command=record.command,
        payload=bytes(record.payload),
        requested=offset,
        requested_at=record.recorded_at,
        expires_at=record.expires_at,
        actor=record.actor,
        idempotency_key=record.idempotency_key,
        payload_digest=record.payload_digest,
        reason=record.reason,
        secrets=record.secrets,
        dispatch_cause=offset,
    )


def of_our_own(offset: int, record: MessageSent, payload: Any, version: str) -> Command:
    """A CALL that no person asked for: the request and the CALL are one record."""
    return Command(
        command_id=record.command_id,
        version=version,
        action=record.action,
        payload=msgspec.json.encode(payload),
        requested=offset,
        requested_at=record.recorded_at,
        expires_at=record.deadline,
        actor="central system",
        idempotency_key="",
        payload_digest="",
        reason="",
        dispatch_cause=offset,
    )


def answer(command: Command, offset: int, at: int, payload: Any) -> None:
    """The station's CALLRESULT. After the fate is settled it only annotates."""
    _settle(command, offset, at)
    command.answer = msgspec.json.encode(payload)
    if _is_effect(command, mended(command.version, command.action, payload, response=True)):
        command.effect, command.effect_at = offset, at


def refuse(command: Command, offset: int, at: int, code: str, description: str) -> None:
    """The station's CALLERROR."""
    _settle(command, offset, at)
    command.error_code, command.error_description = code, description


def is_watched(command: Command) -> bool:
    """Whether what the station says next may show the effect of this command."""
    return (
        command.fate != "undeliverable"
        and command.dispatched >= 0
        and command.effect < 0
        and not command.is_over
        and not command.error_code
        and effect_of(command.version, command.action).rule is not None
        and (command.answer is None or is_accepted(msgspec.json.decode(command.answer)))
    )


def is_unanswered(command: Command) -> bool:
    """Whether an answer may still come: in time, or late and then as an annotation."""
    return command.fate != "undeliverable" and command.dispatched >= 0 and command.answered < 0


def observe(command: Command, seen: Seen, offset: int, at: int) -> bool:
    """Take what the station told as a sign of this command; return whether it is one."""
    rule = effect_of(command.version, command.action).rule
    step = rule(payload_in(command.payload), seen, command.parts) if rule is not None else None
    if step is None:
        return False
    command.progress, command.is_over = step.progress, step.is_over
    if step.is_effect:
        command.effect, command.effect_at = offset, at
    return True


def is_accepted(answer: Any) -> bool:
    """Whether a result accepts what was asked, as a whole and each item of its lists, as far as it
    says anything."""
    if not isinstance(answer, dict):
        return False
    told = [answer, *(item for each in answer.values() for item in _objects(each))]
    return all(_lower(item.get(name)) in _ACCEPTED for item in told for name in _STATUSES)


def _is_effect(command: Command, answer: Any) -> bool:
    if not isinstance(answer, dict) or not _is_complete(command.version, command.action, answer):
        return False
    effect = effect_of(command.version, command.action)
    if effect.accepts_any:
        return _lower(answer.get("status")) in (*_ACCEPTED, *_NOTHING_THERE)
    is_shown_by_it = effect.rule is None or effect.is_answer(payload_in(command.payload))
    return is_shown_by_it and is_accepted(answer)


def _is_complete(version: str, action: str, answer: Mapping[str, Any]) -> bool:
    for name, statuses in _due(version, action).items():
        told = answer.get(name)
        if told in (None, "", [], {}):
            return False
        if statuses and not (
            isinstance(told, list) and all(_says(each, statuses) for each in told)
        ):
            return False
    return True


def _says(item: Any, statuses: Sequence[str]) -> bool:
    return isinstance(item, dict) and all(item.get(status) is not None for status in statuses)


@cache
def _due(version: str, action: str) -> Mapping[str, Sequence[str]]:
    """Return the members that a result must have; of a list, the statuses that its items must."""
    if action not in payloads.actions(version):
        return {}
    whole = payloads.schema(version, action, response=True)
    due: dict[str, Sequence[str]] = {}
    for name in whole.get("required", ()):
        items = whole["properties"][name].get("items", {})
        item = whole["definitions"][items["$ref"].rpartition("/")[2]] if "$ref" in items else items
        due[name] = [status for status in _STATUSES if status in item.get("required", ())]
    return due


def _settle(command: Command, offset: int, at: int) -> None:
    if command.is_open:
        command.fate = "answered"
    else:
        command.late = True
    command.answered, command.answered_at = offset, at


def payload_in(text: bytes) -> Mapping[str, Any]:
    payload = msgspec.json.decode(text)
    return payload if isinstance(payload, dict) else {}


def _lower(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
