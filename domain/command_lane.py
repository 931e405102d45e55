"""The lane of our own CALLs to a station: requested, dispatched, answered, or not.

One CALL is in flight at a time. A result that nobody waits for disturbs nothing: it annotates the
command it names, or is just another frame in the log.

A result that breaks its schema is the answer all the same, and the command says what is odd about
it. It is not told back to the station, though 2.1 has a CALLRESULTERROR for that: nothing it does
depends on it, and its operator reads our console rather than its log.
"""

from typing import Any

import msgspec

from domain import batches, commands, following, passwords, silence, tariff_changes
from domain.command_effects import Seen
from domain.commands import Command, CommandMoved, Fate
from domain.facts import Fact, TariffChanged
from domain.mending import mended
from domain.station import FINISHED_MAX, OpenCall, Station
from domain.station import payload_of as payload_of_call
from domain.transaction import change_tariff
from schemas import payloads
from schemas.frames import payload_of, reread
from schemas.records import (
    CALL,
    CALLRESULT,
    CommandRequested,
    CommandUndeliverable,
    DeliveryFailed,
    MessageReceived,
    MessageSent,
    TimeoutElapsed,
)


def requested(station: Station, offset: int, record: CommandRequested, _: Any) -> list[Fact]:
    if record.command_id in station.commands or record.command_id in station.finished:
        return []
    command = commands.request(offset, record)
    if sum(other.is_open for other in station.commands.values()) >= commands.QUEUED_MAX:
        command.fate = "undeliverable"
        command.error_description = "too many unfinished commands for this station"
    station.commands[command.command_id] = command
    return [_moved(station, command, offset, record.recorded_at)]


def dispatched(station: Station, offset: int, record: MessageSent) -> list[Fact]:
    command = station.commands.get(record.command_id)
    if command is None and record.purpose == "cost":
        command = _cost_told(station, offset, record)
    if command is None:
        return []
    command.fate = "dispatched"
    command.dispatched, command.dispatched_at = offset, record.recorded_at
    command.connection, command.deadline = record.connection, record.deadline
    command.message_id, command.has_more = record.message_id, False
    command.items_sent += batches.items_in(record)
    command.calls_sent += 1
    command.registry = record.registry
    station.in_flight = command.command_id
    if station.is_newest(record.connection):
        station.outbox[offset] = record
        followed = following.asked(station, offset, record)
        return [_moved(station, command, offset, record.recorded_at), *followed]
    fate: Fate = "undeliverable" if record.message_id == command.command_id else "unknown"
    return drop_in_flight(station, offset, record.recorded_at, fate)


def _tariff_changed(
    station: Station, offset: int, record: MessageReceived, command: Command, told: Any
) -> list[Fact]:
    request = commands.payload_in(command.payload)
    change = tariff_changes.changed_by(request, told, record.recorded_at, offset)
    transaction = station.transactions.known.get(str(request.get("transactionId")))
    if change is None or transaction is None or not change_tariff(transaction, change):
        return []
    return [
        TariffChanged(
            offset=offset,
            recorded_at=record.recorded_at,
            transaction_id=transaction.transaction_id,
        )
    ]


def _cost_told(station: Station, offset: int, record: MessageSent) -> Command:
    version = station.connection.protocol if station.connection is not None else ""
    payload = reread(CALL, record.frame)
    command = commands.of_our_own(offset, record, payload, version)
    station.commands[command.command_id] = command
    transaction = station.transactions.known.get(str(payload["transactionId"]))
    if transaction is not None:
        transaction.cost_told = str(payload["totalCost"])
        transaction.cost_told_at = record.recorded_at
    return command


def answered(station: Station, offset: int, record: MessageReceived) -> list[Fact]:
    command = _awaiting(station, record.message_id)
    if command is None or command.dispatched < 0 or command.has_more:
        return []
    sent = station.outbox.pop(command.dispatched, None)
    told = payload_of(record)
    changed: list[Fact] = []
    if record.message_type == CALLRESULT:
        oddity = _oddity(record, command, told)
        meant = mended(record.protocol, command.action, told, response=True) if oddity else told
        changed = following.answered(station, offset, record, command, sent, meant)
        if command.items_sent:
            told = batches.joined(command.answer, told)
            if command.is_open and batches.has_more(command, told):
                command.answer = msgspec.json.encode(told)
                command.has_more, command.dispatch_cause = True, offset
                return [_moved(station, command, offset, record.recorded_at), *changed]
        commands.answer(command, offset, record.recorded_at, told)
        if command.action == tariff_changes.ACTION:
            changed += _tariff_changed(station, offset, record, command, meant)
        if oddity:
            command.error_description = oddity
        if command.action == silence.ASKS:
            silence.status_answered(station, command, meant)
    else:
        commands.refuse(command, offset, record.recorded_at, *_error_in(record, told))
    if station.in_flight == command.command_id:
        station.in_flight = ""
    moved: list[Fact] = [_moved(station, command, offset, record.recorded_at), *changed]
    if command.action == "CancelReservation" and command.effect == offset:
        moved += _cancelled(station, command, offset, record.recorded_at)
    return moved


