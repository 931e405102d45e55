"""Runs projections until they are told to stop."""

import asyncio
from collections.abc import Sequence

from projections.run import Projection


async def run_projections(projections: Sequence[Projection], stop: asyncio.Event) -> None:
    """Project until `stop` is set; what is folded by then is written.

    Raises:
        WrongJournal, RebuildNeeded: see `Projection.run`; the others have been cancelled.
    """

    async def stop_all() -> None:
        await stop.wait()
        for projection in projections:
            projection.stop()

    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(stop_all())
        async with asyncio.TaskGroup() as running:
            for projection in projections:
                running.create_task(projection.run())
        stopping.cancel()
