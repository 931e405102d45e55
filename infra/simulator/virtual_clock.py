"""A connector's own time: as fast as wished, or jumping from event to event."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from math import isinf


class VirtualClock:
    def __init__(self, start: datetime, speed: float, loop_time: Callable[[], float]) -> None:
        self._speed = speed
        self._loop_time = loop_time
        self._origin_s = loop_time()
        self._start = start

    @property
    def jumps(self) -> bool:
        return isinf(self._speed)

    def begin(self) -> None:
        """Time passes from here on."""
        self._origin_s = self._loop_time()

    def late_s(self, at: datetime) -> float:
        """How many real seconds ago that was, or 0."""
        if self.jumps:
            return 0.0
        return max(0.0, (self.now() - at).total_seconds() / self._speed)

    def now(self) -> datetime:
        if self.jumps:
            return self._start
        return self._start + timedelta(seconds=self._elapsed_s() * self._speed)

    async def sleep_until(self, at: datetime, wake: asyncio.Event) -> bool:
        """Return True when `wake` was set before `at`."""
        if self.jumps:
            self._start = max(self._start, at)
            await asyncio.sleep(0)
            return wake.is_set()
        delay_s = (at - self.now()).total_seconds() / self._speed
        if delay_s <= 0:
            return wake.is_set()
        try:
            async with asyncio.timeout(delay_s):
                await wake.wait()
        except TimeoutError:
            return False
        return True

    def _elapsed_s(self) -> float:
        return self._loop_time() - self._origin_s
