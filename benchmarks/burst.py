"""Answered CALLs per second of a whole `up`, closed loop, 100 stations, the session mix.

Everything durable, the projections running beside. They have a lower priority and may lag: how far
they are behind when the load ends, and how long they then take, is part of the result.
"""

import asyncio
import time

from benchmarks.embedded import Embedded, directory, embedded, spent
from benchmarks.lag import LagWatch
from benchmarks.rows import Row
from benchmarks.running import Measured, measure, server
from benchmarks.throughput import row

TITLE = "Embedded, 100 stations: everything durable, projections running"
STATIONS = 100
SECONDS = 10.0
WARMUP_S = 2.0
CATCH_UP_MAX_S = 120.0
P99_ASKED_MS = 25.0


def run() -> list[Row]:
    with server("benchmarks.baseline") as url:
        baseline = measure(url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
    with directory() as data, embedded(data) as running:
        measured, cpu, watch, caught_up_s = asyncio.run(_loaded(running))
    asked = f"≥ 5 (aim 8); p99 < {P99_ASKED_MS:.0f} ms"
    command = measured.command
    return [
        row("baseline: the `ocpp` package's documentation example", baseline, baseline),
        row("`chargeledger up`", measured, baseline, asked=asked),
        Row(name="cores of `up` meanwhile, by process", command=command, figure=cpu),
        Row(name="behind when the load ended", command=command, figure=watch[0]),
        Row(
            name="until the projections had caught up",
            command=command,
            figure=f"{caught_up_s:.1f} s" if watch[1] == 0 else f"> {CATCH_UP_MAX_S:.0f} s",
        ),
    ]


async def _loaded(running: Embedded) -> tuple[Measured, str, tuple[str, int], float]:
    watch = LagWatch(running)
    before, began = running.cpu_s(), time.perf_counter()
    url = running.url
    measured = await watch.during(
        lambda: measure(url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
    )
    cpu = spent(before, running.cpu_s(), time.perf_counter() - began)
    behind = watch.last()
    caught_up_s = await watch.until_caught_up(CATCH_UP_MAX_S)
    return measured, cpu, (behind, watch.records), caught_up_s
