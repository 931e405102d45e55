"""The store of the read model when the database is away or somebody else was there."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from psycopg import AsyncConnection

from infra.migrations import migrate
from infra.postgres import Postgres
from infra.postgres_embedded import embedded_postgres
from infra.read_store import PostgresReadStore
from projections.ports import Checkpoint, PositionMoved, Progress, SavedState, StoreUnavailable
from tests.engines import PostgresDatabase

pytestmark = pytest.mark.postgres

ALL_STATIONS = {
    "tenant": "default",
    "online": None,
    "faulted": None,
    "version": None,
    "after": None,
    "limit": 1,
}

FIRST = Progress(
    name="clickhouse",
    journal_id="j",
    fold_version=1,
    before={0: 0, 1: 0},
    positions={0: 1, 1: 5},
    recorded_at=7,
    checkpoint=Checkpoint(positions={1: 3}, filters={1: b"filter"}),
    states=(SavedState("t", "CP1", 1, b"state"),),
)


async def test_what_was_saved_is_loaded(store: PostgresReadStore) -> None:
    assert await store.load("clickhouse") is None

    await store.save(FIRST)
    await store.save(FIRST)

    stored = await store.load("clickhouse")
    assert stored is not None
    assert (stored.positions, stored.checkpoint) == ({0: 1, 1: 5}, FIRST.checkpoint)
    assert await store.load_states("clickhouse", [("t", "CP1"), ("t", "CP2")]) == [FIRST.states[0]]
    assert await store.load_states("read", [("t", "CP1")]) == []


async def test_a_later_batch_keeps_the_checkpoint_it_does_not_bring(
    store: PostgresReadStore,
) -> None:
    await store.save(FIRST)
    await store.save(
        replace(FIRST, before={1: 5, 0: 1}, positions={0: 1, 1: 9}, checkpoint=None, recorded_at=8)
    )

    stored = await store.load("clickhouse")

    assert stored is not None
    assert (stored.positions[1], stored.checkpoint) == (9, FIRST.checkpoint)


async def test_a_position_that_somebody_else_moved_is_not_moved_again(
    store: PostgresReadStore,
) -> None:
    await store.save(FIRST)

    with pytest.raises(PositionMoved):
        await store.save(replace(FIRST, before={0: 1, 1: 4}, positions={0: 1, 1: 6}))
    with pytest.raises(PositionMoved):
        await store.save(replace(FIRST, journal_id="another"))
    with pytest.raises(PositionMoved):
        await store.save(replace(FIRST, name="dropped", before={1: 4}))


async def test_a_second_rebuild_is_refused(
    store: PostgresReadStore, rebuild_store: PostgresReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.read_store.LOCK_DELAY_S", 0.0)
    async with rebuild_store.rebuilding("read"):
        with pytest.raises(PositionMoved):
            await store.save(replace(FIRST, name="read"))
        await rebuild_store.save(replace(FIRST, name="read"))
        with pytest.raises(StoreUnavailable):
            async with store.rebuilding("read"):
                raise AssertionError("two rebuilds at once")

    async with store.rebuilding("read"):
        pass


async def test_a_reader_that_stays_holds_up_the_rebuild_and_no_other_reader(
    store: PostgresReadStore,
    postgres_database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.read_store.READERS_DELAY_S", 0.1)
    async with await AsyncConnection.connect(postgres_database.dsn) as reader:
        await reader.execute("SELECT count(*) FROM read.cdrs")
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            forgetting = group.create_task(store.forget("read", tables=True))
            for _ in range(3):
                await asyncio.sleep(0.3)
                assert await store.fetch("stations.find", ALL_STATIONS) == []
            assert not forgetting.done()
            await reader.commit()

        await reader.execute("SELECT count(*) FROM read.cdrs")
        monkeypatch.setattr("infra.read_store.READERS_ATTEMPTS", 1)
        with pytest.raises(StoreUnavailable, match=rf"\(process {reader.info.backend_pid}\)"):
            await store.forget("read", tables=True)


async def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path / "postgres") as server:
        await migrate(server.dsn)
        postgres = Postgres(server.dsn)
        await postgres.open()
        store = PostgresReadStore(postgres)
        await store.save(FIRST)
    await postgres.close()

    with pytest.raises(StoreUnavailable):
        await store.load("clickhouse")
    with pytest.raises(StoreUnavailable):
        await store.fetch("progress.all", {})
    with pytest.raises(StoreUnavailable):
        await store.save(FIRST)
