"""Where a command finds the journal: in the data directory, or in Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.cli.failures import Failed
from infra.deployment import Deployment, Layout
from infra.journal_kafka import KafkaJournal
from infra.journal_sqlite import SqliteJournal
from infra.kafka_cluster import KafkaCluster
from infra.settings import Settings
from infra.socket_journal import SocketJournal
from schemas.journal import Journal


@asynccontextmanager
async def journal_to_read(settings: Settings) -> AsyncIterator[Journal]:
    """Yield it, beside whoever writes it."""
    journal: Journal
    if settings.journal == "kafka":
        journal = await KafkaJournal.open(cluster(settings), settings.kafka_prefix)
    else:
        journal = await SqliteJournal.open_read_only(_existing(settings))
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def journal_to_append(
    settings: Settings, running: Deployment | None
) -> AsyncIterator[Journal]:
    """Yield it: through the edge of a running `up`, or alone (`databases.beside`)."""
    journal: Journal
    if settings.journal == "kafka":
        journal = await KafkaJournal.open(cluster(settings), settings.kafka_prefix)
    elif running is not None:
        journal = await SocketJournal.open(Path(running.edge_socket), _existing(settings))
    else:
        view = await SqliteJournal.open_read_only(_existing(settings))
        await view.close()
        journal = await SqliteJournal.create_or_open(_existing(settings), view.partitions)
    try:
        yield journal
    finally:
        await journal.close()


def cluster(settings: Settings) -> KafkaCluster:
    return KafkaCluster(settings.kafka_bootstrap)


def _existing(settings: Settings) -> Path:
    directory = Layout(settings.data).journal
    if not directory.exists():
        message = f"{settings.data} holds no journal; `chargeledger up` makes one (see --data)"
        raise Failed(message)
    return directory
