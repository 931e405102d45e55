"""The journal's port: one log in numbered partitions, the only truth of the system.

Every role reads or writes through it, so it belongs to the published language. The adapters are
`infra.journal_sqlite` (embedded) and `infra.journal_kafka`; one contract test suite holds both.

A value is one encoded record (`schemas.records`); the journal does not look into it. Offsets of a
partition grow but need not be consecutive. Partition 0 is the registry; stations are spread over
1 … `partitions` by `schemas.partitions.partition_of`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

REGISTRY_PARTITION = 0


class Unavailable(Exception):
    """The log cannot be written or read now. Nothing was appended by this call, nor will be."""


class AppendUnknown(Exception):
    """Nobody can say whether the batch is in the log. Retry it under the same record ids."""


class AppenderFailed(Exception):
    """The producer is fatally broken; earlier appends may still land. Use a new incarnation."""


class WrongJournal(Exception):
    """The log's id, number of partitions or hash differs from what the deployment was made with."""


class Entry(NamedTuple):
    partition: int
    offset: int
    value: bytes


class Reader(Protocol):
    """A position in some partitions. One task at a time may use a reader."""

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        """Return the next entries, in order within each partition; empty when none came in time.

        Waits only while there is nothing to return, and wakes within 10 ms of an append in the
        embedded journal. An entry is returned once it is durable, never before.

        Raises:
            Unavailable: the log cannot be read now; the position is unchanged, poll again.
        """
        ...

    async def close(self) -> None: ...


class Journal(Protocol):
    @property
    def id(self) -> str:
        """Given at creation, kept by every reader beside its position. A uuid."""
        ...

    @property
    def partitions(self) -> int:
        """How many partitions hold stations (the registry's partition 0 comes on top)."""
        ...

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        """Append all the values next to each other and in order, or none; return their offsets.

        Once this returns they survive a crash of everything and readers see them.

        Raises:
            Unavailable: nothing was appended.
            AppendUnknown: it may have been; append the same values (same record ids) again.
            AppenderFailed: earlier batches may still land; make a new journal object.
        """
        ...

    async def head(self, partition: int) -> int:
        """Return the offset after the last durable record; 0 for an empty partition."""
        ...

    def reader(self, positions: Mapping[int, int]) -> Reader:
        """Return a reader that starts at the given offset in each of the named partitions."""
        ...

    async def close(self) -> None: ...
