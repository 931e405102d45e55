"""Options that several commands have. Each can be set by its environment variable as well."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.names import NAME_CHARACTERS_MAX, is_name

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="CHARGELEDGER_DATA",
        help="Data directory of an embedded deployment.",
        file_okay=False,
    ),
]


def checked_name(name: str | None) -> str | None:
    """Raises BadParameter: no tenant, station or key can have that name."""
    if name is not None and not is_name(name):
        raise typer.BadParameter(
            f"{name!r} is no name: 1 to {NAME_CHARACTERS_MAX} printable characters,"
            " none of them : / \\ %, no space around"
        )
    return name


Tenant = Annotated[
    str,
    typer.Option(
        "--tenant",
        envvar="CHARGELEDGER_TENANT",
        help="Whose stations and tokens.",
        callback=checked_name,
    ),
]
DATA_DEFAULT = Path("data")
TENANT_DEFAULT = "default"
