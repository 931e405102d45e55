"""Which CALL of ours goes to a station next: the oldest command that its connection may take.

A command that asks what only another version of OCPP has is not sent: it is undeliverable. So is
one that the station may not be asked, as its last boot was answered (`domain.admission`). Others go
to a station that was told to wait (Pending), too: they are what it waits for (OCPP 1.6, 4.2; 2.0.1,
B02).
"""

from domain import batches
from domain.admission import HELD_BACK, refusal
from domain.answering import Policy
from domain.commands import Command, payload_in
from domain.outages import Outages
from domain.station import Connection, Station
from schemas.records import CALL, CommandUndeliverable, MessageSent, TimeoutElapsed


def due(command: Command, outages: Outages) -> int:
    """When it times out: on its way its answer's deadline, before that its expiry; later by the
    time that nobody decided meanwhile."""
    began = command.dispatched_at if command.dispatched >= 0 else command.requested_at
    return outages.extended(began or command.requested_at, command.due)


def timed_out(station: Station, outages: Outages, epoch: int, now: int) -> TimeoutElapsed | None:
    """Return the end of a command whose time is over, if there is one."""
    for command in station.commands.values():
        if command.is_open and command.due <= now and due(command, outages) <= now:
            is_on_its_way = command.dispatched >= 0
            return TimeoutElapsed(
                tenant=station.tenant,
                station=station.station,
                recorded_at=now,
                cause=command.dispatched if is_on_its_way else command.requested,
                purpose="call-timeout" if is_on_its_way else "command-expired",
                epoch=epoch,
                command_id=command.command_id,
            )
    return None


def dispatch(
    station: Station, policy: Policy, outages: Outages, known: tuple[int, int], now: int
) -> MessageSent | CommandUndeliverable | None:
    """Return the next CALL, or the end of a command that never becomes one; None: not now.

    `known`: the epoch, and how much of the registry the owner has folded.
    """
    connection = station.connection
    if connection is None:
        return None
    in_flight = station.commands.get(station.in_flight)
    if in_flight is not None:
        if in_flight.has_more and not _refusal(station, in_flight):
            expires_at = outages.extended(in_flight.requested_at, in_flight.expires_at)
            return _call(station, connection, in_flight, policy, expires_at, known, now)
        return None
    for command in station.commands.values():
        if command.fate != "requested":
            continue
        expires_at = outages.extended(command.requested_at, command.expires_at)
        if expires_at <= now:
            continue
        if command.refused_by == connection.id:
            continue
        if command.version != connection.protocol:
            spoken = f"the station speaks OCPP {connection.protocol}"
            reason = f"{spoken}, this is OCPP {command.version}"
            return _undeliverable(station, command, reason, known[0], now)
        if reason := _refusal(station, command):
            return _undeliverable(station, command, reason, known[0], now)
        return _call(station, connection, command, policy, expires_at, known, now)
    return None


def _call(
    station: Station,
    connection: Connection,
    command: Command,
    policy: Policy,
    expires_at: int,
    known: tuple[int, int],
    now: int,
) -> MessageSent:
    message_id, payload = batches.message_of(command, batches.limits_of(station, command))
    return MessageSent(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=command.dispatch_cause,
        purpose="call",
        epoch=known[0],
        registry=known[1],
        connection=connection.id,
        frame=f'[2,"{message_id}","{command.action}",{payload}]',
        message_type=CALL,
        message_id=message_id,
        action=command.action,
        command_id=command.command_id,
        deadline=min(expires_at, now + policy.answer_timeout_us),
        secrets=tuple(secret_id for secret_id in command.secrets if secret_id in payload),
    )


def _refusal(station: Station, command: Command) -> str:
    if station.boot_status not in HELD_BACK:
        return ""
    asked = payload_in(command.payload)
    return refusal(station.boot_status, command.version, command.action, asked)


def _undeliverable(
    station: Station, command: Command, reason: str, epoch: int, now: int
) -> CommandUndeliverable:
    return CommandUndeliverable(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=command.requested,
        purpose="undeliverable",
        epoch=epoch,
        command_id=command.command_id,
        reason=reason,
    )
