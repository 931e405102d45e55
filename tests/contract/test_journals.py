"""The contract, by adapter. What only one of them has is in tests/infra/test_journal_*.py."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from infra.journal_kafka import KafkaJournal
from infra.journal_memory import MemoryJournal
from infra.journal_sqlite import SqliteJournal
from infra.kafka_cluster import KafkaCluster
from schemas.journal import Journal
from tests.contract.journal import PARTITIONS, DurableJournalContract, JournalContract


class TestMemoryJournal(JournalContract):
    wakes_within_s = 0.010

    @pytest.fixture
    async def journal(self) -> AsyncIterator[Journal]:
        journal = MemoryJournal(PARTITIONS)
        yield journal
        await journal.close()


class TestSqliteJournal(DurableJournalContract):
    wakes_within_s = 0.010

    @pytest.fixture
    async def journal(self, tmp_path: Path) -> AsyncIterator[Journal]:
        journal = await SqliteJournal.create_or_open(tmp_path, PARTITIONS)
        yield journal
        await journal.close()

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[], Awaitable[Journal]]:
        return lambda: SqliteJournal.create_or_open(tmp_path, PARTITIONS)


@pytest.mark.kafka
class TestKafkaJournal(DurableJournalContract):
    wakes_within_s = 0.100

    @pytest.fixture
    async def journal(self, reopened: Callable[[], Awaitable[Journal]]) -> AsyncIterator[Journal]:
        journal = await reopened()
        yield journal
        await journal.close()

    @pytest.fixture
    def reopened(self, kafka: KafkaCluster, kafka_prefix: str) -> Callable[[], Awaitable[Journal]]:
        return lambda: KafkaJournal.create_or_open(kafka, kafka_prefix, PARTITIONS, replication=1)
