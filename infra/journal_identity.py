"""What a log is: its id, how many partitions it has and by which hash stations are spread.

Written once, as the first record of partition 0, and compared by whoever opens the log: a process
that would put a station's records into another partition than before must not start (DESIGN 3).
"""

from dataclasses import dataclass
from uuid import uuid4

from infra.clock import now_us
from schemas.journal import WrongJournal
from schemas.partitions import HASH_NAME
from schemas.records import JournalCreated, UnreadableRecord, decode, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    journal_id: str
    partitions: int
    hash_name: str


def creation_record(partitions: int) -> bytes:
    """Return the first record of a new log, under a new id."""
    journal_id = str(uuid4())
    record = JournalCreated(
        recorded_at=now_us(),
        journal_id=journal_id,
        partitions=partitions,
        hash=HASH_NAME,
    )
    return encode(record, journal_id, 1)


def identity_in(value: bytes, *, where: str) -> Identity:
    """Return what the first record of partition 0 says.

    Raises:
        WrongJournal: it is no creation record.
    """
    try:
        record = decode(value)
    except UnreadableRecord as error:
        raise WrongJournal(f"{where}: the first record does not say what this log is") from error
    if not isinstance(record, JournalCreated):
        raise WrongJournal(f"{where}: the first record does not say what this log is")
    return Identity(
        journal_id=record.journal_id, partitions=record.partitions, hash_name=record.hash
    )


def require(
    found: Identity, *, partitions: int | None, expected_id: str | None, where: str
) -> None:
    """Compare with what the deployment was made with; None is not compared.

    Raises:
        WrongJournal: something differs.
    """
    if partitions is not None and found.partitions != partitions:
        raise WrongJournal(f"{where}: has {found.partitions} partitions, expected {partitions}")
    if found.hash_name != HASH_NAME:
        raise WrongJournal(f"{where}: spreads stations by {found.hash_name}, not {HASH_NAME}")
    if expected_id is not None and found.journal_id != expected_id:
        raise WrongJournal(f"{where}: its id is {found.journal_id}, expected {expected_id}")
