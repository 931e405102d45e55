"""Two boxes under one name replace each other for ever; a few times, and the next waits outside.

The newest authenticated connection wins, so a copy of a station, or of its password, would take the
connection from the other every few seconds, and each would send again what the other was about to.
Who is in stays in until the last replacements are a minute old.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from ingress.identity import Identity

WITHIN_S = 60.0
REMEMBERED_MAX = 10_000
"""Names; of more, those replaced longest ago are forgotten."""


class Flapping:
    def __init__(self, replaced_max: int, now: Callable[[], float]) -> None:
        self._replaced_max = replaced_max
        self._now = now
        self._replaced: OrderedDict[Identity, deque[float]] = OrderedDict()

    def replaced(self, identity: Identity) -> None:
        """A connection of this name gave way to a newer one."""
        times = self._replaced.pop(identity, None) or deque(maxlen=self._replaced_max)
        times.append(self._now())
        self._replaced[identity] = times
        if len(self._replaced) > REMEMBERED_MAX:
            self._replaced.popitem(last=False)

    def wait_s(self, identity: Identity) -> float:
        """Return how long nobody shall come under this name; 0: come in."""
        times = self._replaced.get(identity)
        if times is None or len(times) < self._replaced_max:
            return 0.0
        return max(0.0, times[0] + WITHIN_S - self._now())
