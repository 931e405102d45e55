"""Where Kafka is and how its clients are set up, the same for every producer and reader.

Journal settings are those of DESIGN 3: all replicas acknowledge, the producer is idempotent, and
nothing is ever deleted or compacted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    IncompatibleBrokerVersion,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from infra.journal_batches import BATCH_BYTES_MAX, BATCH_RECORDS_MAX
from schemas.journal import Unavailable

RECORD_OVERHEAD_BYTES = 48
"""Length, time, offset, key and headers of a record in a batch: about 20, at most this."""

PRODUCER_BATCH_BYTES = BATCH_BYTES_MAX + BATCH_RECORDS_MAX * RECORD_OVERHEAD_BYTES
"""The client's default of 16 KiB would refuse the second record of a larger batch."""

MESSAGE_BYTES_MAX = 2 * 1024 * 1024
"""The broker's limit on one batch. Its default, 1 MiB, is below what we may send."""

REQUEST_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
"""For a consumer to leave in good order."""

FETCH_BYTES_MAX = 8 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX = 2 * 1024 * 1024
"""What a reader holds: per fetch, and of one partition in it. Above any batch."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    bootstrap: str
    client_options: Mapping[str, Any] = field(default_factory=dict)
    """Security: what every aiokafka client takes (`security_protocol`, `ssl_context`, `sasl_…`)."""

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            enable_idempotence=True,
            max_batch_size=PRODUCER_BATCH_BYTES,
            max_request_size=MESSAGE_BYTES_MAX,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1_000),
            **self.client_options,
        )

    def consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1_000),
            **self.client_options,
        )

    async def create_topic(
        self, topic: str, partitions: int, *, replication: int, settings: Mapping[str, str]
    ) -> bool:
        """Create it and tell whether it was us; False if it was there.

        Raises:
            Unavailable: the cluster cannot be reached, or refuses; it may exist nevertheless.
        """
        new = NewTopic(topic, partitions, replication, topic_configs=dict(settings))
        async with self._admin() as admin:
            response = await admin.create_topics([new])
        code, reason = response.topic_errors[0][1:3]
        if code == TopicAlreadyExistsError.errno:
            return False
        if code != 0:
            error_name = for_code(code).__name__
            raise Unavailable(f"{topic} cannot be created: {error_name}: {reason}")
        return True

    async def partitions_of(self, topic: str) -> int | None:
        """Return how many partitions the topic has; None if there is no such topic.

        Raises:
            Unavailable: the cluster cannot be reached.
        """
        async with self._admin() as admin:
            (described,) = await admin.describe_topics([topic])
        if described["error_code"] == UnknownTopicOrPartitionError.errno:
            return None
        return len(described["partitions"])

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap,
            request_timeout_ms=int(REQUEST_TIMEOUT_S * 1_000),
            **self.client_options,
        )
        try:
            await admin.start()
            yield admin
        except (KafkaError, IncompatibleBrokerVersion, OSError) as error:
            raise Unavailable(f"{self.bootstrap}: {error}") from error
        finally:
            await admin.close()


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and let go of the connections, within seconds.

    A request that no broker answers, as while a group waits for a member, holds up the client.
    """
    # The client's own task must have begun: it passes on a cancellation that comes before.
    await asyncio.sleep(0)
    stopping = asyncio.get_running_loop().create_task(consumer.stop())
    await asyncio.wait([stopping], timeout=STOP_TIMEOUT_S)
    if not stopping.done():
        _logger.warning("a consumer does not stop: its connections are closed")
        # Fails the request that is waited for; there is no other way to end it.
        await consumer._client.close()  # noqa: SLF001
        await asyncio.wait([stopping], timeout=STOP_TIMEOUT_S)
    if stopping.done():
        stopping.result()


def journal_settings(replication: int) -> dict[str, str]:
    """Return the journal topic's settings (DESIGN 3)."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "unclean.leader.election.enable": "false",
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }


def passing_settings(retention_s: int) -> dict[str, str]:
    """Return the settings of a topic that is dispatch and not truth."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_s * 1_000),
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }
