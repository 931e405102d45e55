"""`chargeledger key`: API keys of the deployment."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from api.ports import ApiKey
from api.roles import ROLES
from infra.api_keys import ApiKeysInVault
from infra.cli.databases import beside, postgres_dsn
from infra.cli.failures import Failed
from infra.postgres import Postgres
from infra.settings import Settings

T = TypeVar("T")


def run_key_create(data: Path, tenant: str, name: str, role: str) -> None:
    (known,) = (each for each in ROLES if each == role)
    token = asyncio.run(_with_keys(data, lambda keys: keys.create(tenant, name, known)))
    sys.stderr.write(f"{role} key {name!r} of tenant {tenant!r}; it is shown this once:\n")
    sys.stdout.write(token + "\n")


def run_key_list(data: Path, tenant: str) -> None:
    keys: Sequence[ApiKey] = asyncio.run(_with_keys(data, lambda keys: keys.list(tenant)))
    table = Table("name", "role", "acts as", "id", title=f"API keys of {tenant}")
    for key in keys:
        table.add_row(key.name, key.role, key.actor, key.id)
    Console().print(table)


def run_key_revoke(data: Path, tenant: str, name: str) -> None:
    if not asyncio.run(_with_keys(data, lambda keys: keys.revoke(tenant, name))):
        raise Failed(f"tenant {tenant!r} has no key {name!r}")
    sys.stdout.write(f"{name} is revoked\n")


async def _with_keys(data: Path, call: Callable[[ApiKeysInVault], Awaitable[T]]) -> T:
    settings = Settings(data=data)
    with beside(settings) as running:
        async with postgres_dsn(settings, running) as dsn, Postgres(dsn) as database:
            return await call(ApiKeysInVault(database))
