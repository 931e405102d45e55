"""The projection of `up` into Postgres: a process of its own, at low priority."""

import signal

from infra.child import say_ready, stop_on
from infra.deployment import Deployment, Layout
from infra.giving_way import FullFlag, GivingWay
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.projecting import run_projections
from infra.read_store import PostgresReadStore
from projections.read_model import ReadModel
from projections.run import Projection


async def run_read_model(layout: Layout, deployment: Deployment) -> None:
    stop = stop_on(signal.SIGTERM)
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    journal = await SqliteJournal.open_read_only(layout.journal)
    flag = FullFlag(layout.full_flag)
    async with Postgres(dsn) as database:
        store = PostgresReadStore(database)
        say_ready()
        await run_projections([Projection(GivingWay(journal, flag), ReadModel(store), store)], stop)
    await journal.close()
