"""The pool: a block is whole or nothing, and only what will pass is called unavailable."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from infra.migrations import Migration, WrongSchema, migrate, migrations
from infra.postgres import DatabaseUnavailable, Postgres
from infra.postgres_embedded import embedded_postgres
from infra.statements import literal
from tests.engines import PostgresDatabase

pytestmark = pytest.mark.postgres


@pytest.fixture
async def postgres(postgres_database: PostgresDatabase) -> AsyncIterator[Postgres]:
    async with Postgres(postgres_database.dsn) as postgres:
        yield postgres


def migration(number: int, text: str) -> Migration:
    return Migration(number=number, name=f"step_{number}", text=literal(text))


async def test_a_block_that_raises_leaves_nothing(postgres: Postgres) -> None:
    async with postgres.connection() as connection:
        await connection.execute("CREATE TABLE public.kept (number integer)")

    with contextlib.suppress(ZeroDivisionError):
        async with postgres.connection() as connection:
            await connection.execute("INSERT INTO public.kept VALUES (1)")
            raise ZeroDivisionError

    async with postgres.connection() as connection:
        rows = await (await connection.execute("SELECT * FROM public.kept")).fetchall()
    assert rows == []


async def test_a_mistake_in_sql_is_not_called_unavailable(postgres: Postgres) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        async with postgres.connection() as connection:
            await connection.execute("SELECT * FROM nowhere")


async def test_a_database_that_went_away_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    async with embedded_postgres(tmp_path / "postgres") as server:
        postgres = Postgres(server.dsn)
        await postgres.open()
        async with postgres.connection() as connection:
            await connection.execute("SELECT 1")
    with pytest.raises(DatabaseUnavailable):
        async with postgres.connection(wait_s=0.2) as connection:
            await connection.execute("SELECT 1")

    async with embedded_postgres(tmp_path / "postgres", server.port):
        attempts = [await _answers(postgres) for _ in range(10)]
        await postgres.close()

    assert attempts[-1]


async def _answers(postgres: Postgres) -> bool:
    try:
        async with postgres.connection() as connection:
            await connection.execute("SELECT 1")
    except DatabaseUnavailable:
        return False
    return True


async def test_a_closed_pool_is_unavailable(postgres_database: PostgresDatabase) -> None:
    postgres = Postgres(postgres_database.dsn)
    await postgres.open()
    await postgres.close()

    with pytest.raises(DatabaseUnavailable):
        async with postgres.connection() as connection:
            await connection.execute("SELECT 1")


async def test_every_migration_is_applied_once(postgres_database: PostgresDatabase) -> None:
    applied = await migrate(postgres_database.dsn)
    again = await migrate(postgres_database.dsn)

    assert applied == migrations()
    assert again == []


async def test_processes_that_start_together_apply_each_migration_once(
    postgres_database: PostgresDatabase,
) -> None:
    results = await asyncio.gather(*(migrate(postgres_database.dsn) for _ in range(4)))

    numbers = sorted(migration.number for result in results for migration in result)
    assert numbers == [migration.number for migration in migrations()]


async def test_an_applied_migration_that_changed_is_refused(
    postgres_database: PostgresDatabase,
) -> None:
    await migrate(postgres_database.dsn, [migration(1, "CREATE TABLE public.a ()")])

    changed = [migration(1, "CREATE TABLE public.b ()"), migration(2, "CREATE TABLE public.c ()")]
    with pytest.raises(WrongSchema, match="0001"):
        await migrate(postgres_database.dsn, changed)


async def test_a_database_newer_than_the_program_is_refused(
    postgres_database: PostgresDatabase,
) -> None:
    first = migration(1, "CREATE TABLE public.a ()")
    await migrate(postgres_database.dsn, [first, migration(2, "CREATE TABLE public.b ()")])

    with pytest.raises(WrongSchema, match="migration 2"):
        await migrate(postgres_database.dsn, [first])


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    postgres_database: PostgresDatabase,
) -> None:
    first = migration(1, "CREATE TABLE public.a ()")
    broken = migration(2, "CREATE TABLE public.b (); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(postgres_database.dsn, [first, broken])

    applied = await migrate(
        postgres_database.dsn, [first, migration(2, "CREATE TABLE public.b ()")]
    )

    assert [each.number for each in applied] == [2]


def test_migrations_with_a_gap_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("SELECT 1")
    (tmp_path / "0003_third.sql").write_text("SELECT 1")

    with pytest.raises(WrongSchema, match="numbered"):
        migrations(tmp_path)


BEYOND_BILLING = [
    "SELECT * FROM read.rows",
    "SELECT * FROM vault.secrets",
    "INSERT INTO billing.cdrs VALUES (2)",
    "DELETE FROM billing.cdrs",
    "CREATE TABLE billing.mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE TEMPORARY TABLE mine ()",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION billing.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_authid",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/billing-was-here'",
    "SET ROLE chargeledger",
    "ALTER ROLE billing SUPERUSER",
    "SELECT * FROM public.migrations",
    "SELECT billing.opens_the_vault()",
]


@pytest.mark.parametrize("statement", BEYOND_BILLING)
async def test_billing_reads_its_views_and_nothing_else(
    postgres_database: PostgresDatabase, statement: str
) -> None:
    await migrate(postgres_database.dsn, migrations()[:1])
    with psycopg.connect(postgres_database.dsn) as owner:
        owner.execute("CREATE TABLE read.rows AS SELECT 1 AS id")
        owner.execute("CREATE TABLE vault.secrets AS SELECT 'x' AS secret")
        owner.execute("CREATE VIEW billing.cdrs AS SELECT id FROM read.rows")
        owner.execute(
            "CREATE FUNCTION billing.opens_the_vault() RETURNS text LANGUAGE sql SECURITY DEFINER"
            " AS 'SELECT secret FROM vault.secrets'"
        )

    with psycopg.connect(postgres_database.billing_dsn) as billing:
        assert billing.execute("SELECT id FROM billing.cdrs").fetchall() == [(1,)]
        billing.execute("SET default_transaction_read_only = off")
        billing.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            billing.execute(literal(statement))
