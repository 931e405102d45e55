"""Reads the whole log through `projections.what_if`, beside whoever writes it."""

import contextlib
from collections.abc import Callable
from typing import Protocol

from domain.reference import Reference
from projections.registry import RegistryFollower
from projections.what_if import WhatIf
from schemas.journal import REGISTRY_PARTITION, Journal
from schemas.records import Record, UnreadableRecord, decode

POLL_RECORDS = 10_000
POLL_S = 5.0


class Scratch(Protocol):
    def apply(self, partition: int, offset: int, record: Record) -> None: ...


async def replay_into(
    journal: Journal,
    scratch: WhatIf | Scratch,
    reference: Reference,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Apply every record that is there now. `report` gets the records done and all there are.

    The registry is read first, so every decision's position is in the reference.

    Raises:
        Unavailable: the log cannot be read.
    """
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    registry = RegistryFollower(journal, reference)
    await registry.reach(heads.pop(REGISTRY_PARTITION))
    await registry.close()
    total, done = sum(heads.values()), 0
    left = {partition for partition, head in heads.items() if head > 0}
    reader = journal.reader(dict.fromkeys(left, 0))
    try:
        while left:
            entries = await reader.poll(records_max=POLL_RECORDS, timeout_s=POLL_S)
            for partition, offset, value in entries:
                if offset < heads[partition]:
                    done += 1
                    with contextlib.suppress(UnreadableRecord):
                        scratch.apply(partition, offset, decode(value))
                if offset + 1 >= heads[partition]:
                    left.discard(partition)
            report(done, total)
    finally:
        await reader.close()
