"""Records per second of a rebuild of all projections from the log, by the command people use.

The digest before and after must be equal, or there is no figure.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.embedded import directory, embedded
from benchmarks.history import write
from benchmarks.lag import LagWatch
from benchmarks.rows import Row

TITLE = "Rebuild of all projections from the log"
RECORDS = 300_000
STATIONS = 500
REBUILD_MAX_S = 120.0
PROJECT_MAX_S = 120.0
NAMES = ("postgres", "clickhouse")


class RebuildFailed(Exception):
    """The command ended with an error, or what it made was not the same."""


def run() -> list[Row]:
    with directory() as data:
        written = asyncio.run(write(data, records=RECORDS, stations=STATIONS))
        with embedded(data) as running:
            behind = asyncio.run(LagWatch(running).until_caught_up(PROJECT_MAX_S))
        took = {name: _rebuild_s(data, name) for name in ("", *NAMES)}
    rows = [
        Row(
            name="for comparison: both projections of an `up` at once, from nothing",
            command="chargeledger up",
            figure=f"{written.records / behind:,.0f} records/s",
        )
    ]
    for name, seconds in took.items():
        rows.append(
            Row(
                name=name or f"both, {written.records:,} records, the engines' start included",
                command=f"chargeledger rebuild {name}".strip(),
                figure=f"{written.records / seconds:,.0f} records/s ({seconds:.1f} s)",
                asked="" if name else "≥ 20,000 (aim 50,000)",
            )
        )
    return rows


def _rebuild_s(data: Path, name: str) -> float:
    # The start of the engines counts; `up` is not running, as after a disaster.
    command = [sys.executable, "-P", "-c", "from infra.cli import main; main()", "rebuild"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, *([name] if name else []), "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=REBUILD_MAX_S,
        check=False,
    )
    if done.returncode != 0 or "equal" not in done.stdout:
        raise RebuildFailed(f"{done.stdout[-500:]}\n{done.stderr[-1500:]}")
    return time.perf_counter() - began
