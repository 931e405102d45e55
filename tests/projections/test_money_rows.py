"""Money in the read model: priced as the decisions knew, the same in every rebuild, immutable."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from infra.read_store import PostgresReadStore
from projections.read_model import ReadModel
from projections.rebuild import digest, rebuild
from projections.run import Limits, Projection
from schemas.cdr import cdr_id
from schemas.journal import REGISTRY_PARTITION, Entry, Journal, Reader
from schemas.partitions import partition_of
from schemas.records import CdrActionRequested
from tests.domain.registering import Registrar, document
from tests.engines import PostgresDatabase
from tests.projections.projecting import SMALL, heads, project
from tests.projections.world import NOW, World

pytestmark = pytest.mark.postgres


async def priced_world(price: str = "0.25") -> World:
    world = await World(partitions=2).start()
    registrar = Registrar()
    registrar.tariff(document("K", price))
    registrar.assigned("K")
    registrar.location("HQ", "Europe/Oslo", "CP1", "CP2", recorded_at=NOW)
    await world.register(*registrar.records)
    for name in ("CP1", "CP2", "CP4"):
        await world.opens(name)
    return world


async def eventful(world: World) -> None:
    """Sessions that are released, held, released by a person, repriced and corrected."""
    await world.session("CP1")
    await world.session("CP2")
    estimated = await world.starts("CP4", 1000)
    await world.starts("CP4", 9500)
    await asks(world, "CP4", estimated, "release", energy_wh=8000, ended_at=world.now)
    registrar = Registrar()
    registrar.tariff(document("K", "0.5"))
    await world.register(*registrar.records)
    await asks(world, "CP1", (await first(world, "CP1")), "reprice")
    await asks(world, "CP2", (await first(world, "CP2")), "reject")
    await world.stops("CP4", estimated, 9400)
    await world.session("CP1", 9000, 1000)


async def first(world: World, station: str) -> int:
    owner = world.owners[world.partition(station)]
    return int(next(iter(owner.stations["default", station].transactions.known)))


async def asks(world: World, station: str, transaction_id: int, action: str, **more: Any) -> None:
    number = len(world.values[world.partition(station)])
    await world.append(
        world.partition(station),
        CdrActionRequested(
            tenant="default",
            station=station,
            recorded_at=world.now,
            request_id=f"{station}-{number}",
            action=action,
            transaction_id=str(transaction_id),
            cdr_id=cdr_id("default", station, str(transaction_id)),
            actor="ann",
            reason="because",
            **more,
        ),
        writer="api",
    )
    await world.settle()


class Behind:
    """Plays a log whose registry's partition is read last of all, as Kafka may fetch it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.id, self.partitions = journal.id, journal.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        return await self._journal.append(partition, values)

    async def head(self, partition: int) -> int:
        return await self._journal.head(partition)

    def reader(self, positions: Mapping[int, int]) -> Reader:
        if set(positions) == {REGISTRY_PARTITION}:
            return self._journal.reader(positions)
        stations = {p: at for p, at in positions.items() if p != REGISTRY_PARTITION}
        registry = {REGISTRY_PARTITION: positions[REGISTRY_PARTITION]}
        return _BehindReader(self._journal.reader(stations), self._journal.reader(registry))

    async def close(self) -> None: ...


class _BehindReader:
    def __init__(self, stations: Reader, registry: Reader) -> None:
        self._stations, self._registry = stations, registry

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        found = await self._stations.poll(records_max=records_max, timeout_s=0)
        return found or await self._registry.poll(records_max=records_max, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._stations.close()
        await self._registry.close()


async def rows(database: PostgresDatabase, query: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(database.dsn) as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall()


async def test_rows_wait_for_the_registry_that_their_decisions_knew(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await priced_world()
    await world.session("CP1")
    held = await world.starts("CP2", 1000)
    await world.stops("CP2", held, -1)
    until = await heads(world)
    await Projection(
        Behind(world.journal), ReadModel(store), store, limits=SMALL, until=until
    ).run()
    behind = await digest(store)
    found = await rows(
        postgres_database, "SELECT state, cost_incl, tariff_id, holds FROM read.cdrs ORDER BY state"
    )
    await store.forget("read", tables=True)
    await project(world, store)

    assert found == [
        ("FINAL", Decimal("2.20"), "K", []),
        ("HELD", None, "K", ["METER_STOP_INVALID"]),
    ]
    assert (await digest(store)).tables == behind.tables


async def test_a_rebuild_has_the_same_documents_corrections_and_requests(
    store: PostgresReadStore,
    rebuild_store: PostgresReadStore,
    postgres_database: PostgresDatabase,
) -> None:
    world = await priced_world()
    await eventful(world)
    await project(world, store)
    what = (
        "SELECT id, body, sha256, partition, record_offset, record_index FROM read.cdrs ORDER BY id"
    )
    before = await rows(postgres_database, what)
    rebuilt = await rebuild(world.journal, rebuild_store)
    fates = await rows(postgres_database, "SELECT fate FROM read.cdr_requests ORDER BY request_id")

    assert rebuilt.is_same
    assert await rows(postgres_database, what) == before
    assert [fate for (fate,) in fates] == ["done", "refused", "done"]


async def test_the_net_view_counts_each_session_once(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await priced_world()
    await eventful(world)
    await project(world, store, limits=Limits(batch_records=100_000, batch_s=10.0))
    kinds = await rows(
        postgres_database,
        "SELECT station, kind, energy_wh, cost_incl FROM billing.cdrs WHERE state = 'FINAL'"
        " ORDER BY station, record_offset, record_index",
    )
    net = await rows(
        postgres_database,
        "SELECT station, kind, energy_wh, cost_incl FROM billing.cdr_net"
        " ORDER BY station, record_offset, record_index",
    )
    totals = await rows(
        postgres_database, "SELECT energy_wh FROM read.cdr_totals WHERE state = 'FINAL'"
    )

    assert kinds == [
        ("CP1", "original", 8000, Decimal("2.20")),
        ("CP1", "credit", 8000, Decimal("-2.20")),
        ("CP1", "replacement", 8000, Decimal("4.40")),
        ("CP1", "original", 1000, Decimal("0.55")),
        ("CP2", "original", 8000, Decimal("2.20")),
        ("CP4", "original", 8000, Decimal("2.20")),
        ("CP4", "credit", 8000, Decimal("-2.20")),
        ("CP4", "replacement", 8400, Decimal("2.31")),
    ]
    assert net == [
        ("CP1", "replacement", 8000, Decimal("4.40")),
        ("CP1", "original", 1000, Decimal("0.55")),
        ("CP2", "original", 8000, Decimal("2.20")),
        ("CP4", "replacement", 8400, Decimal("2.31")),
    ]
    assert sum(row[3] for row in net) == sum(row[3] for row in kinds)
    assert totals == [(sum(row[2] for row in net),)]


async def test_a_released_row_cannot_be_changed_or_deleted(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await priced_world()
    await eventful(world)
    await project(world, store)
    for statement in ("UPDATE read.cdrs SET cost_incl = 0", "DELETE FROM read.cdrs"):
        where = " WHERE kind = 'credit'"
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await rows(postgres_database, statement + where + " RETURNING id")


def test_the_stations_of_these_tests_are_in_both_partitions() -> None:
    assert {partition_of("default", name, 2) for name in ("CP1", "CP2", "CP4")} == {1, 2}
