"""`chargeledger ingress`: the stations' connections of one node, over the log in Kafka."""

import asyncio
import logging
from dataclasses import replace

from infra.cli.child_edge import ingress_options, vault_keys
from infra.cli.databases import secrets_directory
from infra.cli.failures import Failed
from infra.cli.journals import cluster
from infra.cli.servers import answering, database, kafka_journal
from infra.collector import calm_collector
from infra.ingress_node import IngressNode
from infra.kafka_dispatch import deliveries, nodes
from infra.role_health import of_ingress
from infra.settings import Settings
from infra.vault import Vault
from infra.verifier_cache import CachedVerifiers

_logger = logging.getLogger(__name__)


async def run_ingress(settings: Settings, stop: asyncio.Event) -> None:
    if settings.ingress_slot >= settings.ingress_slots:
        raise Failed(f"slot {settings.ingress_slot}: there are {settings.ingress_slots}, from 0 on")
    calm_collector()
    keys = vault_keys(secrets_directory(settings))
    settings.data.mkdir(parents=True, exist_ok=True)
    prefix, replication = settings.kafka_prefix, settings.replication
    async with kafka_journal(settings) as journal, database(settings) as postgres:
        vault = Vault(postgres, keys)
        cache = settings.data / f"verifiers-{settings.ingress_slot}.sqlite3"
        verifiers = CachedVerifiers(vault, cache)
        mail = await deliveries(
            cluster(settings), prefix, slots=settings.ingress_slots, replication=replication
        )
        beats = await nodes(cluster(settings), prefix, replication=replication)
        node = IngressNode(
            journal,
            mail,
            beats,
            slot=settings.ingress_slot,
            options=replace(ingress_options(settings, keys), drain_spread_s=settings.drain_s),
            verifier=verifiers.verifier,
            secrets=vault,
        )
        try:
            async with answering(settings, of_ingress(node)), asyncio.TaskGroup() as group:
                group.create_task(verifiers.run(stop))
                await node.run(settings.ocpp_host, settings.ocpp_port, stop, _listening)
        finally:
            await mail.close()
            await beats.close()
            verifiers.close()


def _listening(port: int) -> None:
    _logger.info("listening for stations on port %d", port)
