"""Of several processes that project, one does at a time, and another soon after it is gone."""

import asyncio
from collections.abc import Sequence
from functools import partial

import psycopg
import pytest

from infra import standing_by
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.projecting import run_projections
from infra.read_store import PostgresReadStore
from infra.standing_by import StandBy
from projections.read_model import ReadModel
from projections.rebuild import digest
from projections.run import Projection
from schemas.journal import WrongJournal
from tests.engines import PostgresDatabase
from tests.projections.projecting import SMALL, heads
from tests.projections.test_run import busy_world, expected_digest

pytestmark = pytest.mark.postgres

SOON_S = 15.0


class Places:
    """Who is at work, and how many at once at most."""

    def __init__(self) -> None:
        self.at_work: list[str] = []
        self.most = 0
        self.changed = asyncio.Event()

    async def work(self, who: str, stop: asyncio.Event, lost: asyncio.Event) -> None:
        self.at_work.append(who)
        self.most = max(self.most, len(self.at_work))
        self.changed.set()
        try:
            while not stop.is_set() and not lost.is_set():  # noqa: ASYNC110 - either will do.
                await asyncio.sleep(0.01)
        finally:
            self.at_work.remove(who)

    async def until(self, at_work: Sequence[str]) -> None:
        async with asyncio.timeout(SOON_S):
            while self.at_work != list(at_work):  # noqa: ASYNC110 - asked, not told.
                await asyncio.sleep(0.02)


async def test_one_works_and_the_other_takes_over_when_it_stops(
    postgres_database: PostgresDatabase,
) -> None:
    places, stops = Places(), [asyncio.Event(), asyncio.Event()]
    async with (
        Postgres(postgres_database.dsn) as first,
        Postgres(postgres_database.dsn) as second,
        asyncio.TaskGroup() as group,
    ):
        for who, database, stop in zip("ab", (first, second), stops, strict=True):
            turns = StandBy(database)
            group.create_task(turns.project("read", partial(places.work, who, stop), stop))
            await places.until("a")
        await asyncio.sleep(1.5)
        assert places.at_work == ["a"]
        stops[0].set()
        await places.until("b")
        stops[1].set()
    assert places.most == 1


async def test_who_loses_its_session_ends_and_another_goes_on(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_by, "SIGN_S", 0.2)
    places, stop = Places(), asyncio.Event()
    async with (
        Postgres(postgres_database.dsn) as database,
        asyncio.TaskGroup() as group,
    ):
        turns = StandBy(database)
        group.create_task(turns.project("read", partial(places.work, "a", stop), stop))
        await places.until("a")
        places.changed.clear()
        async with await psycopg.AsyncConnection.connect(
            postgres_database.superuser_dsn
        ) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            )
        async with asyncio.timeout(SOON_S):
            await places.changed.wait()
        assert turns.leading == {"read"}
        stop.set()
    assert turns.leading == set()


async def test_a_process_that_sleeps_loses_its_turn(
    postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_by, "SIGN_S", 3_600)
    monkeypatch.setattr(standing_by, "_SILENCE", "SET idle_session_timeout = '500ms'")
    places, stop = Places(), asyncio.Event()
    async with (
        Postgres(postgres_database.dsn) as sleeping,
        Postgres(postgres_database.dsn) as awake,
        asyncio.TaskGroup() as group,
    ):
        for who, database in (("a", sleeping), ("b", awake)):
            turns = StandBy(database)
            group.create_task(turns.project("read", partial(places.work, who, stop), stop))
            await places.until("a" if who == "a" else "ab")
        stop.set()


async def test_each_projection_has_a_turn_of_its_own(postgres_database: PostgresDatabase) -> None:
    places, stop = Places(), asyncio.Event()
    async with Postgres(postgres_database.dsn) as database, asyncio.TaskGroup() as group:
        turns = StandBy(database)
        for name in ("read", "series"):
            group.create_task(turns.project(name, partial(places.work, name, stop), stop))
            await places.until(["read", "series"] if name == "series" else ["read"])
        stop.set()


async def test_an_error_of_the_work_is_told_and_gives_the_turn_back(
    postgres_database: PostgresDatabase,
) -> None:
    async def fails(_: asyncio.Event) -> None:
        raise WrongJournal("another log")

    places, stop = Places(), asyncio.Event()
    async with Postgres(postgres_database.dsn) as database:
        with pytest.raises(ExceptionGroup) as raised:
            await StandBy(database).project("read", fails, stop)
        assert raised.group_contains(WrongJournal)
        async with asyncio.TaskGroup() as group:
            turns = StandBy(database)
            group.create_task(turns.project("read", partial(places.work, "b", stop), stop))
            await places.until("b")
            stop.set()


async def test_the_rows_of_several_processes_are_those_of_one(
    postgres_database: PostgresDatabase,
) -> None:
    await migrate(postgres_database.dsn)
    world = await busy_world()
    async with Postgres(postgres_database.dsn) as database:
        store = PostgresReadStore(database)
        expected = await expected_digest(world, store)
        ends = await heads(world)
        for _ in range(2):
            stop = asyncio.Event()

            async def work(lost: asyncio.Event, stop: asyncio.Event = stop) -> None:
                middle = {p: end // 2 for p, end in ends.items()}
                stored = await store.load("read")
                until = ends if stored is not None else middle
                projection = Projection(
                    world.journal, ReadModel(store), store, limits=SMALL, until=until
                )
                await run_projections([projection], stop, lost)
                stop.set()

            await StandBy(database).project("read", work, stop)
        assert (await digest(store)).value == expected
