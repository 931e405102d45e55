"""Every frame of both directions, and the conversation with a station as the API shows it.

The latency of an answer is by our clock, from the record of its CALL to the record of the answer.
The CALLs that were seen are remembered; after a start, and beyond the bound of that memory, the
time of a CALL is read back from the table, where it is before its answer comes: so rows are the
same wherever the process was stopped.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from domain.commands import CommandMoved
from domain.facts import Fact
from projections.clickhouse_ports import Rows, Table
from projections.ports import Database
from schemas.records import CALL, CALLERROR, CALLRESULT, MessageReceived, MessageSent

TABLE = Table(
    name="messages",
    columns=(
        ("tenant", "String"),
        ("station", "String"),
        ("direction", "Enum8('in' = 1, 'out' = 2)"),
        (
            "type",
            "Enum8('unreadable' = 0, 'CALL' = 2, 'CALLRESULT' = 3, 'CALLERROR' = 4,"
            " 'CALLRESULTERROR' = 5, 'SEND' = 6)",
        ),
        ("action", "String"),
        ("message_id", "String"),
        ("connection", "String"),
        ("version", "String"),
        ("error", "String"),
        ("frame", "String"),
        ("frame_base64", "String"),
        ("violations", "Array(String)"),
        ("recorded_at", "DateTime64(6, 'UTC')"),
        ("latency_us", "Nullable(Int64)"),
        ("partition", "UInt16"),
        ("offset", "UInt64"),
        ("index", "UInt32"),
    ),
)
IN, OUT = 1, 2
CALLS_MAX = 100_000
"""Unanswered CALLs that are remembered; some 200 bytes each."""

LIMIT_MAX = 1_000
_TYPES = {number: number for number in range(2, 7)}
_NAMES = [name for name, _ in TABLE.columns]
_LATENCY, _RECORDED_AT = _NAMES.index("latency_us"), _NAMES.index("recorded_at")
_VERSION = _NAMES.index("version")


class Lookup(NamedTuple):
    """An answer whose CALL is not remembered: the row that begins at `at` lacks what it tells."""

    at: int
    tenant: str
    station: str
    partition: int
    call: int


class Asked(Struct, frozen=True, gc=False):
    """A CALL of a station: when it came, and the OCPP version that its connection speaks."""

    recorded_at: int
    version: str


class MessageRows:
    def __init__(self) -> None:
        self._rows: Rows = []
        self._calls: dict[tuple[int, int], Asked] = {}
        self._lookups: list[Lookup] = []

    def received(
        self, partition: int, offset: int, record: MessageReceived, facts: Sequence[Fact]
    ) -> None:
        action, error, latency = record.action, record.error, None
        if record.message_type == CALL:
            self._remember((partition, offset), Asked(record.recorded_at, record.protocol))
        elif record.message_type in (CALLRESULT, CALLERROR):
            for fact in facts:
                if isinstance(fact, CommandMoved) and fact.command.answered == offset:
                    command = fact.command
                    action = command.action
                    error = error or command.error_code
                    if command.dispatched_at is not None:
                        latency = record.recorded_at - command.dispatched_at
        self._rows.extend(
            (
                record.tenant,
                record.station,
                IN,
                _TYPES.get(record.message_type, 0),
                action,
                record.message_id,
                record.connection,
                record.protocol,
                error,
                record.frame,
                record.frame_base64,
                record.violations,
                record.recorded_at,
                latency,
                partition,
                offset,
                0,
            )
        )

    def sent(self, partition: int, offset: int, record: MessageSent, facts: Sequence[Fact]) -> None:
        latency, error, version = None, "", ""
        if record.message_type != CALL:
            asked = self._calls.pop((partition, record.cause), None)
            if asked is not None:
                latency, version = record.recorded_at - asked.recorded_at, asked.version
            else:
                here = (record.tenant, record.station, partition, record.cause)
                self._lookups.append(Lookup(len(self._rows), *here))
            if record.message_type == CALLERROR:
                error = _error_code(record.frame)
        else:
            moved = (fact.command for fact in facts if isinstance(fact, CommandMoved))
            version = next((c.version for c in moved if c.command_id == record.command_id), "")
        self._rows.extend(
            (
                record.tenant,
                record.station,
                OUT,
                _TYPES.get(record.message_type, 0),
                record.action,
                record.message_id,
                record.connection,
                version,
                error,
                record.frame,
                "",
                (),
                record.recorded_at,
                latency,
                partition,
                offset,
                0,
            )
        )

    def cut(self) -> tuple[Rows, list[Lookup]]:
        rows, lookups = self._rows, self._lookups
        self._rows, self._lookups = [], []
        return rows, lookups

    def _remember(self, call: tuple[int, int], asked: Asked) -> None:
        self._calls[call] = asked
        if len(self._calls) > CALLS_MAX:
            del self._calls[next(iter(self._calls))]


def completed(
    rows: Rows, lookups: Sequence[Lookup], calls: Mapping[tuple[int, int], Asked]
) -> None:
    """Fill in what answers have of their CALLs, where those were read back."""
    for lookup in lookups:
        asked = calls.get((lookup.partition, lookup.call))
        if asked is not None:
            rows[lookup.at + _LATENCY] = rows[lookup.at + _RECORDED_AT] - asked.recorded_at
            rows[lookup.at + _VERSION] = asked.version


def _error_code(frame: str) -> str:
    parts = msgspec.json.decode(frame)
    return str(parts[2]) if len(parts) > 2 else ""


class Message(Struct, frozen=True, kw_only=True):
    direction: Literal["in", "out"]
    """In: from the station."""
    type: str
    action: str
    """Of an answer: of the CALL it answers; empty where that is not known."""
    message_id: str
    connection: str
    version: str
    """The OCPP version that the connection speaks."""
    error: str
    frame: str
    """Character for character as on the wire."""
    frame_base64: str
    """Of a frame that was no text."""
    violations: Sequence[str]
    """What is odd or wrong with it; docs/tolerance.md explains the words."""
    recorded_at: datetime
    latency_us: int | None
    record: str
    """ "partition:offset" in the journal."""


class Page(Struct, frozen=True, kw_only=True):
    items: Sequence[Message]
    next: str | None
    """Ask again with this as `before` for what is older; None: there is no more."""


async def conversation(
    db: Database, tenant: str, station: str, *, before: str | None = None, limit: int = 100
) -> Page:
    """Return the frames of a station, the newest first.

    Raises:
        ValueError: `before` is no cursor of a page.
        StoreUnavailable
    """
    offset = 2**63 - 1 if before is None else _offset(before)
    limit = max(1, min(limit, LIMIT_MAX))
    rows = await db.fetch(
        "clickhouse/messages.conversation",
        {"tenant": tenant, "station": station, "before": offset, "limit": limit + 1},
    )
    items = [_message(row) for row in rows[:limit]]
    is_more = len(rows) > limit
    return Page(items=items, next=items[-1].record.partition(":")[2] if is_more else None)


def _offset(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise ValueError(f"no cursor: {cursor[:40]!r}")
    return int(cursor)


def _message(row: Mapping[str, Any]) -> Message:
    at = row["recorded_at"]
    latency = row["latency_us"]
    return Message(
        direction="in" if row["direction"] == "in" else "out",
        type=row["type"],
        action=row["action"],
        message_id=row["message_id"],
        connection=row["connection"],
        version=row["version"],
        error=row["error"],
        frame=row["frame"],
        frame_base64=row["frame_base64"],
        violations=row["violations"],
        recorded_at=at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        latency_us=None if latency is None else int(latency),
        record=f"{row['partition']}:{row['offset']}",
    )
