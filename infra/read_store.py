"""The read model's Postgres: rows and positions in one transaction, and named queries.

Commits do not wait for the disk. What a crash of the database takes back is projected again from
the stored position, to the same rows; a position given to a consumer stays right.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from infra.postgres import DatabaseUnavailable, Postgres
from infra.statements import statements
from projections.ports import (
    Checkpoint,
    LastRecord,
    PositionMoved,
    Progress,
    SavedState,
    StationKey,
    Stored,
    StoreUnavailable,
    Write,
)

_FILES = (
    "stations",
    "station_state",
    "transactions",
    "cdrs",
    "commands",
    "provider_requests",
    "id_tokens",
    "orphans",
    "tariffs",
    "events",
    "progress",
    "digest",
    "completeness",
)
LOCK_ATTEMPTS, LOCK_DELAY_S = 100, 0.05
# Whoever projects now holds the lock for one batch at a time.
READERS_ATTEMPTS, READERS_DELAY_S = 60, 2.0
# Of billing, Postgres ends a transaction in which nothing happens for a minute.

_encode = msgspec.msgpack.Encoder().encode
_decode_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode


class PostgresReadStore:
    """Implements `RebuildStore` and `Database` of `projections.ports`."""

    def __init__(self, postgres: Postgres, *, is_rebuild: bool = False) -> None:
        """`is_rebuild`: it may write while `rebuilding` holds everybody else back."""
        self._postgres = postgres
        self._is_rebuild = is_rebuild
        self._statements: dict[str, LiteralString] = {
            f"{file}.{name}": text for file in _FILES for name, text in statements(file).items()
        }

    async def fetch(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> Sequence[Mapping[str, Any]]:
        async with self._transaction() as connection, connection.cursor(row_factory=dict_row) as c:
            # Not prepared: a plan for all parameters is a bad one where filters may be absent.
            await c.execute(self._statements[statement], parameters, prepare=False)
            return await c.fetchall()

    async def load(self, name: str) -> Stored | None:
        async with self._transaction() as connection:
            await self._refuse_rebuild(connection, name)
            cursor = await self._run(connection, "progress.load", {"name": name})
            row = await cursor.fetchone()
        if row is None:
            return None
        journal_id, fold_version, positions, recorded_at, waiting, last, checkpoint, poison = row
        return Stored(
            journal_id=journal_id,
            fold_version=fold_version,
            positions=_numbers(positions),
            recorded_at=recorded_at,
            waiting=_numbers(waiting),
            last={int(p): LastRecord(*each) for p, each in last.items()},
            checkpoint=_decode_checkpoint(checkpoint),
            poison=poison,
        )

    async def load_states(self, name: str, keys: Iterable[StationKey]) -> Sequence[SavedState]:
        wanted = list(keys)
        parameters = {
            "name": name,
            "tenants": [tenant for tenant, _ in wanted],
            "stations": [station for _, station in wanted],
        }
        async with self._transaction() as connection:
            cursor = await self._run(connection, "progress.load_states", parameters)
            return [SavedState(*row) for row in await cursor.fetchall()]

    async def save(self, progress: Progress) -> None:
        await self.write((), progress)

    async def write(self, writes: Sequence[Write], progress: Progress) -> None:
        async with self._transaction() as connection:
            await self._refuse_rebuild(connection, progress.name)
            await self._run(connection, "progress.commit_lazily", {})
            if not await self._advance(connection, progress):
                return
            async with connection.pipeline():
                for statement, parameters in writes:
                    await self._run(connection, statement, parameters)
                await self._save_rest(connection, progress)

    async def _refuse_rebuild(self, connection: AsyncConnection, name: str) -> None:
        if self._is_rebuild:
            return
        cursor = await self._run(connection, "progress.lock_shared", {"name": name})
        if await cursor.fetchone() != (True,):
            raise PositionMoved(f"{name} is being rebuilt")

    async def _advance(self, connection: AsyncConnection, progress: Progress) -> bool:
        """Move the position; False if it was moved there before, with all that belongs to it."""
        key = {"name": progress.name}
        cursor = await self._run(connection, "progress.stored_positions", key)
        stored = await cursor.fetchone()
        parameters = {
            **key,
            "journal_id": progress.journal_id,
            "fold_version": progress.fold_version,
            "positions": msgspec.json.encode(progress.positions).decode(),
            "recorded_at": progress.recorded_at,
            "waiting": msgspec.json.encode(progress.waiting).decode(),
            "last": msgspec.json.encode(
                {p: (each.offset, each.digest) for p, each in progress.last.items()}
            ).decode(),
            "checkpoint": None if progress.checkpoint is None else _encode(progress.checkpoint),
        }
        if stored is None:
            if any(progress.before.values()):
                raise PositionMoved(f"{progress.name} was dropped")
            parameters["checkpoint"] = parameters["checkpoint"] or _encode(_NOTHING)
            await self._run(connection, "progress.begin", parameters)
            return True
        journal_id, positions = stored[0], _numbers(stored[1])
        if journal_id != progress.journal_id:
            raise PositionMoved(f"{progress.name} holds journal {journal_id}")
        if positions == _nonzero(progress.before):
            await self._run(connection, "progress.advance", parameters)
            return True
        if positions == _nonzero(progress.positions):
            return False
        raise PositionMoved(f"{progress.name} is at {positions}, not at {progress.before}")

    async def _save_rest(self, connection: AsyncConnection, progress: Progress) -> None:
        if progress.states:
            parameters = {
                "name": progress.name,
                "tenants": [saved.tenant for saved in progress.states],
                "stations": [saved.station for saved in progress.states],
                "partitions": [saved.partition for saved in progress.states],
                "states": [saved.state for saved in progress.states],
            }
            await self._run(connection, "progress.write_states", parameters)
        if progress.poison:
            parameters = {
                "name": progress.name,
                "partitions": [poison.partition for poison in progress.poison],
                "offsets": [poison.offset for poison in progress.poison],
                "reasons": [poison.reason.replace("\0", "\ufffd") for poison in progress.poison],
                "tenants": [poison.tenant for poison in progress.poison],
                "stations": [poison.station for poison in progress.poison],
            }
            await self._run(connection, "progress.write_poison", parameters)

    async def digests(self, name: str) -> tuple[Mapping[int, int], Mapping[str, str]]:
        found = {}
        async with self._transaction() as connection:
            await self._run(connection, "digest.one_moment", {})
            for statement, text in statements("digest").items():
                if statement == "one_moment":
                    continue
                sha256 = hashlib.sha256()
                async with connection.cursor() as cursor, cursor.copy(text) as copy:
                    async for block in copy:
                        sha256.update(block)
                found[statement] = sha256.hexdigest()
            cursor = await self._run(connection, "progress.load", {"name": name})
            row = await cursor.fetchone()
        return (_numbers(row[2]) if row else {}), found

    async def forget(self, name: str, *, tables: bool) -> None:
        """Drop a projection's position, states and poison; with `tables`, the read model's rows.

        Waits for whoever reads them in a transaction that stays open, and lets others read.
        """
        readers: list[Any] = []
        for _ in range(READERS_ATTEMPTS):
            async with self._transaction() as connection:
                if not tables or await self._emptied(connection):
                    for statement in ("forget_positions", "forget_states", "forget_poison"):
                        await self._run(connection, f"progress.{statement}", {"name": name})
                    return
                readers = await (await self._run(connection, "progress.readers", {})).fetchall()
            await asyncio.sleep(READERS_DELAY_S)
        held_by = ", ".join(reader for (reader,) in readers)
        raise StoreUnavailable(f"the tables are read in a transaction that stays open: {held_by}")

    async def _emptied(self, connection: AsyncConnection) -> bool:
        await self._run(connection, "progress.give_up_soon", {})
        try:
            await self._run(connection, "progress.empty_tables", {})
        except psycopg.errors.LockNotAvailable:
            await connection.rollback()
            return False
        return True

    @asynccontextmanager
    async def rebuilding(self, name: str) -> AsyncIterator[None]:
        async with self._transaction() as connection:
            await connection.commit()
            await connection.set_autocommit(True)
            try:
                await self._lock_rebuild(connection, name)
                try:
                    yield
                finally:
                    await self._run(connection, "progress.unlock_rebuild", {"name": name})
            finally:
                await connection.set_autocommit(False)

    async def _lock_rebuild(self, connection: AsyncConnection, name: str) -> None:
        for _ in range(LOCK_ATTEMPTS):
            cursor = await self._run(connection, "progress.lock_rebuild", {"name": name})
            if await cursor.fetchone() == (True,):
                return
            await asyncio.sleep(LOCK_DELAY_S)
        raise StoreUnavailable(f"{name} is being rebuilt already")

    async def _run(
        self, connection: AsyncConnection, statement: str, parameters: Mapping[str, Any]
    ) -> psycopg.AsyncCursor:
        return await connection.execute(self._statements[statement], parameters)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._postgres.connection() as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error
        except psycopg.errors.UniqueViolation as error:
            if error.diag.table_name != "positions":
                raise
            raise PositionMoved(str(error)) from error


_NOTHING = Checkpoint(positions={}, filters={})


def _numbers(positions: Mapping[str, int]) -> dict[int, int]:
    return _nonzero({int(partition): offset for partition, offset in positions.items()})


def _nonzero(positions: Mapping[int, int]) -> dict[int, int]:
    return {partition: offset for partition, offset in positions.items() if offset}
