"""`chargeledger projections`: the log in Kafka, projected into Postgres and ClickHouse."""

import asyncio
from collections.abc import Callable
from functools import partial

from infra.cli.servers import answering, database, kafka_journal, series
from infra.collector import READER_THRESHOLD, calm_collector
from infra.projecting import limits_of, run_projections
from infra.read_store import PostgresReadStore
from infra.role_health import of_projections
from infra.settings import Settings
from infra.standing_by import StandBy
from projections.clickhouse_schema import prepare
from projections.clickhouse_sink import LIMITS, ClickHouseSink
from projections.clickhouse_sink import NAME as SERIES
from projections.ports import Sink
from projections.read_model import NAME as READ
from projections.read_model import ReadModel
from projections.run import Projection


async def run_projections_role(settings: Settings, stop: asyncio.Event) -> None:
    calm_collector(READER_THRESHOLD)
    async with (
        kafka_journal(settings) as journal,
        database(settings) as postgres,
        series(settings) as tables,
    ):
        await prepare(tables)
        store, turns = PostgresReadStore(postgres), StandBy(postgres)
        sinks: dict[str, Callable[[], Sink]] = {
            READ: lambda: ReadModel(store),
            SERIES: lambda: ClickHouseSink(tables, store),
        }

        async def project(name: str, lost: asyncio.Event) -> None:
            limits = limits_of(settings, LIMITS if name == SERIES else None)
            projection = Projection(journal, sinks[name](), store, limits=limits)
            await run_projections([projection], stop, lost)

        async with (
            answering(settings, of_projections(journal, store)),
            asyncio.TaskGroup() as group,
        ):
            for name in sinks:
                group.create_task(turns.project(name, partial(project, name), stop))
