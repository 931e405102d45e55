"""ClickHouse through its official client: a server by HTTP, or the same engine in this process.

Only one process may open a chDB directory, and a process can have one open; its sessions are as
many as are asked for, run beside each other, and see each other's writes at once. A client
(embedded or not) serves one thread at a time and blocks: call it in `asyncio.to_thread`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import clickhouse_connect
from clickhouse_connect.driver import Client
from clickhouse_connect.driver.exceptions import OperationalError

from infra.clickhouse_config import write_config

if TYPE_CHECKING:
    # Imported where it is opened: 300 MB of engine for processes that only speak to a server.
    from chdb.state.sqlitelike import Connection

SEND_RECEIVE_TIMEOUT_S = 60

DATABASE = "chargeledger"


class ClickHouseUnavailable(Exception):
    """The server cannot be reached or answered too late. An insert may have been done: repeat it.

    Repeating the same rows is harmless where the sorting key ends with their position.
    """


class EngineFailed(Exception):
    """The embedded engine cannot open its directory; the message says why."""


@contextlib.contextmanager
def unavailable_translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise ClickHouseUnavailable(str(error)) from error


def server_client(dsn: str, database: str) -> Client:
    """Connect to a server: `http://user:password@host:8123` (or https).

    Raises:
        ClickHouseUnavailable: it cannot be reached now.
    """
    with unavailable_translated():
        return clickhouse_connect.get_client(
            dsn=dsn,
            database=database,
            autogenerate_session_id=False,
            send_receive_timeout=SEND_RECEIVE_TIMEOUT_S,
        )


def quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class ChdbEngine:
    """The ClickHouse engine in this process, with everything it keeps below one directory."""

    def __init__(self, directory: Path, database: str = DATABASE) -> None:
        self.database = database
        self.directory = directory.resolve()
        self.path = self.directory / "store"
        self._root: Connection | None = None

    def open(self) -> None:
        """Open the directory, making it if it is new. Blocks for a tenth of a second.

        After a kill -9 everything an insert had returned for is there, and of an insert that was
        running either all rows of a block or none.

        Raises:
            EngineFailed: another process has it open, or this process has another one open.
        """
        from chdb.state.sqlitelike import Connection

        self.directory.mkdir(parents=True, exist_ok=True)
        config = write_config(self.directory)
        try:
            self._root = Connection(f"{self.path}?config-file={config}")
        except RuntimeError as error:
            message = f"{self.path} cannot be opened (is another process using it?): {error}"
            raise EngineFailed(message) from error
        self._root.query(f"CREATE DATABASE IF NOT EXISTS {quoted(self.database)}", "TSV")

    def close(self) -> None:
        """Close the engine; clients and sessions must be closed before."""
        if self._root is not None:
            self._root.close()
            self._root = None

    def client(self) -> Client:
        """Return a session in the engine's database that may read and write; the caller closes it.

        chDB's own database `default` mirrors the file system and keeps nothing: do not use it.
        """
        return clickhouse_connect.get_client(
            interface="chdb", path=str(self.path), database=self.database
        )

    def session(self) -> "Connection":
        """Return the engine's own kind of session, for readers; the caller closes it."""
        from chdb.state.sqlitelike import Connection

        if self._root is None:
            raise EngineFailed(f"{self.path} is not open")
        return Connection(str(self.path))

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
