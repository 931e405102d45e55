"""Ends a process whose work stands still though it is alive; whoever runs it starts it anew.

Each loop that has to go on counts its steps; waiting for a store that is away is stepping, too,
because it is tried again and again. A count that stands still for too long raises `Stalled`. If the
event loop gets no turn any more, or the process does not come to its end after an error, it is
ended from outside the loop, with a traceback of every thread.
"""

import asyncio
import faulthandler
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

LOOK_S = 5.0
STALLED_S = 50.0
ENDED_WITHIN_S = 50.0
"""Noticed within a minute; and long enough for a write of a process that has to give way."""

_logger = logging.getLogger(__name__)


class Stalled(Exception):
    """Some loop of this process has not taken a step for `STALLED_S`."""


async def watch(
    steps: Callable[[], Mapping[str, int]],
    *,
    stalled_s: float = STALLED_S,
    look_s: float = LOOK_S,
) -> None:
    """Watch the counts, by the name of their loop, until cancelled; one that is gone has ended.

    Raises:
        Stalled: end the process.
    """
    now = asyncio.get_running_loop().time
    moved: dict[str, tuple[int, float]] = {}
    while True:
        await asyncio.sleep(look_s)
        known, moved = moved, {}
        for name, count in steps().items():
            before = known.get(name)
            same = before is not None and before[0] == count
            moved[name] = before if before is not None and same else (count, now())
        stalled = [name for name, (_, since) in moved.items() if now() - since > stalled_s]
        if stalled:
            _logger.critical("stalled, ending: %s", ", ".join(stalled))
            raise Stalled(", ".join(stalled))


@asynccontextmanager
async def ended_when_stuck(
    *, look_s: float = LOOK_S, ended_within_s: float = ENDED_WITHIN_S
) -> AsyncIterator[None]:
    """End this process if its event loop gets no turn, or if it does not end after an error.

    One for a process, around all of its work.
    """

    async def look() -> None:
        while True:
            faulthandler.dump_traceback_later(ended_within_s, exit=True)
            await asyncio.sleep(look_s)

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look())
        try:
            yield
        except BaseException:
            looking.cancel()
            raise
        looking.cancel()
    faulthandler.cancel_dump_traceback_later()
