"""Secrets go through the whole deployment and stay nowhere: not in the log, a view, or a file."""

import asyncio
from base64 import b64encode
from http import HTTPStatus

import httpx
import psycopg
import pytest
from psycopg import sql
from websockets.exceptions import InvalidStatus

from infra.journal_sqlite import SqliteJournal
from infra.postgres_embedded import EmbeddedPostgres
from tests.e2e.checking import entries_of
from tests.e2e.foreign_station import connected, seen
from tests.e2e.running import Up

NAME = "CANARY-1"
PASSWORD = "canary-of-the-password-4711"
AUTHORIZATION_KEY = "canary-of-the-authorization-key-0815"
NEVER_DELIVERED = "canary-of-a-station-never-seen-23"
REFUSED = "canary-that-is-refused-42 "
CANARIES = (PASSWORD, AUTHORIZATION_KEY, NEVER_DELIVERED, REFUSED.strip())
FATE_WITHIN_S = 10.0
TEXT_COLUMNS = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
"""


def forms(secret: str) -> list[bytes]:
    """The secret as it may stand somewhere: itself, as hexadecimal digits, in base64, in Basic."""
    plain = secret.encode()
    basic = b64encode(f"{NAME}:{secret}".encode())
    return [plain, plain.hex().encode(), b64encode(plain).rstrip(b"="), basic.rstrip(b"=")]


def found_in(text: bytes) -> list[str]:
    return [secret for secret in CANARIES for form in forms(secret) if form in text]


def put_password(up: Up, station: str, password: str) -> httpx.Response:
    url = f"{up.deployment.api_url}/v1/stations/{station}"
    return httpx.put(url, json={"password": password}, timeout=30)


async def deliver_the_secrets(up: Up) -> None:
    assert put_password(up, NAME, PASSWORD).status_code == 200
    assert put_password(up, "CANARY-2", REFUSED).status_code == 422

    async with connected(up, NAME, PASSWORD) as station:
        command = await asyncio.to_thread(
            up.command,
            NAME,
            "ChangeConfiguration",
            FATE_WITHIN_S,
            key="AuthorizationKey",
            value=AUTHORIZATION_KEY,
        )
        told = await asyncio.to_thread(up.command, NAME, "GetConfiguration", FATE_WITHIN_S)
    assert command["fate"] == "answered", command
    (given_back,) = [
        key["value"]
        for key in told["answer"]["configurationKey"]
        if key["key"] == "AuthorizationKey"
    ]
    assert given_back.startswith("redacted:hmac-sha256:")
    await assert_only_the_new_password_works(up)
    assert command["payload"]["value"].startswith("secret:")
    assert station.configuration == {"AuthorizationKey": AUTHORIZATION_KEY}
    put_password(up, "CANARY-2", PASSWORD).raise_for_status()
    await seen(lambda: up.get("/v1/stations/CANARY-2"), "the other station is registered")
    unsent = await asyncio.to_thread(
        up.command, "CANARY-2", "ChangeConfiguration", key="AuthorizationKey", value=NEVER_DELIVERED
    )
    assert NEVER_DELIVERED not in str(unsent)


async def assert_only_the_new_password_works(up: Up) -> None:
    async with connected(up, NAME, AUTHORIZATION_KEY):
        pass
    with pytest.raises(InvalidStatus) as refused:
        async with connected(up, NAME, PASSWORD):
            pass
    assert refused.value.response.status_code == HTTPStatus.UNAUTHORIZED
    # A registration that says nothing of the password keeps the one that the command set.
    url = f"{up.deployment.api_url}/v1/stations/{NAME}"
    kept = await asyncio.to_thread(httpx.put, url, json={"name": "a bird"}, timeout=30)
    assert kept.status_code == 200
    async with connected(up, NAME, AUTHORIZATION_KEY):
        pass


async def assert_log_is_clean(up: Up) -> None:
    journal = await SqliteJournal.open_read_only(up.layout.journal)
    try:
        entries = await entries_of(journal)
    finally:
        await journal.close()
    assert any(b"secret:" in entry.value for entry in entries)
    assert [entry for entry in entries if found_in(entry.value)] == []


def assert_views_are_clean(up: Up) -> None:
    rows = up.sql(f"SELECT frame FROM messages WHERE station = '{NAME}' FORMAT TSVRaw").encode()
    assert b"secret:" in rows
    assert found_in(rows) == []
    postgres = EmbeddedPostgres(up.layout.postgres, up.deployment.postgres_port)
    looked_at = 0
    with psycopg.connect(postgres.dsn) as connection:
        for schema, table in connection.execute(TEXT_COLUMNS).fetchall():
            every = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
            for (row,) in connection.execute(every):
                looked_at += 1
                assert found_in(row.encode()) == [], f"{schema}.{table}"
    assert looked_at > len(CANARIES)


def assert_files_are_clean(up: Up) -> None:
    """All files but the keys; the vault's rows are among them, as ciphertext and verifiers."""
    files = [path for path in up.layout.data.rglob("*") if path.is_file()]
    for path in [*files, up.output]:
        if path.parent != up.layout.secrets:
            assert found_in(path.read_bytes()) == [], path
    assert up.layout.logs / "api.log" in files
    assert any(path.name == "journal.sqlite3" for path in files)


@pytest.mark.postgres
@pytest.mark.clickhouse
@pytest.mark.slow
async def test_a_20_no_secret_stays_anywhere(own_up: Up) -> None:
    up = own_up

    await deliver_the_secrets(up)

    await asyncio.to_thread(up.wait_projected)
    await assert_log_is_clean(up)
    await asyncio.to_thread(assert_views_are_clean, up)
    assert_files_are_clean(up)
    assert up.stop() == 0, up.output.read_text()
    assert_files_are_clean(up)


@pytest.mark.parametrize("secret", CANARIES)
def test_a_secret_in_any_form_would_be_found(secret: str) -> None:
    for form in forms(secret):
        assert secret in found_in(b"before " + form + b" after")
    assert found_in(b"before and after") == []
