"""The evidence of a CDR from the log alone: the read model's own fold, and the frames beside it.

The log is read twice, from its beginning: which frames belong to a CDR is known once it is folded.
"""

from collections.abc import Iterable, Sequence

import msgspec

from infra.replay import Position, Range, records_of_station
from projections.evidence import FrameRow, RevisionRow, bundle, span_of
from projections.ports import Progress, SavedState, StationKey, Stored, Write
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from projections.session_rows import CdrRevisionRow
from schemas.cdr import Cdr
from schemas.journal import Journal
from schemas.records import MessageReceived, MessageSent

_LIMITS = Limits(checkpoint_records=2**62, checkpoint_s=1e9, stations_max=2**31)
"""Nothing is kept anywhere, so nothing may leave memory."""


class Nowhere:
    """A store that forgets: what is folded is told while it is folded."""

    async def load(self, name: str) -> Stored | None:
        return None

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        return ()

    async def save(self, progress: Progress) -> None:
        return None

    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        return None


async def evidence_in(journal: Journal, tenant: str, cdr_id: str) -> bytes | None:
    """Return the bundle that the API gives out, byte for byte; None: the log has no such CDR."""
    # By the log: a document released by another version may count its revisions otherwise.
    revisions: dict[int, RevisionRow] = {}

    def told(row: CdrRevisionRow) -> None:
        if (row.tenant, row.id) == (tenant, cdr_id):
            revisions[row.record_offset] = _revision(row)

    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    store = Nowhere()
    sink = ReadModel(store, on_revision=told)
    await Projection(journal, sink, store, limits=_LIMITS, until=heads).run()
    if not revisions:
        return None
    released = [number for number, row in revisions.items() if row.state == "FINAL"]
    last = min(released, default=max(revisions))
    ordered = [revisions[number] for number in sorted(revisions) if number <= last]
    cdr = msgspec.json.decode(ordered[-1].body, type=Cdr)
    span = span_of(cdr, ordered)
    within = Range(Position(span.partition, span.first), Position(span.partition, span.last))
    frames = []
    async for replayed in records_of_station(journal, tenant, cdr.station, within):
        record = replayed.record
        if replayed.dropped or not isinstance(record, MessageReceived | MessageSent):
            continue
        frames.append(_frame(replayed.offset, record))
    return bundle(ordered, frames)


def _revision(row: CdrRevisionRow) -> RevisionRow:
    return RevisionRow(
        revision=row.revision,
        state=row.state,
        partition=row.partition,
        offset=row.record_offset,
        recorded_at=row.recorded_at,
        body=row.body,
        sha256=row.sha256,
    )


def _frame(offset: int, record: MessageReceived | MessageSent) -> FrameRow:
    is_in = isinstance(record, MessageReceived)
    return FrameRow(
        offset=offset,
        direction="in" if is_in else "out",
        recorded_at=record.recorded_at,
        connection=record.connection,
        frame=record.frame,
        frame_base64=record.frame_base64 if isinstance(record, MessageReceived) else "",
    )
