"""Runs projections until they are told to stop."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from infra.settings import Settings
from infra.watchdog import watch
from projections.run import Limits, Projection


def limits_of(settings: Settings, limits: Limits | None = None) -> Limits:
    return replace(limits or Limits(), poison_max=settings.set_aside_max)


async def run_projections(projections: Sequence[Projection], *stops: asyncio.Event) -> None:
    """Project until one of the events is set; what is folded by then is written.

    Raises:
        Stalled: one of them takes no step any more; the process is to be ended.
        WrongJournal, RebuildNeeded: see `Projection.run`; the others have been cancelled.
    """

    async def stop_on(stop: asyncio.Event) -> None:
        await stop.wait()
        for projection in projections:
            projection.stop()

    def steps() -> dict[str, int]:
        return {name: n for each in projections for name, n in each.steps.items()}

    async with asyncio.TaskGroup() as group:
        stopping = [group.create_task(stop_on(stop)) for stop in stops]
        stopping.append(group.create_task(watch(steps)))
        async with asyncio.TaskGroup() as running:
            for projection in projections:
                running.create_task(projection.run())
        for waiting in stopping:
            waiting.cancel()
