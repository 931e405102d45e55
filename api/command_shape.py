"""A command as it is shown: from its record before the views have it, from its row after."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.commands import Fate
from projections.commands import CommandRow
from projections.times import utc
from schemas.records import CommandRequested


class Command(Struct, frozen=True, kw_only=True):
    command_id: str
    station: str
    version: str
    action: str
    command: str = ""
    """What was asked for, where that was not the action itself."""
    payload: Any
    """Secrets stand in it as "secret:<id>"."""
    fate: Fate
    answer: Any = None
    """The station's own answer."""
    error_code: str = ""
    error_description: str = ""
    """Without a code: what is odd about the answer."""
    late: bool = False
    effect_observed: bool = False
    effect_at: datetime | None = None
    effect_record: str | None = None
    """ "partition:offset" of the record that showed the effect."""
    progress: str = ""
    """Where a job that it began is, in the station's words: Downloading, 3 parts, Expired."""
    actor: str
    reason: str
    idempotency_key: str
    requested_at: datetime
    expires_at: datetime
    dispatched_at: datetime | None = None
    answered_at: datetime | None = None


def from_record(record: CommandRequested) -> Command:
    return Command(
        command_id=record.command_id,
        station=record.station,
        version=record.version,
        action=record.action,
        command=record.command,
        payload=record.payload,
        fate="requested",
        actor=record.actor,
        reason=record.reason,
        idempotency_key=record.idempotency_key,
        requested_at=utc(record.recorded_at),
        expires_at=utc(record.expires_at),
    )


def from_row(row: CommandRow) -> Command:
    return Command(
        command_id=row.command_id,
        station=row.station,
        version=row.version,
        action=row.action,
        command=row.command,
        payload=row.payload,
        fate=row.fate,
        answer=row.answer,
        error_code=row.error_code,
        error_description=row.error_description,
        late=row.late,
        effect_observed=row.effect_at is not None,
        effect_at=row.effect_at,
        effect_record=row.effect,
        progress=row.progress,
        actor=row.actor,
        reason=row.reason,
        idempotency_key=row.idempotency_key,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        dispatched_at=row.dispatched_at,
        answered_at=row.answered_at,
    )
