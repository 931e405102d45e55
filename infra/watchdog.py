"""Ends a process whose work stands still though it is alive; whoever runs it starts it anew.

Each loop that has to go on counts its steps; waiting for a store that is away is stepping, too,
because it is tried again and again. A count that stands still for too long raises `Stalled`. If not
even this task gets its turn, the process is ended from outside the event loop, with a traceback of
every thread.
"""

import asyncio
import faulthandler
import logging
from collections.abc import Callable, Mapping

STALLED_S = 30.0
LOOK_S = 5.0
ENDED_WITHIN_S = 20.0
"""Together below a minute."""

_logger = logging.getLogger(__name__)


class Stalled(Exception):
    """Some loop of this process has not taken a step for `STALLED_S`."""


async def watch(
    steps: Callable[[], Mapping[str, int]],
    *,
    stalled_s: float = STALLED_S,
    look_s: float = LOOK_S,
    ended_within_s: float = ENDED_WITHIN_S,
) -> None:
    """Watch the counts, by the name of their loop, until cancelled; one that is gone has ended.

    Raises:
        Stalled: end the process. If it has not ended soon after, it is ended.
    """
    now = asyncio.get_running_loop().time
    moved: dict[str, tuple[int, float]] = {}
    try:
        while True:
            faulthandler.dump_traceback_later(look_s + ended_within_s, exit=True)
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
    except asyncio.CancelledError:
        faulthandler.cancel_dump_traceback_later()
        raise
