"""One clockwork for all connections: a ring of slots, turned by one periodic call.

It counts ticks and reads no clock, so a clock that is set does not close a fleet's sockets.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Wheel(Generic[Item]):
    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._slots: list[list[Item]] = [[] for _ in range(1024)]
        self._now = 0

    def ticks(self, seconds: float) -> int:
        return max(1, round(seconds / self._tick_s))

    def put(self, item: Item, seconds: float) -> None:
        """Have the item returned by a later turn; past the ring's length, when it is round."""
        ahead = min(self.ticks(seconds), len(self._slots) - 1)
        self._slots[(self._now + ahead) % len(self._slots)].append(item)

    def turn(self) -> Iterable[Item]:
        """Advance by one tick; return what is due."""
        self._now = (self._now + 1) % len(self._slots)
        due, self._slots[self._now] = self._slots[self._now], []
        return due
