"""Exports of released CDRs: what is in them, and that the same export is the same bytes."""

import csv
import json
from decimal import Decimal
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as parquet
import pytest

from infra.cli.exporting import run_export
from infra.cli.failures import Failed
from infra.exporting import (
    FORMS,
    Form,
    Manifest,
    Window,
    manifest_path,
    released_in,
    signed_frames,
    write_export,
)
from infra.journal_memory import MemoryJournal
from projections.exports import COLUMNS, Exported
from schemas.records import CdrReleased, MessageReceived, PartitionClaimed, Record, encode
from tests.domain.released import document
from tests.projections.world import NOW, SECOND

HOUR = 3600 * SECOND


class Releases:
    """A log with releases at given times."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(2)
        self._sequence = {1: 0, 2: 0}

    async def append(self, partition: int, record: Record) -> int:
        self._sequence[partition] += 1
        value = encode(record, "w", self._sequence[partition])
        return (await self.journal.append(partition, [value]))[0]

    async def release(
        self, partition: int, at: int, *, epoch: int, tenant: str = "default", **changes: Any
    ) -> None:
        plain = document(**changes)
        body = msgspec.json.encode(plain)
        await self.append(
            partition,
            CdrReleased(
                tenant=tenant,
                station=plain["station"],
                recorded_at=at,
                cause=self._sequence[partition],
                purpose="release",
                epoch=epoch,
                transaction_id=plain["transaction_id"],
                cdr_id=plain["id"],
                document=msgspec.Raw(body),
                sha256=sha256(body).hexdigest(),
            ),
        )


async def releases() -> Releases:
    log = Releases()
    epochs = {p: await log.append(p, PartitionClaimed(recorded_at=NOW, owner="w")) for p in (1, 2)}
    await log.release(2, NOW, epoch=epochs[2], id="in-2")
    await log.release(1, NOW - 1, epoch=epochs[1], id="before")
    await log.release(1, NOW + 1, epoch=epochs[1], id="in-1", id_token="=1+1", stop_reason="-x")
    await log.release(1, NOW + 2, epoch=epochs[1], id="unpriced", cost=None, tariff=None)
    await log.release(1, NOW + 3, epoch=epochs[1], id="theirs", tenant="other")
    await log.release(1, NOW + 4, epoch=99, id="fenced")
    await log.release(1, NOW + HOUR, epoch=epochs[1], id="after")
    return log


async def found_in(log: Releases) -> list[Exported]:
    told: list[tuple[int, int]] = []
    found = await released_in(
        log.journal, "default", Window(NOW, NOW + HOUR), lambda *done: told.append(done)
    )
    assert told[-1] == (9, 9)
    return found


async def export(form: Form, out: Path, log: Releases | None = None) -> Manifest:
    log = log or await releases()
    return write_export(
        form,
        await found_in(log),
        out,
        tenant="default",
        journal_id="journal",
        window=Window(NOW, NOW + HOUR),
    )


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_an_export_has_what_was_released_in_its_window_in_the_order_of_the_log() -> None:
    found = await found_in(await releases())
    assert [one.cdr.id for one in found] == ["in-1", "unpriced", "in-2"]
    assert [one.position for one in found] == ["1:2:0", "1:3:0", "2:1:0"]


@pytest.mark.parametrize("form", FORMS)
async def test_the_same_export_is_the_same_bytes(form: Form, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "a b" / "other"
    other.parent.mkdir()
    first, second = await export(form, one), await export(form, other)
    assert one.read_bytes() == other.read_bytes()
    assert manifest_path(one).read_bytes() == manifest_path(other).read_bytes()
    assert first == second
    assert first.sha256 == sha256(one.read_bytes()).hexdigest()
    assert first.bytes == one.stat().st_size
    assert names_in(tmp_path) == ["a b", "one", "one.manifest.json"]


async def test_a_spreadsheet_calculates_nothing_of_a_csv(tmp_path: Path) -> None:
    out = tmp_path / "cdrs.csv"
    await export("csv", out)
    text = out.read_bytes().decode("utf-8")
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert text.count("\r\n") == 4
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["id_token"] == "'=1+1"
    assert rows[0]["stop_reason"] == "'-x"
    assert rows[0]["started_at_utc"] == "2026-03-10T16:00:00.000000Z"
    assert rows[0]["started_at_local"] == "2026-03-10T17:00:00.000000+01:00"
    assert (rows[0]["energy_wh"], rows[0]["total_incl_vat_rounded"]) == ("20000", "6.70")
    assert (rows[1]["currency"], rows[1]["total_incl_vat"]) == ("", "")


async def test_parquet_has_decimals_and_times_and_no_floats(tmp_path: Path) -> None:
    out = tmp_path / "cdrs.parquet"
    await export("parquet", out)
    table = parquet.read_table(out)
    types = {field.name: str(field.type) for field in table.schema}
    assert list(types) == list(COLUMNS)
    assert types["energy_wh"] == "decimal128(38, 9)"
    assert types["total_incl_vat"] == "decimal128(38, 10)"
    assert types["started_at_utc"] == "timestamp[us, tz=UTC]"
    assert not any(kind in ("float", "double") for kind in types.values())
    rows = table.to_pylist()
    assert rows[0]["total_incl_vat"] == Decimal("6.7")
    assert rows[0]["id_token"] == "=1+1"
    assert rows[1]["total_incl_vat"] is None
    assert rows[0]["released_at_utc"].isoformat() == "2026-11-23T10:00:00.000001+00:00"


@pytest.mark.parametrize("form", ["ocpi-2.2.1", "ocpi-2.3.0"])
async def test_ocpi_leaves_out_what_it_cannot_say_and_counts_it(form: Form, tmp_path: Path) -> None:
    out = tmp_path / "cdrs.json"
    manifest = await export(form, out)
    cdrs = json.loads(out.read_text())
    assert [cdr["id"] for cdr in cdrs] == ["in-1", "in-2"]
    assert manifest.documents == 2
    assert manifest.refused == {"unpriced": 1}
    assert manifest.refused_ids.keys() == {"unpriced"}


async def test_the_manifest_has_sums_by_currency_and_kind(tmp_path: Path) -> None:
    log = await releases()
    await log.release(
        2,
        NOW + 5,
        epoch=0,
        id="back",
        kind="credit",
        credit_reference_id="in-2",
        cost={
            "currency": "EUR",
            "excl_vat": "-6",
            "incl_vat": "-6.7",
            "rounded": ["-6.00", "-6.70"],
        },
    )
    found = await released_in(log.journal, "default", Window(NOW, NOW + HOUR), lambda *_: None)
    manifest = write_export(
        "csv",
        found,
        tmp_path / "x.csv",
        tenant="default",
        journal_id="j",
        window=Window(NOW, NOW + HOUR),
    )
    sums = {(each["currency"], each["kind"]): each for each in manifest.sums}
    assert sums["EUR", "original"]["incl_vat"] == "13.4"
    assert sums["EUR", "credit"]["incl_vat"] == "-6.7"
    net = sums["EUR", "net"]
    assert (net["documents"], net["incl_vat_rounded"], net["energy_wh"]) == (3, "6.70", "20000")
    assert sums[None, "original"]["energy_wh"] == "20000"
    assert sums[None, "net"]["incl_vat"] is None
    assert (manifest.first_position, manifest.last_position) == ("1:2:0", "2:2:0")


async def test_nothing_released_is_an_empty_file_with_a_manifest(tmp_path: Path) -> None:
    log = Releases()
    for form in FORMS:
        out = tmp_path / form
        found = await released_in(log.journal, "default", Window(0, 1), lambda *_: None)
        manifest = write_export(
            form, found, out, tenant="default", journal_id="j", window=Window(0, 1)
        )
        assert manifest.documents == 0
        assert out.exists()


def test_a_window_that_ends_before_it_begins_is_a_mistake(tmp_path: Path) -> None:
    times = "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"
    with pytest.raises(Failed, match="not before --to"):
        run_export("csv", *times, tmp_path / "out", data=tmp_path, tenant="default")


async def test_signed_values_are_read_from_the_frames_that_the_documents_name(
    tmp_path: Path,
) -> None:
    log = await releases()
    text = "signed, as it was"
    value = {"format": "SignedData", "value": text, "context": "Transaction.End"}
    values = [{"timestamp": "2026-03-10T18:00:00Z", "sampledValue": [value]}]
    payload = {"transactionId": 1, "meterStop": 1, "transactionData": values}
    frame = msgspec.json.encode([2, "m", "StopTransaction", payload]).decode()
    offset = await log.append(
        2,
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=NOW,
            connection="c",
            number=1,
            frame=frame,
            message_type=2,
            message_id="m",
            action="StopTransaction",
        ),
    )
    named = {
        "position": f"2:{offset}",
        "path": "/3/transactionData/0/sampledValue/0/value",
        "sha256": sha256(text.encode()).hexdigest(),
    }
    for cdr_id, broken in (("good", {}), ("bad", {"position": "2:0"})):
        signed = {"values": [named | broken], "is_energy": False}
        await log.release(2, NOW, epoch=0, id=cdr_id, signed=signed)
    found = await found_in_all(log)

    frames = await signed_frames(log.journal, found)
    out = tmp_path / "out"
    manifest = write_export(
        "ocpi-2.2.1",
        found,
        out,
        tenant="default",
        journal_id="j",
        window=Window(NOW, NOW + HOUR),
        frames=frames,
    )

    assert frames == {f"2:{offset}": frame}
    told = {each["id"]: each.get("signed_data") for each in json.loads(out.read_text())}
    assert told["good"]["signed_values"] == [
        {"nature": "End", "plain_data": "", "signed_data": text}
    ]
    assert told["in-1"] is None
    assert manifest.refused == {"signed-values-missing": 1, "unpriced": 1}


async def found_in_all(log: Releases) -> list[Exported]:
    return await released_in(log.journal, "default", Window(NOW, NOW + HOUR), lambda *_: None)
