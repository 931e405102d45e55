"""What a run leaves behind, as files: all that the checker reads, so that it can be read again.

`oplog*.jsonl` are the stations' own records, `log.jsonl` the whole journal, `views.json` what the
API and ClickHouse showed in the end and what they should show.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from infra.simulator.oplog import Operation, TransactionRecord
from schemas.cdr import Cdr
from schemas.journal import Entry
from tests.e2e.checking import SessionEnergy, Told
from tests.e2e.checking_commands import Commanded

OPLOGS, LOG, VIEWS = "oplog*.jsonl", "log.jsonl", "views.json"


class Shown(Struct, kw_only=True):
    """What is read, beside what may be read there."""

    name: str
    shown: str
    right: list[str]


class Views(Struct, kw_only=True):
    cdrs: list[Cdr]
    series: list[SessionEnergy]
    commands: list[Commanded]
    registry: list[Shown]
    """Who is connected, and what the API has acknowledged of id tokens."""


class Evidence(Struct, kw_only=True):
    told: Told
    entries: list[Entry]
    views: Views


def keep(directory: Path, entries: Iterable[Entry], views: Views) -> None:
    """Write the log and the views; the op-log is written by the stations."""
    with (directory / LOG).open("wb") as file:
        for partition, offset, value in entries:
            file.write(b"[%d,%d,%b]\n" % (partition, offset, value))
    (directory / VIEWS).write_bytes(msgspec.json.encode(views))


def read(directory: Path) -> Evidence:
    return Evidence(
        told=_told(
            line
            for path in sorted(directory.glob(OPLOGS))
            for line in path.read_bytes().splitlines()
        ),
        entries=_entries((directory / LOG).read_bytes().splitlines()),
        views=msgspec.json.decode((directory / VIEWS).read_bytes(), type=Views),
    )


def _told(lines: Iterable[bytes]) -> Told:
    operations: list[Operation] = []
    transactions: dict[tuple[str, int, datetime, int], TransactionRecord] = {}
    for line in lines:
        said: dict[str, Any] = json.loads(line)
        if said.pop("kind") == "operation":
            operations.append(msgspec.convert(said, Operation))
            continue
        said.pop("energy_wh")
        known = msgspec.convert(said, TransactionRecord)
        # Told again whenever it grows.
        began = (known.station, known.connector_id, known.started_at, known.meter_start_wh)
        transactions[began] = known
    return Told(operations, list(transactions.values()))


def _entries(lines: Sequence[bytes]) -> list[Entry]:
    rows = msgspec.json.Decoder(tuple[int, int, msgspec.Raw])
    return [Entry(p, offset, bytes(value)) for p, offset, value in map(rows.decode, lines)]
