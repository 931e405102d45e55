"""Which partitions a process owns, by a real consumer group."""

import asyncio

import pytest
from aiokafka import TopicPartition

from infra.kafka_assignment import Assignment
from infra.kafka_cluster import KafkaCluster

pytestmark = pytest.mark.kafka

SOON_S = 20.0


async def test_what_the_group_gives_while_we_stop_is_not_begun(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    stop, begun = asyncio.Event(), list[int]()

    async def own(partition: int) -> None:
        begun.append(partition)
        if len(begun) == 2:
            stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            # As the client does when a rebalance ends just then.
            given = TopicPartition(f"{kafka_prefix}.assignment", partition - 1)
            await assignment.on_partitions_assigned([given])

    assignment = Assignment(kafka, kafka_prefix, own)
    async with asyncio.timeout(SOON_S):
        await assignment.run(2, 1, stop)

    assert sorted(begun) == [1, 2]
