"""`up` and the single roles."""

from enum import StrEnum
from typing import Annotated

import typer

from infra.cli.options import DATA_DEFAULT, Data


class ChildRole(StrEnum):
    edge = "edge"
    projections = "projections"
    views = "views"
    api = "api"
    demo = "demo"


def up(
    data: Data = DATA_DEFAULT,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            envvar="CHARGELEDGER_OCPP_HOST",
            help="Where to listen for stations. On loopback unknown stations and tokens are"
            " accepted, unless the settings say otherwise; elsewhere they are refused.",
        ),
    ] = "127.0.0.1",
    ocpp_port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="CHARGELEDGER_OCPP_PORT", help="For stations.")
    ] = 9000,
    api_port: Annotated[
        int, typer.Option(min=0, max=65535, envvar="CHARGELEDGER_API_PORT", help="For the API.")
    ] = 8080,
    clickhouse_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="CHARGELEDGER_CLICKHOUSE_PORT",
            help="Read-only ClickHouse over HTTP, loopback only.",
        ),
    ] = 8123,
    postgres_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            envvar="CHARGELEDGER_POSTGRES_PORT",
            help="Postgres; `billing` may read its views. Loopback only.",
        ),
    ] = 5433,
    demo: Annotated[
        int, typer.Option(min=0, max=1000, help="Simulated stations that charge all day.")
    ] = 0,
) -> None:
    """Run everything on this machine: journal, Postgres, ClickHouse, API, all below one directory.

    A port of 0 takes a free one; the ports are printed. Ctrl-C stops in order. Kill it any way you
    like and start it again: nothing is lost.

    Example: chargeledger up --data data --demo 10
    """
    from infra.cli.up import UpPorts, run_up

    ports = UpPorts(
        ocpp=ocpp_port, api=api_port, clickhouse=clickhouse_port, postgres=postgres_port
    )
    run_up(data, host, ports, demo)


def ingress() -> None:
    """Run one ingress node against Kafka: holds the stations' connections.

    Needs CHARGELEDGER_KAFKA_BOOTSTRAP, CHARGELEDGER_POSTGRES_DSN, CHARGELEDGER_SECRETS and a
    CHARGELEDGER_INGRESS_SLOT of its own; listens on CHARGELEDGER_OCPP_HOST and _OCPP_PORT.
    """
    from infra.cli.roles import run_role

    run_role("ingress")


def domain() -> None:
    """Run one domain worker against Kafka: decides the answers for its share of the stations.

    Needs CHARGELEDGER_KAFKA_BOOTSTRAP and CHARGELEDGER_SECRETS. Keeps snapshots in
    CHARGELEDGER_DATA; losing them costs time only.
    """
    from infra.cli.roles import run_role

    run_role("domain")


def prepare() -> None:
    """Leave snapshots for owners to come, beside those that run: this owns and appends nothing.

    Run it with a new version before its `domain` processes start: where it folds differently they
    would fold the whole log while stations wait. Run again, it goes on from where it ended. Needs
    CHARGELEDGER_KAFKA_BOOTSTRAP, CHARGELEDGER_SECRETS and CHARGELEDGER_SNAPSHOTS_SHARED; keeps one
    partition at a time in memory.
    """
    from infra.cli.preparing import run_prepare

    run_prepare()


def projections() -> None:
    """Run the projections against Kafka: CDRs and the registry in Postgres, series in ClickHouse.

    Needs CHARGELEDGER_KAFKA_BOOTSTRAP, CHARGELEDGER_POSTGRES_DSN and CHARGELEDGER_CLICKHOUSE_DSN.
    """
    from infra.cli.roles import run_role

    run_role("projections")


def api() -> None:
    """Run the API against Kafka, Postgres and ClickHouse.

    Listens on CHARGELEDGER_API_HOST and _API_PORT; on loopback only while no API key exists
    (`chargeledger key create`).
    """
    from infra.cli.roles import run_role

    run_role("api")


def child(
    role: Annotated[ChildRole, typer.Argument()],
    data: Data = DATA_DEFAULT,
    stations: Annotated[int, typer.Option()] = 0,
) -> None:
    """Be one of the processes of `up`; only `up` starts this."""
    from infra.cli.children import run_child

    run_child(role.value, data, stations)
