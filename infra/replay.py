"""The auditor's view of the log: its records in order, each with both clocks, and what counts.

Read from the start of each partition, because what counts depends on what came before. Several
partitions are shown in the order in which they are read: the embedded log's own order; in Kafka
only the order within a partition means something.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from domain.commands import CommandMoved
from domain.conversation import fold
from domain.facts import (
    CdrFixed,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    TransactionEnded,
    TransactionStarted,
)
from domain.log_filter import LogFilter
from domain.station import Station
from schemas.cdr import cdr_id
from schemas.frames import payload_of
from schemas.journal import REGISTRY_PARTITION, Journal
from schemas.partitions import partition_of
from schemas.records import (
    IdTokenPut,
    IdTokenRemoved,
    JournalCreated,
    MessageReceived,
    OwnerRecord,
    PartitionClaimed,
    Record,
    UnreadableRecord,
    decode,
)

POLL_RECORDS = 10_000
POLL_S = 5.0

NOT_OF_A_STATION = (PartitionClaimed, JournalCreated, IdTokenPut, IdTokenRemoved)
OF_A_TRANSACTION = (
    TransactionStarted,
    TransactionEnded,
    MeterValuesReported,
    MessageOrphaned,
    CdrFixed,
)


class Position(NamedTuple):
    partition: int
    offset: int


class Range(Struct, frozen=True):
    """Both ends are shown; None is open. A bound shows records of its own partition only."""

    start: Position | None = None
    end: Position | None = None

    def holds(self, at: Position) -> bool:
        for bound, is_inside in ((self.start, at.__ge__), (self.end, at.__le__)):
            if bound is not None and (bound.partition != at.partition or not is_inside(bound)):
                return False
        return True


class Replayed(NamedTuple):
    partition: int
    offset: int
    record: Record | None
    """None: it cannot be read; `value` is what stands there."""
    value: bytes
    dropped: str
    """Why no reader counts it; empty if every reader does."""


async def records_of_station(
    journal: Journal, tenant: str, station: str, within: Range
) -> AsyncIterator[Replayed]:
    """Yield every record of the station, its registrations among them."""
    partition = partition_of(tenant, station, journal.partitions)
    async for replayed in _read(journal, await _heads(journal, REGISTRY_PARTITION, partition)):
        record = replayed.record
        is_wanted = record is not None and (record.tenant, record.station) == (tenant, station)
        if is_wanted and within.holds(Position(replayed.partition, replayed.offset)):
            yield replayed


async def records_of_transaction(
    journal: Journal, tenant: str, is_wanted: Callable[[str, str], bool], within: Range
) -> AsyncIterator[Replayed]:
    """Yield the records that made a transaction: reports, answers, commands, and its release.

    `is_wanted(station, transaction id)` says which. The log is read twice: what belongs to it is
    known when it has been folded.
    """
    heads = await _heads(journal, *range(1, journal.partitions + 1))
    evidence = _Evidence(tenant, is_wanted)
    async for replayed in _read(journal, heads):
        if replayed.record is not None and not replayed.dropped:
            evidence.fold(replayed.partition, replayed.offset, replayed.record)
    if not evidence.found:
        return
    partitions = {at.partition for at in evidence.found}
    async for replayed in _read(journal, {p: heads[p] for p in partitions}):
        at = Position(replayed.partition, replayed.offset)
        if at in evidence.found and within.holds(at):
            yield replayed


def is_transaction(transaction_id: str, station: str = "") -> Callable[[str, str], bool]:
    return lambda name, found: found == transaction_id and station in ("", name)


def is_cdr(tenant: str, wanted: str) -> Callable[[str, str], bool]:
    return lambda station, transaction_id: cdr_id(tenant, station, transaction_id) == wanted


def station_time(record: MessageReceived) -> str:
    """Return the station's own time in the frame, as it wrote it; empty if there is none."""
    payload = payload_of(record)
    if not isinstance(payload, dict):
        return ""
    time = payload.get("timestamp")
    if time is None:
        values = payload.get("meterValue")
        if isinstance(values, list) and values and isinstance(values[0], dict):
            time = values[0].get("timestamp")
    return time if isinstance(time, str) else ""


