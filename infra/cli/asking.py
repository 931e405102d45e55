"""Commands that look at a deployment, or try it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DATA_DEFAULT, TENANT_DEFAULT, Data, Tenant, checked_name


class TableFormat(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


class Protocol(StrEnum):
    OCPP16 = "1.6"
    OCPP201 = "2.0.1"
    OCPP21 = "2.1"


def probe(
    station: Annotated[str, typer.Option(help="What the stations' names begin with.")] = "PROBE",
    partitions: Annotated[
        int, typer.Option(min=1, max=1_024, help="Of the deployment: one station for each.")
    ] = 1,
    url: Annotated[
        str, typer.Option(help="ws://HOST:PORT/ocpp; by default that of the deployment in --data.")
    ] = "",
    api: Annotated[
        str, typer.Option(help="http://HOST:PORT; by default that of the deployment in --data.")
    ] = "",
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
    password: Annotated[
        str, typer.Option(envvar="CHARGELEDGER_TEST_PASSWORD", help="Basic auth of the stations.")
    ] = "",
    api_key: Annotated[
        str, typer.Option(envvar="CHARGELEDGER_TEST_API_KEY", help="Of a reader, if keys exist.")
    ] = "",
    within: Annotated[float, typer.Option(min=0.1, help="Seconds for each of them.")] = 10.0,
) -> None:
    """Let a station of each partition boot; it must be answered, and be shown by the API.

    Exit code 1 if one is not: stations are not served, or what is shown is old. Its stations stay
    among the others.

    Example: chargeledger probe --partitions 4 --url ws://ingress-1:9000/ocpp --api http://api:8080
    """
    from infra.cli.probing import ProbeWish, run_probe

    wish = ProbeWish(
        ocpp_url=url,
        api_url=api,
        tenant=tenant,
        station=station,
        partitions=partitions,
        password=password,
        api_key=api_key,
        within_s=within,
    )
    run_probe(wish, data)


def simulate(
    stations: Annotated[int, typer.Option(min=1, help="How many stations.")] = 10,
    sessions: Annotated[int, typer.Option(min=1, help="Charging sessions of each.")] = 2,
    speed: Annotated[
        float,
        typer.Option(min=0, help="Virtual seconds per real second; 0: as fast as it is answered."),
    ] = 0.0,
    from_csv: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Replay the sessions of this file instead of inventing some; each outlet of it is"
            " spread over --stations stations.",
        ),
    ] = None,
    url: Annotated[
        str,
        typer.Option(help="ws://HOST:PORT/ocpp; by default that of the deployment in --data."),
    ] = "",
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
    prefix: Annotated[str, typer.Option(help="What the stations' names begin with.")] = "SIM-",
    seed: Annotated[int, typer.Option(help="The same seed invents the same sessions.")] = 1,
    mishaps: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of sessions with a fault, an outage or a re-send."),
    ] = 0.0,
    password: Annotated[
        str, typer.Option(envvar="CHARGELEDGER_TEST_PASSWORD", help="Basic auth of every station.")
    ] = "",
    protocol: Annotated[
        Protocol, typer.Option(help="The version of OCPP that the stations speak.")
    ] = Protocol.OCPP16,
) -> None:
    """Let simulated stations charge over real WebSockets, and check every answer.

    Ends with what it saw: sessions, Wh, answers. Exit code 1 if an answer was wrong or missing.

    Example: chargeledger simulate --stations 20 --sessions 5

    Example: chargeledger simulate --from-csv sessions.csv
    """
    from infra.cli.simulating import SimulateWish, run_simulate

    wish = SimulateWish(
        stations=stations,
        sessions=sessions,
        speed=speed,
        from_csv=from_csv,
        tenant=tenant,
        prefix=prefix,
        seed=seed,
        mishaps=mishaps,
        password=password,
        protocol=protocol.value,
    )
    run_simulate(wish, url, data)


def replay(
    station: Annotated[str, typer.Option(help="All records of this station.")] = "",
    transaction: Annotated[
        str,
        typer.Option(help="The records that made this transaction; its id, as stations say it."),
    ] = "",
    cdr: Annotated[str, typer.Option(help="The records that made this CDR.")] = "",
    start: Annotated[
        str, typer.Option("--from", help="From this position on: PARTITION:OFFSET, or OFFSET.")
    ] = "",
    end: Annotated[str, typer.Option("--to", help="Up to and with this position.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per record.")] = False,
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
) -> None:
    """Show the log as an auditor reads it: each record in order, both clocks, frames verbatim.

    Records that no reader counts (repeats, fenced owners, second decisions) are shown and marked.
    Reads the data directory, beside a running `up` or without one; with CHARGELEDGER_JOURNAL=kafka
    it reads Kafka.

    Example: chargeledger replay --station DEMO-0001

    Example: chargeledger replay --transaction 1207959553 --json
    """
    from infra.cli.replaying import ReplayWish, run_replay

    wish = ReplayWish(
        tenant=tenant,
        station=station,
        transaction=transaction,
        cdr=cdr,
        start=start,
        end=end,
        as_json=as_json,
    )
    run_replay(wish, data)


def evidence(
    cdr: Annotated[str, typer.Option(help="The id of the CDR.")],
    out: Annotated[Path | None, typer.Option(help="Write it there; otherwise print it.")] = None,
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
) -> None:
    """Write what a CDR was made from: revisions, every frame verbatim, signed values, digests.

    Read from the log alone; the same bytes as GET /v1/cdrs/ID/evidence, as JSON.

    Example: chargeledger evidence --cdr 6f1c2a52-5d0c-5c0e-9d0a-0f6f0c1e7c11 --out bundle.json
    """
    from infra.cli.evidence import run_evidence

    run_evidence(cdr, out, data=data, tenant=tenant)


def export(
    form: Annotated[str, typer.Option("--format", help="ocpi-2.2.1, ocpi-2.3.0, csv or parquet.")],
    start: Annotated[str, typer.Option("--from", help="Released at or after; RFC 3339.")],
    end: Annotated[str, typer.Option("--to", help="Released before; RFC 3339.")],
    out: Annotated[Path, typer.Option(help="The file; its manifest is written beside it.")],
    data: Data = DATA_DEFAULT,
    tenant: Tenant = TENANT_DEFAULT,
) -> None:
    """Write the CDRs that were released in a window of time, with a manifest: sums and digests.

    Read from the log alone; the same export twice is the same bytes. What has no form in OCPI
    (without a price, for instance) is counted in the manifest.

    Example: chargeledger export --format csv --from 2026-11-01T00:00:00Z
    --to 2026-12-01T00:00:00Z --out november.csv
    """
    from infra.cli.exporting import run_export

    run_export(form, start, end, out, data=data, tenant=tenant)


def rebuild(
    name: Annotated[
        str,
        typer.Argument(help="A projection: postgres or clickhouse. None: all.", metavar="[NAME]"),
    ] = "",
    data: Data = DATA_DEFAULT,
) -> None:
    """Drop a projection and build it anew from the log.

    Prints its digest before and after. Exit code 1 if they differ. Works beside a running `up` and
    without one. Released CDRs stay what they were. Tenants share the tables, so it is for all of
    them.

    Example: chargeledger rebuild clickhouse --data data
    """
    from infra.cli.rebuilding import run_rebuild

    run_rebuild(name, data)


def verify(
    data: Data = DATA_DEFAULT,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Compare only what is this tenant's.", callback=checked_name),
    ] = None,
) -> None:
    """Compare the log, the CDRs and the series: counts, Wh, digests, appenders.

    Folds the log up to where each view stands and says what differs. Exit code 1 if anything does.
    Works beside a running `up`, without one, and with CHARGELEDGER_JOURNAL=kafka on servers.

    Example: chargeledger verify --data data
    """
    from infra.cli.verifying import run_verify

    run_verify(data, tenant)


def sql(
    query: Annotated[str, typer.Argument(help="One statement; it may only read.")],
    postgres: Annotated[bool, typer.Option("--postgres", help="Ask Postgres.")] = False,
    form: Annotated[TableFormat, typer.Option("--format", help="How to show it.")] = (
        TableFormat.table
    ),
    data: Data = DATA_DEFAULT,
) -> None:
    """Ask ClickHouse, or with --postgres Postgres, beside a running `up` or without one.

    It shows every tenant: say WHERE tenant = 'NAME' for one. By the API, a key sees its own only.

    Example: chargeledger sql "SELECT * FROM energy_by_station_hour LIMIT 5"

    Example: chargeledger sql --postgres "SELECT id, energy_wh FROM billing.cdrs LIMIT 5"
    """
    from infra.cli.querying import run_sql

    run_sql(query, postgres=postgres, form=form.value, data=data)


def conformance_page() -> None:
    """Print docs/conformance.md: every action of every version, and the test that proves it."""
    from infra.conformance import conformance_page

    typer.echo(conformance_page(), nl=False)


def settings_page() -> None:
    """Print the page of all settings, docs/settings.md."""
    from infra.settings import settings_page

    typer.echo(settings_page(), nl=False)
