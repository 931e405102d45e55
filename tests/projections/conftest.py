"""A migrated read model for each test, and what projects a world into it."""

from collections.abc import AsyncIterator

import pytest

from infra.migrations import migrate
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from tests.engines import PostgresDatabase


@pytest.fixture
async def store(postgres_database: PostgresDatabase) -> AsyncIterator[PostgresReadStore]:
    await migrate(postgres_database.dsn)
    async with Postgres(postgres_database.dsn) as postgres:
        yield PostgresReadStore(postgres)


@pytest.fixture
async def rebuild_store(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> AsyncIterator[PostgresReadStore]:
    """The same database, for who rebuilds."""
    async with Postgres(postgres_database.dsn) as postgres:
        yield PostgresReadStore(postgres, is_rebuild=True)
