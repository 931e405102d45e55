"""The commands, their options and their help. What they do is in the other modules of this folder.

Nothing heavy is imported here.
"""

from typing import Annotated

import typer

from infra.cli import asking, pricing, registering, serving

app = typer.Typer(
    name="chargeledger",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""An OCPP central system that remembers everything.

Stations speak OCPP 1.6J, 2.0.1 and 2.1 to it; every frame is in a log before it takes effect;
charge detail records, time series and the API are folds over that log.

[bold]To begin:[/bold]

  chargeledger up --demo 10                     everything on this machine, with ten stations

  chargeledger sql "SELECT * FROM messages_per_day"

  chargeledger replay --station DEMO-0001 | less

Commands that read a deployment work beside a running `up`: give them the same --data.
Settings are environment variables CHARGELEDGER_*; `chargeledger settings-page` lists them.""",
)

SERVE, LOOK, REGISTER = "Serve", "Look and try", "Register"

app.command(rich_help_panel=SERVE)(serving.up)
app.command(rich_help_panel=SERVE)(serving.ingress)
app.command(rich_help_panel=SERVE)(serving.domain)
app.command(rich_help_panel=SERVE)(serving.projections)
app.command(rich_help_panel=SERVE)(serving.api)
app.command(rich_help_panel=SERVE)(serving.prepare)
app.command(hidden=True)(serving.child)

app.command(rich_help_panel=LOOK)(asking.probe)
app.command(rich_help_panel=LOOK)(asking.simulate)
app.command(rich_help_panel=LOOK)(asking.replay)
app.command(rich_help_panel=LOOK)(asking.evidence)
app.command(rich_help_panel=LOOK)(asking.export)
app.command(rich_help_panel=LOOK)(asking.rebuild)
app.command(rich_help_panel=LOOK)(asking.verify)
app.command(rich_help_panel=LOOK)(asking.sql)
app.command(rich_help_panel=LOOK)(pricing.price)
app.command(rich_help_panel=LOOK)(pricing.scenario)
app.command("what-if", rich_help_panel=LOOK)(pricing.what_if)
app.command("settings-page", rich_help_panel=LOOK)(asking.settings_page)
app.command("conformance-page", rich_help_panel=LOOK)(asking.conformance_page)

key = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")
key.command("create")(registering.key_create)
key.command("list")(registering.key_list)
key.command("revoke")(registering.key_revoke)
app.add_typer(key, name="key", rich_help_panel=REGISTER)

importing = typer.Typer(no_args_is_help=True, help="Register many stations or id tokens at once.")
importing.command("stations")(registering.import_stations)
importing.command("tokens")(registering.import_tokens)
app.add_typer(importing, name="import", rich_help_panel=REGISTER)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("chargeledger"))
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    from infra.cli.warnings import warn_of_unknown_variables

    warn_of_unknown_variables()
