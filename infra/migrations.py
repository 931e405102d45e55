"""Brings a Postgres database to the shape this version needs: numbered files, each applied once.

`infra/sql/migrations/NNNN_name.sql`, in order, each in a transaction of its own together with its
record (number, name, SHA-256), under one advisory lock, so that processes starting together apply
each once. A file that was applied is never edited: what is recorded and what is here must agree.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString

import psycopg

from infra.postgres import unavailable_translated
from infra.statements import literal, statements

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class WrongSchema(Exception):
    """The database is not one that this program made or may change; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    number: int
    name: str
    text: LiteralString

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(directory: Traversable | None = None) -> list[Migration]:
    """Return the migrations of a directory (by default this program's), numbered without a gap."""
    directory = directory or files("infra") / "sql" / "migrations"
    found = []
    for file in sorted(directory.iterdir(), key=lambda file: file.name):
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            continue
        text = literal(file.read_text())
        found.append(Migration(number=int(match[1]), name=match[2], text=text))
    if [each.number for each in found] != list(range(1, len(found) + 1)):
        raise WrongSchema(f"migrations are not numbered 1, 2, 3 …: {[m.number for m in found]}")
    return found


async def migrate(dsn: str, wanted: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and return it; the role of the DSN owns the database.

    Raises:
        WrongSchema: an applied file was changed, or the database is newer than this program.
            Nothing was applied by this call.
        DatabaseUnavailable: run it again; each migration was applied whole or not at all.
    """
    wanted = migrations() if wanted is None else wanted
    done: list[Migration] = []
    with unavailable_translated():
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=5) as connection:
            while True:
                async with connection.transaction():
                    migration = await _next(connection, wanted)
                    if migration is None:
                        return done
                    await connection.execute(migration.text)
                    record = {
                        "number": migration.number,
                        "name": migration.name,
                        "sha256": migration.sha256,
                    }
                    await connection.execute(statements("migrations")["record"], record)
                done.append(migration)


async def _next(
    connection: psycopg.AsyncConnection, wanted: Sequence[Migration]
) -> Migration | None:
    sql = statements("migrations")
    await connection.execute(sql["lock"])
    await connection.execute(sql["create_table"])
    applied = await (await connection.execute(sql["applied"])).fetchall()
    if len(applied) > len(wanted):
        raise WrongSchema(f"the database has migration {applied[-1][0]}; this program ends before")
    for (number, name, sha256), migration in zip(applied, wanted, strict=False):
        if (number, sha256) != (migration.number, migration.sha256):
            raise WrongSchema(f"migration {number:04} ({name}) was changed after it was applied")
    return wanted[len(applied)] if len(applied) < len(wanted) else None
