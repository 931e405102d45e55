"""Which partitions this process should own: a hint of Kafka's consumer group; the log decides.

The group is subscribed to topic `<prefix>.assignment`, which has a partition for each that holds
stations, and nothing in it: polling only says that a member lives. While the group rebalances
nothing changes hands, so nothing stops: whoever had a partition keeps it until somebody else has
it, and the log fences who learns of it too late.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from infra.kafka_cluster import (
    REQUEST_TIMEOUT_S,
    KafkaCluster,
    passing_settings,
    stop_consumer,
)
from schemas.journal import Unavailable

POLL_MS = 500
RETRY_S = 1.0
RETENTION_S = 3_600
SESSION_TIMEOUT_MS = 6_000
"""A member that fell silent so long has its partitions given to others. Brokers take no less."""

HEARTBEAT_MS = 1_000
"""As soon the others learn of it: a partition has a new owner within 10 s."""

Own = Callable[[int], Awaitable[None]]

_logger = logging.getLogger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """Runs `own(partition)` for as long as the group gives the partition to this process."""

    def __init__(self, cluster: KafkaCluster, prefix: str, own: Own) -> None:
        self.settled = asyncio.Event()
        """Not set while the group gives its partitions out anew."""
        self._cluster = cluster
        self._topic = f"{prefix}.assignment"
        self._group = f"{prefix}.owners"
        self._own = own
        self._running: dict[int, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self.is_ending = False
        """It gives all back, and takes nothing any more."""

    async def run(self, partitions: int, replication: int, stop: asyncio.Event) -> None:
        """Own what is given until `stop` is set; an error of `own` ends everything, in a group.

        Raises:
            Unavailable: the cluster cannot be reached.
        """
        settings = passing_settings(RETENTION_S)
        await self._cluster.create_topic(
            self._topic, partitions, replication=replication, settings=settings
        )
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1_000),
            partition_assignment_strategy=(StickyPartitionAssignor,),
            **self._cluster.client_options,
        )
        consumer.subscribe([self._topic], listener=self)
        try:
            # Entered first: partitions are assigned while the consumer starts.
            async with self._tasks:
                await self._start(consumer)
                await self._stay(consumer, stop)
                # The group gives out on, until we have left it.
                self.is_ending = True
                for partition in list(self._running):
                    self._end(partition)
        finally:
            # Leaving the group comes last: nobody else is assigned what we still work on.
            await stop_consumer(consumer)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.settled.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        if self.is_ending:
            return
        # The registry's partition 0 is nobody's.
        ours = {at.partition + 1 for at in assigned}
        for partition in self._running.keys() - ours:
            self._end(partition)
        for partition in sorted(ours - self._running.keys()):
            self._running[partition] = self._tasks.create_task(self._owning(partition))
        self.settled.set()
        _logger.info("partitions %s are assigned to us", sorted(ours))

    async def _start(self, consumer: AIOKafkaConsumer) -> None:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._topic}: {error}") from error

    async def _stay(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await consumer.getmany(timeout_ms=POLL_MS)
            except (KafkaError, OSError) as error:
                _logger.warning("the group cannot be reached: %s", error)
                await asyncio.sleep(RETRY_S)

    def _end(self, partition: int) -> None:
        self._running.pop(partition).cancel()

    async def _owning(self, partition: int) -> None:
        await self._own(partition)
