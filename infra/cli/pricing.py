"""The command that prices test vectors. What it does is in price_vectors."""

from pathlib import Path
from typing import Annotated

import typer


def price(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="Vectors, one JSON object per line.", metavar="FILE"
        ),
    ],
    only: Annotated[str, typer.Option(help="The vector of this id alone.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per vector.")] = False,
) -> None:
    """Price vectors of tariff and session, and compare with what they say is correct.

    Needs no deployment: this is the function that prices CDRs, called on a file. Exit code 1 if a
    price differs. docs/pricing.md says what a vector looks like.

    Example: chargeledger price tests/data/tariff_vectors.jsonl --only OCPI-T05 --json
    """
    from infra.cli.price_vectors import run_price

    run_price(file, only, as_json=as_json)
