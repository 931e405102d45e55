"""The highest rate that `up` keeps with its projections at its heels: lag under 2 s for a minute.

Open loop: CALLs leave when they are due, whatever has been answered. The rates tried are multiples
of what the baseline answered in the same run, each for some seconds on a fresh deployment, lower
after a failure and higher after a success; the best is then held for a minute.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.embedded import directory, embedded
from benchmarks.lag import LagWatch
from benchmarks.rows import Row
from benchmarks.running import Measured, measure, server

TITLE = "Sustained, embedded: both projections less than 2 s behind"
STATIONS = 100
BASELINE_S = 10.0
STEP_S = 20.0
CONFIRM_S = 60.0
LAG_MAX_S = 2.0
CATCH_UP_MAX_S = 30.0
RATIOS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
FIRST = RATIOS.index(2.5)
ATTEMPTS_MAX = 4
UNSENT_MAX_S = 0.1
"""CALLs that are due and have not left, as time at that rate: more, and the rate is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    rate: float
    measured: Measured
    lag_s: float

    @property
    def is_kept(self) -> bool:
        return (
            self.measured.clean
            and self.lag_s < LAG_MAX_S
            and self.measured.unsent <= UNSENT_MAX_S * self.rate
        )


def run() -> list[Row]:
    with server("benchmarks.baseline") as url:
        baseline = measure(url, stations=STATIONS, seconds=BASELINE_S)
    rate = baseline.calls_per_s
    at = highest_kept(
        lambda index: _hold(rate * RATIOS[index], STEP_S).is_kept,
        first=FIRST,
        last=len(RATIOS) - 1,
    )
    held = _hold(rate * RATIOS[at], CONFIRM_S)
    for _ in range(ATTEMPTS_MAX):
        if held.is_kept or at == 0:
            break
        at -= 1
        held = _hold(rate * RATIOS[at], CONFIRM_S)
    return [
        Row(
            name="baseline, closed loop",
            command=baseline.command,
            figure=f"{rate:,.0f} CALLs/s",
            ratio="1.0",
        ),
        Row(
            name=f"kept for {CONFIRM_S:.0f} s"
            if held.is_kept
            else "**not kept**, the lowest tried",
            command=held.measured.command,
            figure=(
                f"{held.measured.calls_per_s:,.0f} CALLs/s, p50 {held.measured.p50_ms:.1f} ms,"
                f" p99 {held.measured.p99_ms:.1f} ms, lag at most {held.lag_s:.1f} s"
            ),
            ratio=f"{held.measured.calls_per_s / rate:.1f}",
            asked="≥ 2",
        ),
    ]


def highest_kept(is_kept: Callable[[int], bool], *, first: int, last: int) -> int:
    """Return the highest index up to `last` that is kept, found in steps of one from `first`.

    0 if none is: somebody has to say how bad that is.
    """
    at = first
    if is_kept(at):
        while at < last and is_kept(at + 1):
            at += 1
        return at
    while at > 0:
        at -= 1
        if is_kept(at):
            break
    return at


def _hold(rate: float, seconds: float) -> Held:
    with directory() as data, embedded(data) as running:
        watch = LagWatch(running)
        # What `up` wrote while its projections started is late for another reason.
        asyncio.run(watch.until_caught_up(CATCH_UP_MAX_S))
        watch.samples.clear()
        url = running.url
        measured = asyncio.run(
            watch.during(lambda: measure(url, stations=STATIONS, seconds=seconds, rate=rate))
        )
        held = Held(rate=rate, measured=measured, lag_s=watch.seconds_max)
        print(
            f"  {rate:,.0f}/s for {seconds:.0f} s: {measured.calls_per_s:,.0f} answered,"
            f" p99 {measured.p99_ms:.1f} ms, lag at most {held.lag_s:.1f} s",
            flush=True,
        )
        return held
