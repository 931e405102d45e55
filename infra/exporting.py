"""Exports of released CDRs to files, from the log: the same export twice is the same bytes.

What was released is in the log as a document, so an export reads the log and asks no database. The
window is of the time of release, by our clock: late sessions fall into the next one and never
through. A file appears whole or not at all, and beside it its manifest.
"""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from domain.log_filter import LogFilter
from domain.ocpi_cdrs import NO_FRAMES, NotInOcpi, ocpi_document
from projections.exports import (
    COLUMNS,
    ENERGY,
    INTEGER,
    MONEY,
    SECONDS,
    TEXT,
    TIME,
    Exported,
    Kind,
    row_of,
    sums_of,
)
from projections.times import utc_text
from schemas.journal import Journal
from schemas.ocpi_cdr import Version
from schemas.records import (
    AnyRecord,
    CdrCorrected,
    CdrReleased,
    MessageReceived,
    UnreadableRecord,
    decode,
)
from schemas.released import read_released

Form = Literal["ocpi-2.2.1", "ocpi-2.3.0", "csv", "parquet"]
FORMS: tuple[Form, ...] = ("ocpi-2.2.1", "ocpi-2.3.0", "csv", "parquet")
POLL_RECORDS = 10_000
POLL_S = 5.0

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


class Window(Struct, frozen=True):
    """Of the time of release, microseconds: from inclusive, to exclusive."""

    start: int
    end: int


class Manifest(Struct, frozen=True, kw_only=True):
    format: Form
    tenant: str
    journal_id: str
    released_from: str | None
    released_to: str | None
    documents: int
    """In the file."""
    refused: dict[str, int]
    """Released in the window and not in the file: reason → how many. Only OCPI refuses any."""
    refused_ids: dict[str, str]
    """Which, and why."""
    sums: list[dict[str, str | int | None]]
    """Of what is in the file."""
    first_position: str | None
    last_position: str | None
    bytes: int
    sha256: str


async def released_in(
    journal: Journal, tenant: str, window: Window, on_progress: Callable[[int, int], None]
) -> list[Exported]:
    """Return what was released in the window, by partition and in order.

    `on_progress` is told how many records were read, and of how many.
    """
    heads = {p: await journal.head(p) for p in range(1, journal.partitions + 1)}
    total, done = sum(heads.values()), 0
    found: list[Exported] = []
    filters = {p: LogFilter() for p in heads}
    left = dict(heads)
    reader = journal.reader(dict.fromkeys(heads, 0))
    try:
        while any(left.values()):
            for partition, offset, value in await reader.poll(
                records_max=POLL_RECORDS, timeout_s=POLL_S
            ):
                if offset >= heads[partition]:
                    continue
                left[partition] = heads[partition] - offset - 1
                done += 1
                try:
                    record = decode(value)
                except UnreadableRecord:
                    continue
                if filters[partition].admit(offset, record) and record.tenant == tenant:
                    found.extend(_documents(partition, offset, record, window))
            on_progress(done, total)
    finally:
        await reader.close()
    return sorted(found, key=lambda each: (each.partition, each.offset, each.number))


def _documents(
    partition: int, offset: int, record: AnyRecord, window: Window
) -> Iterator[Exported]:
    if not window.start <= record.recorded_at < window.end:
        return
    for number, document in enumerate(documents_of(record)):
        yield Exported(
            cdr=read_released(document),
            document=document,
            sha256=sha256(document).hexdigest(),
            partition=partition,
            offset=offset,
            number=number,
            released_at=record.recorded_at,
        )


def documents_of(record: AnyRecord) -> tuple[bytes, ...]:
    """Return the documents that this record releases."""
    if isinstance(record, CdrReleased):
        return (bytes(record.document),)
    if isinstance(record, CdrCorrected):
        return bytes(record.credit), bytes(record.replacement)
    return ()


