"""`chargeledger replay`: which records, and how they are printed."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.replay import (
    Position,
    Range,
    Replayed,
    is_cdr,
    is_transaction,
    records_of_station,
    records_of_transaction,
    station_time,
)
from infra.settings import Settings
from schemas.journal import Journal
from schemas.partitions import partition_of
from schemas.records import MessageReceived, MessageSent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = frozenset({"kind", "tenant", "station", "recorded_at", "incarnation", "sequence"})
_IN_HEADING = frozenset({"frame", "frame_base64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWish:
    tenant: str
    station: str
    transaction: str
    cdr: str
    start: str
    end: str
    as_json: bool


def run_replay(wish: ReplayWish, data: Path) -> None:
    if not (wish.station or wish.transaction or wish.cdr):
        raise Failed("say which records: --station, --transaction or --cdr")
    if wish.transaction and wish.cdr:
        raise Failed("--transaction and --cdr are two questions")
    found = asyncio.run(_replay(wish, Settings(data=data)))
    if not found:
        raise Failed("the log holds no such records")


async def _replay(wish: ReplayWish, settings: Settings) -> int:
    form = as_json if wish.as_json else as_text
    found = 0
    async with journal_to_read(settings) as journal:
        async for replayed in _wanted(journal, wish):
            sys.stdout.write(form(replayed) + "\n")
            found += 1
    return found


def _wanted(journal: Journal, wish: ReplayWish) -> AsyncIterator[Replayed]:
    partition = 0
    if wish.station:
        partition = partition_of(wish.tenant, wish.station, journal.partitions)
    elif journal.partitions == 1:
        partition = 1
    within = Range(_position(wish.start, partition), _position(wish.end, partition))
    is_wanted: Callable[[str, str], bool]
    if wish.cdr:
        is_wanted = is_cdr(wish.tenant, wish.cdr)
    elif wish.transaction:
        is_wanted = is_transaction(wish.transaction, wish.station)
    else:
        return records_of_station(journal, wish.tenant, wish.station, within)
    return records_of_transaction(journal, wish.tenant, is_wanted, within)


def _position(text: str, partition: int) -> Position | None:
    if not text:
        return None
    first, colon, second = text.partition(":")
    try:
        if colon:
            return Position(int(first), int(second))
        if partition:
            return Position(partition, int(first))
    except ValueError as error:
        raise Failed(f"{text!r} is no position: PARTITION:OFFSET, as replay prints them") from error
    raise Failed(f"{text!r}: which partition? PARTITION:OFFSET, as replay prints them")


def as_json(replayed: Replayed) -> str:
    """Return one line. `record` is the record as it stands in the log, to the letter."""
    record = replayed.record
    line: dict[str, Any] = {"partition": replayed.partition, "offset": replayed.offset}
    if record is not None:
        line["recorded_at"] = _iso(record.recorded_at)
    if isinstance(record, MessageReceived) and (told := station_time(record)):
        line["station_time"] = told
    line["counts"] = not replayed.dropped
    if replayed.dropped:
        line["dropped"] = replayed.dropped
    if record is not None:
        line["record"] = Raw(replayed.value)
    else:
        line["value"] = replayed.value.decode(errors="replace")
    return msgspec.json.encode(line).decode()


def as_text(replayed: Replayed) -> str:
    """Return a heading, the frame verbatim on a line of its own, and what else was recorded."""
    record = replayed.record
    where = f"{replayed.partition}:{replayed.offset}"
    mark = f"  NOT COUNTED ({replayed.dropped})" if replayed.dropped else ""
    if record is None:
        return f"{where}{mark}\n    {replayed.value.decode(errors='replace')}"
    members: dict[str, Any] = msgspec.json.decode(replayed.value)
    kind = members["kind"]
    lines = [f"{where}  {_iso(record.recorded_at)}  {kind}  {record.tenant}/{record.station}{mark}"]
    if isinstance(record, MessageReceived) and (told := station_time(record)):
        lines[0] += f"  (station: {told})"
    if isinstance(record, MessageReceived | MessageSent):
        arrow = "<-" if isinstance(record, MessageReceived) else "->"
        base64 = getattr(record, "frame_base64", "")
        lines.append(f"    {arrow} {record.frame or f'base64 {base64}'}")
    rest = {k: v for k, v in members.items() if k not in _ENVELOPE and k not in _IN_HEADING}
    if rest:
        lines.append(f"       {msgspec.json.encode(rest).decode()}")
    return "\n".join(lines)


def _iso(microseconds: int) -> str:
    at = _EPOCH + timedelta(microseconds=microseconds)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
