"""What the series need of ClickHouse: tables that take rows by column, and named statements."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

Row = tuple[Any, ...]
Rows = list[Any]
"""The values of one row after the other, in one list: columns are its strides, and the collector of
garbage has no tuples to visit."""

Add = Callable[[Row], None]
"""Puts a row after the others."""

_TIME_MAX = 10_413_791_999_999_999
# The end of 2299, where DateTime64 ends. Stations' times are read from 1900 on, where it begins.


def storable(at: int | None) -> int | None:
    """Return the time, or None where ClickHouse cannot hold it; the frame has it."""
    return at if at is None or at <= _TIME_MAX else None


class Table(Struct, frozen=True, kw_only=True):
    """A table as rows are inserted into it: what it computes itself is not among its columns.

    Rows hold microseconds since 1970 for times and decimal text for decimals, so that a row costs
    no conversion.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    """(name, type on the wire) in the order of the rows."""


class Tables(Protocol):
    async def insert(self, table: Table, rows: Rows, *, name: str | None = None) -> None:
        """Insert the rows, a block for each month; they are durable when this returns.

        `name` is that of the table in the database, if it is another one (a rebuild's).

        Raises:
            StoreUnavailable: none, some or all were inserted; insert the same again.
        """
        ...

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without rows: "file.name" in `infra/sql/clickhouse`.

        Raises:
            StoreUnavailable
        """
        ...

    async def fetch(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        """Return the rows of such a statement, by column.

        Raises:
            StoreUnavailable
        """
        ...

    def statements(self, file: str) -> Iterable[str]:
        """Return the names of the statements of a file, in its order."""
        ...
