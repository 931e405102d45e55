"""`chargeledger rebuild`: drops projections and makes them again from the log, and compares."""

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.progress import Progress as Bars

import projections.clickhouse_rebuild
import projections.rebuild
from infra.cli.bars import progress_bar
from infra.cli.databases import beside, chdb_directory, postgres_dsn
from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.cli.rebuild_process import Work, rebuilt_apart
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
        are_same = are_same and (rebuilt.is_same or not rebuilt.is_comparable)
    if not are_same:
        sys.exit(1)


def _verdict(name: str, rebuilt: Rebuilt) -> str:
    said = "equal" if rebuilt.is_same else "NOT EQUAL"
    if not rebuilt.is_comparable:
        made_by = rebuilt.before.interpretation
        said = f"made by fold version {made_by} before: its rows may mean something else"
    return f"{name}\n  before {rebuilt.before.value}\n  after  {rebuilt.after.value}\n  {said}\n"


async def _all_shown(names: Sequence[str], settings: Settings) -> dict[str, Rebuilt]:
    """Rebuild them at once, each with its bar and a core.

    Raises:
        Failed: and what the rebuilds raise; of several the first.
    """
    with (
        beside(settings) as running,
        progress_bar("rebuilding {task.description}") as bars,
    ):
        async with postgres_dsn(settings, running) as dsn:
            rebuilds: list[Awaitable[Rebuilt]] = []
            for name in names:
                work, report = _work(name, settings, running, dsn), _report(name, bars)
                # The first needs no new process, and `up` has one for what only it can do.
                is_here = running is not None or not rebuilds
                rebuilds.append(work(report) if is_here else rebuilt_apart(work, report))
            return dict(zip(names, await asyncio.gather(*rebuilds), strict=True))


def _report(name: str, bars: Bars) -> Report:
    task = bars.add_task(name, total=None)
    return lambda done, total: bars.update(task, completed=done, total=total)


def _work(name: str, settings: Settings, running: Deployment | None, dsn: str) -> Work:
    if name == "clickhouse" and running is not None:
        return partial(ask_to_rebuild, Path(running.views_socket))
    return partial(_rebuild, name, settings, dsn)


async def _rebuild(name: str, settings: Settings, dsn: str, report: Report) -> Rebuilt:
    async with journal_to_read(settings) as journal, Postgres(dsn) as database:
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
