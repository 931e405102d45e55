"""`chargeledger api`: the API of a deployment on servers."""

import asyncio
import logging
from importlib.metadata import version

from api.app import create_app
from api.ports import Ports
from api.server import address_to_listen, serve
from infra import clock
from infra.api_keys import ApiKeysInVault
from infra.canary import Canaries
from infra.cli.child_edge import vault_keys
from infra.cli.databases import secrets_directory
from infra.cli.servers import database, kafka_journal, series_to_read
from infra.read_store import PostgresReadStore
from infra.record_appender import RecordAppender
from infra.settings import Settings
from infra.vault import Vault
from schemas.journal import AppenderFailed

_logger = logging.getLogger(__name__)


async def run_api_role(settings: Settings, stop: asyncio.Event) -> None:
    async with (
        kafka_journal(settings) as journal,
        database(settings) as postgres,
        series_to_read(settings) as frames,
    ):
        keys = ApiKeysInVault(postgres)
        log = RecordAppender(journal, journal.partitions)
        ports = Ports(
            log=log,
            db=PostgresReadStore(postgres),
            frames=frames,
            keys=keys,
            vault=Vault(postgres, vault_keys(secrets_directory(settings))),
            now_us=clock.now_us,
            edge_metrics=_no_edge,
            signed_data_url=settings.signed_data_url,
        )
        app = create_app(ports, version=version("chargeledger"))
        host = address_to_listen(settings.api_host, has_keys=await keys.configured())
        async with asyncio.TaskGroup() as group:
            beside = (
                group.create_task(Canaries(log, ports.lateness, now_us=clock.now_us).run()),
                group.create_task(_end_when_failed(log)),
            )
            await serve(app, host, settings.api_port, stop, _listening)
            for task in beside:
                task.cancel()


async def _end_when_failed(log: RecordAppender) -> None:
    await log.failed()
    raise AppenderFailed("nothing can be appended by this process any more")


async def _no_edge() -> bytes | None:
    # Ingress nodes and owners are other machines here; their figures are scraped there.
    return None


def _listening(port: int) -> None:
    _logger.info("the API listens on port %d", port)
