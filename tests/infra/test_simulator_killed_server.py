"""A simulated fleet comes through kill -9 of the central system's process, again and again."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import replace
from datetime import UTC, datetime

from infra.simulator.fleet import simulate
from infra.simulator.oplog import Outcome
from infra.simulator.options import Progress, SimulationOptions, SimulationReport

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KILLS = 3
ANSWERS_BETWEEN_KILLS = 300


async def start(port: int) -> tuple[Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.infra.central_system", str(port), stdout=PIPE
    )
    assert process.stdout is not None
    return process, (await process.stdout.readline()).decode().strip()


async def test_no_session_is_lost_when_the_central_system_is_killed() -> None:
    server, url = await start(0)
    port = int(url.split(":")[2].split("/")[0])
    options = SimulationOptions(url=url, stations=3, sessions=60, mishaps=0.2)
    progressed = asyncio.Event()
    answers = 0
    reports: list[SimulationReport] = []

    def watch(progress: Progress) -> None:
        nonlocal answers
        answers = progress.answers
        progressed.set()

    async def live() -> None:
        reports.append(await simulate(replace(options, url=url), watch, now=NOW))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(live())
            for kill in range(1, KILLS + 1):
                while answers < kill * ANSWERS_BETWEEN_KILLS and not reports:
                    progressed.clear()
                    await progressed.wait()
                server.kill()
                await server.wait()
                server, _ = await start(port)
    finally:
        server.kill()
        await server.wait()

    (report,) = reports
    assert report.ok, report
    assert report.sessions == 180
    assert report.connections >= 3 * (KILLS + 1)
    assert all(each.start_acked and each.stop_acked for each in report.transactions)
    told = [each for each in report.operations if each.action == "StopTransaction"]
    answered = {each.payload["transactionId"] for each in told if each.outcome is Outcome.ANSWERED}
    assert answered == {each.transaction_id for each in report.transactions}
