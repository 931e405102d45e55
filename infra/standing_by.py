"""Several processes project, each projection in one of them at a time; the others stand by.

Who projects holds a lock of Postgres on a session of its own. The session ends when it says nothing
for `SILENT_MAX_S`: also that of a process that sleeps. The lock saves work and is not what keeps
rows right: of two that project at once, each batch of one is refused (`PositionMoved`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
from psycopg import AsyncConnection

from infra.postgres import DatabaseUnavailable, Postgres

TRY_S = 1.0
SIGN_S = 3.0
SILENT_MAX_S = 10

_LOCK = "SELECT pg_try_advisory_lock(hashtext('chargeledger.project.' || %(name)s))"
_SILENCE = f"SET idle_session_timeout = '{SILENT_MAX_S}s'"

_logger = logging.getLogger(__name__)

Work = Callable[[asyncio.Event], Awaitable[None]]
"""Is told when to end: another projects from then on, or may."""


class StandBy:
    """One for a process."""

    def __init__(self, database: Postgres) -> None:
        self._database = database
        self.leading: set[str] = set()
        """What this process projects."""

    async def project(self, name: str, work: Work, stop: asyncio.Event) -> None:
        """Do the work whenever no other process does, until told to stop."""
        while not stop.is_set():
            try:
                async with self._database.connection() as connection:
                    cursor = await connection.execute(_LOCK, {"name": name})
                    if await cursor.fetchone() == (True,):
                        await self._lead(connection, name, work)
            except DatabaseUnavailable as error:
                _logger.warning("nobody says who projects %s: %s", name, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TRY_S)

    async def _lead(self, connection: AsyncConnection, name: str, work: Work) -> None:
        lost = asyncio.Event()
        self.leading.add(name)
        _logger.info("%s is projected here", name)
        try:
            await connection.execute(_SILENCE)
            await connection.commit()
            async with asyncio.TaskGroup() as group:
                signs = group.create_task(_give_signs(connection, lost))
                await work(lost)
                signs.cancel()
        finally:
            self.leading.discard(name)
            # Closing it is the one way to give the lock back that cannot fail.
            await connection.close()


async def _give_signs(connection: AsyncConnection, lost: asyncio.Event) -> None:
    while True:
        await asyncio.sleep(SIGN_S)
        try:
            async with asyncio.timeout(SILENT_MAX_S):
                await connection.execute("SELECT 1")
                await connection.commit()
        except (psycopg.Error, TimeoutError) as error:
            _logger.warning("another process may project now: %s", error)
            lost.set()
            return
