"""Snapshots made by somebody who owns nothing, so that owners to come need not fold the whole log.

For a version that folds differently than the one that runs, and after a restore. Nobody notices:
the log is read and nothing is appended.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.recovery import fold_range, fold_registry, head_beyond, owner_from
from infra.shared_snapshots import SharedSnapshots
from infra.snapshot_keeping import keep
from schemas.journal import Journal

CHUNK_RECORDS = 50_000
"""Between two signs of progress."""

Report = Callable[[int, int, int], None]
"""Partition, records folded of it, records in it."""


async def prepare(
    journal: Journal, shared: Path, *, policy: Policy, id_key: bytes, report: Report
) -> dict[int, int]:
    """Leave a snapshot of each partition, as of now; return how far each goes, by partition.

    One partition after the other is in memory. It goes on from what this version has shared.

    Raises:
        Unavailable: the log cannot be read, or ends before a shared snapshot.
        OSError: the directory cannot be written.
    """
    registry = Registry()
    await fold_registry(journal, registry)
    done: dict[int, int] = {}
    with tempfile.TemporaryDirectory(dir=shared, prefix="preparing-") as own:
        snapshots = SharedSnapshots(Path(own) / "snapshots.sqlite3", shared)
        try:
            for partition in range(1, journal.partitions + 1):
                owner = await asyncio.to_thread(
                    owner_from,
                    snapshots,
                    partition,
                    journal.id,
                    name="preparing",
                    policy=policy,
                    ids=TransactionIds(id_key, partition - 1, journal.partitions),
                    registry=registry,
                )
                await _fold(journal, owner, report)
                await keep(owner, snapshots, journal.id)
                done[partition] = owner.position
        finally:
            snapshots.close()
    return done


async def _fold(journal: Journal, owner: Owner, report: Report) -> None:
    end = await head_beyond(journal, owner)
    first = owner.position
    while first < end:
        report(owner.partition, first, end)
        until = min(end, first + CHUNK_RECORDS)
        await fold_range(journal, owner.partition, first, until, owner.fold, owner.pass_over)
        first = until
    report(owner.partition, end, end)
