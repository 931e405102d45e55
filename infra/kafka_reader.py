"""Reading partitions of a topic from given offsets on, without a consumer group."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from infra.kafka_cluster import KafkaCluster, stop_consumer
from schemas.journal import Entry, Unavailable, WrongJournal


class KafkaReader:
    """A broker that cannot be reached looks like a log in which nothing happens."""

    def __init__(self, cluster: KafkaCluster, topic: str, positions: Mapping[int, int]) -> None:
        self._cluster = cluster
        self._topic = topic
        self._positions = dict(positions)
        self._consumer: AIOKafkaConsumer | None = None
        self._starting: asyncio.Task[AIOKafkaConsumer] | None = None

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        consumer = self._consumer or await self._started()
        try:
            by_partition = await consumer.getmany(
                timeout_ms=int(timeout_s * 1_000), max_records=records_max
            )
        except OffsetOutOfRangeError as error:
            raise WrongJournal(f"{self._topic}: a position is not in the log: {error}") from error
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._topic}: {error}") from error
        return [
            Entry(record.partition, record.offset, record.value)
            for records in by_partition.values()
            for record in records
        ]

    async def close(self) -> None:
        if self._starting is not None:
            await asyncio.wait([self._starting])
            if self._starting.exception() is None:
                self._consumer = self._starting.result()
        if self._consumer is not None:
            await stop_consumer(self._consumer)
            self._consumer = None

    async def _started(self) -> AIOKafkaConsumer:
        if self._starting is None:
            # A cancelled poll leaves it running; the next poll, or `close`, waits for it.
            self._starting = asyncio.get_running_loop().create_task(self._start())
        await asyncio.wait([self._starting])
        starting, self._starting = self._starting, None
        self._consumer = starting.result()
        return self._consumer

    async def _start(self) -> AIOKafkaConsumer:
        consumer = self._cluster.consumer()
        try:
            await consumer.start()
            by_partition = {
                TopicPartition(self._topic, partition): offset
                for partition, offset in self._positions.items()
            }
            consumer.assign(list(by_partition))
            for topic_partition, offset in by_partition.items():
                consumer.seek(topic_partition, offset)
        except (KafkaError, OSError) as error:
            await stop_consumer(consumer)
            raise Unavailable(f"{self._cluster.bootstrap}: {error}") from error
        return consumer
