"""Where a command finds Postgres: on a server, in a running `up`, or started for its length."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from infra.cli.failures import Failed
from infra.deployment import Deployment, Layout
from infra.migrations import migrate
from infra.orphans import Family
from infra.postgres_embedded import EmbeddedPostgres, embedded_postgres
from infra.settings import Settings


@contextmanager
def beside(settings: Settings) -> Iterator[Deployment | None]:
    """Yield the embedded deployment that runs; with None its directory is ours alone meanwhile.

    Of a deployment on servers nothing is held.

    Raises:
        Failed: there is no deployment.
    """
    layout = Layout(settings.data)
    if settings.journal == "kafka":
        yield None
    elif (running := layout.running()) is not None:
        yield running
    elif not layout.journal.exists():
        raise Failed(f"{layout.data} holds no deployment; `chargeledger up` makes one (see --data)")
    else:
        with layout.lock():
            Family(layout.children).end_orphans()
            yield None


@asynccontextmanager
async def postgres_dsn(settings: Settings, running: Deployment | None) -> AsyncIterator[str]:
    """Yield where Postgres answers, with the tables of this version: started here if need be."""
    given = settings.postgres_dsn.get_secret_value()
    directory = Layout(settings.data).postgres
    if given:
        await migrate(given)
        yield given
    elif settings.journal == "kafka":
        raise Failed("CHARGELEDGER_POSTGRES_DSN says where Postgres is, and is not set")
    elif running is not None:
        yield EmbeddedPostgres(directory, running.postgres_port).dsn
    else:
        async with embedded_postgres(directory) as server:
            await migrate(server.dsn)
            yield server.dsn


def secrets_directory(settings: Settings) -> Path:
    return settings.secrets or Layout(settings.data).secrets


def chdb_directory(settings: Settings) -> Path:
    """Return where an engine in this process keeps its tables: chdb:///path, or in the data."""
    path = settings.clickhouse_dsn.get_secret_value().removeprefix("chdb://")
    return Path(path) if path else Layout(settings.data).clickhouse
