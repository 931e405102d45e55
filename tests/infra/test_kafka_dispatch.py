"""Deliveries and heartbeats: from the sender to whoever reads that partition from now on."""

import pytest

from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import deliveries, nodes
from tests.contract.journal import ENOUGH_S

pytestmark = pytest.mark.kafka


async def test_a_slot_gets_what_is_sent_to_it_from_now_on(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    dispatch = await deliveries(kafka, kafka_prefix, slots=2, replication=1)
    await dispatch.send(0, [b"earlier"])
    tail = await dispatch.tail(0)

    await dispatch.send(1, [b"not mine"])
    await dispatch.send(0, [b"one", b"two"])

    entries = await tail.poll(records_max=10, timeout_s=ENOUGH_S)
    assert [entry.value for entry in entries] == [b"one", b"two"]
    await tail.close()
    await dispatch.close()


async def test_the_number_of_slots_is_that_of_its_creation(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    first = await deliveries(kafka, kafka_prefix, slots=3, replication=1)
    second = await deliveries(kafka, kafka_prefix, slots=5, replication=1)

    assert (first.partitions, second.partitions) == (3, 3)
    await first.close()
    await second.close()


async def test_heartbeats_reach_every_reader(kafka: KafkaCluster, kafka_prefix: str) -> None:
    heartbeats = await nodes(kafka, kafka_prefix, replication=1)
    tails = [await heartbeats.tail(0) for _ in range(2)]

    await heartbeats.send(0, [b'{"node":"0/abc"}'])

    for tail in tails:
        (entry,) = await tail.poll(records_max=10, timeout_s=ENOUGH_S)
        assert entry.value == b'{"node":"0/abc"}'
        await tail.close()
    await heartbeats.close()
