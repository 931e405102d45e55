"""What the roles of a deployment on servers open: the log in Kafka, Postgres, ClickHouse."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from infra.cli.databases import chdb_directory, postgres_dsn
from infra.cli.failures import Failed
from infra.cli.journals import cluster
from infra.clickhouse import ChdbEngine, quoted, server_client
from infra.clickhouse_http import serve
from infra.clickhouse_tables import ClickHouseTables
from infra.health_http import Health, health_http
from infra.journal_kafka import KafkaJournal
from infra.postgres import Postgres
from infra.settings import Settings

_logger = logging.getLogger(__name__)


@asynccontextmanager
async def kafka_journal(settings: Settings) -> AsyncIterator[KafkaJournal]:
    """Open the deployment's log, or make it: whichever role is first.

    Raises:
        WrongJournal: it was made with other partitions than the settings say.
    """
    journal = await KafkaJournal.create_or_open(
        cluster(settings),
        settings.kafka_prefix,
        settings.partitions,
        replication=settings.replication,
    )
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def answering(settings: Settings, health: Health) -> AsyncIterator[None]:
    """Answer /healthz, /readyz and /metrics where the settings say."""
    async with health_http(settings.health_port, health) as port:
        if port is not None:
            _logger.info("health and figures on port %d", port)
        yield


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[Postgres]:
    async with postgres_dsn(settings, None) as dsn, Postgres(dsn) as opened:
        yield opened


@asynccontextmanager
async def series(settings: Settings) -> AsyncIterator[ClickHouseTables]:
    """Open ClickHouse for writing, and make the database if it is missing.

    An engine in this process also answers readers, on CHARGELEDGER_CLICKHOUSE_PORT of loopback.
    """
    dsn, name = _clickhouse_dsn(settings), settings.clickhouse_database
    if dsn.startswith("chdb:"):
        with (
            ChdbEngine(chdb_directory(settings), name) as engine,
            closing(await asyncio.to_thread(engine.client)) as client,
        ):
            async with serve(engine, settings.clickhouse_port):
                yield ClickHouseTables(client)
        return
    with closing(await asyncio.to_thread(server_client, dsn, "default")) as client:
        await asyncio.to_thread(client.command, f"CREATE DATABASE IF NOT EXISTS {quoted(name)}")
    async with series_to_read(settings) as tables:
        yield tables


@asynccontextmanager
async def series_to_read(settings: Settings) -> AsyncIterator[ClickHouseTables]:
    dsn = _clickhouse_dsn(settings)
    if dsn.startswith("chdb:"):
        raise Failed("an engine in the process serves only that process: give http://HOST:PORT")
    client = await asyncio.to_thread(server_client, dsn, settings.clickhouse_database)
    with closing(client):
        yield ClickHouseTables(client)


def _clickhouse_dsn(settings: Settings) -> str:
    dsn = settings.clickhouse_dsn.get_secret_value()
    if not dsn:
        raise Failed("CHARGELEDGER_CLICKHOUSE_DSN says where ClickHouse is, and is not set")
    return dsn
