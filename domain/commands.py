"""What operators ask of a station, and what became of it.

A command has exactly one fate: answered, timed out, undeliverable (no byte of it was written) or
unknown (it was on its way when the connection went). The first terminal record decides; later ones
annotate. Beside the fate stands whether the effect was seen: a remote start is done when the
transaction starts, not when the station says Accepted.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from domain.facts import (
    ConnectorStatusReported,
    Fact,
    StationBooted,
    TransactionEnded,
    TransactionStarted,
)
from schemas.records import CommandRequested

Fate = Literal["requested", "dispatched", "answered", "timed_out", "undeliverable", "unknown"]
OPEN_FATES = ("requested", "dispatched")

QUEUED_MAX = 32
"""Unfinished commands of a station. A station that does not drain them does not answer at all."""

WATCHED_MAX = 16
"""Answered commands whose effect is still looked for; the oldest is given up first."""

_ACCEPTED = {"Accepted", "Unlocked", "RebootRequired", "Scheduled"}
_ANSWER_IS_EFFECT = {
    "UnlockConnector",
    "ChangeConfiguration",
    "GetConfiguration",
    "ClearCache",
    "DataTransfer",
}


class Command(Struct, kw_only=True):
    command_id: str
    action: str
    payload: bytes
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
        action=record.action,
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


def answer(command: Command, offset: int, at: int, payload: Any) -> None:
    """The station's CALLRESULT. After the fate is settled it only annotates."""
    _settle(command, offset, at)
    command.answer = msgspec.json.encode(payload)
    if command.action in _ANSWER_IS_EFFECT and _status(payload) in (None, *_ACCEPTED):
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
        and not command.error_code
        and command.action not in _ANSWER_IS_EFFECT
        and (command.answer is None or _status(_payload(command.answer)) in _ACCEPTED)
    )


def is_unanswered(command: Command) -> bool:
    """Whether an answer may still come: in time, or late and then as an annotation."""
    return command.fate != "undeliverable" and command.dispatched >= 0 and command.answered < 0


def shows_effect(command: Command, fact: Fact, action: str) -> bool:
    """Whether this fact, told in a CALL of the given action, is what the command asked for."""
    asked = _payload(command.payload)
    match command.action:
        case "RemoteStartTransaction":
            return (
                isinstance(fact, TransactionStarted)
                and not fact.repeated
                and fact.id_token.casefold() == str(asked.get("idTag", "")).casefold()
                and asked.get("connectorId") in (None, fact.evse_id)
            )
        case "RemoteStopTransaction":
            return isinstance(fact, TransactionEnded) and fact.transaction_id == str(
                asked.get("transactionId")
            )
        case "Reset":
            return isinstance(fact, StationBooted)
        case "ChangeAvailability":
            return (
                isinstance(fact, ConnectorStatusReported)
                and asked.get("connectorId") in (0, fact.evse_id)
                and (fact.status == "Unavailable") == (asked.get("type") == "Inoperative")
            )
        case "TriggerMessage":
            return action == asked.get("requestedMessage")
        case _:
            return False


def _settle(command: Command, offset: int, at: int) -> None:
    if command.is_open:
        command.fate = "answered"
    else:
        command.late = True
    command.answered, command.answered_at = offset, at


def _payload(text: bytes) -> dict[str, Any]:
    payload = msgspec.json.decode(text)
    return payload if isinstance(payload, dict) else {}


def _status(payload: Any) -> Any:
    return payload.get("status") if isinstance(payload, dict) else None
