"""The commands about prices. What they do is in price_vectors and what_if."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DATA_DEFAULT, TENANT_DEFAULT, Data, Tenant


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


def what_if(
    tariff: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="An OCPI tariff: every session by it."),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="Sessions that began then or later; RFC 3339 or a date.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Sessions that began before.")] = "",
    meter_rule: Annotated[
        int | None, typer.Option(help="Energy by this version of the meter rule.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
) -> None:
    """Replay history with another tariff or meter rule, and show the difference in money.

    Reads the log and keeps everything in memory: nothing is written. Released sessions count, a
    corrected one as it stands now. Amounts include tax and are rounded per session, as they would
    be billed. "held" are sessions that would wait for a person.

    Example: chargeledger what-if --tariff night.json --from 2026-01-01 --to 2026-02-01
    """
    from infra.cli.what_if import WhatIfWish, run_what_if

    wish = WhatIfWish(
        tariff=tariff,
        start=start,
        end=end,
        meter_rule=meter_rule,
        tenant=tenant,
        as_json=as_json,
    )
    run_what_if(wish, data)


def scenario(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="Scenarios, one JSON object per line.", metavar="FILE"
        ),
    ],
    only: Annotated[str, typer.Option(help="The scenario of this id alone.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per scenario.")] = False,
) -> None:
    """Run conversations with stations, and compare the CDRs with what they should be.

    Needs no deployment: each scenario has a journal, an owner, a projection and a clock of its own.
    Exit code 1 if a CDR or an orphan differs. docs/cdr.md says what a scenario looks like.

    Example: chargeledger scenario tests/data/scenarios.jsonl --only B06 --json
    """
    from infra.cli.scenarios import run_scenarios

    run_scenarios(file, only, as_json=as_json)