def _error_in(record: MessageReceived, told: Any) -> tuple[str, str]:
    if record.error:
        return "GenericError", record.violations[0] if record.violations else ""
    parts = [*(told or ()), "", ""][:2]
    code, description = ("" if part is None else str(part) for part in parts)
    return code or "GenericError", description


def _awaiting(station: Station, message_id: str) -> Command | None:
    command = station.commands.get(message_id)
    if command is not None and command.message_id == message_id:
        return command
    # A later CALL of a command that takes several has an id of its own.
    return next((c for c in station.commands.values() if c.message_id == message_id), None)


def reservation_expired(station: Station, offset: int, record: TimeoutElapsed) -> list[Fact]:
    """The time of a reservation has passed, as the owner's timer says."""
    moved: list[Fact] = []
    for command in _reserving(station, record.reservation_id):
        command.progress = "Expired"
        command.effect, command.effect_at = offset, record.recorded_at
        moved.append(_moved(station, command, offset, record.recorded_at))
    return moved


def _cancelled(station: Station, cancel: Command, offset: int, at: int) -> list[Fact]:
    moved: list[Fact] = []
    for command in _reserving(station, commands.payload_in(cancel.payload).get("reservationId")):
        command.progress, command.is_over = "Cancelled", True
        moved.append(_moved(station, command, offset, at))
    return moved


def _reserving(station: Station, reservation_id: Any) -> list[Command]:
    def made(command: Command) -> Any:
        asked = commands.payload_in(command.payload)
        return asked.get("reservationId", asked.get("id"))

    return [
        command
        for command in station.commands.values()
        if command.action == "ReserveNow"
        and commands.is_watched(command)
        and made(command) == reservation_id
    ]


def _oddity(record: MessageReceived, command: Command, told: Any) -> str:
    # The answer is what the station says, whatever its schema says; nothing is told back to it.
    version = record.protocol
    if not record.error and command.action in payloads.actions(version):
        found = payloads.violations(version, command.action, told, response=True)
        if found:
            return f"the answer breaks its schema: {found[0]}"
    return record.violations[0] if record.violations else ""


def delivery_failed(station: Station, offset: int, record: DeliveryFailed, _: Any) -> list[Fact]:
    station.outbox.pop(record.delivery, None)
    command = station.commands.get(station.in_flight)
    if command is None or command.dispatched != record.delivery:
        return []
    if command.message_id != command.command_id:
        # Earlier CALLs of it were written, so it is not undeliverable; what became of it is not
        # known whole.
        return drop_in_flight(station, offset, record.recorded_at)
    station.in_flight = ""
    command.fate, command.items_sent, command.calls_sent = "requested", 0, 0
    command.dispatched, command.dispatched_at, command.connection = -1, None, ""
    command.dispatch_cause = offset
    command.refused_by = record.connection
    return [_moved(station, command, offset, record.recorded_at)]


def timed_out(station: Station, offset: int, record: TimeoutElapsed, _: Any) -> list[Fact]:
    command = station.commands.get(record.command_id)
    if command is None or not command.is_open:
        return []
    command.fate = "timed_out" if command.dispatched >= 0 else "undeliverable"
    if station.in_flight == command.command_id:
        station.in_flight = ""
    station.outbox.pop(command.dispatched, None)
    return [_moved(station, command, offset, record.recorded_at)]


def undeliverable(
    station: Station, offset: int, record: CommandUndeliverable, _: Any
) -> list[Fact]:
    command = station.commands.get(record.command_id)
    if command is None or command.fate != "requested":
        return []
    command.fate, command.error_description = "undeliverable", record.reason
    return [_moved(station, command, offset, record.recorded_at)]


def observe(station: Station, facts: list[Fact], call: OpenCall) -> list[Fact]:
    moved: list[Fact] = []
    seen: Seen | None = None
    for command in list(station.commands.values()):
        if not commands.is_watched(command) or command.dispatched > call.offset:
            continue
        if seen is None:
            payload = payload_of_call(call)
            seen = Seen(call.action, payload if isinstance(payload, dict) else {}, facts)
        if commands.observe(command, seen, call.offset, call.recorded_at):
            moved.append(_moved(station, command, call.offset, call.recorded_at))
    return moved


def drop_in_flight(station: Station, offset: int, at: int, fate: Fate = "unknown") -> list[Fact]:
    command = station.commands.get(station.in_flight)
    station.in_flight = ""
    if command is None or command.fate != "dispatched":
        return []
    command.fate = fate
    return [_moved(station, command, offset, at)]


def _moved(station: Station, command: Command, offset: int, at: int) -> CommandMoved:
    passwords.follow(station, command, offset)
    _forget(station)
    return CommandMoved(offset=offset, recorded_at=at, command=command)


def _forget(station: Station) -> None:
    settled = [command for command in station.commands.values() if not command.is_open]
    watched = [c for c in settled if commands.is_watched(c) or commands.is_unanswered(c)]
    kept = {command.command_id for command in watched[-commands.WATCHED_MAX :]}
    for command in settled:
        if command.command_id not in kept:
            del station.commands[command.command_id]
            station.finished.append(command.command_id)
    del station.finished[:-FINISHED_MAX]
