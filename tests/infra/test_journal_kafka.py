"""The journal in Kafka: what it promises beyond the contract (tests/contract/journal.py)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ProducerClosed
from aiokafka.structs import TopicPartition

from infra import journal_kafka, kafka_cluster, kafka_lanes
from infra.journal_batches import BATCH_BYTES_MAX, QUEUE_BYTES_MAX
from infra.journal_kafka import KafkaJournal, topic_of
from infra.kafka_cluster import KafkaCluster, journal_settings
from schemas.journal import (
    AppenderFailed,
    AppendUnknown,
    Entry,
    Unavailable,
    WrongJournal,
)
from schemas.records import JournalCreated, decode
from tests.contract.journal import ENOUGH_S, lines, read, reading
from tests.kafka_broker import Cluster, free_ports, running_cluster, why_not
from tests.kafka_fixtures import skip_or_fail

pytestmark = pytest.mark.kafka

PARTITIONS = 3
PREFIX = "test"


@asynccontextmanager
async def opened(
    cluster: KafkaCluster,
    prefix: str,
    *,
    append_timeout_s: float = ENOUGH_S,
    replication: int = 1,
) -> AsyncIterator[KafkaJournal]:
    journal = await KafkaJournal.create_or_open(
        cluster,
        prefix,
        PARTITIONS,
        replication=replication,
        append_timeout_s=append_timeout_s,
    )
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def admin_of(cluster: KafkaCluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def of_topic(topic: str, settings: dict[str, str] | None = None) -> ConfigResource:
    return ConfigResource(ConfigResourceType.TOPIC, topic, settings)


async def test_the_topic_never_forgets(kafka: KafkaCluster, kafka_prefix: str) -> None:
    async with opened(kafka, kafka_prefix), admin_of(kafka) as admin:
        (response,) = await admin.describe_configs([of_topic(topic_of(kafka_prefix))])

    settings = {name: value for name, value, *_ in response.resources[0][4]}
    assert {**settings, **journal_settings(1)} == settings
    assert settings["retention.ms"] == settings["retention.bytes"] == "-1"
    assert journal_settings(3)["min.insync.replicas"] == "2"


async def test_of_two_that_create_at_once_one_does(kafka: KafkaCluster, kafka_prefix: str) -> None:
    async def create() -> KafkaJournal:
        return await KafkaJournal.create_or_open(kafka, kafka_prefix, PARTITIONS, replication=1)

    journals = await asyncio.gather(*(create() for _ in range(4)))

    assert len({journal.id for journal in journals}) == 1
    assert await journals[0].head(0) == 1
    async with reading(journals[0], {0: 0}) as reader:
        assert isinstance(decode((await read(reader, 1))[0].value), JournalCreated)
    for journal in journals:
        await journal.close()


async def test_another_journal_is_refused(kafka: KafkaCluster, kafka_prefix: str) -> None:
    async with opened(kafka, kafka_prefix) as journal:
        created = journal.id

    with pytest.raises(WrongJournal, match="has 3 partitions, expected 4"):
        await KafkaJournal.create_or_open(kafka, kafka_prefix, 4, replication=1)
    with pytest.raises(WrongJournal, match="its id is"):
        await KafkaJournal.open(kafka, kafka_prefix, expected_id="another")
    pinned = await KafkaJournal.open(kafka, kafka_prefix, partitions=3, expected_id=created)
    await pinned.close()


async def test_a_topic_that_is_not_there_is_not_opened(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    with pytest.raises(WrongJournal, match="no such topic"):
        await KafkaJournal.open(kafka, kafka_prefix)


async def test_a_topic_that_grew_is_refused(kafka: KafkaCluster, kafka_prefix: str) -> None:
    async with opened(kafka, kafka_prefix):
        pass
    async with admin_of(kafka) as admin:
        await admin.create_partitions({topic_of(kafka_prefix): NewPartitions(6)})

    with pytest.raises(WrongJournal, match="the topic has 6"):
        await KafkaJournal.open(kafka, kafka_prefix)


async def test_a_topic_without_a_beginning_is_refused(
    kafka: KafkaCluster, kafka_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_kafka, "CREATION_WITHIN_S", 0.5)
    await kafka.create_topic(topic_of(kafka_prefix), PARTITIONS + 1, replication=1, settings={})

    with pytest.raises(WrongJournal, match="creation record"):
        await KafkaJournal.create_or_open(kafka, kafka_prefix, PARTITIONS, replication=1)


async def test_without_a_broker_nothing_opens() -> None:
    nowhere = KafkaCluster(f"127.0.0.1:{free_ports(1)[0]}")

    with pytest.raises(Unavailable):
        await KafkaJournal.create_or_open(nowhere, PREFIX, PARTITIONS, replication=1)
    with pytest.raises(Unavailable):
        await KafkaJournal.open(nowhere, PREFIX)


async def test_a_position_that_the_log_does_not_reach_is_refused(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    async with opened(kafka, kafka_prefix) as journal, reading(journal, {1: 1_000}) as reader:
        with pytest.raises(WrongJournal, match="not in the log"):
            await reader.poll(records_max=1, timeout_s=ENOUGH_S)


async def test_a_batch_that_the_broker_refuses_ends_the_appender(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    async with opened(kafka, kafka_prefix) as journal, admin_of(kafka) as admin:
        await journal.append(1, lines("before", 1))
        small = {"max.message.bytes": "2000"}
        await admin.alter_configs([of_topic(topic_of(kafka_prefix), small)])

        # The broker takes a moment to know its new bound.
        with pytest.raises(AppenderFailed):
            async with asyncio.timeout(ENOUGH_S):
                await append_for_ever(journal, b"x" * 5_000)
        with pytest.raises(AppenderFailed):
            await journal.append(2, lines("meanwhile", 1))

    async with opened(kafka, kafka_prefix) as again:
        await again.append(1, lines("after", 1))
        async with reading(again, {1: 0}) as reader:
            end = await again.head(1)
            values = [entry.value for entry in await read(reader, end)]
    assert [value for value in values if value[:1] != b"x"] == lines("before", 1) + lines(
        "after", 1
    )


async def append_for_ever(journal: KafkaJournal, value: bytes) -> None:
    while True:
        await journal.append(1, [value])


class Appending:
    """Appends to every partition, tries again what failed, and keeps what was acknowledged."""

    def __init__(self, journal: KafkaJournal) -> None:
        self._journal = journal
        self.acknowledged: list[Entry] = []
        self.tries: dict[bytes, int] = {}
        self.is_over = False
        self._grew = asyncio.Event()

    async def acknowledges(self, count: int) -> None:
        """Wait until so many more are acknowledged."""
        count += len(self.acknowledged)
        async with asyncio.timeout(60):
            while len(self.acknowledged) < count:
                self._grew.clear()
                await self._grew.wait()

    async def run(self, name: int) -> None:
        number = 0
        while not self.is_over:
            partition = 1 + (name + number) % PARTITIONS
            values = lines(f"{name}-{number}", 2)
            offsets = await self._appended(partition, values)
            entries = zip(offsets, values, strict=True)
            self.acknowledged += [Entry(partition, *each) for each in entries]
            self._grew.set()
            number += 1

    async def _appended(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        while True:
            self.tries[values[0]] = self.tries.get(values[0], 0) + 1
            try:
                return await self._journal.append(partition, values)
            except (Unavailable, AppendUnknown):
                continue


async def require_all(journal: KafkaJournal, appending: Appending) -> None:
    """Everything acknowledged is where it was said to be, and nothing came twice of itself."""
    heads = {partition: await journal.head(partition) for partition in (1, 2, 3)}
    async with reading(journal, dict.fromkeys(heads, 0)) as reader:
        entries = await read(reader, sum(heads.values()))
    assert set(appending.acknowledged) <= set(entries)
    counts = Counter(entry.value for entry in entries)
    for first, tries in appending.tries.items():
        # The client's own retries do not repeat; only another try of ours may.
        assert counts[first] <= tries


async def test_what_was_acknowledged_survives_kill_9_of_the_broker(own_kafka: Cluster) -> None:
    (broker,) = own_kafka.brokers
    cluster = KafkaCluster(own_kafka.bootstrap)
    async with opened(cluster, PREFIX, append_timeout_s=2.0) as journal:
        appending = Appending(journal)
        async with asyncio.TaskGroup() as appenders:
            for name in range(20):
                appenders.create_task(appending.run(name))
            for _ in range(2):
                await appending.acknowledges(1_000)
                await asyncio.to_thread(broker.kill)
                broker.start()
                await asyncio.to_thread(broker.wait_until_up)
                await appending.acknowledges(500)
            appending.is_over = True
        await require_all(journal, appending)


@pytest.mark.long
async def test_of_three_brokers_any_may_be_killed_while_appends_go_on() -> None:
    if reason := why_not():
        skip_or_fail(reason)
    with running_cluster(3) as three:
        cluster = KafkaCluster(three.bootstrap)
        async with opened(cluster, PREFIX, append_timeout_s=5.0, replication=3) as journal:
            appending = Appending(journal)
            async with asyncio.TaskGroup() as appenders:
                for name in range(20):
                    appenders.create_task(appending.run(name))
                for broker in three.brokers:
                    await appending.acknowledges(1_000)
                    await asyncio.to_thread(broker.kill)
                    await appending.acknowledges(1_000)
                    broker.start()
                    await asyncio.to_thread(broker.wait_until_up)
                    async with admin_of(cluster) as admin:
                        await in_sync(admin, topic_of(PREFIX), 3)
                appending.is_over = True
            await require_all(journal, appending)


async def test_a_partition_that_was_without_a_leader_is_appended_to_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client gives up what waits for a leader for longer than its patience."""
    if reason := why_not():
        skip_or_fail(reason)
    monkeypatch.setattr(kafka_cluster, "REQUEST_TIMEOUT_S", 2.0)
    with running_cluster(3) as three:
        async with opened(KafkaCluster(three.bootstrap), PREFIX, append_timeout_s=1.0) as journal:
            before = [await journal.append(p, lines("before", 1)) for p in (1, 2, 3)]
            # Its partitions have no other replica.
            broker = three.brokers[await leader_of(three, topic_of(PREFIX), 1) - 1]
            await asyncio.to_thread(broker.kill)
            loop = asyncio.get_running_loop()
            until = loop.time() + 6
            refused: Counter[int] = Counter()
            while loop.time() < until:
                for partition in (1, 2, 3):
                    try:
                        await journal.append(partition, lines("meanwhile", 1))
                    except (Unavailable, AppendUnknown):
                        refused[partition] += 1
            broker.start()
            await asyncio.to_thread(broker.wait_until_up)
            after = [await appended_within(journal, p, lines("after", 1)) for p in (1, 2, 3)]

    assert refused[1] > 1
    assert [each[0] for each in after] > [each[0] for each in before]


