"""What lets the sockets of one node act in time: its clockwork, and one flush for all of a turn.

No socket has a timer or a task of its own: thousands of them would cost more than their frames.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from ingress.wheel import Wheel


class Timed(Protocol):
    def due(self) -> float:
        """Do what the time has come for; return in how many seconds again, 0 for never."""
        ...


class Ticked(Protocol):
    @property
    def is_held(self) -> bool: ...

    @property
    def is_slowed(self) -> bool: ...

    def tick(self) -> bool:
        """Advance what it waits for by one tick; False once that is nothing."""
        ...

    def flush(self) -> None: ...


class Pace:
    def __init__(self, tick_s: float, random: Random, each_tick: Callable[[], None]) -> None:
        self._tick_s = tick_s
        self._random = random
        self._each_tick = each_tick
        self._wheel: Wheel[Timed] = Wheel(tick_s)
        self.watched: set[Ticked] = set()
        """Those that wait for something, and are ticked until they do not."""
        self._unflushed: list[Ticked] = []
        self._ticker: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(self._tick_s, self._tick_and_again)

    def stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    def wake_after(self, seconds: float, socket: Timed) -> None:
        self._wheel.put(socket, seconds)

    def flush_soon(self, socket: Ticked) -> None:
        """Flush it before this turn of the loop ends."""
        if not self._unflushed:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unflushed.append(socket)

    def ticks(self, seconds: float) -> int:
        return self._wheel.ticks(seconds)

    def jittered(self, seconds: float) -> float:
        return seconds * self._random.uniform(0.8, 1.2)

    def tick(self) -> None:
        """Advance everything that waits by one tick."""
        for socket in self._wheel.turn():
            again_s = socket.due()
            if again_s:
                self._wheel.put(socket, again_s)
        for watched in list(self.watched):
            if not watched.tick():
                self.watched.discard(watched)
        self._each_tick()

    def _tick_and_again(self) -> None:
        self.start()
        self.tick()

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for socket in unflushed:
            socket.flush()
