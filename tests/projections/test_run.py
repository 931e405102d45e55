"""The loop: killed anywhere, restarted, fenced, starved of its store, it makes the same rows."""

import asyncio
import contextlib
import json
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from infra.read_store import PostgresReadStore
from projections import cdrs, progress, stations, transactions
from projections.ports import (
    PositionMoved,
    Progress,
    RebuildNeeded,
    StoreUnavailable,
    TooMuchPoison,
)
from projections.read_model import NAME, ReadModel
from projections.rebuild import digest, rebuild
from projections.run import Limits, Projection
from projections.states import FOLD_VERSION
from schemas.journal import WrongJournal
from schemas.records import MessageSent, decode, encode
from tests.engines import PostgresDatabase
from tests.projections.projecting import SMALL, DrippingJournal, DyingStore, Killed, heads, project
from tests.projections.world import World

pytestmark = pytest.mark.postgres


async def busy_world(sessions: int = 6) -> World:
    world = await World().start()
    names = ["CP1", "CP2", "CP3"]
    for name in names:
        await world.opens(name)
    for number in range(sessions):
        name = names[number % 3]
        await world.session(name, meter=1000 * number, energy=100 + number)
        await world.calls(name, "StatusNotification", _status(number))
    await world.starts("CP1", meter=1)
    await world.starts("CP1", meter=2, idTag="OTHER")
    await world.requests("CP2", "Reset", {"type": "Soft"}, "k1")
    await world.says("CP2", [3, "k1", {"status": "Accepted"}])
    await world.settle()
    return world


def _status(number: int) -> dict[str, Any]:
    status = "Available" if number % 2 else "Charging"
    return {"connectorId": 1, "errorCode": "NoError", "status": status}


async def expected_digest(world: World, store: PostgresReadStore) -> str:
    """The digest of a projection that nothing happened to, in one batch; leaves nothing."""
    await project(world, store, limits=Limits(batch_records=100_000, batch_s=60.0))
    value = (await digest(store)).value
    await store.forget(NAME, tables=True)
    return value


async def dies(world: World, store: PostgresReadStore, dies_at: int, after_commit: bool) -> bool:
    dying = DyingStore(store, dies_at, after_commit=after_commit)
    until = await heads(world)
    try:
        await Projection(world.journal, ReadModel(dying), store, limits=SMALL, until=until).run()
    except* Killed:
        pass
    return dying.is_dead


