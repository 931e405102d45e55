"""A process that owns partitions, in a real consumer group."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.answering import Policy
from infra.domain_node import DomainNode
from infra.journal_kafka import KafkaJournal
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import deliveries, nodes
from infra.snapshots import Snapshots
from tests.infra.slow_disk import SOON_S, SlowDisk

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def node_on(
    kafka: KafkaCluster, prefix: str, snapshots: Snapshots
) -> AsyncIterator[DomainNode]:
    journal = await KafkaJournal.create_or_open(kafka, prefix, 1, replication=1)
    mail = await deliveries(kafka, prefix, slots=1, replication=1)
    beats = await nodes(kafka, prefix, replication=1)
    try:
        yield DomainNode(
            cluster=kafka,
            prefix=prefix,
            replication=1,
            journal=journal,
            deliveries=mail,
            nodes=beats,
            snapshots=snapshots,
            policy=Policy(),
            id_key=b"k" * 32,
        )
    finally:
        await mail.close()
        await beats.close()
        await journal.close()
        snapshots.close()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not is_so():  # noqa: ASYNC110 - asked, not told.
            await asyncio.sleep(0.05)


def owns(node: DomainNode) -> bool:
    return any(worker.owns for worker in node.working.values())


async def test_who_is_told_to_stop_hands_over_before_it_keeps_its_last_snapshot(
    kafka: KafkaCluster, kafka_prefix: str, tmp_path: Path
) -> None:
    disk = SlowDisk(tmp_path / "slow.sqlite")
    async with (
        node_on(kafka, kafka_prefix, disk) as first,
        node_on(kafka, kafka_prefix, Snapshots(tmp_path / "second.sqlite")) as second,
        asyncio.TaskGroup() as group,
    ):
        stops = asyncio.Event(), asyncio.Event()
        ending = group.create_task(first.run(stops[0]))
        await until(lambda: owns(first))
        group.create_task(second.run(stops[1]))
        stops[0].set()
        try:
            await until(lambda: disk.is_asked.is_set() and owns(second))
            assert not ending.done()
        finally:
            disk.goes_on.set()
        async with asyncio.timeout(SOON_S):
            await ending
        assert disk.load(1, first.journal.id) is not None
        stops[1].set()
