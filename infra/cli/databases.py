"""Where a command finds Postgres: on a server, in a running `up`, or started for its length."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.cli.failures import Failed
from infra.deployment import Layout
from infra.migrations import migrate
from infra.orphans import Family
from infra.postgres_embedded import EmbeddedPostgres, embedded_postgres
from infra.settings import Settings


@asynccontextmanager
async def postgres_dsn(settings: Settings) -> AsyncIterator[str]:
    """Yield where Postgres answers, with the tables of this version.

    Raises:
        Failed: there is none, and nothing to start one from.
    """
    given = settings.postgres_dsn.get_secret_value()
    layout = Layout(settings.data)
    if given:
        await migrate(given)
        yield given
        return
    running = layout.running()
    if running is not None:
        yield EmbeddedPostgres(layout.postgres, running.postgres_port).dsn
        return
    require_deployment(layout)
    with layout.lock():
        Family(layout.children).end_orphans()
        async with embedded_postgres(layout.postgres) as server:
            await migrate(server.dsn)
            yield server.dsn


def require_deployment(layout: Layout) -> None:
    if not layout.postgres.exists():
        raise Failed(f"{layout.data} holds no deployment; `chargeledger up` makes one (see --data)")


def secrets_directory(settings: Settings) -> Path:
    return settings.secrets or Layout(settings.data).secrets


def chdb_directory(settings: Settings) -> Path:
    """Return where an engine in this process keeps its tables: chdb:///path, or in the data."""
    path = settings.clickhouse_dsn.get_secret_value().removeprefix("chdb://")
    return Path(path) if path else Layout(settings.data).clickhouse
