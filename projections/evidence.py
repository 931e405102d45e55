"""The evidence of a CDR: what it says, what it said before, and every frame that it was made from.

One bundle, the same bytes from the views and from the log, so that an auditor with the log alone
can check what billing was given. Its frames are all that the station said and was told from the
first record that the CDR names to the last, verbatim, in the log's order.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct

from projections.ports import Database, StoreUnavailable
from projections.progress import find_progress
from projections.times import microseconds, utc_text
from schemas.cdr import Cdr, CdrSignedValue
from schemas.cdr_cost import TariffSnapshot
from schemas.frames import pointed_at

FRAMES_MAX = 20_000
"""In one answer of the API; a transaction of a day has some three thousand."""

_POSITION = re.compile(r"(\d+):(\d+(?:,\d+)*)")
_decode_cdr = msgspec.json.Decoder(Cdr).decode
_encode = msgspec.json.Encoder().encode


class SeriesBehind(StoreUnavailable):
    """The frames are not all in the series yet; ask again in a moment."""


class TooManyFrames(Exception):
    """More frames lie between the first and the last record than an answer may hold."""


class FrameRow(Struct, frozen=True, kw_only=True):
    """A frame as it was recorded; `direction` is "in" from the station, "out" to it."""

    offset: int
    direction: str
    recorded_at: int
    connection: str
    frame: str
    frame_base64: str = ""


class RevisionRow(Struct, frozen=True, kw_only=True):
    revision: int
    state: str
    partition: int
    offset: int
    recorded_at: int
    body: str
    sha256: str


class Frame(Struct, frozen=True, kw_only=True):
    position: str
    direction: str
    recorded_at: str
    """By our clock."""
    station_time: str
    """By the station's, as it wrote it; empty where the frame has none."""
    connection: str
    sha256: str
    """Of the frame's bytes as UTF-8; of one that was no text, of what it was."""
    frame: str
    frame_base64: str


class Revision(Struct, frozen=True, kw_only=True):
    revision: int
    state: str
    record: str
    """ "partition:offset" of the record that made it."""
    recorded_at: str
    """When what made it was told, or decided; our clock."""
    sha256: str
    document: Raw


class Signed(Struct, frozen=True, kw_only=True):
    position: str
    path: str
    sha256: str
    text: str
    """Character for character as it was sent."""


class Evidence(Struct, frozen=True, kw_only=True):
    cdr: Raw
    cdr_sha256: str
    positions: Mapping[str, str]
    revisions: Sequence[Revision]
    tariff: TariffSnapshot | None
    """The snapshot that prices it, as it was registered."""
    signed_values: Sequence[Signed]
    frames: Sequence[Frame]


class Bundle(Struct, frozen=True):
    sha256: str
    """Of the member `evidence`, to the letter."""
    evidence: Raw


class Span(Struct, frozen=True):
    """Where the frames of a CDR are: both ends belong to it."""

    partition: int
    first: int
    last: int


def span_of(cdr: Cdr, revisions: Sequence[RevisionRow]) -> Span:
    """Return the stretch of the log between the first and the last record that it names."""
    named = [value.position for value in cdr.signed.values] if cdr.signed is not None else []
    here = revisions[-1].partition
    offsets = [revision.offset for revision in revisions if revision.partition == here]
    for position in [*cdr.positions.values(), *cdr.causes, *named]:
        found = _POSITION.fullmatch(position)
        if found is not None and int(found[1]) == here:
            offsets.extend(int(offset) for offset in found[2].split(","))
    return Span(here, min(offsets), max(offsets))


def bundle(revisions: Sequence[RevisionRow], frames: Sequence[FrameRow]) -> bytes:
    """Return the canonical bundle: JSON, members in order, no white space. The last one counts."""
    latest = revisions[-1]
    cdr = _decode_cdr(latest.body)
    at = latest.partition
    evidence = Evidence(
        cdr=Raw(latest.body.encode()),
        cdr_sha256=latest.sha256,
        positions=cdr.positions,
        revisions=[_revision(row) for row in revisions],
        tariff=cdr.tariff,
        signed_values=_signed(cdr, at, frames),
        frames=[_frame(at, row) for row in frames],
    )
    body = _encode(evidence)
    return _encode(Bundle(sha256(body).hexdigest(), Raw(body)))