async def signed_frames(journal: Journal, found: Sequence[Exported]) -> dict[str, str]:
    """Return the frames in which the signed values of these documents stand, by position.

    Which they are is known when the documents are read, so the log is read once more, from the
    first of them to the last.
    """
    wanted: dict[int, set[int]] = {}
    for one in found:
        for signed in one.cdr.signed.values if one.cdr.signed is not None else ():
            place, _, at = signed.position.partition(":")
            wanted.setdefault(int(place), set()).add(int(at))
    if not wanted:
        return {}
    frames: dict[str, str] = {}
    reader = journal.reader({partition: min(offsets) for partition, offsets in wanted.items()})
    left = {partition: max(offsets) for partition, offsets in wanted.items()}
    try:
        while left:
            for partition, offset, value in await reader.poll(
                records_max=POLL_RECORDS, timeout_s=POLL_S
            ):
                if offset in wanted[partition]:
                    record = decode(value)
                    if isinstance(record, MessageReceived):
                        frames[f"{partition}:{offset}"] = record.frame
                if offset >= left.get(partition, offset):
                    left.pop(partition, None)
    finally:
        await reader.close()
    return frames


def exported(
    form: Form,
    found: Sequence[Exported],
    frames: Mapping[str, str] = NO_FRAMES,
    signed_url: str = "",
) -> tuple[bytes, list[Exported], dict[str, str]]:
    """Return the file, what is in it, and by id why something is not."""
    if form == "csv":
        return _csv(found), list(found), {}
    if form == "parquet":
        return _parquet(found), list(found), {}
    version: Version = "2.2.1" if form == "ocpi-2.2.1" else "2.3.0"
    texts, kept, refused = [], [], {}
    for one in found:
        try:
            released_at = utc_text(one.released_at)
            texts.append(ocpi_document(one.cdr, version, released_at, frames, signed_url))
        except NotInOcpi as error:
            refused[one.cdr.id] = str(error)
        else:
            kept.append(one)
    return b"[\n%b\n]\n" % b",\n".join(texts) if texts else b"[]\n", kept, refused


def write_export(
    form: Form,
    found: Sequence[Exported],
    out: Path,
    *,
    tenant: str,
    journal_id: str,
    window: Window,
    frames: Mapping[str, str] = NO_FRAMES,
    signed_url: str = "",
) -> Manifest:
    """Write the file and `OUT.manifest.json`; what stood there before is replaced at once."""
    content, kept, refused = exported(form, found, frames, signed_url)
    reasons = [why.partition(":")[0] for why in refused.values()]
    manifest = Manifest(
        format=form,
        tenant=tenant,
        journal_id=journal_id,
        released_from=utc_text(window.start),
        released_to=utc_text(window.end),
        documents=len(kept),
        refused={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        refused_ids=refused,
        sums=sums_of(kept),
        first_position=kept[0].position if kept else None,
        last_position=kept[-1].position if kept else None,
        bytes=len(content),
        sha256=sha256(content).hexdigest(),
    )
    _replace(out, content)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    _replace(manifest_path(out), text + b"\n")
    return manifest


def manifest_path(out: Path) -> Path:
    return out.with_name(out.name + ".manifest.json")


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _csv(found: Sequence[Exported]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in found:
        row = row_of(one)
        writer.writerow(
            _guarded(row[name]) if kind == TEXT else row[name] for name, kind in COLUMNS.items()
        )
    return text.getvalue().encode()


def _guarded(value: str | int | None) -> str | int | None:
    """A text that a spreadsheet would calculate gets an apostrophe before it (OWASP)."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _parquet(found: Sequence[Exported]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    types = {
        ENERGY: pyarrow.decimal128(38, 9),
        MONEY: pyarrow.decimal128(38, 10),
        SECONDS: pyarrow.decimal128(38, 10),
        INTEGER: pyarrow.int64(),
        TIME: pyarrow.timestamp("us", tz="UTC"),
        TEXT: pyarrow.string(),
    }
    rows = [row_of(one) for one in found]
    columns = [
        pyarrow.array([_typed(row[name], kind) for row in rows], types[kind])
        for name, kind in COLUMNS.items()
    ]
    content = BytesIO()
    parquet.write_table(pyarrow.table(columns, names=list(COLUMNS)), content, compression="zstd")
    return content.getvalue()


def _typed(value: str | int | None, kind: Kind) -> str | int | Decimal | datetime | None:
    if not isinstance(value, str) or kind == TEXT:
        return value
    return datetime.fromisoformat(value) if kind == TIME else Decimal(value)
