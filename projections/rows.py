"""Rows as they are written: pure functions from folded state to the columns of `read.*`.

Field names are column names. Each row names the record that made it: (partition, record_offset).
Those of sessions are in `projections.session_rows`.
"""

from typing import Any

from msgspec import Struct

from domain.commands import Command
from domain.facts import MessageOrphaned
from domain.station import Connector, Station
from schemas.records import ConnectionOpened, IdTokenPut, StationRegistered


class StationToldRow(Struct, frozen=True):
    tenant: str
    station: str
    online: bool
    version: str
    connected_at: int | None
    last_seen: int | None
    faulted: bool
    vendor: str
    model: str
    serial_number: str
    firmware_version: str
    boot_status: str
    partition: int
    record_offset: int


class StationRegisteredRow(Struct, frozen=True):
    tenant: str
    station: str
    registered: bool
    name: str
    attributes: dict[str, Any]
    has_password: bool | None
    """None: as it was before."""
    registry_offset: int


class ConnectorRow(Struct, frozen=True):
    tenant: str
    station: str
    evse: int
    connector: int
    status: str
    error_code: str
    detail: str
    since: int
    reported_at: int
    partition: int
    record_offset: int


class OpenedRow(Struct, frozen=True):
    tenant: str
    station: str
    connection: str
    opened_at: int
    remote: str
    protocol: str
    proof: str
    user_agent: str
    node: str
    registered: bool
    violations: tuple[str, ...]
    opened_offset: int
    partition: int
    record_offset: int


class ClosedRow(Struct, frozen=True):
    tenant: str
    station: str
    connection: str
    closed_at: int
    reason: str
    superseded: bool
    record_offset: int


class CommandRow(Struct, frozen=True, kw_only=True):
    tenant: str
    command_id: str
    station: str
    version: str
    action: str
    command: str
    payload: str
    payload_digest: str
    actor: str
    reason: str
    idempotency_key: str
    fate: str
    requested_offset: int
    requested_at: int
    expires_at: int
    dispatched_at: int | None
    answered_at: int | None
    answer: str | None
    error_code: str
    error_description: str
    late: bool
    effect_offset: int | None
    effect_at: int | None
    progress: str
    partition: int
    record_offset: int


class IdTokenRow(Struct, frozen=True, kw_only=True):
    tenant: str
    uid_key: str
    uid: str = ""
    type: str = ""
    status: str = ""
    expires_at: int | None = None
    group_id: str = ""
    actor: str = ""
    updated_at: int = 0
    partition: int = 0
    record_offset: int = 0


class OrphanRow(Struct, frozen=True):
    partition: int
    record_offset: int
    record_index: int
    tenant: str
    station: str
    reason: str
    transaction_id: str
    told_offset: int
    recorded_at: int
    detail: dict[str, Any]


class EventRow(Struct, frozen=True):
    tenant: str
    partition: int
    record_offset: int
    record_index: int
    kind: str
    station: str
    subject: str
    recorded_at: int
    detail: dict[str, Any]


def station_told(station: Station, version: str) -> StationToldRow:
    """`version`: of a connection opened since the last row; empty keeps the stored one."""
    connection, identity = station.connection, station.identity
    return StationToldRow(
        station.tenant,
        station.station,
        connection is not None,
        version,
        connection.opened_at if connection is not None else None,
        station.seen_at or None,
        any(connector.status == "Faulted" for connector in station.connectors.values()),
        identity.vendor if identity else "",
        identity.model if identity else "",
        identity.serial_number if identity else "",
        identity.firmware_version if identity else "",
        station.boot_status,
        station.partition,
        station.offset,
    )


def station_registered(offset: int, record: StationRegistered) -> StationRegisteredRow:
    return StationRegisteredRow(
        record.tenant,
        record.station,
        True,
        record.name,
        record.attributes,
        None if record.keeps_password else bool(record.credential),
        offset,
    )


def station_deregistered(tenant: str, station: str, offset: int) -> StationRegisteredRow:
    return StationRegisteredRow(tenant, station, False, "", {}, False, offset)


class StationRow(Struct, frozen=True):
    tenant: str
    station: str


def connector_row(
    station: Station, evse_id: int, connector_id: int, connector: Connector
) -> ConnectorRow:
    return ConnectorRow(
        station.tenant,
        station.station,
        evse_id,
        connector_id,
        connector.status,
        connector.error_code,
        connector.detail,
        connector.since,
        connector.recorded_at,
        station.partition,
        connector.offset,
    )


def opened_row(partition: int, offset: int, record: ConnectionOpened) -> OpenedRow:
    return OpenedRow(
        record.tenant,
        record.station,
        record.connection,
        record.recorded_at,
        record.remote,
        record.protocol,
        record.proof,
        record.user_agent,
        record.node,
        record.registered,
        record.violations,
        offset,
        partition,
        offset,
    )


def command_row(station: Station, command: Command, offset: int) -> CommandRow:
    return CommandRow(
        tenant=station.tenant,
        command_id=command.command_id,
        station=station.station,
        version=command.version,
        action=command.action,
        command=command.command,
        payload=command.payload.decode(),
        payload_digest=command.payload_digest,
        actor=command.actor,
        reason=command.reason,
        idempotency_key=command.idempotency_key,
        fate=command.fate,
        requested_offset=command.requested,
        requested_at=command.requested_at,
        expires_at=command.expires_at,
        dispatched_at=command.dispatched_at,
        answered_at=command.answered_at,
        answer=None if command.answer is None else command.answer.decode(),
        error_code=command.error_code,
        error_description=command.error_description,
        late=command.late,
        effect_offset=command.effect if command.effect >= 0 else None,
        effect_at=command.effect_at,
        progress=command.progress,
        partition=station.partition,
        record_offset=offset,
    )


def id_token_row(offset: int, record: IdTokenPut) -> IdTokenRow:
    return IdTokenRow(
        tenant=record.tenant,
        uid_key=record.uid.casefold(),
        uid=record.uid,
        type=record.type,
        status=record.status,
        expires_at=record.expires_at,
        group_id=record.group,
        actor=record.actor,
        updated_at=record.recorded_at,
        record_offset=offset,
    )


def orphan_row(station: Station, fact: MessageOrphaned, offset: int, index: int) -> OrphanRow:
    return OrphanRow(
        station.partition,
        offset,
        index,
        station.tenant,
        station.station,
        fact.reason,
        fact.transaction_id,
        fact.offset,
        fact.recorded_at,
        fact.detail,
    )
