"""Memory per idle connection: all processes of `up` together, with 5,000 connections and without.

Unique memory (USS) is what would come back if the processes ended; shared pages (PSS) grow in
Postgres' buffers as rows are written, whoever is connected, and are shown beside. ClickHouse takes
and gives back some 190 MiB every few seconds, connected or not: so of each process the smallest of
many readings counts, before and after, and a load makes every process warm first.
"""

import time

from benchmarks.embedded import Embedded, Memory, directory, embedded
from benchmarks.rows import Row
from benchmarks.running import idle, idle_command, measure

TITLE = "Memory per idle connection"
CONNECTIONS = 5_000
WARM_STATIONS, WARM_S = 100, 4.0
SETTLE_S = 4.0
"""For the projections to have written what the connections' opening said."""

READINGS, READING_EVERY_S = 14, 2.0

KIB = 1024


def run() -> list[Row]:
    with directory() as data, embedded(data) as running:
        measure(running.url, stations=WARM_STATIONS, seconds=WARM_S, warmup_s=0.0)
        before = _smallest(running)
        with idle(running.url, CONNECTIONS):
            after = _smallest(running)
    command = idle_command("URL", CONNECTIONS)[1:]
    said = "python " + " ".join(command)
    grown = {role: after[role].unique - before[role].unique for role in sorted(before)}
    unique = sum(grown.values()) / CONNECTIONS / KIB
    shared = [sum(memory.proportional for memory in each.values()) for each in (before, after)]
    proportional = (shared[1] - shared[0]) / CONNECTIONS / KIB
    by_role = ", ".join(f"{role} {each / CONNECTIONS / KIB:.1f}" for role, each in grown.items())
    return [
        Row(
            name=f"USS of all processes of `up`, {CONNECTIONS:,} connections",
            command=said,
            figure=f"{unique:.1f} KiB per connection (PSS {proportional:.1f})",
            asked="≤ 20 (aim 15)",
        ),
        Row(name="of it, KiB by process", command=said, figure=by_role),
    ]


def _smallest(running: Embedded) -> dict[str, Memory]:
    time.sleep(SETTLE_S)
    smallest: dict[str, Memory] = {}
    for _ in range(READINGS):
        for role, memory in _by_role(running).items():
            least = smallest.get(role, memory)
            smallest[role] = Memory(
                min(least.unique, memory.unique), min(least.proportional, memory.proportional)
            )
        time.sleep(READING_EVERY_S)
    return smallest


def _by_role(running: Embedded) -> dict[str, Memory]:
    sums: dict[str, Memory] = {}
    for role, memory in running.memory():
        before = sums.get(role, Memory(0, 0))
        sums[role] = Memory(
            before.unique + memory.unique, before.proportional + memory.proportional
        )
    return sums
