"""The roles as simulated processes: the product's own objects over simulated brokers and stores."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import cast

from domain.answering import Policy
from domain.station import Station
from infra.domain_node import DomainNode
from infra.edge import Edge, EdgeOptions
from infra.ingress_node import IngressNode
from infra.journal_kafka import KafkaJournal
from infra.journal_sqlite import SqliteJournal
from infra.kafka_cluster import KafkaCluster
from infra.snapshots import PartitionSnapshot, Snapshots, StationSnapshot
from ingress.options import Options
from projections.clickhouse_sink import ClickHouseSink
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from schemas.journal import Journal
from tests.simulation.broker import DELIVERIES, NODES, Broker, BrokerDispatch, BrokerJournal
from tests.simulation.edge_journal import Drive, DriveJournal
from tests.simulation.group import Group, Membership
from tests.simulation.network import Process
from tests.simulation.stores import Disk, Store, Trouble

SETTLE_S = 20.0
SLOTS = 2
PROVIDER_S = 10.0
POLICY = Policy(
    accept_unknown_tokens=True,
    settle_us=round(SETTLE_S * 1e6),
    heartbeat_interval_s=60,
    provided=frozenset({"DataTransfer"}),
    provider_answer_us=round(PROVIDER_S * 1e6),
)
OPTIONS = Options(accept_unknown_stations=True, retry_after_s=(2, 20))
LIMITS = Limits(batch_records=40, batch_s=0.5, checkpoint_records=150, checkpoint_s=20.0)
"""Many batches and checkpoints, even of a short log."""

ID_KEY = b"k" * 32
FIRST_PORT = 1000


class NoSecrets:
    def digest(self, secret: str) -> str:
        raise AssertionError("no secret was told")

    async def reveal(self, secret_id: str) -> str:
        raise KeyError(secret_id)


class ProcessSnapshots:
    """A node's snapshots: they outlive it, and a killed one saves no more."""

    def __init__(self, snapshots: Snapshots, process: Process) -> None:
        self._snapshots = snapshots
        self._process = process

    def save(
        self, partition: int, header: PartitionSnapshot, stations: Iterable[StationSnapshot]
    ) -> None:
        if self._process.is_alive:
            self._snapshots.save(partition, header, stations)

    def load(
        self, partition: int, journal_id: str
    ) -> tuple[PartitionSnapshot, list[Station]] | None:
        return self._snapshots.load(partition, journal_id)

    def close(self) -> None: ...


async def ingress_life(broker: Broker, process: Process, slot: int, stop: asyncio.Event) -> None:
    node = IngressNode(
        BrokerJournal(broker, process),
        BrokerDispatch(broker, process, DELIVERIES, SLOTS),
        BrokerDispatch(broker, process, NODES, 1),
        slot=slot,
        options=OPTIONS,
        verifier=lambda _: None,
        secrets=NoSecrets(),
    )
    await node.run("simulated", FIRST_PORT + slot, stop, lambda _: None)


async def domain_life(
    broker: Broker, process: Process, group: Group, snapshots: Snapshots, stop: asyncio.Event
) -> None:
    node = DomainNode(
        cluster=cast("KafkaCluster", Membership(group, process)),
        prefix="simulated",
        replication=1,
        journal=cast("KafkaJournal", BrokerJournal(broker, process)),
        deliveries=BrokerDispatch(broker, process, DELIVERIES, SLOTS),
        nodes=BrokerDispatch(broker, process, NODES, 1),
        snapshots=cast("Snapshots", ProcessSnapshots(snapshots, process)),
        policy=POLICY,
        id_key=ID_KEY,
    )
    await node.run(stop)


class EdgeProcess:
    """Ingress, owners and journal in one, as `infra.edge.edge` puts them together."""

    def __init__(self, drive: Drive, process: Process, snapshots: Snapshots) -> None:
        options = EdgeOptions(
            data=Path("unused"),
            port=FIRST_PORT,
            partitions=drive.partitions,
            policy=POLICY,
            ingress=OPTIONS,
            id_key=ID_KEY,
            verifier=lambda _: None,
            secrets=NoSecrets(),
        )
        journal = cast("SqliteJournal", DriveJournal(drive, process))
        self.edge = Edge(options, journal, cast("Snapshots", ProcessSnapshots(snapshots, process)))
        self._process = process

    async def run(self, stop: asyncio.Event) -> None:
        async with self.edge.server, asyncio.TaskGroup() as tasks:
            await self.edge.recover()
            saving = tasks.create_task(self._save_often())
            await self.edge.run(stop)
            saving.cancel()

    async def _save_often(self) -> None:
        # Production saves after more records than any seed has.
        while True:
            await asyncio.sleep(15)
            for owner in self.edge.log.owners:
                await self.edge.snapshot(owner)


def projections_over(
    journal: Journal,
    disk: Disk,
    process: Process,
    trouble: Trouble,
    random: Random,
    until: dict[int, int] | None = None,
) -> list[Projection]:
    store = Store(disk, process, trouble, random)
    return [
        Projection(journal, ReadModel(store), store, limits=LIMITS, until=until),
        Projection(journal, ClickHouseSink(store, store), store, limits=LIMITS, until=until),
    ]


async def projections_life(
    journal: Journal, disk: Disk, process: Process, trouble: Trouble, random: Random
) -> None:
    async with asyncio.TaskGroup() as group:
        for projection in projections_over(journal, disk, process, trouble, random):
            group.create_task(projection.run())
