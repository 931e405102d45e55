"""Something is written into each partition where nobody else writes, so that standing still shows.

An owner that decides nothing, a reader that comes no further, a log that takes nothing: each shows
by what waits, and where nothing waits it does not show. A canary waits: its owner answers it, and
every projection has to come by. Where something was written since the last look that is canary
enough, so it costs a busy deployment nothing, and a quiet one two short records a minute for each
partition.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from infra.record_appender import RecordAppender
from projections.progress import Lateness
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Unavailable
from schemas.records import CanaryAsked

LOOK_S = 30.0

_logger = logging.getLogger(__name__)


class Canaries:
    def __init__(
        self, log: RecordAppender, lateness: Lateness, *, now_us: Callable[[], int]
    ) -> None:
        self._log = log
        self._lateness = lateness
        self._now_us = now_us
        self._heads: dict[int, int] = {}

    async def run(self, *, look_s: float = LOOK_S) -> None:
        """Look again and again, until cancelled; a log that is away is looked at again."""
        while True:
            try:
                await self.look()
            except (Unavailable, AppendUnknown) as error:
                _logger.info("no canary: %s", error)
            # Several API processes shall not look at the same moment.
            await asyncio.sleep(look_s * random.uniform(0.8, 1.2))

    async def look(self) -> None:
        """Ask in every partition where nothing was written since the last look.

        Raises:
            Unavailable, AppendUnknown
        """
        heads = dict(await self._log.heads())
        self._lateness.saw(heads, self._now_us())
        before, self._heads = self._heads, heads
        # What was in the way of an append stays said until another one works.
        has_failed = bool(await self._log.trouble())
        for partition, head in heads.items():
            is_quiet = before.get(partition, head) == head
            if partition != REGISTRY_PARTITION and (is_quiet or has_failed):
                await self._log.append_to(partition, CanaryAsked(recorded_at=self._now_us()))
