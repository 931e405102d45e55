"""A deployment for each test, on an empty database."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.deployment import Deployment, deployed
from tests.engines import PostgresDatabase


@pytest.fixture
async def deployment(postgres_database: PostgresDatabase) -> AsyncIterator[Deployment]:
    async with deployed(postgres_database.dsn) as deployment:
        yield deployment


@pytest.fixture
async def client(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    """Of a deployment without API keys."""
    async with deployment.client() as client:
        yield client
