"""The real engines as fixtures: started once for a run, an empty database for each test."""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from clickhouse_connect.driver import Client
from psycopg import sql

from infra.clickhouse import ChdbEngine
from infra.postgres_cluster import DATABASE, PostgresFailed
from infra.postgres_embedded import STOP_SIGNAL, EmbeddedPostgres


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """An empty database: no migration was applied."""

    name: str
    dsn: str
    billing_dsn: str
    superuser_dsn: str


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="chargeledger-postgres-") as directory:
        server = EmbeddedPostgres(Path(directory))
        try:
            server.prepare()
        except PostgresFailed as error:
            pytest.fail(str(error))
        with server.log_path.open("ab") as log:
            process = subprocess.Popen(
                [*server.command(), "-c", "fsync=off"], stdout=log, stderr=log
            )
        try:
            server.wait_ready(lambda: process.poll() is None)
            yield server
        finally:
            process.send_signal(STOP_SIGNAL)
            process.wait(timeout=30)


@contextmanager
def empty_database(postgres_server: EmbeddedPostgres) -> Iterator[PostgresDatabase]:
    name = f"{DATABASE}_{secrets.token_hex(6)}"
    identifier = sql.Identifier(name)
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER chargeledger").format(identifier))
        yield PostgresDatabase(
            name=name,
            dsn=psycopg.conninfo.make_conninfo(postgres_server.dsn, dbname=name),
            billing_dsn=psycopg.conninfo.make_conninfo(postgres_server.billing_dsn, dbname=name),
            superuser_dsn=psycopg.conninfo.make_conninfo(
                postgres_server.superuser_dsn, dbname=name
            ),
        )
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture
def postgres_database(postgres_server: EmbeddedPostgres) -> Iterator[PostgresDatabase]:
    with empty_database(postgres_server) as database:
        yield database


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickHouseDatabase:
    """An empty database and a session in it that may write."""

    name: str
    engine: ChdbEngine
    client: Client


@pytest.fixture(scope="session")
def chdb_engine() -> Iterator[ChdbEngine]:
    """The one engine of this process: a process can have one chDB directory open."""
    with (
        tempfile.TemporaryDirectory(prefix="chargeledger-clickhouse-") as directory,
        ChdbEngine(Path(directory)) as engine,
    ):
        yield engine


@pytest.fixture
def clickhouse_database(chdb_engine: ChdbEngine) -> Iterator[ClickHouseDatabase]:
    name = f"test_{secrets.token_hex(6)}"
    with chdb_engine.client() as client:
        client.command(f"CREATE DATABASE {name}")
        client.database = name
        yield ClickHouseDatabase(name=name, engine=chdb_engine, client=client)
        client.database = chdb_engine.database
        client.command(f"DROP DATABASE {name}")
