"""The vault: verifiers, secrets and API keys, against the real Postgres."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from infra.api_keys import CACHE_TTL_S, OUTAGE_TTL_S, ApiKeysInVault, KeyNameTaken, WrongTenantName
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.vault import UndecipherableSecret, Vault
from infra.vault_keys import derive
from infra.verifier_cache import CachedVerifiers
from projections.ports import StoreUnavailable
from schemas.credentials import matches
from schemas.journal import Unavailable
from tests.engines import PostgresDatabase

pytestmark = pytest.mark.postgres

KEYS = derive(pepper=b"p" * 32, vault=b"v" * 32)
PASSWORD = b"correct horse battery"
SECRET = "F00DF00DF00DF00DF00DF00DF00DF00DF00DF00D"


@pytest.fixture
async def postgres(postgres_database: PostgresDatabase) -> AsyncIterator[Postgres]:
    await migrate(postgres_database.dsn)
    async with Postgres(postgres_database.dsn) as postgres:
        yield postgres


@pytest.fixture
def vault(postgres: Postgres) -> Vault:
    return Vault(postgres, KEYS)


def contents(database: PostgresDatabase) -> str:
    """Everything in the vault, as text."""
    with psycopg.connect(database.superuser_dsn) as connection:
        return "".join(
            str(connection.execute(f"SELECT * FROM vault.{table}").fetchall())
            for table in ("passwords", "secrets", "api_keys")
        )


async def put(vault: Vault, password: bytes, *, recorded: bool = True) -> str:
    async with vault.registering("t", "CS-1") as passwords:
        password_id = await passwords.put(password)
        if recorded:
            await passwords.recorded(password_id)
    return password_id


async def current(vault: Vault, *, has_password: bool = False) -> str:
    async with vault.registering("t", "CS-1") as passwords:
        return await passwords.current(has_password)


async def test_a_password_is_kept_as_a_verifier_only(
    vault: Vault, postgres_database: PostgresDatabase
) -> None:
    password_id = await put(vault, PASSWORD)

    rows = await vault.verifiers_after(0)

    assert [row[1] for row in rows] == [password_id]
    assert matches(rows[0][2], PASSWORD, KEYS.pepper)
    assert not matches(rows[0][2], PASSWORD, b"another pepper")
    assert PASSWORD.decode() not in contents(postgres_database)


async def test_the_password_that_counts_is_the_last_that_a_record_names(vault: Vault) -> None:
    assert await current(vault) == ""
    first = await put(vault, PASSWORD)
    await put(vault, b"never recorded, so never set", recorded=False)

    assert await current(vault) == first


async def test_a_record_whose_mark_was_lost_counts_once_the_read_model_shows_it(
    vault: Vault,
) -> None:
    unmarked = await put(vault, PASSWORD, recorded=False)

    assert await current(vault) == ""
    assert await current(vault, has_password=True) == unmarked


async def test_a_removed_password_does_not_come_back_from_a_read_model_behind(
    vault: Vault,
) -> None:
    await put(vault, PASSWORD)
    async with vault.registering("t", "CS-1") as passwords:
        await passwords.removed()

    assert await current(vault, has_password=True) == ""


async def test_one_registration_of_a_station_waits_for_the_other(vault: Vault) -> None:
    order: list[str] = []
    inside = asyncio.Event()

    async def first() -> None:
        async with vault.registering("t", "CS-1") as passwords:
            inside.set()
            await passwords.put(PASSWORD)
            order.append("first")

    async def second() -> None:
        await inside.wait()
        async with vault.registering("t", "CS-1"):
            order.append("second")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(second())
        tasks.create_task(first())

    assert order == ["first", "second"]


async def test_a_failed_registration_gives_its_lock_back(vault: Vault) -> None:
    with pytest.raises(Unavailable):
        async with vault.registering("t", "CS-1"):
            raise Unavailable("the journal")

    assert await current(vault) == ""


async def test_a_secret_is_revealed_and_encrypted_at_rest(
    vault: Vault, postgres: Postgres, postgres_database: PostgresDatabase
) -> None:
    command = str(uuid4())
    secret_id = await vault.put_secret("t", "CS-1", command, SECRET)

    assert await vault.put_secret("t", "CS-1", command, SECRET) == secret_id
    assert await vault.put_secret("t", "CS-1", command, "another") != secret_id
    assert await vault.reveal(secret_id) == SECRET
    assert SECRET not in contents(postgres_database)
    assert SECRET not in vault.digest(SECRET)
    stranger = Vault(postgres, derive(pepper=b"p" * 32, vault=b"w" * 32))
    with pytest.raises(UndecipherableSecret):
        await stranger.reveal(secret_id)
    with pytest.raises(KeyError):
        await vault.reveal(str(uuid4()))


async def test_a_vault_that_cannot_be_reached_says_so() -> None:
    async with Postgres("host=127.0.0.1 port=1 connect_timeout=1") as nowhere:
        nowhere_vault = Vault(nowhere, KEYS)
        with pytest.raises(Unavailable):
            await nowhere_vault.reveal(str(uuid4()))
        with pytest.raises(StoreUnavailable):
            await nowhere_vault.verifiers_after(0)


async def test_a_22_verifiers_are_at_hand_while_postgres_is_down(
    vault: Vault, postgres: Postgres, tmp_path: Path
) -> None:
    password_id = await put(vault, PASSWORD)
    path = tmp_path / "verifiers.sqlite3"
    cache = CachedVerifiers(vault, path)
    await cache.refresh()
    cache.close()
    await postgres.close()

    again = CachedVerifiers(vault, path)
    with pytest.raises(StoreUnavailable):
        await again.refresh()

    assert matches(again.verifier(password_id) or "", PASSWORD, KEYS.pepper)
    assert again.verifier("unknown") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.close()


async def test_the_running_cache_learns_of_new_passwords(vault: Vault, tmp_path: Path) -> None:
    cache = CachedVerifiers(vault, tmp_path / "verifiers.sqlite3")
    stop = asyncio.Event()

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(cache.run(stop))
        password_id = await put(vault, PASSWORD)
        for _ in range(1_000):
            if cache.verifier(password_id) is not None:
                break
            await asyncio.sleep(0.02)
        stop.set()

    assert cache.verifier(password_id) is not None

    cache.close()


async def test_a_broken_copy_of_the_verifiers_is_made_anew(vault: Vault, tmp_path: Path) -> None:
    password_id = await put(vault, PASSWORD)
    path = tmp_path / "verifiers.sqlite3"
    path.write_bytes(b"no database" * 1000)

    cache = CachedVerifiers(vault, path)
    await cache.refresh()

    assert cache.verifier(password_id)
    cache.close()


async def test_a_key_is_found_by_its_token_and_kept_as_a_hash(
    postgres: Postgres, postgres_database: PostgresDatabase
) -> None:
    keys = ApiKeysInVault(postgres)

    token = await keys.create("t", "grafana", "reader")
    found = await keys.find(token)

    assert found is not None
    assert (found.tenant, found.name, found.role) == ("t", "grafana", "reader")
    assert found.actor == "key:grafana"
    assert await keys.find(token + "x") is None
    assert token not in contents(postgres_database)
    assert [key.name for key in await keys.list("t")] == ["grafana"]
    assert await keys.list("other") == []


async def test_a_name_has_one_key_until_it_is_revoked(postgres: Postgres) -> None:
    keys = ApiKeysInVault(postgres)
    await keys.create("t", "grafana", "reader")

    with pytest.raises(KeyNameTaken):
        await keys.create("t", "grafana", "admin")

    with pytest.raises(WrongTenantName):
        await keys.create("a/b", "grafana", "admin")

    assert await keys.revoke("t", "grafana")
    assert not await keys.revoke("t", "grafana")
    await keys.create("t", "grafana", "admin")


async def test_a_revoked_key_is_refused_by_other_processes_after_the_cache_ends(
    postgres: Postgres,
) -> None:
    now_s = 100.0
    elsewhere, here = ApiKeysInVault(postgres, lambda: now_s), ApiKeysInVault(postgres)
    token = await here.create("t", "grafana", "reader")
    assert await elsewhere.find(token)
    await here.revoke("t", "grafana")

    now_s += CACHE_TTL_S

    assert await elsewhere.find(token) is None


async def test_a_good_key_outlives_an_outage_for_a_while_and_an_unknown_one_does_not(
    postgres: Postgres,
) -> None:
    now_s = 100.0
    keys = ApiKeysInVault(postgres, lambda: now_s)
    token = await keys.create("t", "grafana", "reader")
    assert await keys.find(token)
    assert await keys.find("clk_unknown") is None
    await postgres.close()

    now_s += OUTAGE_TTL_S
    assert await keys.find(token)
    with pytest.raises(StoreUnavailable):
        await keys.find("clk_unknown")
    now_s += 1
    with pytest.raises(StoreUnavailable):
        await keys.find(token)


async def test_once_there_was_a_key_the_api_is_configured_for_ever(postgres: Postgres) -> None:
    now_s = 100.0
    keys = ApiKeysInVault(postgres, lambda: now_s)
    assert not await keys.configured()
    await keys.create("t", "grafana", "reader")
    await keys.revoke("t", "grafana")

    now_s += CACHE_TTL_S

    assert await keys.configured()
    assert await ApiKeysInVault(postgres).configured()


def test_keys_do_not_show_themselves() -> None:
    assert "p" * 8 not in repr(KEYS)
    assert KEYS.digest not in (b"v" * 32, b"p" * 32)
