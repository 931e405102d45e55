"""What stations were told, compared with the log, the CDRs and the series.

The witness is the simulators' own record. The log may come from any journal, the CDRs and the
series from wherever they are read. What counts in the log is decided here again, by the rules of
the design and with no bound on memory, so that a mistake in the product's filter shows.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from infra.simulator.oplog import Operation, Outcome, TransactionRecord
from schemas.cdr import Cdr
from schemas.journal import Entry, Journal
from schemas.records import (
    CdrReleased,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    OwnerRecord,
    PartitionClaimed,
    Record,
    decode,
)

FINDINGS_MAX = 20
READ_AT_ONCE = 10_000


class Told(NamedTuple):
    """What the stations of one run or several know."""

    operations: Sequence[Operation]
    transactions: Sequence[TransactionRecord]


class SessionEnergy(NamedTuple):
    """A row of `session_energy`."""

    station: str
    transaction_id: str
    energy_wh: int | None


@dataclass(slots=True)
class Verdict:
    """All four counters are 0, or a promise is broken. `answers` and `sessions` were looked at."""

    acked_lost: int = 0
    duplicate_effects: int = 0
    order_violations: int = 0
    wh_delta: int = 0
    answers: int = 0
    sessions: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def counters(self) -> tuple[int, int, int, int]:
        return (self.acked_lost, self.duplicate_effects, self.order_violations, self.wh_delta)

    @property
    def is_clean(self) -> bool:
        return self.counters == (0, 0, 0, 0)

    def count(self, counter: str, sentence: str, by: int = 1) -> None:
        setattr(self, counter, getattr(self, counter) + by)
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"{counter}: {sentence}")


@dataclass(slots=True)
class _Log:
    """The records that count, by what they are looked up with."""

    received: dict[tuple[str, str], tuple[int, int, MessageReceived]] = field(default_factory=dict)
    """By station and message id: where the first such CALL stands."""
    offsets: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    """By the same: of every such CALL. Some makes send a message again under its first id."""
    answers: dict[tuple[int, int], MessageSent] = field(default_factory=dict)
    """By partition and cause."""
    calls: dict[tuple[str, str], MessageSent] = field(default_factory=dict)
    registers: dict[tuple[str, str], dict[str, int]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """By station and transaction id: meterStart and meterStop of the frames."""


async def entries_of(journal: Journal) -> list[Entry]:
    """Return the whole log as far as it goes now."""
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    left = {partition for partition, head in heads.items() if head > 0}
    reader = journal.reader(dict.fromkeys(left, 0))
    entries: list[Entry] = []
    try:
        while left:
            for entry in await reader.poll(records_max=READ_AT_ONCE, timeout_s=5):
                if entry.offset < heads[entry.partition]:
                    entries.append(entry)
                if entry.offset + 1 >= heads[entry.partition]:
                    left.discard(entry.partition)
    finally:
        await reader.close()
    return entries


def check(
    told: Told,
    entries: Iterable[Entry],
    cdrs: Sequence[Cdr],
    series: Sequence[SessionEnergy],
    *,
    tenant: str = "default",
) -> Verdict:
    """Compare. CDRs and series of stations that are not in `told` are left out."""
    verdict = Verdict()
    stations = {each.station for each in told.operations}
    log = _read(entries, tenant, stations, verdict)
    _check_answers(told.operations, log, verdict)
    _check_order(told.operations, log, verdict)
    cdrs = [cdr for cdr in cdrs if cdr.tenant == tenant and cdr.station in stations]
    rows = [row for row in series if row.station in stations]
    _check_effects(told.transactions, cdrs, rows, verdict)
    _check_energy(told.transactions, log, cdrs, rows, verdict)
    return verdict


def _read(entries: Iterable[Entry], tenant: str, stations: set[str], verdict: Verdict) -> _Log:
    log = _Log()
    numbers: dict[str, int] = {}
    released: set[tuple[str, str]] = set()
    for partition, offset, record in counted(entries, verdict):
        if record.tenant != tenant or record.station not in stations:
            continue
        match record:
            case ConnectionOpened():
                numbers[record.connection] = 0
            case MessageReceived():
                _check_number(record, numbers, verdict)
                log.received.setdefault(
                    (record.station, record.message_id), (partition, offset, record)
                )
                log.offsets[record.station, record.message_id].append(offset)
                _register_stop(record, log)
            case MessageSent(message_type=2):
                log.calls[record.station, record.message_id] = record
            case MessageSent():
                log.answers[partition, record.cause] = record
                _register_start(record, log)
            case CdrReleased():
                key = (record.station, record.transaction_id)
                if key in released:
                    verdict.count("duplicate_effects", f"the CDR of {key} was released twice")
                released.add(key)
            case _:
                pass
    return log


def counted(entries: Iterable[Entry], verdict: Verdict) -> Iterator[tuple[int, int, Record]]:
    """Design, section 3, Reading: repeats, the fenced, the second of the same (cause, purpose)."""
    sequences: dict[tuple[int, str], int] = {}
    epochs: dict[int, int] = {}
    decided: dict[tuple[int, int, str], int] = {}
    for partition, offset, value in entries:
        record = decode(value)
        if record.sequence <= sequences.get((partition, record.incarnation), -1):
            continue
        sequences[partition, record.incarnation] = record.sequence
        if isinstance(record, PartitionClaimed):
            epochs[partition] = offset
        if isinstance(record, OwnerRecord):
            if record.epoch != epochs.get(partition):
                continue
            first = decided.setdefault((partition, record.cause, record.purpose), record.epoch)
            if first != record.epoch:
                where = f"{partition}:{record.cause} {record.purpose}"
                verdict.count("duplicate_effects", f"{where} was decided in two epochs")
        yield partition, offset, record


def _check_number(record: MessageReceived, numbers: dict[str, int], verdict: Verdict) -> None:
    expected = numbers.get(record.connection, -1) + 1
    if record.number != expected:
        where = f"{record.station}, connection {record.connection}"
        verdict.count("order_violations", f"{where}: frame {record.number} where {expected} was")
    numbers[record.connection] = record.number


def _register_start(answer: MessageSent, log: _Log) -> None:
    """An answer follows its CALL in the log, which is why it can be looked up."""
    call = log.received.get((answer.station, answer.message_id))
    if answer.action != "StartTransaction" or answer.message_type != 3 or call is None:
        return
    payload: Any = json.loads(call[2].frame)[3]
    number = json.loads(answer.frame)[2]["transactionId"]
    log.registers[answer.station, str(number)].setdefault("start", payload["meterStart"])


def _register_stop(record: MessageReceived, log: _Log) -> None:
    if record.action == "StopTransaction":
        payload: Any = json.loads(record.frame)[3]
        key = (record.station, str(payload["transactionId"]))
        log.registers[key].setdefault("stop", payload["meterStop"])


def _check_answers(operations: Iterable[Operation], log: _Log, verdict: Verdict) -> None:
    for told in operations:
        if told.outcome not in (Outcome.ANSWERED, Outcome.REFUSED):
            continue
        verdict.answers += 1
        wrong = _lost_command(told, log) if told.command else _lost_answer(told, log)
        if wrong:
            name = f"{told.station} {told.action} {told.message_id}"
            verdict.count("acked_lost", f"{name}: {wrong}")


def _lost_answer(told: Operation, log: _Log) -> str:
    found = log.received.get((told.station, told.message_id))
    if found is None:
        return "was answered, and the log has no such CALL"
    partition, offset, call = found
    if json.loads(call.frame) != [2, told.message_id, told.action, told.payload]:
        return "the log has another CALL under its id"
    answer = log.answers.get((partition, offset))
    if answer is None:
        return "the log has no answer to it"
    if json.loads(answer.frame)[1:] != [told.message_id, *told.answer]:
        return "the log has another answer to it"
    return ""


def _lost_command(told: Operation, log: _Log) -> str:
    call = log.calls.get((told.station, told.message_id))
    if call is None:
        return "reached the station, and the log has no such CALL of ours"
    is_same = json.loads(call.frame) == [2, told.message_id, told.action, told.payload]
    return "" if is_same or call.secrets else "the log has another CALL of ours under its id"


def _check_order(operations: Iterable[Operation], log: _Log, verdict: Verdict) -> None:
    """A station has one CALL in flight: the log has its answered ones in the order told."""
    last: dict[str, int] = {}
    for told in operations:
        found = log.offsets.get((told.station, told.message_id))
        if told.command or told.outcome is not Outcome.ANSWERED or found is None:
            continue
        later = [offset for offset in found if offset > last.get(told.station, -1)]
        if not later:
            name = f"{told.station} {told.action} {told.message_id}"
            verdict.count("order_violations", f"{name} stands before what was told earlier")
        last[told.station] = min(later, default=max(found))


def _check_effects(
    transactions: Iterable[TransactionRecord],
    cdrs: Iterable[Cdr],
    series: Iterable[SessionEnergy],
    verdict: Verdict,
) -> None:
    """Each session told, acknowledged or not, has one CDR at most, and no other CDR is there."""
    expected = {_session(each) for each in transactions}
    found: dict[object, list[str]] = defaultdict(list)
    for cdr in cdrs:
        at = cdr.started_at and datetime.fromisoformat(cdr.started_at)
        # A 1.6 connector is an EVSE with one connector.
        found[cdr.station, cdr.evse, at, cdr.meter_start_wh].append(cdr.transaction_id)
    for session, ids in found.items():
        if session not in expected:
            verdict.count("duplicate_effects", f"nobody told of the session of CDR {ids}")
        elif len(ids) > 1:
            verdict.count("duplicate_effects", f"{session} has CDRs {ids}", len(ids) - 1)
    seen: set[tuple[str, str]] = set()
    for row in series:
        if row[:2] in seen:
            verdict.count("duplicate_effects", f"{row[:2]} stands twice in the series")
        seen.add(row[:2])


def _session(told: TransactionRecord) -> tuple[str, int, datetime, int]:
    return told.station, told.connector_id, told.started_at, told.meter_start_wh


def _check_energy(
    transactions: Iterable[TransactionRecord],
    log: _Log,
    cdrs: Iterable[Cdr],
    series: Iterable[SessionEnergy],
    verdict: Verdict,
) -> None:
    cdr_by_key = {(cdr.station, cdr.transaction_id): cdr for cdr in cdrs}
    series_by_key = {row[:2]: row.energy_wh for row in series}
    for told in transactions:
        if not told.start_acked:
            continue
        verdict.sessions += 1
        key = (told.station, str(told.transaction_id))
        cdr = cdr_by_key.get(key)
        if cdr is None:
            verdict.count("acked_lost", f"{key} has no CDR")
        if not told.stop_acked or told.energy_wh is None:
            continue
        if cdr is not None and (cdr.state != "FINAL" or cdr.meter_stop_wh != told.meter_stop_wh):
            verdict.count("acked_lost", f"{key}: its Stop was answered, its CDR is {cdr}")
        figures: dict[str, int | Decimal | None] = {
            "frames": _energy(log.registers.get(key, {})),
            "CDR": cdr.energy_wh if cdr is not None else None,
            "series": series_by_key.get(key),
        }
        for name, energy_wh in figures.items():
            if energy_wh != told.energy_wh:
                off_wh = int(abs(told.energy_wh - Decimal(energy_wh or 0)))
                sentence = f"{key}: {told.energy_wh} Wh told, {name} {energy_wh}"
                verdict.count("wh_delta", sentence, max(1, off_wh))


def _energy(registers: Mapping[str, int]) -> int | None:
    if registers.keys() != {"start", "stop"}:
        return None
    return registers["stop"] - registers["start"]