def test_a_batch_of_many_records_waits_for_more_twice_as_long() -> None:
    limits = Limits(batch_s=0.5, busy_records=100)

    assert [limits.gather_s(records) for records in (0, 99, 100, 5_000)] == [0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("after_commit", [False, True])
async def test_killed_before_or_after_any_commit_it_makes_the_same_rows(
    store: PostgresReadStore, after_commit: bool
) -> None:
    world = await busy_world()
    expected = await expected_digest(world, store)

    # Dies at its first, second, third … commit, each time going on from what is stored.
    deaths = 0
    while await dies(world, store, dies_at=deaths % 4 + 1, after_commit=after_commit):
        deaths += 1

    assert deaths >= 4
    assert (await digest(store)).value == expected


async def test_a_batch_whose_commit_nobody_saw_is_written_once(store: PostgresReadStore) -> None:
    class Deaf:
        """Plays a connection that breaks while the commit's answer is on its way."""

        times = 0

        async def write(self, writes: Any, progress: Progress) -> None:
            await store.write(writes, progress)
            self.times += 1
            if self.times < 4:
                raise StoreUnavailable("broken while committing")

    world = await busy_world()
    expected = await expected_digest(world, store)

    until = await heads(world)
    await Projection(world.journal, ReadModel(Deaf()), store, limits=SMALL, until=until).run()

    assert (await digest(store)).value == expected


async def test_two_projections_of_one_name_make_the_rows_of_one(store: PostgresReadStore) -> None:
    world = await busy_world()
    expected = await expected_digest(world, store)

    await asyncio.gather(project(world, store), project(world, store))

    assert (await digest(store)).value == expected


async def test_what_was_folded_when_the_position_was_moved_is_forgotten(
    store: PostgresReadStore,
) -> None:
    class Overtaken:
        """Plays a store in which somebody else was first, while folding went on."""

        writes = 0

        async def write(self, writes: Any, progress: Progress) -> None:
            self.writes += 1
            if self.writes in (2, 5):
                for _ in range(2):
                    await asyncio.sleep(0)
                raise PositionMoved("somebody was first")
            for write in writes:
                for row in json.loads(write.parameters.get("rows", "[]")):
                    partition = row.get("partition", -1)
                    assert row.get("record_offset", -1) < progress.positions.get(partition, 1)
            await store.write(writes, progress)

    world = await busy_world()
    expected = await expected_digest(world, store)

    until = await heads(world)
    sink = ReadModel(Overtaken())
    dripping = DrippingJournal(world.journal)
    await Projection(dripping, sink, store, limits=SMALL, until=until).run()

    assert (await digest(store)).value == expected


async def test_it_goes_on_from_saved_states_and_reads_only_the_tail(
    store: PostgresReadStore,
) -> None:
    world = await busy_world()
    await project(world, store)
    first = await store.load(NAME)
    assert first is not None
    assert dict(first.checkpoint.positions) == await heads(world)
    transaction_id = await world.starts("CP3", meter=5000)
    await project(world, store)
    await world.stops("CP3", transaction_id, 6000)

    await project(world, store)

    row = await transactions.find_transaction(store, "default", str(transaction_id), "CP3")
    assert row is not None
    assert (row.state, row.energy_wh) == ("ended", 1000)
    assert (await digest(store)).value == await expected_digest(world, store)


async def test_states_leave_memory_and_come_back(store: PostgresReadStore) -> None:
    world = await World().start()
    names = [f"CP{number}" for number in range(12)]
    started = {}
    for name in names:
        await world.opens(name)
        started[name] = await world.starts(name, meter=1000)
    for name in names:
        await world.stops(name, started[name], 3000)

    crowded = Limits(batch_records=5, batch_s=0.05, stations_max=3)
    await project(world, store, limits=crowded)

    found = (await cdrs.feed(store, "default", limit=100)).items
    assert [(item.cdr.state, item.cdr.energy_wh) for item in found] == [("FINAL", 2000)] * 12
    assert (await digest(store)).value == await expected_digest(world, store)


async def test_a_station_that_leaves_memory_while_another_comes_is_brought_back(
    store: PostgresReadStore,
) -> None:
    class Slow:
        """Plays a store that is slow to find states: checkpoints are saved meanwhile."""

        load, save = store.load, store.save

        async def load_states(self, name: str, keys: Any) -> Any:
            await asyncio.sleep(0.05)
            return await store.load_states(name, keys)

    world = await busy_world(sessions=8)
    expected = await expected_digest(world, store)

    limits = Limits(batch_records=4, batch_s=10.0, checkpoint_records=1, stations_max=1)
    until = await heads(world)
    await Projection(world.journal, ReadModel(store), Slow(), limits=limits, until=until).run()

    assert (await digest(store)).value == expected


async def test_a_repeat_and_a_fenced_record_do_not_count_after_a_restart(
    store: PostgresReadStore,
) -> None:
    world = await World(partitions=1).start()
    await world.opens("CP1")
    await world.session("CP1")
    await project(world, store)
    before = (await digest(store)).tables

    values = world.values[1]
    answer = next(
        record
        for record in map(decode, reversed(values))
        if isinstance(record, MessageSent) and record.action == "StopTransaction"
    )
    fenced = replace(answer, epoch=answer.epoch + 1000, purpose="other")
    again = replace(answer, connection="elsewhere")
    await world.append_values(1, [values[-3], values[-1]])
    await world.append_values(1, [encode(fenced, "late", 1), encode(again, "later", 1)])
    await project(world, store)

    # Not even the station's own position moved.
    assert (await digest(store)).tables == before


@pytest.mark.parametrize(
    "value",
    [
        b'{"kind":"message-received.v9"}',
        b"not json",
        b'{"incarnation":"x","sequence":1,"kind":"message-sent.v1","tenant":"default",'
        b'"station":"CP1","recorded_at":1,"cause":%d,"purpose":"answer","epoch":0,'
        b'"connection":"c","frame":"[3","message_type":3,"message_id":"m","action":"x"}',
    ],
)
async def test_a_record_that_cannot_be_folded_is_set_aside_and_blocks_nothing(
    store: PostgresReadStore, value: bytes
) -> None:
    world = await World(partitions=1).start()
    await world.opens("CP1")
    if b"%d" in value:
        payload = {"connectorId": 1, "idTag": "T", "meterStart": 1, "timestamp": "x"}
        cause = await world.says("CP1", [2, "m", "StartTransaction", payload])
        value %= cause
    [offset] = await world.append_values(1, [value])
    await world.opens("CP2")
    await world.session("CP2", energy=700)

    await project(world, store)
    await project(world, store)

    [row] = await store.fetch("progress.poison", {"name": NAME})
    assert (row["partition"], row["record_offset"]) == (1, offset)
    assert row["reason"]
    [item] = (await cdrs.feed(store, "default", station="CP2")).items
    assert (item.cdr.state, item.cdr.energy_wh) == ("FINAL", 700)
    assert (await progress.find_progress(store))[0].poison == 1


async def test_more_than_a_few_records_that_cannot_be_folded_stop_the_projection(
    store: PostgresReadStore,
) -> None:
    world = await World(partitions=1).start()
    limits = replace(SMALL, poison_max=2)
    await world.append_values(1, [b"no record", b"nor this"])
    await world.opens("CP1")
    await project(world, store, limits=limits)
    at = (await progress.find_progress(store))[0].positions

    await world.append_values(1, [b"and this"])
    for _ in range(2):
        with pytest.raises(ExceptionGroup) as raised:
            await project(world, store, limits=limits)
        assert raised.group_contains(TooMuchPoison)
    assert (await progress.find_progress(store))[0].positions == at

    await project(world, store, limits=replace(SMALL, poison_max=3))
    assert (await progress.find_progress(store))[0].poison == 3


async def test_trouble_with_the_store_stops_and_skips_nothing(store: PostgresReadStore) -> None:
    class Unsteady:
        """Plays a database that is away every other time."""

        calls = 0

        async def write(self, writes: Any, progress: Progress) -> None:
            self.calls += 1
            if self.calls % 2:
                raise StoreUnavailable("away")
            await store.write(writes, progress)

    world = await busy_world()
    expected = await expected_digest(world, store)

    until = await heads(world)
    await Projection(world.journal, ReadModel(Unsteady()), store, limits=SMALL, until=until).run()

    assert (await digest(store)).value == expected


@pytest.mark.parametrize("readable", [True, False])
async def test_told_to_stop_it_ends_though_its_store_is_away(
    store: PostgresReadStore, readable: bool
) -> None:
    class Away:
        """Plays a database that has been shut down: at the first write, or before all."""

        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def write(self, writes: Any, progress: Progress) -> None:
            self.asked.set()
            raise StoreUnavailable("away")

        async def load(self, name: str) -> Any:
            if not readable:
                self.asked.set()
                raise StoreUnavailable("away")
            return await store.load(name)

        async def save(self, progress: Progress) -> None:
            raise StoreUnavailable("away")

        async def load_states(self, name: str, keys: Any) -> Any:
            return await store.load_states(name, keys)

    world = await busy_world()
    away = Away()
    projection = Projection(world.journal, ReadModel(away), away, limits=SMALL)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(projection.run())
        await away.asked.wait()

        projection.stop()

    assert await store.load(NAME) is None


async def test_another_journal_is_refused(store: PostgresReadStore) -> None:
    await project(await busy_world(1), store)

    with pytest.raises(WrongJournal):
        await project(await busy_world(1), store)


async def test_rows_of_another_fold_version_ask_for_a_rebuild(
    store: PostgresReadStore, rebuild_store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await busy_world(1)
    await project(world, store)
    async with await psycopg.AsyncConnection.connect(postgres_database.dsn) as connection:
        await connection.execute("UPDATE read.positions SET fold_version = fold_version + 1")

    with pytest.raises(RebuildNeeded, match=str(FOLD_VERSION + 1)):
        await project(world, store)
    await rebuild(world.journal, rebuild_store)
    await project(world, store)


async def test_it_tails_the_log_until_it_is_stopped(store: PostgresReadStore) -> None:
    world = await busy_world(1)
    projected = asyncio.Event()
    wanted: dict[int, int] = {}

    def look(positions: Any) -> None:
        if wanted and all(positions[p] >= offset for p, offset in wanted.items()):
            projected.set()

    projection = Projection(world.journal, ReadModel(store), store, limits=SMALL, on_progress=look)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(projection.run())
        await world.opens("CP9")
        wanted.update(await heads(world))
        await projected.wait()
        assert await stations.find_station(store, "default", "CP9") is not None
        projection.stop()
        await running

    stored = await store.load(NAME)
    assert stored is not None
    assert stored.checkpoint.positions == stored.positions


async def test_a_rebuild_makes_the_same_rows(
    store: PostgresReadStore, rebuild_store: PostgresReadStore
) -> None:
    world = await busy_world()
    await project(world, store)
    await world.session("CP3", meter=77_000)
    seen: list[tuple[int, int]] = []
    before = await cdrs.feed(store, "default")

    rebuilt = await rebuild(
        world.journal, rebuild_store, on_progress=lambda *done: seen.append(done)
    )

    assert rebuilt.is_same
    assert rebuilt.before.positions == rebuilt.after.positions
    assert seen[-1] == (sum(rebuilt.after.positions.values()),) * 2
    assert await cdrs.feed(store, "default") == before
    await project(world, store)
    assert len((await cdrs.feed(store, "default", after=before.next)).items) == 1


async def test_a_row_that_was_tampered_with_shows_in_the_digest(
    store: PostgresReadStore,
    rebuild_store: PostgresReadStore,
    postgres_database: PostgresDatabase,
) -> None:
    world = await busy_world()
    await project(world, store)
    async with await psycopg.AsyncConnection.connect(postgres_database.dsn) as connection:
        await connection.execute("UPDATE read.transactions SET energy_wh = energy_wh + 1")

    rebuilt = await rebuild(world.journal, rebuild_store)

    assert not rebuilt.is_same
    assert (await rebuild(world.journal, rebuild_store)).is_same


async def test_while_a_rebuild_runs_the_live_projection_waits(store: PostgresReadStore) -> None:
    world = await busy_world()
    async with store.rebuilding(NAME):
        with pytest.raises(PositionMoved):
            await store.load(NAME)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await project(world, store)
        assert (await digest(store)).positions == {}

    await project(world, store)

    assert (await digest(store)).positions == await heads(world)


async def test_a_final_cdr_cannot_be_changed_or_deleted(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.session("CP1")
    await project(world, store)

    for statement in ("UPDATE read.cdrs SET energy_wh = 1", "DELETE FROM read.cdrs"):
        async with await psycopg.AsyncConnection.connect(postgres_database.dsn) as connection:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="FINAL"):
                await connection.execute(statement)
