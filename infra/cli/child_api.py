"""The API of `up`: reads Postgres and ClickHouse as on servers, appends through the edge."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from api.app import create_app
from api.ports import Ports
from api.server import address_to_listen, serve
from infra import clock
from infra.api_keys import ApiKeysInVault
from infra.canary import Canaries
from infra.child import say_ready, stop_on
from infra.cli.child_edge import vault_keys
from infra.clickhouse import server_client
from infra.clickhouse_tables import ClickHouseTables
from infra.deployment import Deployment, Layout
from infra.postgres import Postgres
from infra.postgres_embedded import EmbeddedPostgres
from infra.read_store import PostgresReadStore
from infra.record_appender import RecordAppender
from infra.settings import Settings
from infra.socket_journal import SocketJournal
from infra.vault import Vault
from schemas.journal import Unavailable


async def run_api(settings: Settings, layout: Layout, deployment: Deployment) -> None:
    stop = stop_on(signal.SIGTERM)
    dsn = EmbeddedPostgres(layout.postgres, deployment.postgres_port).dsn
    journal = await SocketJournal.open(Path(deployment.edge_socket), layout.journal)

    async def edge_metrics() -> bytes | None:
        try:
            return (await journal.metrics()).encode()
        except Unavailable:
            return None

    async with (
        Postgres(dsn) as database,
        clickhouse(deployment.clickhouse_url, settings.clickhouse_database) as frames,
    ):
        keys = ApiKeysInVault(database)
        log = RecordAppender(journal, journal.partitions, ask=journal.metrics)
        ports = Ports(
            log=log,
            db=PostgresReadStore(database),
            frames=frames,
            keys=keys,
            vault=Vault(database, vault_keys(settings.secrets or layout.secrets)),
            now_us=clock.now_us,
            edge_metrics=edge_metrics,
            signed_data_url=settings.signed_data_url,
        )
        app = create_app(ports, version=version("chargeledger"))
        host = address_to_listen(deployment.api_host, has_keys=await keys.configured())
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(Canaries(log, ports.lateness, now_us=clock.now_us).run())
            await serve(app, host, deployment.api_port, stop, lambda port: say_ready(str(port)))
            asking.cancel()
    await journal.close()


@asynccontextmanager
async def clickhouse(dsn: str, database: str) -> AsyncIterator[ClickHouseTables]:
    client = await asyncio.to_thread(server_client, dsn, database)
    try:
        yield ClickHouseTables(client)
    finally:
        client.close()
