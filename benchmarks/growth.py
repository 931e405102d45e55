"""The CPU of a CALL as one log grows, from 10⁵ records to 10⁷ (by default to 10⁶).

One edge without sockets, as in `flatness`; the same stations live ever longer. A log of 10⁷ records
takes a quarter of an hour to write and some 10 GB.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path

from benchmarks.embedded import directory
from benchmarks.history import PARTITION, History
from benchmarks.rows import Row
from infra.journal_sqlite import SWITCH_INTERVAL_S
from schemas.journal import Entry
from schemas.records import MessageReceived, decode

TITLE = "Growth: the cost of a CALL as the log grows"
SIZES = (100_000, 300_000, 1_000_000)
FULL_SIZES = (100_000, 1_000_000, 10_000_000)
STATIONS = 100
SAMPLED = 20_000
TURNS = 15
ROUNDS = 27
"""Three sessions of every station in each turn."""


def run() -> list[Row]:
    return _grown(SIZES, "python -m benchmarks growth")


def run_full() -> list[Row]:
    return _grown(FULL_SIZES, "python -m benchmarks --full growth")


def _grown(sizes: tuple[int, ...], command: str) -> list[Row]:
    with directory() as data:
        costs, bytes_of_a_call = asyncio.run(_costs(data, sizes))
    rows = [
        Row(
            name=f"CPU per CALL, {size:,} records in the log",
            command=command,
            figure=f"{cost:.1f} µs",
            ratio=f"{cost / costs[0]:.2f}",
            asked="≤ 1.10" if number else "",
        )
        for number, (size, cost) in enumerate(zip(sizes, costs, strict=True))
    ]
    in_the_log = "records in the log of one CALL, its answer and its share of a CDR"
    return [*rows, Row(name=in_the_log, command=command, figure=f"{bytes_of_a_call:,.0f} bytes")]


async def _costs(data: Path, sizes: tuple[int, ...]) -> tuple[list[float], float]:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    history = await History.open(data, STATIONS)
    costs = []
    try:
        for size in sizes:
            await history.tell(size)
            costs.append(statistics.median([await _cost_us(history) for _ in range(TURNS)]))
        return costs, await _bytes_of_a_call(history)
    finally:
        await history.close()


async def _cost_us(history: History) -> float:
    calls, began = history.calls, time.process_time()
    for _ in range(ROUNDS):
        await history.round()
    return (time.process_time() - began) * 1e6 / (history.calls - calls)


async def _bytes_of_a_call(history: History) -> float:
    reader = history.journal.reader({PARTITION: 0})
    entries: list[Entry] = []
    try:
        while len(entries) < SAMPLED:
            entries += await reader.poll(records_max=SAMPLED, timeout_s=1.0)
    finally:
        await reader.close()
    calls = sum(isinstance(decode(entry.value), MessageReceived) for entry in entries)
    return sum(len(entry.value) for entry in entries) / calls
