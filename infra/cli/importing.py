"""`chargeledger import`: registers stations and id tokens from CSV files."""

import asyncio
import getpass
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress as Bars

from api.id_tokens import IdToken
from api.stations import Registration
from domain.registry import Registry
from infra import clock
from infra.cli.child_edge import vault_keys
from infra.cli.csv_rows import read_stations, read_tokens
from infra.cli.databases import beside, postgres_dsn, secrets_directory
from infra.cli.journals import journal_to_append
from infra.postgres import Postgres
from infra.record_appender import RecordAppender
from infra.recovery import fold_registry
from infra.settings import Settings
from infra.vault import Vault
from infra.vault_keys import VaultKeys
from projections.times import microseconds
from schemas.credentials import matches
from schemas.records import IdTokenPut, StationRegistered

SECRET = "secret:"


class Counts(NamedTuple):
    written: int
    unchanged: int


def run_import_stations(data: Path, tenant: str, file: Path) -> None:
    rows = read_stations(file)
    _tell(asyncio.run(_import_stations(Settings(data=data), tenant, rows)), "stations")


def run_import_tokens(data: Path, tenant: str, file: Path) -> None:
    rows = read_tokens(file)
    _tell(asyncio.run(_import_tokens(Settings(data=data), tenant, rows)), "id tokens")


def _tell(counts: Counts, what: str) -> None:
    sys.stdout.write(f"{counts.written} {what} registered, {counts.unchanged} were so already\n")


async def _import_tokens(
    settings: Settings, tenant: str, rows: Sequence[tuple[str, IdToken]]
) -> Counts:
    written = 0
    with beside(settings) as running, _bars() as bars:
        async with journal_to_append(settings, running) as journal:
            registry = Registry()
            await fold_registry(journal, registry)
            appender = RecordAppender(journal, journal.partitions)
            for uid, token in bars.track(rows, description="id tokens"):
                record = _put(tenant, uid, token)
                known = registry.token(tenant, uid)
                if known is None or _content(known) != _content(record):
                    await appender.append(record)
                    written += 1
    return Counts(written, len(rows) - written)


async def _import_stations(
    settings: Settings, tenant: str, rows: Sequence[tuple[str, Registration]]
) -> Counts:
    written = 0
    with beside(settings) as running, _bars() as bars:
        keys = vault_keys(secrets_directory(settings))
        async with (
            journal_to_append(settings, running) as journal,
            postgres_dsn(settings, running) as dsn,
            Postgres(dsn) as database,
        ):
            vault = Vault(database, keys)
            registry = Registry()
            await fold_registry(journal, registry)
            verifiers = await _verifiers(vault)
            appender = RecordAppender(journal, journal.partitions)
            for station, body in bars.track(rows, description="stations"):
                known = registry.stations.get((tenant, station))
                if known is None or not _is_registered_so(known, body, verifiers, keys):
                    await _register(vault, appender, (tenant, station), body, known)
                    written += 1
    return Counts(written, len(rows) - written)


def _put(tenant: str, uid: str, token: IdToken) -> IdTokenPut:
    return IdTokenPut(
        tenant=tenant,
        recorded_at=clock.now_us(),
        actor=_actor(),
        uid=uid,
        type=token.type,
        status=token.status,
        expires_at=microseconds(token.expires_at),
        group=token.group,
    )


def _content(token: IdTokenPut) -> tuple[object, ...]:
    return token.uid, token.type, token.status, token.expires_at, token.group


def _is_registered_so(
    known: StationRegistered, body: Registration, verifiers: Mapping[str, str], keys: VaultKeys
) -> bool:
    if (known.name, known.attributes) != (body.name, dict(body.attributes)):
        return False
    if body.password is None:
        return True
    verifier = verifiers.get(known.credential.removeprefix(SECRET), "")
    return matches(verifier, body.password.get_secret_value().encode(), keys.pepper)


async def _register(
    vault: Vault,
    appender: RecordAppender,
    identity: tuple[str, str],
    body: Registration,
    known: StationRegistered | None,
) -> None:
    tenant, station = identity
    has_password = known is not None and known.credential != ""
    async with vault.registering(tenant, station) as passwords:
        if body.password is not None:
            password_id = await passwords.put(body.password.get_secret_value().encode())
        else:
            password_id = await passwords.current(has_password)
        await appender.append(
            StationRegistered(
                tenant=tenant,
                station=station,
                recorded_at=clock.now_us(),
                actor=_actor(),
                credential=f"{SECRET}{password_id}" if password_id else "",
                keeps_password=body.password is None,
                name=body.name,
                attributes=dict(body.attributes),
            )
        )
        await (passwords.recorded(password_id) if password_id else passwords.removed())


async def _verifiers(vault: Vault) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    while rows := await vault.verifiers_after(position):
        found.update((secret_id, verifier) for _, secret_id, verifier in rows)
        position = rows[-1][0]
    return found


def _actor() -> str:
    return f"import:{getpass.getuser()}"


def _bars() -> Bars:
    console = Console(stderr=True)
    return Bars(console=console, transient=True, disable=not console.is_terminal)
