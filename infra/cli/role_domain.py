"""`chargeledger domain`: owns its share of the partitions of the log in Kafka."""

import asyncio

from infra.cli.child_edge import policy
from infra.cli.databases import secrets_directory
from infra.cli.journals import cluster
from infra.cli.servers import answering, kafka_journal
from infra.collector import calm_collector
from infra.deployment import Layout, read_key
from infra.domain_node import DomainNode
from infra.kafka_dispatch import deliveries, nodes
from infra.role_health import of_domain
from infra.settings import Settings
from infra.shared_snapshots import SharedSnapshots
from infra.snapshots import Snapshots


async def run_domain(settings: Settings, stop: asyncio.Event) -> None:
    calm_collector()
    id_key = read_key(secrets_directory(settings), "transaction-id")
    settings.data.mkdir(parents=True, exist_ok=True)
    own, shared = Layout(settings.data).snapshots, settings.snapshots_shared
    snapshots = Snapshots(own) if shared is None else SharedSnapshots(own, shared)
    kafka, prefix = cluster(settings), settings.kafka_prefix
    async with kafka_journal(settings) as journal:
        mail = await deliveries(
            kafka, prefix, slots=settings.ingress_slots, replication=settings.replication
        )
        beats = await nodes(kafka, prefix, replication=settings.replication)
        node = DomainNode(
            cluster=kafka,
            prefix=prefix,
            replication=settings.replication,
            journal=journal,
            deliveries=mail,
            nodes=beats,
            snapshots=snapshots,
            policy=policy(settings),
            id_key=id_key,
        )
        try:
            async with answering(settings, of_domain(node)):
                await node.run(stop)
        finally:
            await mail.close()
            await beats.close()
            snapshots.close()
