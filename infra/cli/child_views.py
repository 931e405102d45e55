"""The series of `up`: the projection into ClickHouse, and ClickHouse itself.

One process may open a chDB directory, so this one also answers readers on their port, and rebuilds
on request.
"""

import asyncio
import signal

from infra.child import say_ready, stop_on
from infra.clickhouse import ChdbEngine
from infra.clickhouse_http import serve
from infra.clickhouse_tables import ClickHouseTables
from infra.deployment import Deployment, Layout
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.projecting import run_projections
from infra.read_store import PostgresReadStore
from infra.settings import Settings
from projections.clickhouse_schema import prepare
from projections.clickhouse_sink import LIMITS, ClickHouseSink
from projections.run import Projection


async def run_views(settings: Settings, layout: Layout, deployment: Deployment) -> None:
    stop = stop_on(signal.SIGTERM)
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    journal = await SqliteJournal.open_read_only(layout.journal)
    engine = ChdbEngine(layout.clickhouse, settings.clickhouse_database)
    await asyncio.to_thread(engine.open)
    try:
        client = await asyncio.to_thread(engine.client)
        tables = ClickHouseTables(client)
        await prepare(tables)
        async with (
            Postgres(dsn) as database,
            serve(engine, deployment.clickhouse_port) as http,
        ):
            store = PostgresReadStore(database)
            say_ready(str(http.port))
            projection = Projection(journal, ClickHouseSink(tables, store), store, limits=LIMITS)
            await run_projections([projection], stop)
        client.close()
    finally:
        engine.close()
    await journal.close()
