"""What every record of the journal carries, and every decision of an owner beside it."""

from msgspec import Struct


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """The envelope. (incarnation, sequence) is the record's id within its partition."""

    tenant: str = ""
    station: str = ""
    recorded_at: int
    incarnation: str = ""
    sequence: int = 0


class OwnerRecord(Record, frozen=True, kw_only=True):
    """Decided by the owner of the partition in `epoch`, because of the record at `cause`.

    Of two with the same (cause, purpose) only the first counts; one whose epoch is not the latest
    claimed counts for nothing.
    """

    cause: int
    purpose: str
    epoch: int
    registry: int = -1
    """How much of the registry the decision knew: the offset after the last record it had."""
