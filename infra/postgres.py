"""Postgres through psycopg's pool: open, close, and one translation of what will pass.

A connection given out is one transaction: committed when its block ends, rolled back when it
raises.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed

CONNECTIONS_MAX = 4
# Per process: an embedded Postgres has 50 in all, and a projection writes on one.
WAIT_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5
KEEP_TRYING_S = 10 * 365 * 86400.0
# The pool reconnects for as long as the process lives; callers meanwhile get DatabaseUnavailable.


class DatabaseUnavailable(Exception):
    """The database cannot be reached or cannot work now.

    The transaction was rolled back; if this was raised while committing, nobody can say. Repeat it
    as an idempotent whole.
    """


@contextlib.contextmanager
def unavailable_translated() -> Iterator[None]:
    """Raise what psycopg says about connections and resources as DatabaseUnavailable.

    Errors of SQL and of data (syntax, constraints, types) pass as they are: they will not pass.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolClosed) as error:
        raise DatabaseUnavailable(str(error).strip() or type(error).__name__) from error


class Postgres:
    """A pool of connections to one database under one role."""

    def __init__(self, dsn: str, *, connections_max: int = CONNECTIONS_MAX) -> None:
        self._pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=connections_max,
            open=False,
            timeout=WAIT_TIMEOUT_S,
            reconnect_timeout=KEEP_TRYING_S,
            kwargs={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "chargeledger"},
        )

    async def open(self) -> None:
        """Start connecting. Does not wait: `connection` does, up to WAIT_TIMEOUT_S."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @contextlib.asynccontextmanager
    async def connection(self, *, wait_s: float = WAIT_TIMEOUT_S) -> AsyncIterator[AsyncConnection]:
        """One transaction.

        Raises:
            DatabaseUnavailable: see there; the next call may succeed.
        """
        with unavailable_translated():
            async with self._pool.connection(timeout=wait_s) as connection:
                yield connection
