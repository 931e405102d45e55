"""The tables of the series on a ClickHouse client: inserts by column, named statements.

The client serves one thread at a time; its calls run in threads, one after the other, so the loop
stays free. Statements are named "file.name" in `infra/sql/clickhouse`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from clickhouse_connect.driver import Client, options
from clickhouse_connect.driver.exceptions import DatabaseError

from infra.clickhouse import ClickHouseUnavailable, unavailable_translated
from infra.statements import statements
from projections.clickhouse_ports import Rows, Table
from projections.ports import StoreUnavailable

T = TypeVar("T")
DIRECTORY = "clickhouse"

PASSING = frozenset(
    {
        *(74, 75, 76),  # A file cannot be read, written, opened.
        *(159, 209, 210, 198),  # Time-outs, the network, names.
        *(202, 241, 243, 252),  # Too many queries, memory, disk, parts.
        *(225, 242, 319, 999),  # A replica without its keeper.
    }
)
"""Codes of errors that the same statement may not meet later (ClickHouse, ErrorCodes.cpp)."""

INSERT_SETTINGS = {"async_insert": 0}
"""On by default since 26.9. Our batches are large; a server need not gather them with others'."""


class ClickHouseTables:
    """Keeps the port `projections.clickhouse_ports.Tables`, and `Database` for queries."""

    def __init__(self, client: Client) -> None:
        """The caller keeps the client, closes it after use, and does not use it meanwhile.

        Loads what the client would load at its first insert: seconds on a busy machine, in which
        the series would fall behind.
        """
        for late in ("pd", "arrow"):
            getattr(options, late)
        self._client = client
        self._turn = asyncio.Lock()

    async def insert(self, table: Table, rows: Rows, *, name: str | None = None) -> None:
        await self._in_thread(lambda: self._insert(table, rows, name or table.name))

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        text = _statement(statement)
        await self._in_thread(lambda: self._client.command(text, parameters=dict(parameters or {})))

    async def fetch(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        text = _statement(statement)
        query = self._client.query
        result = await self._in_thread(lambda: query(text, parameters=dict(parameters)))
        return list(result.named_results())

    def statements(self, file: str) -> Iterable[str]:
        return [f"{file}.{name}" for name in statements(f"{DIRECTORY}/{file}")]

    def _insert(self, table: Table, rows: Rows, name: str) -> None:
        width = len(table.columns)
        self._client.insert(
            name,
            [rows[at::width] for at in range(width)],
            column_names=[column for column, _ in table.columns],
            column_type_names=[kind for _, kind in table.columns],
            column_oriented=True,
            settings=INSERT_SETTINGS,
        )

    async def _in_thread(self, call: Callable[[], T]) -> T:
        async with self._turn:
            try:
                return await asyncio.to_thread(_translated, call)
            except (ClickHouseUnavailable, OSError) as error:
                # The embedded engine is handed inserts in a file, which may find the disk full.
                raise StoreUnavailable(str(error)) from error
            except DatabaseError as error:
                if error.code not in PASSING:
                    raise
                raise StoreUnavailable(str(error)) from error


def _translated(call: Callable[[], T]) -> T:
    with unavailable_translated():
        return call()


def _statement(name: str) -> str:
    file, _, statement = name.removeprefix(f"{DIRECTORY}/").rpartition(".")
    return statements(f"{DIRECTORY}/{file}")[statement]
