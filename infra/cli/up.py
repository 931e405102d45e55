"""`chargeledger up`: everything on one machine, as a few processes that this one keeps running."""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EACCES, EADDRINUSE
from pathlib import Path
from typing import NamedTuple

from infra.child import stop_on
from infra.cli.belonging import (
    refuse_foreign_databases,
    refuse_old_views,
    refuse_orphaned_databases,
)
from infra.cli.failures import Failed
from infra.cli.greeting import greeting
from infra.cli.screen import Screen
from infra.cli.status import follow_status
from infra.deployment import Deployment, Layout, ensure_keys, is_loopback
from infra.migrations import migrate, migrations
from infra.orphans import Family
from infra.postgres_cluster import FAST_STOP_S, IMMEDIATE_STOP_S, Cluster
from infra.postgres_embedded import STOP_SIGNAL, EmbeddedPostgres
from infra.settings import Settings
from infra.supervisor import Child, Supervisor

ON_LOOPBACK = {"unknown_stations": "accept", "unknown_tokens": "accept", "settle_s": 0.0}
"""What is not set is so while only this machine can connect: a first try shows CDRs at once."""

PARTITIONS = 1
"""Of a new embedded journal: one owner folds it all, on one core."""

EDGE_DRAINS_WITHIN_S = 15.0
STOPS_WITHIN_S = 10.0
DEMO_STOPS_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpPorts:
    ocpp: int
    api: int
    clickhouse: int
    postgres: int


def run_up(data: Path, host: str, ports: UpPorts, demo: int) -> None:
    settings = settings_of_up(data, host)
    layout = Layout(data.resolve())
    if not layout.data.exists():
        # What cannot start leaves no directory behind.
        _free_ports(_wanted(settings, ports))
    with layout.lock():
        Family(layout.children).end_orphans()
        # It may hold its port for as long as a checkpoint takes.
        Cluster(layout.postgres).stop_orphans()
        ensure_keys(settings.secrets or layout.secrets, is_new=not layout.has_journal)
        deployment = _deployment(layout, settings, ports)
        layout.write(deployment)
        try:
            asyncio.run(_up(layout, settings, deployment, demo))
        finally:
            sockets = Path(deployment.edge_socket).parent
            if sockets != layout.data:
                shutil.rmtree(sockets, ignore_errors=True)


def settings_of_up(data: Path, host: str) -> Settings:
    settings = Settings(data=data.resolve(), ocpp_host=host, journal="sqlite")
    defaults = {"partitions": PARTITIONS, **(ON_LOOPBACK if is_loopback(host) else {})}
    unset = {
        name: value for name, value in defaults.items() if name not in settings.model_fields_set
    }
    return settings.model_copy(update=unset)


