"""Answered CALLs per second of a whole `up`, closed loop, 100 stations, the session mix.

Everything durable, the projections running beside. They have a lower priority and may lag: how far
they are behind when the load ends, and how long they then take, is part of the result.
"""

import asyncio
import time
from dataclasses import dataclass

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
TURNS = 3
"""Each with a baseline of its own: what one machine does differs by a tenth within a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    baseline: Measured
    measured: Measured
    cpu: str
    behind: str
    caught_up: str

    @property
    def ratio(self) -> float:
        return self.measured.calls_per_s / self.baseline.calls_per_s


def run() -> list[Row]:
    turns = sorted((_turn() for _ in range(TURNS)), key=lambda turn: turn.ratio)
    typical = turns[TURNS // 2]
    baseline, measured = typical.baseline, typical.measured
    asked = f"≥ 5 (aim 8); p99 < {P99_ASKED_MS:.0f} ms"
    command = measured.command
    return [
        row("baseline: the `ocpp` package's documentation example", baseline, baseline),
        row("`chargeledger up`", measured, baseline, asked=asked),
        Row(
            name=f"the ratios of {TURNS} turns, of which this is the middle one",
            command=command,
            figure=", ".join(f"{turn.ratio:.1f}" for turn in turns),
        ),
        Row(name="cores of `up` meanwhile, by process", command=command, figure=typical.cpu),
        Row(name="behind when the load ended", command=command, figure=typical.behind),
        Row(
            name="until the projections had caught up",
            command=command,
            figure=typical.caught_up,
        ),
    ]


def _turn() -> Turn:
    with server("benchmarks.baseline") as url:
        baseline = measure(url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
    with directory() as data, embedded(data) as running:
        return asyncio.run(_loaded(running, baseline))


async def _loaded(running: Embedded, baseline: Measured) -> Turn:
    watch = LagWatch(running)
    before, began = running.cpu_s(), time.perf_counter()
    url = running.url
    measured = await watch.during(
        lambda: measure(url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
    )
    cpu = spent(before, running.cpu_s(), time.perf_counter() - began)
    behind = watch.last()
    seconds = await watch.until_caught_up(CATCH_UP_MAX_S)
    return Turn(
        baseline=baseline,
        measured=measured,
        cpu=cpu,
        behind=behind,
        caught_up=f"{seconds:.1f} s" if watch.records == 0 else f"> {CATCH_UP_MAX_S:.0f} s",
    )
