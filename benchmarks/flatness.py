"""What a CALL costs with a short log and with a long one, and how long a restart takes with it.

The cost is CPU time (of all threads: reading, folding, deciding, the commit), without sockets, of
two edges in one process that take turns, so that whatever else the machine does hits both. Each
turn is its own ratio, and the median counts. In the long log the same stations have lived longer.
"""

import asyncio
import socket
import statistics
import sys
import time
from base64 import b64encode
from os import urandom
from pathlib import Path

from benchmarks.embedded import Embedded, directory
from benchmarks.frames import BOOT, masked
from benchmarks.history import PARTITION, History, Written
from benchmarks.rows import Row
from infra.journal_sqlite import SWITCH_INTERVAL_S
from infra.snapshots import SNAPSHOT_RECORDS, take

TITLE = "Flatness: the cost of a CALL and a restart, with 10⁶ records in the log"
SHORT, LONG = 10_000, 1_000_000
STATIONS = 100
TURNS = 15
ROUNDS = 27
"""Three sessions of every station in each turn."""
READY_MAX_S = 60.0
COMMAND = "python -m benchmarks flatness"


def run() -> list[Row]:
    with directory() as short, directory() as long:
        _initialised(long)
        figures = asyncio.run(_compared(short, long))
        return [*figures, _restart(long)]


def _initialised(data: Path) -> None:
    # A deployment that was up before and was killed: its Postgres has to recover, too.
    running = Embedded(data)
    try:
        running.wait_ready()
    finally:
        running.kill()


async def _compared(short: Path, long: Path) -> list[Row]:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    young, old = await History.open(short, STATIONS), await History.open(long, STATIONS)
    try:
        await young.tell(SHORT)
        written = await old.tell(LONG)
        costs = [(await _cost_us(young), await _cost_us(old)) for _ in range(TURNS)]
        ratio = statistics.median(after / before for before, after in costs)
        before, after = (statistics.median(side) for side in zip(*costs, strict=True))
        snapshots = _snapshot_us(young), _snapshot_us(old)
        # The turns made no snapshot; an edge would have. Its last one is as old as it may be.
        await old.tell(old.journal.next_offset(PARTITION) + SNAPSHOT_RECORDS)
        return [
            _written(written),
            Row(
                name="CPU per CALL after 10⁴ and after 10⁶ records",
                command=COMMAND,
                figure=f"{before:.1f} µs, {after:.1f} µs",
                ratio=f"{ratio:.2f}",
                asked="≤ 1.10",
            ),
            Row(
                name=f"of a snapshot, each {SNAPSHOT_RECORDS:,} records, per CALL",
                command=COMMAND,
                figure=f"{snapshots[0]:.2f} µs, {snapshots[1]:.2f} µs",
            ),
        ]
    finally:
        await young.close()
        await old.close()


def _written(written: Written) -> Row:
    rate = written.records / written.seconds
    return Row(
        name=f"{written.records:,} records written by `benchmarks.history`",
        command=COMMAND,
        figure=f"{rate:,.0f} records/s, {written.sessions:,} sessions",
    )


async def _cost_us(history: History) -> float:
    calls, began = history.calls, time.process_time()
    for _ in range(ROUNDS):
        await history.round()
    return (time.process_time() - began) * 1e6 / (history.calls - calls)


def _snapshot_us(history: History) -> float:
    began = time.process_time()
    for station in history.owner.stations.values():
        take(station)
    calls = SNAPSHOT_RECORDS / 2
    return (time.process_time() - began) * 1e6 / calls


def _restart(data: Path) -> Row:
    port = _free_port()
    running = Embedded(data, ocpp_port=port)
    try:
        accepted_s = _accepted_s(running, port)
    finally:
        running.kill()
    return Row(
        name="`up` after `kill -9`, the snapshot as old as it may be: until a station is accepted",
        command=COMMAND,
        figure=f"{accepted_s:.1f} s",
        asked="≤ 5 s",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepted_s(running: Embedded, port: int) -> float:
    while time.perf_counter() - running.started < READY_MAX_S:
        try:
            if _boots(port):
                return time.perf_counter() - running.started
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"no station was accepted within {READY_MAX_S:.0f} s")


def _boots(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=READY_MAX_S) as station:
        station.sendall(
            b"GET /ocpp/RESTARTED HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Key: "
            + b64encode(urandom(16))
            + b"\r\n\r\n"
        )
        if b" 101 " not in station.recv(4_096):
            time.sleep(0.02)
            return False
        station.sendall(masked(BOOT % b"boot"))
        return b'"Accepted"' in station.recv(4_096)
