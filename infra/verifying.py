"""The log, the CDRs and the series held against each other: what differs, in sentences.

What the views ought to say is folded from the log up to the position that each of them has, by the
fold that projects; what they say is read from them. The log itself is read once for what does not
depend on a view: who appended, what does not count, and that released documents are what their
digests say. All CDRs are held in memory.

Rows of the series are written before their position, so a crash leaves rows ahead of it, and the
next start repeats them. Those are held against what the log says beyond the position.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from domain.facts import Fact
from domain.log_filter import LogFilter
from domain.station import Station
from infra.journal_evidence import Nowhere
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from projections.session_rows import CdrRevisionRow
from schemas.cdr import digest
from schemas.journal import Journal
from schemas.records import (
    CdrReleased,
    MessageReceived,
    MessageSent,
    Record,
    UnreadableRecord,
    decode,
)

READ_AT_ONCE = 10_000
READ_S = 5.0
_LIMITS = Limits(checkpoint_records=2**62, checkpoint_s=1e9, stations_max=2**31)

Wh = int | Decimal | None


@dataclass(slots=True)
class LogReport:
    records: int = 0
    unreadable: int = 0
    not_counted: int = 0
    """Repeats, the fenced, second decisions."""
    gaps: int = 0
    """Numbers that an incarnation left out: appends that were refused, or records that are gone."""
    incarnations: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CdrSaid:
    state: str
    revision: int
    energy_wh: Wh
    sha256: str


@dataclass(slots=True)
class Expected:
    """What a view at a position has to say."""

    cdrs: dict[str, CdrSaid] = field(default_factory=dict)
    frames: int = 0
    later: dict[str, set[CdrSaid]] = field(default_factory=dict)
    """What the log says of a CDR beyond the position."""
    later_frames: int = 0


@dataclass(frozen=True, slots=True)
class FramesSeen:
    """Of the series: up to its position, and beyond it."""

    within: int
    ahead: int = 0


async def read_log(journal: Journal) -> LogReport:
    """Read the whole log as far as it goes now."""
    report = LogReport()
    filters = {p: LogFilter() for p in range(journal.partitions + 1)}
    last: dict[tuple[int, str], int] = {}
    heads = {p: await journal.head(p) for p in filters}
    left = {p for p, head in heads.items() if head > 0}
    reader = journal.reader(dict.fromkeys(left, 0))
    try:
        while left:
            for entry in await reader.poll(records_max=READ_AT_ONCE, timeout_s=READ_S):
                if entry.offset + 1 >= heads[entry.partition]:
                    left.discard(entry.partition)
                if entry.offset < heads[entry.partition]:
                    where = f"{entry.partition}:{entry.offset}"
                    _look_at(entry.value, where, filters[entry.partition], last, report)
    finally:
        await reader.close()
    report.incarnations = len({incarnation for _, incarnation in last})
    return report


def _look_at(
    value: bytes,
    where: str,
    log_filter: LogFilter,
    last: dict[tuple[int, str], int],
    report: LogReport,
) -> None:
    report.records += 1
    partition, _, offset = where.partition(":")
    try:
        record = decode(value)
    except UnreadableRecord as error:
        report.unreadable += 1
        report.wrong.append(f"log: {where} cannot be read: {error}")
        return
    if not log_filter.admit(int(offset), record):
        report.not_counted += 1
        return
    key = (int(partition), record.incarnation)
    if key in last:
        report.gaps += max(0, record.sequence - last[key] - 1)
    last[key] = max(record.sequence, last.get(key, -1))
    if isinstance(record, CdrReleased) and digest(bytes(record.document)) != record.sha256:
        report.wrong.append(f"log: {where}: CDR {record.cdr_id} has another digest than is said")


class _Counting(ReadModel):
    """The read model's fold, and how many frames of the tenant passed it."""

    frames = later_frames = 0
    tenant: str | None = None
    positions: Mapping[int, int] = {}
    is_later = False
    """Whether what is folded now is beyond the positions."""

    def apply(
        self,
        partition: int,
        offset: int,
        record: Record,
        facts: Sequence[Fact],
        station: Station | None,
    ) -> None:
        self.is_later = offset >= self.positions.get(partition, 0)
        super().apply(partition, offset, record, facts, station)
        if self.tenant is None or record.tenant == self.tenant:
            is_frame = isinstance(record, MessageReceived | MessageSent)
            self.frames += is_frame and not self.is_later
            self.later_frames += is_frame and self.is_later


