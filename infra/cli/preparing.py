"""`chargeledger prepare`: snapshots for owners to come, made by a process that owns nothing."""

import asyncio
import sys
from pathlib import Path

from rich.progress import TaskID

from infra.cli.bars import progress_bar
from infra.cli.child_edge import policy
from infra.cli.databases import secrets_directory
from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.deployment import read_key
from infra.preparing import prepare
from infra.settings import Settings


def run_prepare() -> None:
    settings = Settings()
    shared = settings.snapshots_shared
    if settings.journal != "kafka" or shared is None:
        raise Failed(
            "snapshots are prepared for owners on Kafka: set CHARGELEDGER_JOURNAL=kafka,"
            " CHARGELEDGER_KAFKA_BOOTSTRAP and CHARGELEDGER_SNAPSHOTS_SHARED"
            " (`chargeledger up` keeps its own)"
        )
    try:
        done = asyncio.run(_shown(settings, shared))
    except OSError as error:
        raise Failed(f"{shared}: {error.strerror or error}") from error
    for partition, position in done.items():
        sys.stdout.write(f"partition {partition}: prepared up to {position}\n")


async def _shown(settings: Settings, shared: Path) -> dict[int, int]:
    tasks: dict[int, TaskID] = {}
    with progress_bar("{task.description}") as bars:

        def report(partition: int, done: int, total: int) -> None:
            if partition not in tasks:
                tasks[partition] = bars.add_task(f"partition {partition}")
            bars.update(tasks[partition], completed=done, total=total)

        async with journal_to_read(settings) as journal:
            return await prepare(
                journal,
                shared,
                policy=policy(settings),
                id_key=read_key(secrets_directory(settings), "transaction-id"),
                report=report,
            )