async def evidence_of(db: Database, series: Database, tenant: str, cdr_id: str) -> bytes | None:
    """Return the bundle from the views; None: there is no such CDR.

    Raises:
        SeriesBehind: the frames are not all there yet.
        TooManyFrames
        StoreUnavailable
    """
    found = await db.fetch("cdrs.revisions", {"tenant": tenant, "id": cdr_id})
    if not found:
        return None
    revisions = [
        RevisionRow(
            revision=row["revision"],
            state=row["state"],
            partition=row["partition"],
            offset=row["record_offset"],
            recorded_at=row["recorded_at"],
            body=row["body"],
            sha256=row["sha256"],
        )
        for row in found
    ]
    cdr = _decode_cdr(revisions[-1].body)
    span = span_of(cdr, revisions)
    projected = {each.name: each.positions for each in await find_progress(db)}
    if projected.get("clickhouse", {}).get(span.partition, 0) <= span.last:
        raise SeriesBehind("clickhouse")
    rows = await series.fetch(
        "clickhouse/messages.between",
        {
            "tenant": tenant,
            "station": cdr.station,
            "partition": span.partition,
            "first": span.first,
            "last": span.last,
            "limit": FRAMES_MAX + 1,
        },
    )
    if len(rows) > FRAMES_MAX:
        raise TooManyFrames(cdr_id)
    return bundle(revisions, [_row(row) for row in rows])


async def signed_frames(
    db: Database, series: Database, tenant: str, station: str, positions: Collection[str]
) -> dict[str, str]:
    """Return the frames at these positions, as far as they are the station's.

    Raises:
        SeriesBehind: they are not all there yet.
        StoreUnavailable
    """
    wanted = sorted({_place(position) for position in positions})
    if not wanted:
        return {}
    projected = {each.name: each.positions for each in await find_progress(db)}
    found: dict[str, str] = {}
    for partition, offset in wanted:
        if projected.get("clickhouse", {}).get(partition, 0) <= offset:
            raise SeriesBehind("clickhouse")
        at = {"partition": partition, "first": offset, "last": offset, "limit": 1}
        rows = await series.fetch(
            "clickhouse/messages.between", {"tenant": tenant, "station": station, **at}
        )
        found |= {f"{partition}:{row['offset']}": row["frame"] for row in rows}
    return found


def _place(position: str) -> tuple[int, int]:
    partition, _, offset = position.partition(":")
    return int(partition), int(offset)


async def released_at_of(db: Database, tenant: str, cdr_id: str) -> str:
    """Return when its latest revision was decided; of a released CDR, when it was released."""
    found = await db.fetch("cdrs.revisions", {"tenant": tenant, "id": cdr_id})
    return utc_text(int(found[-1]["recorded_at"]))


def _row(row: Mapping[str, Any]) -> FrameRow:
    at = row["recorded_at"]
    return FrameRow(
        offset=row["offset"],
        direction=row["direction"],
        recorded_at=microseconds(at if at.tzinfo is not None else at.replace(tzinfo=UTC)) or 0,
        connection=row["connection"],
        frame=row["frame"],
        frame_base64=row["frame_base64"],
    )


def _revision(row: RevisionRow) -> Revision:
    return Revision(
        revision=row.revision,
        state=row.state,
        record=f"{row.partition}:{row.offset}",
        recorded_at=utc_text(row.recorded_at),
        sha256=row.sha256,
        document=Raw(row.body.encode()),
    )


def _frame(partition: int, row: FrameRow) -> Frame:
    return Frame(
        position=f"{partition}:{row.offset}",
        direction=row.direction,
        recorded_at=utc_text(row.recorded_at),
        station_time=_station_time(row.frame) if row.direction == "in" else "",
        connection=row.connection,
        sha256=sha256(_bytes(row)).hexdigest(),
        frame=row.frame,
        frame_base64=row.frame_base64,
    )


def _bytes(row: FrameRow) -> bytes:
    if row.frame_base64:
        return msgspec.convert(row.frame_base64, bytes)
    return row.frame.encode()


def _parsed(frame: str) -> Any:
    try:
        return msgspec.json.decode(frame)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _station_time(frame: str) -> str:
    parsed = _parsed(frame)
    payload = parsed[3] if isinstance(parsed, list) and len(parsed) > 3 else None
    if not isinstance(payload, dict):
        return ""
    time = payload.get("timestamp")
    if time is None:
        values = payload.get("meterValue")
        if isinstance(values, list) and values and isinstance(values[0], dict):
            time = values[0].get("timestamp")
    return time if isinstance(time, str) else ""


def _signed(cdr: Cdr, partition: int, frames: Sequence[FrameRow]) -> list[Signed]:
    if cdr.signed is None:
        return []
    by_position = {f"{partition}:{row.offset}": row.frame for row in frames}
    return [_signed_value(value, by_position) for value in cdr.signed.values]


def _signed_value(value: CdrSignedValue, frames: Mapping[str, str]) -> Signed:
    found = pointed_at(frames.get(value.position, ""), value.path)
    text = found if isinstance(found, str) else ""
    return Signed(position=value.position, path=value.path, sha256=value.sha256, text=text)
