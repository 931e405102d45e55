"""`up` is killed, whole or in parts, under load: nothing that was answered is lost or doubled."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from infra.journal_sqlite import SqliteJournal
from infra.postgres_embedded import embedded_postgres
from infra.simulator.options import SimulationReport
from schemas.journal import Entry
from tests.e2e.charging import STATIONS, assert_kept, charging
from tests.e2e.checking import Told, check, entries_of
from tests.e2e.commanding import assert_fates, commanding
from tests.e2e.running import Up, eventually

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

LOADED_S = (0.0, 1.5)
STARTING_S = (0.05, 2.5)
SEED = 20260504


async def entries_in(up: Up) -> list[Entry]:
    journal = await SqliteJournal.open_read_only(up.layout.journal)
    try:
        return await entries_of(journal)
    finally:
        await journal.close()


async def assert_all_kept(
    up: Up, report: SimulationReport, commands: Sequence[str], answers_min: int
) -> None:
    await asyncio.to_thread(up.wait_projected)
    entries = await entries_in(up)
    cdrs = await asyncio.to_thread(up.cdrs)
    series = await asyncio.to_thread(up.series)
    told = Told(report.operations, report.transactions)
    assert_kept(report, check(told, entries, cdrs, series), answers_min)
    await asyncio.to_thread(assert_fates, up, commands, report.operations, entries)


def stations(seed: int) -> list[str]:
    """The names of the fleet that charges with this seed."""
    return [f"CRASH-{seed}-{number:04d}" for number in range(1, STATIONS + 1)]


async def killed_again_and_again(up: Up, seed: int, moments: int) -> None:
    random = Random(seed)
    up.start()
    await asyncio.to_thread(up.wait_ready)
    async with (
        charging(up.deployment.ocpp_url, seed) as load,
        commanding(up, stations(seed)) as commands,
    ):
        for moment in range(moments):
            # One in four dies while it starts, the others under load.
            if moment % 4 == 3:
                await asyncio.sleep(random.uniform(*STARTING_S))
            else:
                await load.more(1)
                await asyncio.sleep(random.uniform(*LOADED_S))
            up.kill()
            up.start()
        await asyncio.to_thread(up.wait_ready)
        await load.more(100)
    (report,) = load.reports

    # Some moments fell between a CALL and its answer.
    assert report.interrupted > 0
    await assert_all_kept(up, report, commands, answers_min=100 * moments)
    assert up.stop() == 0


async def test_nothing_answered_is_lost_when_up_is_killed(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    try:
        await killed_again_and_again(up, SEED, moments=4)
    finally:
        up.end()


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nothing_answered_is_lost_when_up_is_killed_twenty_times(tmp_path: Path) -> None:
    up = Up(tmp_path / "data")
    try:
        await killed_again_and_again(up, SEED + 1, moments=20)
    finally:
        up.end()


async def test_nothing_is_lost_when_up_is_killed_alone_and_its_children_live_on(
    own_up: Up,
) -> None:
    up, seed = own_up, SEED + 3
    async with (
        charging(up.deployment.ocpp_url, seed) as load,
        commanding(up, stations(seed)) as commands,
    ):
        await load.more(100)
        up.kill_alone()
        up.start()
        await asyncio.to_thread(up.wait_ready)
        await load.more(100)
    (report,) = load.reports

    await assert_all_kept(up, report, commands, answers_min=200)
    assert up.stop() == 0


async def test_up_takes_the_port_of_a_postgres_that_still_ends(own_up: Up) -> None:
    up = own_up
    # What a kill of `up` alone leaves for as long as Postgres writes its checkpoint.
    assert up.stop() == 0
    async with embedded_postgres(up.layout.postgres, up.deployment.postgres_port):
        up.start()
        await asyncio.to_thread(up.wait_ready)

    assert up.stop() == 0


async def test_a_killed_child_is_started_again_and_nothing_is_lost(up: Up) -> None:
    async with (
        charging(up.deployment.ocpp_url, SEED + 2) as load,
        commanding(up, stations(SEED + 2)) as commands,
    ):
        for name in ("edge", "projections", "views", "api", "postgres"):
            await load.more(50)
            child = up.child(name)
            assert child is not None, name
            child.kill()

            def replaced(name: str = name, pid: int = child.pid) -> bool | None:
                now_there = up.child(name)
                return True if now_there is not None and now_there.pid != pid else None

            await asyncio.to_thread(eventually, replaced, f"{name} is started again")
        await asyncio.to_thread(up.wait_ready)
        await load.more(50)
    (report,) = load.reports

    await assert_all_kept(up, report, commands, answers_min=300)