async def _up(layout: Layout, settings: Settings, deployment: Deployment, demo: int) -> None:
    stop = stop_on(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    postgres = EmbeddedPostgres(layout.postgres, deployment.postgres_port)
    # Made before the edge starts, which keeps its passwords' verifiers there.
    await asyncio.to_thread(postgres.prepare)
    await refuse_orphaned_databases(layout)
    with Screen() as screen:
        supervisor = Supervisor(
            children(layout, settings, postgres, demo),
            logs=layout.logs,
            family=Family(layout.children),
            say=screen.say,
        )

        async def greet() -> None:
            await supervisor.wait_ready()
            sys.stdout.write(greeting(layout, settings, deployment, demo))
            sys.stdout.flush()
            await follow_status(layout, postgres.dsn, screen.figures)

        async with asyncio.TaskGroup() as group:
            greeter = group.create_task(greet())
            stop_greeting = group.create_task(_cancel_on(stop, greeter))
            await supervisor.run(stop)
            stop_greeting.cancel()
            greeter.cancel()
    screen.say("stopped")


async def _cancel_on(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    await stop.wait()
    task.cancel()


def children(
    layout: Layout, settings: Settings, postgres: EmbeddedPostgres, demo: int
) -> list[Child]:
    """Return the processes of `up`; they end in the reverse order."""
    environment = settings.environment()
    newest = str(migrations()[-1].number)

    async def migrated() -> None:
        await migrate(postgres.dsn)
        await refuse_foreign_databases(layout, postgres.dsn)
        await refuse_old_views(layout, postgres.dsn)
        layout.migrated.write_text(newest)

    def ours(
        name: str, *arguments: str, after: tuple[str, ...], within_s: float = STOPS_WITHIN_S
    ) -> Child:
        return Child(
            name=name,
            command=lambda: child_command(layout, name, *arguments),
            environment=environment,
            after=after,
            stops=((signal.SIGTERM, within_s),),
        )

    found = [
        Child(
            name="postgres",
            command=postgres.command,
            stops=((STOP_SIGNAL, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S)),
            prepare=postgres.prepare,
            wait_ready=postgres.wait_ready,
            when_ready=migrated,
            log_path=postgres.log_path,
        ),
        ours("views", after=("edge", "postgres")),
        ours("projections", after=("edge", "postgres")),
        # Stations do not wait for Postgres, unless its tables are not those of this version yet.
        ours(
            "edge",
            after=() if _is_migrated(layout, newest) else ("postgres",),
            within_s=EDGE_DRAINS_WITHIN_S,
        ),
        ours("api", after=("edge", "postgres", "views")),
    ]
    if demo:
        arguments = ("--stations", str(demo))
        found.append(ours("demo", *arguments, after=("edge",), within_s=DEMO_STOPS_WITHIN_S))
    return found


def _is_migrated(layout: Layout, newest: str) -> bool:
    return layout.migrated.exists() and layout.migrated.read_text() == newest


def child_command(layout: Layout, name: str, *arguments: str) -> Sequence[str]:
    # -P: a file in the directory that we were started in is no module of ours.
    code = "from infra.cli import main; main()"
    return [sys.executable, "-P", "-c", code, "child", name, "--data", str(layout.data), *arguments]


def _deployment(layout: Layout, settings: Settings, ports: UpPorts) -> Deployment:
    ocpp, api, clickhouse, postgres = _free_ports(_wanted(settings, ports))
    sockets = layout.sockets()
    return Deployment(
        pid=os.getpid(),
        host=settings.ocpp_host,
        ocpp_port=ocpp,
        api_host=settings.api_host,
        api_port=api,
        clickhouse_port=clickhouse,
        postgres_port=postgres,
        edge_socket=str(sockets / "edge.sock"),
        views_socket=str(sockets / "views.sock"),
    )


class _Wanted(NamedTuple):
    host: str
    port: int
    host_option: str
    port_option: str


def _wanted(settings: Settings, ports: UpPorts) -> Sequence[_Wanted]:
    here = "127.0.0.1"
    return (
        _Wanted(settings.ocpp_host, ports.ocpp, "--host", "--ocpp-port"),
        _Wanted(settings.api_host, ports.api, "CHARGELEDGER_API_HOST", "--api-port"),
        _Wanted(here, ports.clickhouse, "", "--clickhouse-port"),
        _Wanted(here, ports.postgres, "", "--postgres-port"),
    )


def _free_ports(wanted: Sequence[_Wanted]) -> list[int]:
    """Return the ports, with a free one for each 0. All are held until all are found.

    Raises:
        Failed: one cannot be listened on; the message names the option to change.
    """
    held: list[socket.socket] = []
    try:
        for each in wanted:
            probe = socket.socket(socket.AF_INET6 if ":" in each.host else socket.AF_INET)
            held.append(probe)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((each.host, each.port))
                # Bound alone, two of ours would share a port and learn of it later.
                probe.listen(1)
            except (OSError, UnicodeError) as error:
                raise Failed(_refused(each, wanted[: len(held) - 1], error)) from error
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()


def _refused(each: _Wanted, before: Sequence[_Wanted], error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    if not (isinstance(error, OSError) and error.errno in (EADDRINUSE, EACCES)):
        return f"{each.host_option} {each.host!r} is no address of this machine ({reason})"
    if twins := [other.port_option for other in before if other.port == each.port]:
        return f"{twins[0]} and {each.port_option} are both {each.port}; 0 takes a free one"
    return (
        f"{each.host}:{each.port} cannot be listened on ({reason});"
        f" choose another with {each.port_option}, 0 takes a free one"
    )
