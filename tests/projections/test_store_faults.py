"""P-04, N-12, K-19: a database that fails now and then, is lost, or is another day's."""

import psycopg
import pytest
from psycopg import sql

from infra.migrations import migrate
from infra.read_store import PostgresReadStore
from infra.verifying import compare_cdrs, expected_at
from projections.read_model import NAME
from projections.rebuild import digest, rebuild
from projections.stations import find_stations
from schemas.journal import REGISTRY_PARTITION, WrongJournal
from schemas.records import CanaryAsked
from tests.engines import PostgresDatabase
from tests.projections.projecting import heads, project
from tests.projections.test_run import busy_world, expected_digest
from tests.projections.world import TENANT, World

pytestmark = pytest.mark.postgres

FAILS_NOW_AND_THEN = """
    CREATE SEQUENCE read.attempts;
    CREATE FUNCTION read.fails() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE attempt bigint := nextval('read.attempts');
    BEGIN
        IF attempt % 10 = 5 THEN
            RAISE EXCEPTION 'injected' USING ERRCODE = 'serialization_failure';
        ELSIF attempt % 10 = 0 THEN
            RAISE EXCEPTION 'injected' USING ERRCODE = 'deadlock_detected';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER fails AFTER INSERT OR UPDATE ON read.positions
        FOR EACH STATEMENT EXECUTE FUNCTION read.fails();
"""


async def test_p_04_transactions_that_fail_by_deadlock_or_order_are_repeated_to_the_same_rows(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await busy_world()
    expected = await expected_digest(world, store)
    async with await psycopg.AsyncConnection.connect(postgres_database.dsn) as connection:
        await connection.execute(FAILS_NOW_AND_THEN)

    await project(world, store)

    assert (await digest(store)).value == expected
    async with await psycopg.AsyncConnection.connect(postgres_database.dsn) as connection:
        cursor = await connection.execute("SELECT last_value FROM read.attempts")
        row = await cursor.fetchone()
    assert row is not None
    assert row[0] >= 10, "nothing failed"


async def test_n_12_a_lost_registry_of_connections_is_made_again_from_the_log(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await busy_world()
    await world.closes("CP3", world.connections[TENANT, "CP3"])
    await project(world, store)
    before = (await digest(store)).value
    await lose_everything(postgres_database.superuser_dsn)
    with pytest.raises(psycopg.errors.UndefinedTable):
        await find_stations(store, TENANT, online=True)

    await migrate(postgres_database.dsn)
    await project(world, store)

    online = await find_stations(store, TENANT, online=True)
    assert [each.station for each in online] == ["CP1", "CP2"]
    assert (await digest(store)).value == before


async def lose_everything(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute(
            "SELECT nspname FROM pg_namespace"
            " WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
        )
        for (schema,) in await cursor.fetchall():
            drop = sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema))
            await connection.execute(drop)
        await connection.execute("CREATE SCHEMA public")
        await connection.execute("GRANT ALL ON SCHEMA public TO public")


async def test_k_19_a_database_of_before_comes_to_the_log_again(store: PostgresReadStore) -> None:
    world = await busy_world()
    expected = await expected_digest(world, store)
    middle = {p: head // 2 for p, head in (await heads(world)).items()}

    await project(world, store, until=middle)
    backup = await digest(store)
    await project(world, store)

    assert backup.value != expected
    assert (await digest(store)).value == expected


async def restored(world: World, until: dict[int, int]) -> World:
    """The same log as of a backup, before anything was written since."""
    older = World()
    its, theirs = vars(older.journal), vars(world.journal)
    its["_identity"] = theirs["_identity"]
    its["_logs"][REGISTRY_PARTITION] = list(theirs["_logs"][REGISTRY_PARTITION])
    for partition, end in until.items():
        await older.append_values(partition, world.values[partition][:end])
    return older


async def test_k_19_a_log_of_before_is_refused_by_what_was_projected_beyond_it(
    store: PostgresReadStore, rebuild_store: PostgresReadStore
) -> None:
    world = await busy_world()
    await project(world, store)
    ends = await heads(world)
    older = await restored(world, {p: end // 2 for p, end in ends.items()})

    with pytest.raises(WrongJournal, match="ends before position"):
        await project(older, store)

    # It goes on with other records, beyond where the projection is.
    partition = older.partition("CP1")
    canaries = [CanaryAsked(recorded_at=older.now)] * ends[partition]
    await older.append(partition, *canaries, writer="afterwards")
    assert (await heads(older))[partition] > ends[partition]
    with pytest.raises(WrongJournal, match="another record stands at"):
        await project(older, store)
    stored = await store.load(NAME)
    assert stored is not None
    said = await expected_at(older.journal, stored.positions)
    cdrs = await store.fetch("cdrs.verify", {"tenant": None})
    assert any("the log makes no" in each for each in compare_cdrs(said, cdrs))

    rebuilt = await rebuild(older.journal, rebuild_store)
    assert not rebuilt.is_same
    await project(older, store)
