"""Which partitions this process should own: a hint of Kafka's consumer group; the log decides.

A member of the group reads nothing through it: its partitions are paused, polling only says that it
lives.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from infra.kafka_cluster import KafkaCluster, stop_consumer
from schemas.journal import REGISTRY_PARTITION, Unavailable

POLL_MS = 500
RETRY_S = 1.0
SESSION_TIMEOUT_MS = 10_000
"""A member that fell silent so long has its partitions given to others."""

Own = Callable[[int], Awaitable[None]]

_logger = logging.getLogger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """Runs `own(partition)` for as long as the group gives the partition to this process."""

    def __init__(self, cluster: KafkaCluster, topic: str, group: str, own: Own) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._own = own
        self._running: dict[int, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._consumer: AIOKafkaConsumer | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Own what is given until `stop` is set; an error of `own` ends everything.

        Raises:
            Unavailable: the cluster cannot be reached.
        """
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            **self._cluster.client_options,
        )
        consumer.subscribe([self._topic], listener=self)
        try:
            # Entered first: partitions are assigned while the consumer starts.
            async with self._tasks:
                await consumer.start()
                await self._stay(consumer, stop)
                await self.on_partitions_revoked(map(self._at, list(self._running)))
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._topic}: {error}") from error
        finally:
            await stop_consumer(consumer)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        assigned = list(assigned)
        if assigned and self._consumer is not None:
            self._consumer.pause(*assigned)
        for at in assigned:
            if at.partition != REGISTRY_PARTITION and at.partition not in self._running:
                self._running[at.partition] = self._tasks.create_task(self._owning(at.partition))
        _logger.info("partitions %s are assigned to us", sorted(self._running))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        ending = [
            task for at in revoked if (task := self._running.pop(at.partition, None)) is not None
        ]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def _stay(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await consumer.getmany(timeout_ms=POLL_MS)
            except KafkaError as error:
                _logger.warning("the group cannot be reached: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _owning(self, partition: int) -> None:
        await self._own(partition)

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)
