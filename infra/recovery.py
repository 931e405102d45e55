"""From the log to owners and a registry that have folded all of it. The same for every journal."""

import asyncio
import logging
from collections.abc import Callable

from domain.answering import Policy
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.registry import Registry
from domain.set_aside import reason_of
from domain.transaction_ids import TransactionIds
from infra.snapshots import Snapshots
from schemas.journal import REGISTRY_PARTITION, Entry, Journal, Unavailable
from schemas.records import Record, UnreadableRecord, decode

POLL_RECORDS_MAX = 5_000
POLL_TIMEOUT_S = 5.0
RETRY_S = 1.0

_logger = logging.getLogger(__name__)


PassOver = Callable[[int, str], object]
"""Is told the offset of a value that is no record, and why."""


def record_in(entry: Entry, pass_over: PassOver | None = None) -> Record | None:
    """Return the record; None for a value that is none, which is told and blocks nobody."""
    try:
        return decode(entry.value)
    except UnreadableRecord as error:
        if pass_over is None:
            _logger.critical("partition %d, offset %d: %s", entry.partition, entry.offset, error)
        else:
            pass_over(entry.offset, reason_of(error))
        return None


async def fold_range(
    journal: Journal,
    partition: int,
    first: int,
    end: int,
    apply: Callable[[int, Record], object],
    pass_over: PassOver | None = None,
) -> None:
    """Apply every record of the partition from `first` up to, not including, `end`."""
    if first >= end:
        return
    reader = journal.reader({partition: first})
    try:
        done = first
        while done < end:
            entries = await reader.poll(records_max=POLL_RECORDS_MAX, timeout_s=POLL_TIMEOUT_S)
            for entry in entries:
                if entry.offset >= end:
                    return
                record = record_in(entry, pass_over)
                if record is not None:
                    apply(entry.offset, record)
                done = entry.offset + 1
    finally:
        await reader.close()


async def fold_registry(journal: Journal, registry: Registry) -> LogFilter:
    """Fold what is there now; return the filter with which to follow."""
    log_filter = LogFilter()

    def apply(offset: int, record: Record) -> None:
        if log_filter.admit(offset, record):
            registry.fold(offset, record)

    end = await journal.head(REGISTRY_PARTITION)
    await fold_range(journal, REGISTRY_PARTITION, registry.position, end, apply)
    return log_filter


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
    owner = Owner(
        partition,
        name=name,
        policy=policy,
        ids=ids,
        registry=registry,
        log_filter=LogFilter(header.log_filter),
        stations=stations,
        position=header.position,
        next_counter=header.next_counter,
        poisoned={(tenant, station): each for tenant, station, each in header.torn},
        unreadable=header.unreadable,
        outages=header.outages,
    )
    owner.self_check.canary = header.canary
    return owner


async def head_beyond(journal: Journal, owner: Owner) -> int:
    """Return where the owner's partition ends.

    Raises:
        Unavailable: before what its snapshot has folded; the log is an older copy.
    """
    end = await journal.head(owner.partition)
    if owner.position > end:
        raise Unavailable(f"partition {owner.partition} ends before its snapshot: restore the log")
    return end


async def follow_registry(
    journal: Journal, registry: Registry, log_filter: LogFilter | None = None
) -> None:
    """Fold what is registered from now on, until cancelled. The filter is `fold_registry`'s."""
    log_filter = log_filter or LogFilter()
    reader = journal.reader({REGISTRY_PARTITION: registry.position})
    try:
        while True:
            try:
                entries = await reader.poll(records_max=POLL_RECORDS_MAX, timeout_s=POLL_TIMEOUT_S)
            except Unavailable as error:
                _logger.warning("the registry cannot be read: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            for entry in entries:
                record = record_in(entry)
                if record is not None and log_filter.admit(entry.offset, record):
                    registry.fold(entry.offset, record)
    finally:
        await reader.close()
