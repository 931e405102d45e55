"""API keys: made, listed, revoked and looked up. Only a token's SHA-256 is kept; it is shown once.

A token is 256 random bits, so its hash needs neither salt nor slowness.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

import psycopg.errors

from api.ports import ApiKey
from api.questions import Question
from api.roles import Role
from infra.postgres import Postgres
from infra.statements import statements
from infra.vault import transaction
from projections.ports import StoreUnavailable
from schemas.names import is_name

TOKEN_PREFIX = "clk_"
# So that scanners for leaked secrets, and people, know what they have found.

CACHE_TTL_S = 5.0
"""A revoked key may be good for so long."""

OUTAGE_TTL_S = 600.0
"""That a key was good, or that there was none, lasts so long into an outage of Postgres: figures
are wanted just then."""

FIRST_KEY_TTL_S = 1.0
"""So long after the first key was made elsewhere, this machine may be answered without one."""

CACHED_MAX = 4096

_SQL = statements("vault")


class KeyNameTaken(Exception):
    """The tenant has a key of this name that is not revoked."""


class WrongTenantName(Exception):
    """No tenant can be named like that."""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


class ApiKeysInVault:
    """`api.ports.ApiKeys`, and what the command line does with keys."""

    def __init__(
        self, database: Postgres, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic_s = monotonic_s
        self._found: dict[bytes, tuple[float, ApiKey | None]] = {}
        self._asked: dict[bytes, Question[ApiKey | None]] = {}
        self._any_key = Question(self._has_key)
        self._configured = False
        self._asked_s = -math.inf

    async def create(self, tenant: str, name: str, role: Role, actor: str = "") -> str:
        """Return the token: nobody can show it again.

        Raises:
            KeyNameTaken, WrongTenantName: nothing was made.
        """
        if not is_name(tenant):
            raise WrongTenantName(f"{tenant!r} cannot be the name of a tenant")
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = {
            "id": uuid4(),
            "hash": _hash(token),
            "tenant": tenant,
            "name": name,
            "role": role,
            "actor": actor or f"key:{name}",
        }
        try:
            async with transaction(self._database) as connection:
                await connection.execute(_SQL["insert_key"], row)
        except psycopg.errors.UniqueViolation as error:
            raise KeyNameTaken(f"{tenant} has a key named {name!r}") from error
        self._configured = True
        return token

    async def list(self, tenant: str | None = None) -> Sequence[ApiKey]:
        async with transaction(self._database) as connection:
            cursor = await connection.execute(_SQL["keys"], {"tenant": tenant})
            return [ApiKey(*row[:5]) for row in await cursor.fetchall()]

    async def revoke(self, tenant: str, name: str) -> bool:
        """Return whether there was one. It is refused everywhere after CACHE_TTL_S."""
        async with transaction(self._database) as connection:
            cursor = await connection.execute(_SQL["revoke_key"], {"tenant": tenant, "name": name})
            self._found.clear()
            return cursor.rowcount > 0

    async def configured(self) -> bool:
        now_s = self._monotonic_s()
        if not self._configured and now_s - self._asked_s >= FIRST_KEY_TTL_S:
            try:
                self._configured = await self._any_key.answer()
            except StoreUnavailable:
                if now_s - self._asked_s > OUTAGE_TTL_S:
                    raise
            else:
                self._asked_s = now_s
        return self._configured

    async def _has_key(self) -> bool:
        async with transaction(self._database) as connection:
            row = await (await connection.execute(_SQL["any_key"])).fetchone()
        return row is not None and bool(row[0])

    async def find(self, token: str) -> ApiKey | None:
        digest, now_s = _hash(token), self._monotonic_s()
        cached = self._found.get(digest)
        if cached is not None and now_s - cached[0] < CACHE_TTL_S:
            return cached[1]
        if len(self._asked) >= CACHED_MAX:
            self._asked = {each: asked for each, asked in self._asked.items() if asked.is_open}
            if len(self._asked) >= CACHED_MAX:
                raise StoreUnavailable("too many keys are looked up")
        asked = self._asked.setdefault(digest, Question(partial(self._look_up, digest)))
        try:
            key = await asked.answer()
        except StoreUnavailable:
            if cached is None or cached[1] is None or now_s - cached[0] > OUTAGE_TTL_S:
                raise
            return cached[1]
        finally:
            if not asked.is_open:
                self._asked.pop(digest, None)
        if len(self._found) >= CACHED_MAX:
            self._found.clear()
        self._found[digest] = now_s, key
        return key

    async def _look_up(self, digest: bytes) -> ApiKey | None:
        async with transaction(self._database) as connection:
            cursor = await connection.execute(_SQL["key_by_hash"], {"hash": digest})
            row = await cursor.fetchone()
        return ApiKey(*row) if row else None
