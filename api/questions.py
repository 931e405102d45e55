"""Questions to others who may not answer at all.

A database that was stopped, or an edge that hangs, answers nothing and refuses nothing, and whoever
asks us gives up within seconds. A question is asked once at a time and waited for a moment; it is
not taken back, for that takes the client of Postgres longer than the moment.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from projections.ports import StoreUnavailable

ANSWER_WITHIN_S = 3.0
"""Prometheus gives up after 10 s by default; one look asks three things."""

T = TypeVar("T")


class NoAnswer(StoreUnavailable):
    """Nothing was said in time."""


class Question(Generic[T]):
    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[T] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was asked and not answered."""
        return self._asking is not None and not self._asking.done()

    async def answer(self) -> T:
        """Return the answer; whoever asks while it is awaited gets the same one.

        Raises:
            NoAnswer: see there. And whatever the question raises.
        """
        asking = self._asking
        if asking is None or asking.done():
            asking = self._asking = asyncio.get_running_loop().create_task(self._ask())
            asking.add_done_callback(_seen)
        await asyncio.wait([asking], timeout=ANSWER_WITHIN_S)
        if not asking.done():
            raise NoAnswer(f"no answer within {ANSWER_WITHIN_S:g} s")
        return asking.result()


def _seen(task: "asyncio.Task[Any]") -> None:
    """Nobody need have waited for its error."""
    if not task.cancelled():
        task.exception()