class _Evidence:
    """Which records belong to the wanted transactions."""

    def __init__(self, tenant: str, is_wanted: Callable[[str, str], bool]) -> None:
        self.found: set[Position] = set()
        self._tenant = tenant
        self._is_wanted = is_wanted
        self._stations: dict[str, Station] = {}
        self._of_command: dict[str, list[Position]] = {}
        self._commands: set[str] = set()

    def fold(self, partition: int, offset: int, record: Record) -> None:
        if isinstance(record, NOT_OF_A_STATION) or record.tenant != self._tenant:
            return
        name = record.station
        station = self._stations.get(name)
        if station is None:
            station = self._stations[name] = Station(self._tenant, name, partition)
        try:
            facts = fold(station, offset, record)
        except Exception:  # noqa: BLE001 - a record that cannot be folded is set aside everywhere.
            return
        is_found = False
        for fact in facts:
            if self._is_of_wanted(name, fact):
                is_found = True
                self.found |= {Position(partition, fact.offset), Position(partition, offset)}
        for fact in facts:
            if isinstance(fact, CommandMoved):
                at = {Position(partition, offset), Position(partition, fact.offset)}
                self._moved(fact.command.command_id, at, is_found)

    def _is_of_wanted(self, station: str, fact: Fact) -> bool:
        if not isinstance(fact, OF_A_TRANSACTION) or not fact.transaction_id:
            return False
        return self._is_wanted(station, fact.transaction_id)

    def _moved(self, command_id: str, at: set[Position], is_found: bool) -> None:
        # A command belongs to the transaction in whose records its effect was seen.
        known = self._of_command.setdefault(command_id, [])
        known.extend(at)
        if is_found or command_id in self._commands:
            self._commands.add(command_id)
            self.found.update(known)


class _Verdicts:
    """The shared filter, and why it dropped what it dropped."""

    def __init__(self) -> None:
        self._filter = LogFilter()
        self._sequences: dict[str, int] = {}

    def dropped(self, offset: int, record: Record) -> str:
        last = self._sequences.get(record.incarnation, -1)
        self._sequences[record.incarnation] = max(last, record.sequence)
        if self._filter.admit(offset, record):
            return ""
        if record.sequence <= last:
            return "a repeat"
        if isinstance(record, OwnerRecord) and record.epoch != self._filter.epoch:
            return f"fenced: epoch {record.epoch}, the latest claim is {self._filter.epoch}"
        return "the second decision of the same cause"


async def _heads(journal: Journal, *partitions: int) -> dict[int, int]:
    return {partition: await journal.head(partition) for partition in partitions}


async def _read(journal: Journal, heads: Mapping[int, int]) -> AsyncIterator[Replayed]:
    """Yield what is below the heads, in order."""
    left = {partition for partition, head in heads.items() if head > 0}
    if not left:
        return
    verdicts = {partition: _Verdicts() for partition in left}
    reader = journal.reader(dict.fromkeys(left, 0))
    try:
        while left:
            for partition, offset, value in await reader.poll(
                records_max=POLL_RECORDS, timeout_s=POLL_S
            ):
                if offset < heads[partition]:
                    yield _replayed(verdicts[partition], partition, offset, value)
                if offset + 1 >= heads[partition]:
                    left.discard(partition)
    finally:
        await reader.close()


def _replayed(verdicts: _Verdicts, partition: int, offset: int, value: bytes) -> Replayed:
    try:
        record: Any = decode(value)
    except UnreadableRecord as error:
        return Replayed(partition, offset, None, value, f"unreadable: {error}")
    return Replayed(partition, offset, record, value, verdicts.dropped(offset, record))
