"""Two topics beside the journal that are no truth: what they lose is sent anew or was never needed.

`<prefix>.deliveries` has a partition per ingress slot and carries outbound frames to it.
`<prefix>.nodes` has one and carries the heartbeats of ingress nodes. Both are read from their end
on, and forget after an hour.
"""

from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra.kafka_cluster import KafkaCluster, passing_settings, stop_consumer
from infra.kafka_lanes import Lanes
from infra.kafka_reader import KafkaReader
from schemas.journal import Reader, Unavailable

RETENTION_S = 3_600
"""Longer than any deadline of a delivery; there for people who look what happened."""

SEND_TIMEOUT_S = 10.0


class KafkaDispatch:
    """Use `deliveries` or `nodes` to make one."""

    def __init__(self, cluster: KafkaCluster, topic: str, partitions: int) -> None:
        self.partitions = partitions
        self._cluster = cluster
        self._topic = topic
        self._lanes = Lanes(cluster, topic, partitions, timeout_s=SEND_TIMEOUT_S)

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        """Send the values in one batch; the errors are those of `Journal.append`."""
        await self._lanes.append(partition, values)

    async def tail(self, partition: int) -> Reader:
        """Return a reader of what is sent from now on.

        Raises:
            Unavailable: the cluster cannot be reached.
        """
        at = TopicPartition(self._topic, partition)
        metadata = self._cluster.consumer()
        try:
            await metadata.start()
            end = (await metadata.end_offsets([at]))[at]
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._topic}: {error}") from error
        finally:
            await stop_consumer(metadata)
        return KafkaReader(self._cluster, self._topic, {partition: end})

    async def close(self) -> None:
        await self._lanes.close()


async def deliveries(
    cluster: KafkaCluster, prefix: str, *, slots: int, replication: int
) -> KafkaDispatch:
    """Open the topic of outbound frames, or make it; its number of slots is fixed then.

    Raises:
        Unavailable: the cluster cannot be reached.
    """
    return await _opened(cluster, f"{prefix}.deliveries", slots, replication)


async def nodes(cluster: KafkaCluster, prefix: str, *, replication: int) -> KafkaDispatch:
    """Open the topic of heartbeats (partition 0), or make it.

    Raises:
        Unavailable: the cluster cannot be reached.
    """
    return await _opened(cluster, f"{prefix}.nodes", 1, replication)


async def _opened(
    cluster: KafkaCluster, topic: str, partitions: int, replication: int
) -> KafkaDispatch:
    settings = passing_settings(RETENTION_S)
    await cluster.create_topic(topic, partitions, replication=replication, settings=settings)
    found = await cluster.partitions_of(topic)
    return KafkaDispatch(cluster, topic, found or partitions)
