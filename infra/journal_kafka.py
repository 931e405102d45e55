"""The journal in Kafka: topic `<prefix>.journal`, one partition per partition of the journal.

Whoever creates the topic writes the creation record; everybody else waits for it. A topic without
one is not taken for a new log: its creation was cut short, or it lost its beginning.
"""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from infra.journal_identity import Identity, creation_record, identity_in, require
from infra.kafka_cluster import KafkaCluster, journal_settings, stop_consumer
from infra.kafka_lanes import Lanes
from infra.kafka_reader import KafkaReader
from schemas.journal import REGISTRY_PARTITION, Unavailable, WrongJournal

APPEND_TIMEOUT_S = 10.0
"""Answers are held a few seconds for a log that cannot be written; then doors close (DESIGN 3)."""

CREATION_WITHIN_S = 20.0
"""For the process that created the topic to write its first record."""

TOPIC_LOOKS = 10
TOPIC_LOOK_S = 0.2
"""Not every broker has heard of a new topic at once."""


class KafkaJournal:
    """After `AppenderFailed` it can still be read; open another one to append."""

    def __init__(
        self,
        cluster: KafkaCluster,
        topic: str,
        found: Identity,
        metadata: AIOKafkaConsumer,
        lanes: Lanes,
    ) -> None:
        self._cluster = cluster
        self._topic = topic
        self._identity = found
        self._metadata = metadata
        self._lanes = lanes

    @classmethod
    async def create_or_open(
        cls,
        cluster: KafkaCluster,
        prefix: str,
        partitions: int,
        *,
        replication: int,
        expected_id: str | None = None,
        append_timeout_s: float = APPEND_TIMEOUT_S,
    ) -> "KafkaJournal":
        """Open the deployment's log, or make it.

        Raises:
            WrongJournal: it has another number of partitions, hash or id, or no beginning.
            Unavailable: the cluster cannot be reached.
        """
        topic = topic_of(prefix)
        is_ours = await cluster.create_topic(
            topic,
            partitions + 1,
            replication=replication,
            settings=journal_settings(replication),
        )
        if is_ours:
            lanes = Lanes(cluster, topic, partitions + 1, timeout_s=CREATION_WITHIN_S)
            try:
                await lanes.append(REGISTRY_PARTITION, [creation_record(partitions)])
            finally:
                await lanes.close()
        return await cls.open(
            cluster,
            prefix,
            partitions=partitions,
            expected_id=expected_id,
            append_timeout_s=append_timeout_s,
        )

    @classmethod
    async def open(
        cls,
        cluster: KafkaCluster,
        prefix: str,
        *,
        partitions: int | None = None,
        expected_id: str | None = None,
        append_timeout_s: float = APPEND_TIMEOUT_S,
    ) -> "KafkaJournal":
        """Open the deployment's log; what is not given is taken from there.

        Raises:
            WrongJournal: it is not what is expected, or there is none.
            Unavailable: the cluster cannot be reached.
        """
        topic = topic_of(prefix)
        found = await _identity(cluster, topic)
        require(found, partitions=partitions, expected_id=expected_id, where=topic)
        metadata = cluster.consumer()
        try:
            await metadata.start()
        except (KafkaError, OSError) as error:
            await stop_consumer(metadata)
            raise Unavailable(f"{cluster.bootstrap}: {error}") from error
        lanes = Lanes(cluster, topic, found.partitions + 1, timeout_s=append_timeout_s)
        return cls(cluster, topic, found, metadata, lanes)

    @property
    def id(self) -> str:
        return self._identity.journal_id

    @property
    def partitions(self) -> int:
        return self._identity.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        return await self._lanes.append(partition, values)

    async def head(self, partition: int) -> int:
        at = TopicPartition(self._topic, partition)
        try:
            return int((await self._metadata.end_offsets([at]))[at])
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._topic}: {error}") from error

    def reader(self, positions: Mapping[int, int]) -> KafkaReader:
        return KafkaReader(self._cluster, self._topic, positions)

    async def close(self) -> None:
        await self._lanes.close()
        await stop_consumer(self._metadata)


def topic_of(prefix: str) -> str:
    return f"{prefix}.journal"


async def _partitions(cluster: KafkaCluster, topic: str) -> int:
    for _ in range(TOPIC_LOOKS):
        if (partitions := await cluster.partitions_of(topic)) is not None:
            return partitions
        await asyncio.sleep(TOPIC_LOOK_S)
    raise WrongJournal(f"{topic}: there is no such topic")


async def _identity(cluster: KafkaCluster, topic: str) -> Identity:
    partitions = await _partitions(cluster, topic)
    reader = KafkaReader(cluster, topic, {REGISTRY_PARTITION: 0})
    try:
        async with asyncio.timeout(CREATION_WITHIN_S):
            while not (entries := await reader.poll(records_max=1, timeout_s=1.0)):
                pass
    except TimeoutError as error:
        raise WrongJournal(
            f"{topic}: does not begin with a creation record; if it was never used, delete it"
        ) from error
    finally:
        await reader.close()
    found = identity_in(entries[0].value, where=topic)
    if partitions != found.partitions + 1:
        raise WrongJournal(
            f"{topic}: was made with {found.partitions} partitions and the registry's,"
            f" the topic has {partitions}"
        )
    return found
