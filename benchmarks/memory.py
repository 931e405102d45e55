"""Memory per idle connection: all processes of `up` together, with 5,000 connections and without.

Unique memory (USS) is what would come back if the processes ended; shared pages (PSS) grow in
Postgres' buffers as rows are written, whoever is connected, and are shown beside.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.embedded import Embedded, directory, embedded
from benchmarks.rows import Row
from benchmarks.running import LoadFailed

TITLE = "Memory per idle connection"
CONNECTIONS = 5_000
WARM_CONNECTIONS = 100
"""Before the first reading: what a process takes once for its first station is no connection's."""

SETTLE_S = 8.0
"""For the projections to have written what the connections' opening said."""

KIB = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    by_role: dict[str, int]
    proportional: int

    @property
    def unique(self) -> int:
        return sum(self.by_role.values())


def run() -> list[Row]:
    with directory() as data, embedded(data) as running, _idle(running.url, WARM_CONNECTIONS):
        time.sleep(SETTLE_S)
        before = _reading(running)
        with _idle(running.url, CONNECTIONS):
            time.sleep(SETTLE_S)
            after = _reading(running)
    command = _arguments("URL", CONNECTIONS)[1:]
    said = "python " + " ".join(command)
    by_role = ", ".join(
        f"{role} {(after.by_role[role] - before.by_role.get(role, 0)) / CONNECTIONS / KIB:.1f}"
        for role in sorted(after.by_role)
    )
    unique = (after.unique - before.unique) / CONNECTIONS / KIB
    proportional = (after.proportional - before.proportional) / CONNECTIONS / KIB
    return [
        Row(
            name=f"USS of all processes of `up`, {CONNECTIONS:,} connections",
            command=said,
            figure=f"{unique:.1f} KiB per connection (PSS {proportional:.1f})",
            asked="≤ 20 (aim 15)",
        ),
        Row(name="of it, KiB by process", command=said, figure=by_role),
    ]


def _reading(running: Embedded) -> Reading:
    by_role: dict[str, int] = {}
    proportional = 0
    for role, memory in running.memory():
        by_role[role] = by_role.get(role, 0) + memory.unique
        proportional += memory.proportional
    return Reading(by_role, proportional)


def _arguments(url: str, connections: int) -> list[str]:
    arguments = ["--mode", "idle", "--stations", str(connections), "--seconds", "600"]
    return [sys.executable, "-m", "benchmarks.load", "--url", url, *arguments]


@contextmanager
def _idle(url: str, connections: int) -> Iterator[None]:
    """Hold that many connections until the block ends; yield once all are connected."""
    load = subprocess.Popen(_arguments(url, connections), stdout=subprocess.PIPE, text=True)
    try:
        assert load.stdout is not None
        if "connected" not in load.stdout.readline():
            raise LoadFailed("the connections did not all open")
        yield
    finally:
        load.kill()
        load.wait()
