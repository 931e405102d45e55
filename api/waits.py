"""Requests that wait: they look at the views until something shows, within bounds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

POLL_S = 0.05
POLL_SOON_S, POLL_LATER_S = 2.0, 0.25
"""Most is settled at once; who waits for the rest looks less often."""

WAITS_OF_TENANT_MAX = 400
"""Of the thousand requests that a process has at once; beyond it nothing is waited for."""

Seen = TypeVar("Seen")


class Waits:
    def __init__(self, closing: asyncio.Event) -> None:
        """When `closing` is set, nobody waits any more."""
        self._closing = closing
        self._of: dict[str, int] = {}

    def is_full(self, tenant: str) -> bool:
        return self._of.get(tenant, 0) >= WAITS_OF_TENANT_MAX

    async def until(
        self,
        tenant: str,
        look: Callable[[], Awaitable[Seen | None]],
        is_enough: Callable[[Seen], bool],
        wait_s: float,
    ) -> Seen | None:
        """Look until it is enough, or for so long; return what was seen last, None: nothing was.

        It begins with a pause: what was just appended is in no view yet.
        """
        if self.is_full(tenant):
            return None
        self._of[tenant] = self._of.get(tenant, 0) + 1
        try:
            return await self._until(look, is_enough, wait_s)
        finally:
            self._of[tenant] -= 1
            if not self._of[tenant]:
                del self._of[tenant]

    async def _until(
        self,
        look: Callable[[], Awaitable[Seen | None]],
        is_enough: Callable[[Seen], bool],
        wait_s: float,
    ) -> Seen | None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        seen: Seen | None = None
        while (waited := loop.time() - start) < wait_s and not self._closing.is_set():
            await asyncio.sleep(POLL_S if waited < POLL_SOON_S else POLL_LATER_S)
            seen = await look()
            if seen is not None and is_enough(seen):
                break
        return seen
