"""Whether the log still has the record at which a projection stopped.

A log that was restored from a backup has the same id, and goes on from where the backup ended with
other records: whoever had read beyond would go on among those, and miss some for ever.
"""

from collections.abc import Mapping
from hashlib import blake2b

from projections.ports import LastRecord
from schemas.journal import Entry, Journal, Unavailable, WrongJournal

DIGEST_BYTES = 12
POLL_S = 5.0


def last_record(entry: Entry) -> LastRecord:
    return LastRecord(entry.offset, blake2b(entry.value, digest_size=DIGEST_BYTES).hexdigest())


async def require_same(journal: Journal, last: Mapping[int, LastRecord], name: str) -> None:
    """Return if each of these records stands where it stood.

    Raises:
        WrongJournal: one does not; only a rebuild makes the rows right again.
        Unavailable: the log cannot be read now.
    """
    for partition, each in last.items():
        if await journal.head(partition) <= each.offset:
            raise WrongJournal(
                f"{name}: partition {partition} ends before position {each.offset + 1}, up to which"
                " it was projected: restore the log, or rebuild"
            )
        if await _record_at(journal, partition, each.offset, name) != each:
            raise WrongJournal(
                f"{name}: another record stands at {partition}:{each.offset} than was projected:"
                " the log was restored from a backup, rebuild"
            )


async def _record_at(journal: Journal, partition: int, offset: int, name: str) -> LastRecord:
    reader = journal.reader({partition: offset})
    try:
        for entry in await reader.poll(records_max=1, timeout_s=POLL_S):
            return last_record(entry)
    finally:
        await reader.close()
    raise Unavailable(f"{name}: nothing comes of partition {partition}")
