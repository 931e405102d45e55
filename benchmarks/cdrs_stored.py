"""CDRs built from the log into Postgres, where few sessions are stored and where many are.

A server of its own with the product's settings, and the projection as it runs: read, decode, fold,
price, write rows and position in one transaction. What is stored before are copies, made by the
database itself, of rows that the projection wrote; their documents are empty.
"""

import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

from infra.journal_memory import MemoryJournal
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.postgres_embedded import STOP_SIGNAL, EmbeddedPostgres
from infra.read_store import PostgresReadStore
from projections.read_model import ReadModel
from projections.run import Projection
from schemas.journal import REGISTRY_PARTITION

PARTITION = 1
APPENDED = 200
STOPS_MAX_S = 60.0

_COPY: LiteralString = """
INSERT INTO read.{table}
SELECT (copied).* FROM (
    SELECT jsonb_populate_record(one.whole, jsonb_build_object(
        'id', md5(n::text)::uuid, 'station', 'OLD' || n %% 1000, 'transaction_id', n::text,
        'record_offset', -n, 'received_at', n, 'body', ''
    )) AS copied
    FROM (SELECT t AS whole FROM read.{table} AS t LIMIT 1) AS one, generate_series(1, %s) AS n
    OFFSET 0
) AS copies
"""
TABLES = ("transactions", "cdrs", "cdr_revisions")


class Stored(NamedTuple):
    """CDRs per second of each turn, into the store of few sessions and into that of many."""

    few: Sequence[float]
    many: Sequence[float]

    @property
    def ratio(self) -> float:
        return statistics.median(m / f for f, m in zip(self.few, self.many, strict=True))


def stored_per_s(
    registry: Sequence[bytes],
    logs: Sequence[Sequence[bytes]],
    sessions: int,
    sizes: tuple[int, int],
) -> Stored:
    """Each log has so many sessions; the first warms up and is what the copies are made of."""
    return asyncio.run(_stored_per_s(registry, logs, sessions, sizes))


async def _stored_per_s(
    registry: Sequence[bytes],
    logs: Sequence[Sequence[bytes]],
    sessions: int,
    sizes: tuple[int, int],
) -> Stored:
    found: tuple[list[float], list[float]] = ([], [])
    async with AsyncExitStack() as stack:
        server = stack.enter_context(_server())
        stores = []
        for size in sizes:
            store = await stack.enter_async_context(_database(server, f"cdrs_{size}"))
            await store.takes(registry, logs[0])
            await store.is_filled(size - sessions)
            stores.append(store)
        for log in logs[1:]:
            for store, rates in zip(stores, found, strict=True):
                rates.append(sessions / await store.takes((), log))
                assert await store.released() == (len(rates) + 1) * sessions
    return Stored(*found)


class _Database:
    def __init__(self, dsn: str, rows: PostgresReadStore) -> None:
        self._dsn = dsn
        self._rows = rows
        self._journal = MemoryJournal(PARTITION)

    async def takes(self, registry: Sequence[bytes], log: Sequence[bytes]) -> float:
        """Project more of the log; return the seconds that it took."""
        for partition, values in ((REGISTRY_PARTITION, registry), (PARTITION, log)):
            for first in range(0, len(values), APPENDED):
                await self._journal.append(partition, values[first : first + APPENDED])
        heads = {p: await self._journal.head(p) for p in (REGISTRY_PARTITION, PARTITION)}
        projection = Projection(self._journal, ReadModel(self._rows), self._rows, until=heads)
        began = time.perf_counter()
        await projection.run()
        took = time.perf_counter() - began
        return took

    async def released(self) -> int:
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            cursor = await connection.execute("SELECT sum(cdrs) FROM read.cdr_totals")
            row = await cursor.fetchone()
            return int(row[0]) if row else 0

    async def is_filled(self, copies: int) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            for table in TABLES:
                statement = sql.SQL(_COPY).format(table=sql.Identifier(table))
                await connection.execute(statement, [copies])
                await connection.execute(
                    sql.SQL("VACUUM ANALYZE read.{}").format(sql.Identifier(table))
                )
            await connection.execute("CHECKPOINT")


@contextmanager
def _server() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="cl-bench-") as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres")
        server.prepare()
        with server.log_path.open("ab") as log:
            process = subprocess.Popen(server.command(), stdout=log, stderr=log)
        try:
            server.wait_ready(lambda: process.poll() is None)
            yield server
        finally:
            process.send_signal(STOP_SIGNAL)
            process.wait(STOPS_MAX_S)


@asynccontextmanager
async def _database(server: EmbeddedPostgres, name: str) -> AsyncIterator[_Database]:
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        created = sql.SQL("CREATE DATABASE {} OWNER chargeledger").format(sql.Identifier(name))
        connection.execute(created)
    dsn = psycopg.conninfo.make_conninfo(server.dsn, dbname=name)
    await migrate(dsn)
    async with Postgres(dsn) as postgres:
        yield _Database(
            psycopg.conninfo.make_conninfo(server.superuser_dsn, dbname=name),
            PostgresReadStore(postgres),
        )
