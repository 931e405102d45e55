"""`chargeledger rebuild`: drops projections and makes them again from the log, and compares."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

import projections.clickhouse_rebuild
import projections.rebuild
from infra.cli.databases import beside, chdb_directory, postgres_dsn
from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.clickhouse import ChdbEngine, server_client
from infra.clickhouse_tables import ClickHouseTables
from infra.deployment import Deployment
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from infra.rebuild_socket import Report, ask_to_rebuild
from infra.settings import Settings
from projections.rebuild import Rebuilt
from schemas.journal import Journal

NAMES = ("postgres", "clickhouse")


def run_rebuild(name: str, data: Path) -> None:
    if name and name not in NAMES:
        raise Failed(f"there is no projection {name!r}; there are {' and '.join(NAMES)}")
    settings = Settings(data=data)
    are_same = True
    for each, rebuilt in asyncio.run(_all_shown([name] if name else NAMES, settings)).items():
        sys.stdout.write(_verdict(each, rebuilt))
        are_same = are_same and rebuilt.is_same
    if not are_same:
        sys.exit(1)


def _verdict(name: str, rebuilt: Rebuilt) -> str:
    return (
        f"{name}\n  before {rebuilt.before.value}\n  after  {rebuilt.after.value}\n"
        f"  {'equal' if rebuilt.is_same else 'NOT EQUAL'}\n"
    )


async def _all_shown(names: Sequence[str], settings: Settings) -> dict[str, Rebuilt]:
    """Rebuild them, each with its bar: at once where `up` does one of them in a process of its own.

    Raises:
        Failed: and what the rebuilds raise; of several the first.
    """
    columns = (
        TextColumn("rebuilding {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with (
        beside(settings) as running,
        Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars,
    ):
        rebuilds = [_shown(name, settings, running, bars) for name in names]
        if running is not None:
            return dict(zip(names, await asyncio.gather(*rebuilds), strict=True))
        return {name: await rebuild for name, rebuild in zip(names, rebuilds, strict=True)}


async def _shown(name: str, settings: Settings, running: Deployment | None, bars: Bars) -> Rebuilt:
    task = bars.add_task(name, total=None)
    return await _rebuild(
        name,
        settings,
        running,
        lambda done, total: bars.update(task, completed=done, total=total),
    )


async def _rebuild(
    name: str, settings: Settings, running: Deployment | None, report: Report
) -> Rebuilt:
    if name == "clickhouse" and running is not None:
        return await ask_to_rebuild(Path(running.views_socket), report)
    async with (
        journal_to_read(settings) as journal,
        postgres_dsn(settings, running) as dsn,
        Postgres(dsn) as database,
    ):
        store = PostgresReadStore(database, is_rebuild=True)
        if name == "postgres":
            return await projections.rebuild.rebuild(journal, store, on_progress=report)
        return await _rebuild_clickhouse(journal, store, settings, report)


async def _rebuild_clickhouse(
    journal: Journal, store: PostgresReadStore, settings: Settings, report: Report
) -> Rebuilt:
    rebuild = projections.clickhouse_rebuild.rebuild
    dsn = settings.clickhouse_dsn.get_secret_value()
    if dsn.startswith("http"):
        client = await asyncio.to_thread(server_client, dsn, settings.clickhouse_database)
        with closing(client):
            return await rebuild(journal, ClickHouseTables(client), store, on_progress=report)
    with (
        ChdbEngine(chdb_directory(settings), settings.clickhouse_database) as engine,
        closing(engine.client()) as client,
    ):
        return await rebuild(journal, ClickHouseTables(client), store, on_progress=report)
