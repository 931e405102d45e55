"""`chargeledger projections`: the log in Kafka, projected into Postgres and ClickHouse."""

import asyncio

from infra.cli.servers import answering, database, kafka_journal, series
from infra.projecting import limits_of, run_projections
from infra.read_store import PostgresReadStore
from infra.role_health import of_projections
from infra.settings import Settings
from projections.clickhouse_schema import prepare
from projections.clickhouse_sink import LIMITS, ClickHouseSink
from projections.read_model import ReadModel
from projections.run import Projection


async def run_projections_role(settings: Settings, stop: asyncio.Event) -> None:
    async with (
        kafka_journal(settings) as journal,
        database(settings) as postgres,
        series(settings) as tables,
    ):
        await prepare(tables)
        store = PostgresReadStore(postgres)
        async with answering(settings, of_projections(journal, store)):
            await run_projections(
                [
                    Projection(journal, ReadModel(store), store, limits=limits_of(settings)),
                    Projection(
                        journal,
                        ClickHouseSink(tables, store),
                        store,
                        limits=limits_of(settings, LIMITS),
                    ),
                ],
                stop,
            )
