"""From the log to owners and a registry that have folded all of it. The same for every journal."""

from collections.abc import Callable

from domain.decisions16 import Policy
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.snapshots import Snapshots
from schemas.journal import REGISTRY_PARTITION, Journal
from schemas.records import Record, decode

POLL_RECORDS_MAX = 5_000
POLL_TIMEOUT_S = 5.0


async def fold_range(
    journal: Journal,
    partition: int,
    first: int,
    end: int,
    apply: Callable[[int, Record], object],
) -> None:
    """Apply every record of the partition from `first` up to, not including, `end`."""
    if first >= end:
        return
    reader = journal.reader({partition: first})
    try:
        done = first
        while done < end:
            entries = await reader.poll(records_max=POLL_RECORDS_MAX, timeout_s=POLL_TIMEOUT_S)
            for _, offset, value in entries:
                if offset >= end:
                    return
                apply(offset, decode(value))
                done = offset + 1
    finally:
        await reader.close()


async def fold_registry(journal: Journal, registry: Registry) -> None:
    log_filter = LogFilter()

    def apply(offset: int, record: Record) -> None:
        if log_filter.admit(offset, record):
            registry.fold(offset, record)

    end = await journal.head(REGISTRY_PARTITION)
    await fold_range(journal, REGISTRY_PARTITION, registry.position, end, apply)


def owner_from(
    snapshots: Snapshots,
    partition: int,
    journal_id: str,
    *,
    name: str,
    policy: Policy,
    ids: TransactionIds,
    registry: Registry,
) -> Owner:
    """Return an owner as of the newest snapshot of its partition, or as of the log's start."""
    loaded = snapshots.load(partition, journal_id)
    if loaded is None:
        return Owner(partition, name=name, policy=policy, ids=ids, registry=registry)
    header, stations = loaded
    return Owner(
        partition,
        name=name,
        policy=policy,
        ids=ids,
        registry=registry,
        log_filter=LogFilter(header.log_filter),
        stations=stations,
        position=header.position,
        next_counter=header.next_counter,
    )


async def follow_registry(journal: Journal, registry: Registry) -> None:
    """Fold what is registered from now on, until cancelled."""
    log_filter = LogFilter()
    reader = journal.reader({REGISTRY_PARTITION: registry.position})
    try:
        while True:
            for _, offset, value in await reader.poll(
                records_max=POLL_RECORDS_MAX, timeout_s=POLL_TIMEOUT_S
            ):
                record = decode(value)
                if log_filter.admit(offset, record):
                    registry.fold(offset, record)
    finally:
        await reader.close()
