"""On Kafka: each role a process of its own, one broker on this machine, 400 stations.

Ingress, domain, projections and API run as on servers; the projections at the low priority that
`up` gives them, because here they share the cores. How far they are behind when the load ends is
read from the API.
"""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.embedded import spent
from benchmarks.rows import Row
from benchmarks.running import Measured, measure, server
from benchmarks.throughput import row
from infra.cli.children import BEHIND
from infra.migrations import migrate
from infra.postgres_embedded import embedded_postgres
from tests.e2e.roles import Roles, running_roles
from tests.kafka_broker import Cluster, NoKafka, running_cluster

TITLE = "On Kafka, roles as separate processes, broker on this machine, 400 stations"
STATIONS = 400
SECONDS = 10.0
WARMUP_S = 3.0
PREFIX = "bench"
ROLES = ("ingress", "domain", "projections", "api")
LAG = "chargeledger_projection_lag_records{"


def run() -> list[Row]:
    with server("benchmarks.baseline") as url:
        baseline = measure(url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
    rows = [row("baseline: the `ocpp` package's documentation example", baseline, baseline)]
    try:
        with (
            running_cluster() as brokers,
            tempfile.TemporaryDirectory(prefix="cl-bench-") as directory,
        ):
            measured, cpu, lag = asyncio.run(_on_kafka(Path(directory), brokers))
    except NoKafka as error:
        return [*rows, Row(name="roles on Kafka", command="", figure=f"not measured: {error}")]
    return [
        *rows,
        row("roles on Kafka", measured, baseline, asked="≥ 2 (aim 3)"),
        Row(name="cores by process meanwhile", command=measured.command, figure=cpu),
        Row(name="behind when the load ended", command=measured.command, figure=lag),
    ]


async def _on_kafka(directory: Path, brokers: Cluster) -> tuple[Measured, str, str]:
    async with embedded_postgres(directory / "postgres") as postgres:
        await migrate(postgres.dsn)
        return await asyncio.to_thread(_measured, directory, brokers, postgres.dsn)


def _measured(directory: Path, brokers: Cluster, postgres_dsn: str) -> tuple[Measured, str, str]:
    with running_roles(directory, brokers.bootstrap, PREFIX, postgres_dsn) as roles:
        roles.start_all()
        roles.wait_ready()
        psutil.Process(roles.process("projections").pid).nice(BEHIND)
        before, began = _cpu_s(roles), time.perf_counter()
        measured = measure(roles.ocpp_url, stations=STATIONS, seconds=SECONDS, warmup_s=WARMUP_S)
        cpu = spent(before, _cpu_s(roles), time.perf_counter() - began)
        return measured, cpu, _lags(roles)


def _cpu_s(roles: Roles) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ROLES:
        found[name] = _seconds(psutil.Process(roles.process(name).pid))
    for process in psutil.Process().children(recursive=True):
        # Ours are the broker and Postgres, with its processes; the roles are counted above.
        name = process.name()
        if name in ("java", "postgres"):
            found[name] = found.get(name, 0.0) + _seconds(process)
    return found


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _lags(roles: Roles) -> str:
    lines = httpx.get(f"{roles.api_url}/metrics", timeout=30).text.splitlines()
    found = [line.removeprefix(LAG).rsplit("} ", 1) for line in lines if line.startswith(LAG)]
    return ", ".join(f"{labels} {float(records):,.0f} records" for labels, records in found)
