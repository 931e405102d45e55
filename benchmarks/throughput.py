"""Answered CALLs per second, closed loop, 100 stations, the session mix."""

from benchmarks.rows import Row
from benchmarks.running import Measured, measure, server

TITLE = "Throughput, 100 stations"
STATIONS = 100
SECONDS = 10.0


def run() -> list[Row]:
    with server("benchmarks.echo") as url:
        limit = measure(url, stations=STATIONS, seconds=SECONDS / 2)
    with server("benchmarks.baseline") as url:
        baseline = measure(url, stations=STATIONS, seconds=SECONDS)
    return [
        row("the load generator's own limit", limit, baseline),
        row("baseline: the `ocpp` package's documentation example", baseline, baseline),
    ]


def row(name: str, measured: Measured, baseline: Measured, *, asked: str = "") -> Row:
    """One system's figures beside the baseline's of the same run."""
    figure = (
        f"{measured.calls_per_s:,.0f} CALLs/s, p50 {measured.p50_ms:.1f} ms, "
        f"p99 {measured.p99_ms:.1f} ms, generator {measured.generator_cpu_share:.0%} of a core"
    )
    if not measured.clean:
        figure += f" (**{measured.errors} errors, {measured.lost_connections} lost**)"
    return Row(
        name=name,
        command=measured.command,
        figure=figure,
        ratio=f"{measured.calls_per_s / baseline.calls_per_s:.1f}",
        asked=asked,
    )