async def leader_of(cluster: Cluster, topic: str, partition: int) -> int:
    async with admin_of(KafkaCluster(cluster.bootstrap)) as admin:
        (described,) = await admin.describe_topics([topic])
    found = {each["partition"]: each["leader"] for each in described["partitions"]}
    return int(found[partition])


async def in_sync(admin: AIOKafkaAdminClient, topic: str, replicas: int) -> None:
    """Wait until every partition has so many replicas that have everything."""
    async with asyncio.timeout(60):
        while True:
            (described,) = await admin.describe_topics([topic])
            if all(len(each["isr"]) == replicas for each in described["partitions"]):
                return
            await asyncio.sleep(0.1)


async def test_without_a_broker_appends_are_unknown_or_unavailable_until_it_is_back(
    own_kafka: Cluster,
) -> None:
    (broker,) = own_kafka.brokers
    async with opened(KafkaCluster(own_kafka.bootstrap), PREFIX, append_timeout_s=1.0) as journal:
        await journal.append(1, lines("before", 1))
        await asyncio.to_thread(broker.kill)

        in_flight = journal.append(1, lines("in flight", 1))
        behind = [journal.append(1, lines("behind", 1)) for _ in range(3)]
        outcomes = await asyncio.gather(in_flight, *behind, return_exceptions=True)
        assert type(outcomes[0]) is AppendUnknown
        assert {type(outcome) for outcome in outcomes} <= {AppendUnknown, Unavailable}
        with pytest.raises(Unavailable):
            await journal.append(1, lines("later", 1))

        value = b"x" * BATCH_BYTES_MAX
        flood = [journal.append(2, [value]) for _ in range(QUEUE_BYTES_MAX // len(value) + 2)]
        refused = await asyncio.gather(*flood, return_exceptions=True)
        assert any("queued" in str(outcome) for outcome in refused)

        broker.start()
        await asyncio.to_thread(broker.wait_until_up)
        after = await appended_within(journal, 1, lines("after", 1))

        async with reading(journal, {1: 0}) as reader:
            entries = await read(reader, after[-1] + 1)
        values = [entry.value for entry in entries]
        assert values[0] == lines("before", 1)[0]
        assert lines("in flight", 1)[0] in values
        assert lines("later", 1)[0] not in values


async def test_a_batch_that_the_client_lost_does_not_close_its_partition_for_ever(
    kafka: KafkaCluster, kafka_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a connection that was half open: its partition stays muted, others are sent to."""
    monkeypatch.setattr(kafka_lanes, "STUCK_S", 2.0)
    topic = topic_of(kafka_prefix)
    async with opened(kafka, kafka_prefix) as journal:
        lanes = kafka_lanes.Lanes(kafka, topic, PARTITIONS + 1, timeout_s=1.0)
        await lanes.append(2, lines("first", 1))
        producer = lanes._producer  # noqa: SLF001
        assert producer is not None
        producer._sender._muted_partitions.add(TopicPartition(topic, 1))  # noqa: SLF001

        with pytest.raises(AppendUnknown):
            await lanes.append(1, lines("lost", 1))
        await lanes.append(2, lines("other", 1))
        with pytest.raises(Unavailable):
            await lanes.append(1, lines("behind", 1))
        after = await appended_within(lanes, 1, lines("after", 1))
        await lanes.append(2, lines("more", 1))
        async with asyncio.timeout(ENOUGH_S):
            await lanes.close()

        async with reading(journal, {1: 0, 2: 0}) as reader:
            entries = await read(reader, after[-1] + 1 + 3)
        values = {(entry.partition, entry.value) for entry in entries}
        others = {(2, lines(word, 1)[0]) for word in ("first", "other", "more")}
        assert {(1, lines("after", 1)[0]), *others} <= values


async def appended_within(
    journal: KafkaJournal | kafka_lanes.Lanes, partition: int, values: Sequence[bytes]
) -> Sequence[int]:
    async with asyncio.timeout(60):
        while True:
            try:
                return await journal.append(partition, values)
            except (Unavailable, AppendUnknown):
                continue


async def test_what_waits_is_sent_by_the_next_producer(
    kafka: KafkaCluster, kafka_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has ended refuses a batch, and all that follow; other partitions wait meanwhile."""
    topic = topic_of(kafka_prefix)
    async with opened(kafka, kafka_prefix):
        lanes = kafka_lanes.Lanes(kafka, topic, PARTITIONS + 1, timeout_s=20.0)
        await lanes.append(1, lines("first", 1))
        ended = lanes._producer  # noqa: SLF001
        assert ended is not None
        refusing = asyncio.Event()

        async def refuse(*_: object, **__: object) -> None:
            await refusing.wait()
            raise ProducerClosed

        monkeypatch.setattr(ended, "send_batch", refuse)
        async with asyncio.TaskGroup() as tasks:
            refused = tasks.create_task(outcome(lanes.append(1, lines("refused", 1))))
            await asyncio.sleep(0.1)
            waiting = tasks.create_task(outcome(lanes.append(2, lines("waiting", 1))))
            await asyncio.sleep(0.1)
            refusing.set()
            async with asyncio.timeout(10):
                landed = await waiting
        again = await lanes.append(1, lines("again", 1))
        assert lanes._producer is not ended  # noqa: SLF001
        await lanes.close()

    assert type(refused.result()) is Unavailable
    assert landed == range(1)
    assert again == range(1, 2)


async def outcome(appending: Awaitable[range]) -> range | Exception:
    try:
        return await appending
    except Exception as error:  # noqa: BLE001 - it is what is asked for.
        return error


async def test_closing_while_the_next_producer_starts_leaves_none(
    kafka: KafkaCluster, kafka_prefix: str
) -> None:
    topic = topic_of(kafka_prefix)
    async with opened(kafka, kafka_prefix):
        lanes = kafka_lanes.Lanes(kafka, topic, PARTITIONS + 1, timeout_s=5.0)
        await lanes.append(1, lines("first", 1))
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(outcome(lanes.append(2, lines("waiting", 1))))
            await asyncio.sleep(0)
            lanes._replace("for the test")
            await asyncio.sleep(0)
            await lanes.close()

        assert isinstance(waiting.result(), Unavailable | AppendUnknown)
        assert lanes._producer is None  # noqa: SLF001


async def test_closing_without_a_broker_ends(own_kafka: Cluster) -> None:
    (broker,) = own_kafka.brokers
    async with opened(KafkaCluster(own_kafka.bootstrap), PREFIX) as journal:
        await journal.append(1, lines("before", 1))
        await asyncio.to_thread(broker.kill)
        async with asyncio.TaskGroup() as tasks:
            stuck = tasks.create_task(outcome_of(journal))
            await asyncio.sleep(0.2)
            async with asyncio.timeout(ENOUGH_S):
                await journal.close()
        assert type(stuck.result()) is AppendUnknown


async def outcome_of(journal: KafkaJournal) -> object:
    try:
        return await journal.append(1, lines("stuck", 1))
    except (Unavailable, AppendUnknown) as error:
        return error
