"""What projections need of the outside: a place for rows, for their own position, and for queries.

A projection reads the journal serially per partition, folds it with the domain's folds, and hands
every record with what it says to its sink. The adapters are in `infra`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from domain.facts import Fact
from domain.reference import Reference
from domain.station import Station
from schemas.records import Record

StationKey = tuple[str, str]
"""(tenant, station)."""


class StoreUnavailable(Exception):
    """The store cannot be reached or cannot work now; the same call may succeed later."""


class PositionMoved(Exception):
    """Somebody else has moved this projection's position: fold anew from what is stored."""


class RebuildNeeded(Exception):
    """The stored rows and states belong to another version of the fold: rebuild the projection."""


class TooMuchPoison(Exception):
    """More records were set aside than may be: this version may not fit the log. Nothing of the
    batch in which it was one too many is written."""


class Poison(Struct, frozen=True):
    """A record that cannot be folded, set aside: the same error every time it is read."""

    partition: int
    offset: int
    reason: str
    tenant: str = ""
    station: str = ""


class SavedState(Struct, frozen=True):
    """A station's state, as `domain.station.dump` gives it."""

    tenant: str
    station: str
    partition: int
    state: bytes


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Where folding starts again: every station's state is saved at or after these positions.

    A state may be saved later than here: a record at or before a state's own offset is not folded
    into it again.
    """

    positions: Mapping[int, int]
    filters: Mapping[int, bytes]
    """`LogFilter.dump` of each partition, at these positions."""


class LastRecord(Struct, frozen=True):
    """By which a log is known again: one that was restored from a backup may have another there."""

    offset: int
    digest: str


class Progress(Struct, frozen=True, kw_only=True):
    """How far a projection is. Positions are next offsets by partition: rows are written below."""

    name: str
    journal_id: str
    fold_version: int
    before: Mapping[int, int]
    """The positions that are stored now; if others are, `save` refuses."""
    positions: Mapping[int, int]
    recorded_at: int
    """The latest of the records so far, by our clock; microseconds."""
    waiting: Mapping[int, int] = {}
    """By partition: when the first CALL or canary came since its owner's last record."""
    last: Mapping[int, LastRecord] = {}
    """By partition, the record before the position."""
    checkpoint: Checkpoint | None = None
    """None: the one stored before stays."""
    states: Sequence[SavedState] = ()
    poison: Sequence[Poison] = ()


class Stored(Struct, frozen=True, kw_only=True):
    """What a projection left behind when it stopped."""

    journal_id: str
    fold_version: int
    positions: Mapping[int, int]
    recorded_at: int
    checkpoint: Checkpoint
    waiting: Mapping[int, int] = {}
    last: Mapping[int, LastRecord] = {}
    poison: int = 0
    """How many records were set aside."""


class Positions(Protocol):
    """Where projections keep their positions, checkpoints and station states, by name."""

    async def load(self, name: str) -> Stored | None:
        """Return what is stored under this name; None for a projection that starts at 0.

        Raises:
            StoreUnavailable
        """
        ...

    async def save(self, progress: Progress) -> None:
        """Store all of it, in one transaction. Saving the same twice is as saving once.

        A sink whose rows are elsewhere calls this after they are durable.

        Raises:
            StoreUnavailable: it may or may not be stored; save the same again.
            PositionMoved: the stored positions are neither `before` nor `positions`.
        """
        ...

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        """Return the saved states of these stations; those never saved are left out."""
        ...


class Write(NamedTuple):
    """A named statement with its parameters."""

    statement: str
    parameters: Mapping[str, Any]


class RowStore(Protocol):
    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        """Run the statements in order and save the progress, all in one transaction.

        Raises:
            StoreUnavailable: write the same again; what was committed already is left alone.
            PositionMoved: nothing was written.
        """
        ...


class Sink(Protocol):
    """Turns what records say into rows.

    The loop calls `apply` for every record that counts, in order within each partition, and now and
    then `cut`; it awaits `write` for one batch after the other while it goes on applying.
    """

    @property
    def name(self) -> str:
        """The key of its position. It never changes; a changed shape is a new name."""
        ...

    @property
    def reference(self) -> Reference:
        """What was registered, for rows that need it. The loop folds it: when a record is applied,
        at least as far as the decisions until then knew."""
        ...

    def apply(
        self,
        partition: int,
        offset: int,
        record: Record,
        facts: Sequence[Fact],
        station: Station | None,
    ) -> None:
        """Collect the rows of this record.

        `station` is the state after the record; None for records of no conversation (the
        registry's, claims). It changes with later records: what a row needs of it is taken here,
        or in the next `cut`. An error raised here sets the record aside as poison.
        """
        ...

    def cut(self, progress: Progress) -> Any:
        """Return what was collected since the last cut, with the progress that it makes."""
        ...

    async def write(self, batch: Any) -> None:
        """Make the batch durable: rows first or together with the progress, never after it.

        Raises:
            StoreUnavailable: write the same batch again; what is there twice counts once.
            PositionMoved: nothing was written; the loop starts again from what is stored.
        """
        ...


class Database(Protocol):
    """Runs the named statements of the queries beside each projection."""

    async def fetch(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows, by column. `statement` is "file.name" in `infra/sql`.

        Raises:
            StoreUnavailable
        """
        ...


class RebuildStore(RowStore, Positions, Protocol):
    """What a rebuild of the read model needs beside projecting."""

    def rebuilding(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold back everybody else who projects under this name, until the block ends or we die.

        Raises:
            StoreUnavailable: another rebuild of it is running.
        """
        ...

    async def forget(self, name: str, *, tables: bool) -> None:
        """Drop a projection's position, states and poison; with `tables`, the read model's rows.

        Raises:
            StoreUnavailable: somebody reads the rows, for minutes; nothing was dropped.
        """
        ...

    async def digests(self, name: str) -> tuple[Mapping[int, int], Mapping[str, str]]:
        """Return the position and the sha256 of each table's rows, all at one moment."""
        ...
