"""Commands that register: API keys, stations, id tokens."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DATA_DEFAULT, TENANT_DEFAULT, Data, Tenant, checked_name

CsvFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE.csv")]
KeyName = Annotated[
    str,
    typer.Option(help="What the key is for; unique in its tenant.", callback=checked_name),
]
MadeKeyName = Annotated[str, typer.Option(help="The name it was made with.")]


class KeyRole(StrEnum):
    """Of `api.roles`, which is not imported here for its weight; a test keeps them equal."""

    admin = "admin"
    operator = "operator"
    billing = "billing"
    auditor = "auditor"
    reader = "reader"
    provider = "provider"


def key_create(
    name: KeyName,
    role: Annotated[KeyRole, typer.Option(help="What the key may do.")],
    tenant: Tenant = TENANT_DEFAULT,
    data: Data = DATA_DEFAULT,
) -> None:
    """Make an API key and print its token. Nobody can show it again.

    From the first key on the API answers nobody without one.

    Example: chargeledger key create --tenant default --name console --role operator
    """
    from infra.cli.keys import run_key_create

    run_key_create(data, tenant, name, role.value)


def key_list(tenant: Tenant = TENANT_DEFAULT, data: Data = DATA_DEFAULT) -> None:
    """List the keys of a tenant, without their tokens."""
    from infra.cli.keys import run_key_list

    run_key_list(data, tenant)


def key_revoke(
    name: MadeKeyName, tenant: Tenant = TENANT_DEFAULT, data: Data = DATA_DEFAULT
) -> None:
    """Revoke a key; within seconds nobody answers to it."""
    from infra.cli.keys import run_key_revoke

    run_key_revoke(data, tenant, name)


def import_stations(
    file: CsvFile, tenant: Tenant = TENANT_DEFAULT, data: Data = DATA_DEFAULT
) -> None:
    """Register the stations of a CSV file.

    Its header names the columns: station, and any of name, password; every other column becomes an
    attribute of that name. An empty password keeps the one there is. All rows are checked before
    any is written, and what is registered so already is left alone: run it again at will.

    Example:

      station,name,password,site

      CP-0001,Garage 1,a-secret-of-16-or-more,Berlin
    """
    from infra.cli.importing import run_import_stations

    run_import_stations(data, tenant, file)


def import_tokens(
    file: CsvFile, tenant: Tenant = TENANT_DEFAULT, data: Data = DATA_DEFAULT
) -> None:
    """Register the id tokens of a CSV file.

    Its header names the columns: uid, and any of status (Accepted, Blocked, Expired, Invalid),
    type, expires_at (RFC 3339), group. All rows are checked before any is written, and what is
    registered so already is left alone: run it again at will.

    Example:

      uid,status,expires_at,group

      04A1B2C3,Accepted,2030-01-01T00:00:00Z,FLEET-7
    """
    from infra.cli.importing import run_import_tokens

    run_import_tokens(data, tenant, file)
