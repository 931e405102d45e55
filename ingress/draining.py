"""The end of a node's connections when it is told to stop: one after the other, in any order.

Each is closed with 1012 once nothing is under way on it: no CALL of the station that waits for its
answer, none of ours. Whoever does not come to that is closed a little later all the same; nothing
of it is lost, since what we did not answer the station tells again.
"""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Protocol

from ingress.options import Options

SERVICE_RESTART = 1012
LOOK_S = 0.05


class Closable(Protocol):
    @property
    def is_open(self) -> bool: ...

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer on it."""
        ...

    def close(self, code: int, reason: str) -> None: ...


async def close_in_turn(
    connections: Sequence[Closable], options: Options, random: Random, *, finish: bool
) -> None:
    """Begin to close one after the other within `drain_spread_s`; return when all have begun.

    Each gets up to `drain_finish_s` more to finish what is under way. Without `finish` all are
    closed at once: there is nobody who would answer.
    """
    spread_s = options.drain_spread_s if finish else 0.0
    finish_s = options.drain_finish_s if finish else 0.0
    now = asyncio.get_running_loop().time
    waiting = random.sample(connections, len(connections))
    begun, interval_s = now(), spread_s / max(1, len(waiting))
    turn = 0
    finishing: list[tuple[float, Closable]] = []
    while True:
        at = now()
        while turn < len(waiting) and begun + turn * interval_s <= at:
            finishing.append((at + finish_s, waiting[turn]))
            turn += 1
        finishing = [each for each in finishing if not _closed(each, at)]
        if turn == len(waiting) and not finishing:
            return
        await asyncio.sleep(LOOK_S)


def _closed(each: tuple[float, Closable], now: float) -> bool:
    until, connection = each
    if connection.is_open and not connection.is_idle and now < until:
        return False
    connection.close(SERVICE_RESTART, "restarting")
    return True
