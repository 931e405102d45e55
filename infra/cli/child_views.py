"""The series of `up`: the projection into ClickHouse, and ClickHouse itself.

One process may open a chDB directory, so this one also answers readers on their port, and rebuilds
on request.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from infra.child import say_ready, stop_on
from infra.clickhouse import ChdbEngine
from infra.clickhouse_http import serve
from infra.clickhouse_tables import ClickHouseTables
from infra.collector import READER_THRESHOLD, calm_collector
from infra.deployment import Deployment, Layout
from infra.giving_way import FullFlag, GivingWay
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.projecting import limits_of, run_projections
from infra.read_store import PostgresReadStore
from infra.rebuild_socket import RebuildDesk, Report
from infra.settings import Settings
from infra.sqlite_reader import GATHER_S
from projections.clickhouse_rebuild import rebuild
from projections.clickhouse_schema import prepare
from projections.clickhouse_sink import LIMITS, ClickHouseSink
from projections.rebuild import Rebuilt
from projections.run import Projection


async def run_views(settings: Settings, layout: Layout, deployment: Deployment) -> None:
    calm_collector(READER_THRESHOLD)
    stop = stop_on(signal.SIGTERM)
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    journal = await SqliteJournal.open_read_only(layout.journal)
    journal.gather_s = GATHER_S
    engine = ChdbEngine(layout.clickhouse, settings.clickhouse_database)
    await asyncio.to_thread(engine.open)
    try:
        client = await asyncio.to_thread(engine.client)
        tables = ClickHouseTables(client)
        await prepare(tables)
        async with (
            Postgres(dsn) as database,
            serve(engine, deployment.clickhouse_port) as http,
            RebuildDesk(Path(deployment.views_socket)) as desk,
        ):
            say_ready(str(http.port))
            store = PostgresReadStore(database)

            def projection() -> Projection:
                giving_way = GivingWay(journal, FullFlag(layout.full_flag))
                limits = limits_of(settings, LIMITS)
                return Projection(giving_way, ClickHouseSink(tables, store), store, limits=limits)

            async def rebuilt(report: Report) -> Rebuilt:
                rebuilding = PostgresReadStore(database, is_rebuild=True)
                return await rebuild(journal, tables, rebuilding, on_progress=report)

            await _project(projection, rebuilt, desk, stop)
        client.close()
    finally:
        engine.close()
    await journal.close()


async def _project(
    projection: Callable[[], Projection],
    rebuilt: Callable[[Report], Awaitable[Rebuilt]],
    desk: RebuildDesk,
    stop: asyncio.Event,
) -> None:
    """Project until `stop` is set, but for the length of a rebuild."""
    while not stop.is_set():
        await run_projections([projection()], stop, desk.asked)
        if desk.asked.is_set():
            await desk.serve(rebuilt)
