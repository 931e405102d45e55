"""Runs projections until they are told to stop."""

import asyncio
from collections.abc import Sequence

from projections.run import Projection


async def run_projections(projections: Sequence[Projection], *stops: asyncio.Event) -> None:
    """Project until one of the events is set; what is folded by then is written.

    Raises:
        WrongJournal, RebuildNeeded: see `Projection.run`; the others have been cancelled.
    """

    async def stop_on(stop: asyncio.Event) -> None:
        await stop.wait()
        for projection in projections:
            projection.stop()

    async with asyncio.TaskGroup() as group:
        stopping = [group.create_task(stop_on(stop)) for stop in stops]
        async with asyncio.TaskGroup() as running:
            for projection in projections:
                running.create_task(projection.run())
        for waiting in stopping:
            waiting.cancel()
