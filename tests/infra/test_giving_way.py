"""Projections give way to a full edge, and to nobody else."""

import asyncio
import time
from pathlib import Path

from infra.giving_way import LOOK_S, PAUSE_S, WORK_S, FullFlag, GivingWay, tell_when_full
from infra.journal_memory import MemoryJournal
from tests.contract.journal import lines


def test_one_process_sees_what_another_set(tmp_path: Path) -> None:
    writer, reader = FullFlag(tmp_path / "full"), FullFlag(tmp_path / "full")

    for is_full in (False, True, False):
        writer.set(is_full)
        assert reader.is_set == is_full


async def told(flag: FullFlag, *, is_full: bool, looking_every_s: float) -> None:
    while flag.is_set != is_full:  # noqa: ASYNC110 - it is another process' byte.
        await asyncio.sleep(looking_every_s)


async def test_a_loop_that_works_all_the_time_is_full_and_an_idle_one_is_not(
    tmp_path: Path,
) -> None:
    flag = FullFlag(tmp_path / "full")
    telling = asyncio.ensure_future(tell_when_full(flag))  # noqa: TID251 - cancelled below.
    async with asyncio.timeout(60):  # On Linux waiting for a core counts, elsewhere not.
        await told(flag, is_full=True, looking_every_s=0)
    async with asyncio.timeout(10):
        await told(flag, is_full=False, looking_every_s=0.01)
    telling.cancel()
    await asyncio.wait([telling])
    assert not flag.is_set


async def test_a_moment_of_work_does_not_make_a_loop_full(tmp_path: Path) -> None:
    flag = FullFlag(tmp_path / "full")
    telling = asyncio.ensure_future(tell_when_full(flag))  # noqa: TID251 - cancelled below.
    seen = []
    for _ in range(4):
        until = time.monotonic() + 1.5 * LOOK_S
        while time.monotonic() < until:
            pass
        for _ in range(30):
            await asyncio.sleep(0.01)
            seen.append(flag.is_set)
    telling.cancel()
    await asyncio.wait([telling])
    assert not any(seen)


async def test_a_reader_pauses_while_the_flag_is_set_and_misses_nothing(tmp_path: Path) -> None:
    flag = FullFlag(tmp_path / "full")
    journal = MemoryJournal(1)
    await journal.append(1, lines("a", 3))
    reader = GivingWay(journal, flag).reader({1: 0})

    flag.set(True)
    await asyncio.sleep(WORK_S)
    started = time.monotonic()
    paused = await reader.poll(records_max=2, timeout_s=1.0)
    assert time.monotonic() - started >= PAUSE_S
    flag.set(False)
    rest = await reader.poll(records_max=2, timeout_s=1.0)

    assert [entry.value for entry in [*paused, *rest]] == lines("a", 3)
    await reader.close()
    await journal.close()
