"""A rebuild that is asked for through a socket: progress, result, refusals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.rebuild_socket import RebuildDesk, Report, ask_to_rebuild
from projections.ports import StoreUnavailable
from projections.rebuild import Digest, Rebuilt

DONE = Rebuilt(
    before=Digest(positions={1: 5}, interpretation=1, tables={"t": "a"}),
    after=Digest(positions={1: 5}, interpretation=1, tables={"t": "b"}),
)


async def rebuild(report: Report) -> Rebuilt:
    report(1, 2)
    report(2, 2)
    return DONE


async def fail(_: Report) -> Rebuilt:
    raise StoreUnavailable("the disk is full")


@asynccontextmanager
async def asking(
    desk: RebuildDesk, path: Path, told: list[tuple[int, int]]
) -> AsyncIterator["asyncio.Task[Rebuilt]"]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(ask_to_rebuild(path, lambda *at: told.append(at)))
        await desk.asked.wait()
        yield task


async def test_who_asks_hears_how_far_it_is_and_what_came_of_it(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / "views.sock"
    async with RebuildDesk(path) as desk:
        for _ in range(2):
            async with asking(desk, path, told) as asked:
                await desk.serve(rebuild)
            assert asked.result() == DONE
            assert not asked.result().is_same
    assert told == [(1, 2), (2, 2)] * 2


async def test_a_second_one_is_refused_while_one_runs(tmp_path: Path) -> None:
    path = tmp_path / "views.sock"
    async with RebuildDesk(path) as desk, asking(desk, path, []):
        with pytest.raises(StoreUnavailable, match="running already"):
            await ask_to_rebuild(path, lambda *_: None)
        await desk.serve(rebuild)


async def test_a_failure_is_heard_by_who_asked_and_ends_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "views.sock"

    async def ask() -> None:
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await ask_to_rebuild(path, lambda *_: None)

    async with RebuildDesk(path) as desk, asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(ask())
        await desk.asked.wait()
        await desk.serve(fail)


async def test_a_process_that_ends_on_the_way_is_told(tmp_path: Path) -> None:
    path = tmp_path / "views.sock"

    async def ask() -> None:
        with pytest.raises(StoreUnavailable, match="before it was done"):
            await ask_to_rebuild(path, lambda *_: None)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group, RebuildDesk(path) as desk:
        group.create_task(ask())
        await desk.asked.wait()


async def test_nobody_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nobody answers"):
        await ask_to_rebuild(tmp_path / "views.sock", lambda *_: None)
