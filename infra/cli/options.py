"""Options that several commands have. Each can be set by its environment variable as well."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="CHARGELEDGER_DATA",
        help="Data directory of an embedded deployment.",
        file_okay=False,
    ),
]
Tenant = Annotated[
    str, typer.Option("--tenant", envvar="CHARGELEDGER_TENANT", help="Whose stations and tokens.")
]
DATA_DEFAULT = Path("data")
TENANT_DEFAULT = "default"
