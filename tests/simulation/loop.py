"""An event loop whose time passes only while everybody waits, and whose sockets are simulated.

Callbacks run in the order of asyncio's own loop; work handed to threads runs on the loop, a moment
later. So a run is a function of its seed, and an hour of waiting costs nothing.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from tests.simulation.network import Network

THREAD_S = 0.003
"""What a thread's work takes."""


class Stuck(Exception):
    """Everybody waits for something that will never happen."""


class _Idle(selectors.SelectSelector):
    """Instead of waiting for a socket, lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, network: Network) -> None:
        self._idle = _Idle()
        super().__init__(self._idle)
        self._network = network

    def time(self) -> float:
        return self._idle.now

    def run_in_executor(  # type: ignore[override]  # The stubs say a future that awaits anything.
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = self.create_future()
        self.call_later(THREAD_S, _work, done, func, *args)
        return done

    async def create_server(  # type: ignore[override]  # Only what ingress asks for.
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int, **_: Any
    ) -> Any:
        return self._network.listen(factory, port)


def _work(done: "asyncio.Future[Any]", func: Callable[..., Any], *args: Any) -> None:
    if done.cancelled():
        # A thread is not stopped by it.
        func(*args)
        return
    try:
        result = func(*args)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to who waits.
        done.set_exception(error)
    else:
        done.set_result(result)
