"""F-01: 2,000 stations come back at once; all are back within 60 s and nothing answered is lost."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.clock import now
from infra.journal_sqlite import SqliteJournal
from infra.simulator.fleet import simulate
from infra.simulator.options import Progress, SimulationOptions, SimulationReport
from tests.e2e.checking import Told, check, entries_of
from tests.e2e.running import Up, eventually

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.long]

STATIONS = 2_000
SPEED = 6.0
"""Some 200 readings a second beside the storm; this process is all 2,000 stations."""
BACK_WITHIN_S = 60.0
TOLD_WITHIN_S = 240.0


class Fleet:
    """2,000 stations that charge once or twice each, and how many are connected."""

    def __init__(self) -> None:
        self.connected = self.answers = 0

    def watch(self, progress: Progress) -> None:
        self.connected, self.answers = progress.connected, progress.answers

    async def until(self, connected: int, within_s: float) -> float:
        """Return how long it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.connected < connected:
            assert loop.time() - began < within_s, f"{self.connected} of {connected} are back"
            await asyncio.sleep(0.05)
        return loop.time() - began


@pytest.fixture
def storm_up(tmp_path: Path) -> Iterator[Up]:
    deployment = Up(tmp_path / "data", {"retry_after_max_s": "20"})
    deployment.start()
    try:
        deployment.wait_ready()
        yield deployment
    finally:
        deployment.end()


@pytest.mark.timeout(900)
async def test_f_01_two_thousand_stations_that_come_back_at_once_are_back_within_a_minute(
    storm_up: Up,
) -> None:
    up, fleet, stop = storm_up, Fleet(), asyncio.Event()
    options = SimulationOptions(
        url=up.deployment.ocpp_url,
        stations=STATIONS,
        connectors=1,
        sessions=10,
        speed=SPEED,
        name_prefix="STORM-",
        give_up_s=None,
    )
    reports: list[SimulationReport] = []

    async def live() -> None:
        reports.append(await simulate(options, fleet.watch, now=now(), stop=stop))

    async with asyncio.TaskGroup() as group:
        living = group.create_task(live())
        await fleet.until(STATIONS, 120)
        await asyncio.sleep(10)
        edge = up.child("edge")
        assert edge is not None
        edge.kill()
        async with asyncio.timeout(10):
            while fleet.connected > STATIONS // 10:  # noqa: ASYNC110 - told every 0.2 s.
                await asyncio.sleep(0.05)
        back_s = await fleet.until(STATIONS, BACK_WITHIN_S)
        print(f"all are back after {back_s:.1f} s")  # noqa: T201 - a figure for who runs it.
        stop.set()
        async with asyncio.timeout(TOLD_WITHIN_S):
            await asyncio.shield(living)

    (report,) = reports
    await asyncio.to_thread(eventually, lambda: up.child("edge"), "the edge")
    await asyncio.to_thread(up.wait_projected, 120)
    journal = await SqliteJournal.open_read_only(up.layout.journal)
    try:
        entries = await entries_of(journal)
    finally:
        await journal.close()
    cdrs, series = await asyncio.to_thread(up.cdrs), await asyncio.to_thread(up.series)
    verdict = check(Told(report.operations, report.transactions), entries, cdrs, series)
    assert verdict.is_clean, verdict.findings
    assert all(each.start_acked and each.stop_acked for each in report.transactions)
    assert report.wrong == ()
    assert verdict.sessions >= STATIONS
