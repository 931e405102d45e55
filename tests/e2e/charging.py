"""A simulated fleet under load while things are killed, and what is asked of it afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from infra.clock import now
from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from tests.e2e.checking import Verdict

STATIONS = 6
SESSIONS = 5_000
"""More than a station can charge while the test lasts: it is told when to stop."""

MISHAPS = 0.2


@dataclass(slots=True)
class Load:
    """A fleet that charges for as long as the block lasts, and survives what happens meanwhile."""

    answers: int = 0
    reports: list[SimulationReport] = field(default_factory=list)
    progressed: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, progress: Progress) -> None:
        self.answers = progress.answers
        self.progressed.set()

    async def more(self, answers: int) -> None:
        """Wait until so many more CALLs were answered."""
        wanted = self.answers + answers
        async with asyncio.timeout(60):
            while self.answers < wanted:
                self.progressed.clear()
                await self.progressed.wait()


@asynccontextmanager
async def charging(url: str, seed: int) -> AsyncIterator[Load]:
    load = Load()
    stop = asyncio.Event()
    options = SimulationOptions(
        url=url,
        stations=STATIONS,
        sessions=SESSIONS,
        mishaps=MISHAPS,
        seed=seed,
        name_prefix=f"CRASH-{seed}-",
        # Each gives up by itself when nobody answers.
        silence_s=None,
    )

    async def live() -> None:
        load.reports.append(await simulate(options, load.watch, now=now(), stop=stop))

    async with asyncio.TaskGroup() as group:
        group.create_task(live())
        yield load
        stop.set()


def assert_kept(report: SimulationReport, verdict: Verdict, answers_min: int) -> None:
    assert report.wrong == ()
    assert report.missing == 0
    assert all(each.start_acked and each.stop_acked for each in report.transactions)
    assert verdict.answers >= max(answers_min, report.answers)
    assert verdict.sessions == len(report.transactions) > STATIONS
    assert verdict.is_clean, verdict.findings
