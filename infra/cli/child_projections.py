"""The projection of `up` into Postgres: a process of its own, at low priority."""

import signal

from infra.child import say_ready, stop_on
from infra.collector import READER_THRESHOLD, calm_collector
from infra.deployment import Deployment, Layout
from infra.giving_way import FullFlag, GivingWay
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.projecting import limits_of, run_projections
from infra.read_store import PostgresReadStore
from infra.settings import Settings
from infra.sqlite_reader import GATHER_S
from projections.read_model import ReadModel
from projections.run import Projection


async def run_read_model(settings: Settings, layout: Layout, deployment: Deployment) -> None:
    calm_collector(READER_THRESHOLD)
    stop = stop_on(signal.SIGTERM)
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    journal = await SqliteJournal.open_read_only(layout.journal)
    journal.gather_s = GATHER_S
    flag = FullFlag(layout.full_flag)
    async with Postgres(dsn) as database:
        store = PostgresReadStore(database)
        say_ready()
        projection = Projection(
            GivingWay(journal, flag), ReadModel(store), store, limits=limits_of(settings)
        )
        await run_projections([projection], stop)
    await journal.close()
