"""What the journal names but never holds: verifiers of passwords, and secrets on their way out.

Rows are only added and marked. A record names a row as "secret:<id>", so the row is durable before
the record, and an old record keeps its meaning. Everything raises `StoreUnavailable` unless it says
otherwise.
"""

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4, uuid5

from cryptography.fernet import InvalidToken
from psycopg import AsyncConnection

from infra.postgres import DatabaseUnavailable, Postgres
from infra.statements import statements
from infra.vault_keys import VaultKeys
from projections.ports import StoreUnavailable
from schemas.credentials import make_verifier
from schemas.journal import Unavailable

PAGE = 10_000
# Verifiers fetched at once: a megabyte or two.

WAIT_S = 3.0
# Somebody waits for an answer; the database is on this machine or near.

_SQL = statements("vault")


@asynccontextmanager
async def transaction(database: Postgres) -> AsyncIterator[AsyncConnection]:
    """One transaction.

    Raises:
        StoreUnavailable: it was rolled back; or, if the connection broke at its end, nobody knows.
    """
    try:
        async with database.connection(wait_s=WAIT_S) as connection:
            yield connection
    except DatabaseUnavailable as error:
        raise StoreUnavailable(str(error)) from error


class UndecipherableSecret(Exception):
    """The row was encrypted under another key than this deployment's."""


class PasswordsOfStation:
    """`api.ports.StationPasswords`, on a connection that holds the station's lock."""

    def __init__(
        self, connection: AsyncConnection, tenant: str, station: str, keys: VaultKeys
    ) -> None:
        self._connection = connection
        self._names = {"tenant": tenant, "station": station}
        self._keys = keys

    async def current(self, has_password: bool) -> str:
        """Return the id that counts, "" for none. `has_password`: whether a read model shows one.

        A process that died after its record was written left the row unmarked; the read model
        tells that the record is there.
        """
        parameters = {**self._names, "has_password": has_password}
        cursor = await self._connection.execute(_SQL["current_password"], parameters)
        row = await cursor.fetchone()
        await self._connection.commit()
        return str(row[0]) if row else ""

    async def put(self, password: bytes) -> str:
        """Return the id of its verifier, which is durable; `recorded` says that it is named."""
        password_id = str(uuid4())
        verifier = make_verifier(password, self._keys.pepper, secrets.token_bytes(16))
        await self._connection.execute(_SQL["lock_passwords"])
        await self._connection.execute(
            _SQL["insert_password"], {**self._names, "id": password_id, "verifier": verifier}
        )
        await self._connection.commit()
        return password_id

    async def recorded(self, password_id: str) -> None:
        await self._connection.execute(_SQL["record_password"], {"id": password_id})
        await self._connection.commit()

    async def removed(self) -> None:
        """Say that the journal holds a record that names no password any more."""
        await self._connection.execute(_SQL["remove_passwords"], self._names)
        await self._connection.commit()


class Vault:
    """`api.ports.Vault` and `ingress.ports.Secrets`."""

    def __init__(self, database: Postgres, keys: VaultKeys) -> None:
        self._database = database
        self._keys = keys

    @asynccontextmanager
    async def registering(self, tenant: str, station: str) -> AsyncIterator[PasswordsOfStation]:
        """Keep everybody else, on any node, from changing this station's passwords meanwhile."""
        name = {"name": json.dumps([tenant, station])}
        async with transaction(self._database) as connection:
            try:
                await connection.execute(_SQL["wait_briefly"])
                await connection.execute(_SQL["lock_station"], name)
                await connection.commit()
                yield PasswordsOfStation(connection, tenant, station, self._keys)
                await connection.execute(_SQL["unlock_station"], name)
            except BaseException:
                # Closing it is the one way to give the lock back that cannot fail.
                await connection.close()
                raise

    async def verifiers_after(self, position: int) -> Sequence[tuple[int, str, str]]:
        """Return the next (position, id, verifier), oldest first, at most PAGE."""
        async with transaction(self._database) as connection:
            cursor = await connection.execute(
                _SQL["passwords_after"], {"position": position, "limit": PAGE}
            )
            return await cursor.fetchall()

    def digest(self, secret: str) -> str:
        """Return what tells two secrets apart and says nothing to who has no key."""
        return "hmac-sha256:" + hmac.digest(self._keys.digest, secret.encode(), "sha256").hex()

    def secret_id(self, command_id: str, secret: str) -> str:
        """Return the same for the same secret of the same command."""
        return str(uuid5(UUID(command_id), self.digest(secret)))

    async def put_secret(self, tenant: str, station: str, command_id: str, secret: str) -> str:
        """Return its id, which is `secret_id`; it is durable."""
        secret_id = self.secret_id(command_id, secret)
        row = {
            "id": secret_id,
            "tenant": tenant,
            "station": station,
            "ciphertext": self._keys.fernet.encrypt(secret.encode()),
        }
        async with transaction(self._database) as connection:
            await connection.execute(_SQL["insert_secret"], row)
        return secret_id

    async def reveal(self, secret_id: str) -> str:
        """Return the secret.

        Raises:
            Unavailable: it cannot be read now.
            KeyError: there is no such secret.
            UndecipherableSecret: see there.
        """
        try:
            async with transaction(self._database) as connection:
                cursor = await connection.execute(_SQL["secret"], {"id": secret_id})
                row = await cursor.fetchone()
        except StoreUnavailable as error:
            raise Unavailable(f"the vault cannot be read: {error}") from error
        if row is None:
            raise KeyError(secret_id)
        try:
            return self._keys.fernet.decrypt(row[0]).decode()
        except InvalidToken as error:
            raise UndecipherableSecret(secret_id) from error