async def expected_at(
    journal: Journal, positions: Mapping[int, int], tenant: str | None = None
) -> Expected:
    """Fold the whole log; keep what is the tenant's, or all, up to these positions and beyond."""
    expected = Expected()

    def told(row: CdrRevisionRow) -> None:
        if tenant is not None and row.tenant != tenant:
            return
        known = expected.cdrs.get(row.id)
        if known is None or known.state != "FINAL":
            energy_wh = json.loads(row.body, parse_float=Decimal).get("energy_wh")
            said = CdrSaid(row.state, row.revision, energy_wh, row.sha256)
            if sink.is_later:
                expected.later.setdefault(row.id, set()).add(said)
            else:
                expected.cdrs[row.id] = said

    store = Nowhere()
    sink = _Counting(store, on_revision=told)
    sink.tenant, sink.positions = tenant, positions
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    await Projection(journal, sink, store, limits=_LIMITS, until=heads).run()
    expected.frames, expected.later_frames = sink.frames, sink.later_frames
    return expected


def compare_cdrs(expected: Expected, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """`rows`: id, state, revision, energy_wh, sha256, as the read model has them."""
    found = {
        str(row["id"]): CdrSaid(row["state"], row["revision"], row["energy_wh"], row["sha256"])
        for row in rows
    }
    wrong = _counts("CDRs", len(expected.cdrs), len(found))
    wrong += [f"CDRs: {each} is missing" for each in sorted(expected.cdrs.keys() - found.keys())]
    wrong += [f"CDRs: the log makes no {each}" for each in sorted(found.keys() - expected.cdrs)]
    for cdr_id in sorted(found.keys() & expected.cdrs.keys()):
        said, ought = found[cdr_id], expected.cdrs[cdr_id]
        wrong += [
            f"CDRs: {cdr_id}: {name} is {getattr(said, name)}, by the log {getattr(ought, name)}"
            for name in ("state", "revision", "energy_wh", "sha256")
            if getattr(said, name) != getattr(ought, name)
        ]
    return wrong


def compare_series(
    expected: Expected, sessions: Iterable[Mapping[str, Any]], frames: FramesSeen
) -> list[str]:
    """`sessions`: cdr_id, state, energy_wh (of the registers), cdr_energy_wh, signed."""
    wrong = _counts("series: frames", expected.frames, frames.within)
    if frames.ahead > expected.later_frames:
        wrong.append(
            f"series: frames beyond the position: {frames.ahead},"
            f" by the log {expected.later_frames}"
        )
    seen: set[str] = set()
    for row in sessions:
        cdr_id = str(row["cdr_id"])
        ought, later = expected.cdrs.get(cdr_id), expected.later.get(cdr_id, set())
        if (ought is None and not later) or cdr_id in seen:
            wrong.append(f"series: {cdr_id or row} is there twice, or the log makes no such CDR")
            continue
        seen.add(cdr_id)
        if not any(not _differences(row, said) for said in later):
            wrong += [
                f"series: {cdr_id}: {each}"
                for each in _differences(row, ought or min(later, key=lambda said: said.revision))
            ]
    missing = {each for each, said in expected.cdrs.items() if said.energy_wh is not None} - seen
    return wrong + [f"series: {each} is missing" for each in sorted(missing)]


def _differences(row: Mapping[str, Any], ought: CdrSaid) -> list[str]:
    differences = []
    if row["state"] != ought.state:
        differences.append(f"state is {row['state']}, by the log {ought.state}")
    figures = {"the session": row["cdr_energy_wh"]}
    if not row["signed"]:
        figures["the registers"] = row["energy_wh"]
    return differences + [
        f"{name} say {_wh(figure)} Wh, by the log {ought.energy_wh}"
        for name, figure in figures.items()
        if _wh(figure) != ought.energy_wh
    ]


def _wh(figure: Any) -> Wh:
    return None if figure is None else Decimal(str(figure))


def _counts(what: str, expected: int, found: int) -> list[str]:
    return [] if expected == found else [f"{what}: {found}, by the log {expected}"]
