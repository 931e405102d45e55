"""`chargeledger domain`: owns its share of the partitions of the log in Kafka."""

import asyncio
import logging

from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.cli.child_edge import policy
from infra.cli.databases import secrets_directory
from infra.cli.journals import cluster
from infra.cli.servers import kafka_journal
from infra.deployment import Layout, read_key
from infra.domain_worker import Fenced, PartitionWorker
from infra.journal_kafka import topic_of
from infra.kafka_assignment import Assignment
from infra.kafka_dispatch import deliveries, nodes
from infra.node_watch import NodeWatch
from infra.recovery import fold_registry, follow_registry
from infra.settings import Settings
from infra.snapshots import Snapshots
from schemas.journal import Unavailable

RETRY_S = 1.0

_logger = logging.getLogger(__name__)


async def run_domain(settings: Settings, stop: asyncio.Event) -> None:
    ids = TransactionIds(read_key(secrets_directory(settings), "transaction-id"))
    settings.data.mkdir(parents=True, exist_ok=True)
    snapshots = Snapshots(Layout(settings.data).snapshots)
    prefix, replication = settings.kafka_prefix, settings.replication
    async with kafka_journal(settings) as journal:
        mail = await deliveries(
            cluster(settings), prefix, slots=settings.ingress_slots, replication=replication
        )
        beats = await nodes(cluster(settings), prefix, replication=replication)
        watch = NodeWatch(beats)
        registry = Registry()
        await fold_registry(journal, registry)

        async def own(partition: int) -> None:
            await _own(
                PartitionWorker(
                    partition,
                    journal=journal,
                    deliveries=mail,
                    watch=watch,
                    registry=registry,
                    snapshots=snapshots,
                    policy=policy(settings),
                    ids=ids,
                )
            )

        try:
            async with asyncio.TaskGroup() as group:
                following = [
                    group.create_task(watch.run()),
                    group.create_task(follow_registry(journal, registry)),
                ]
                topic = topic_of(prefix)
                assignment = Assignment(cluster(settings), topic, f"{prefix}.owners", own)
                await assignment.run(stop)
                for task in following:
                    task.cancel()
        finally:
            await mail.close()
            await beats.close()
            snapshots.close()


async def _own(worker: PartitionWorker) -> None:
    """Own the partition until cancelled, or until another owner's claim is in the log."""
    is_fenced = False
    while not is_fenced:
        try:
            await worker.run()
        except* Fenced:
            # It is theirs until the group gives it to us anew.
            _logger.info("partition %d belongs to another owner now", worker.partition)
            is_fenced = True
        except* Unavailable as errors:
            _logger.warning("partition %d: %s", worker.partition, errors.exceptions[0])
            await asyncio.sleep(RETRY_S)
