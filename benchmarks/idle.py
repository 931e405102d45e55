"""Idle stations with a heartbeat each 30 s on one ingress process and one owner, over Kafka."""

import threading
import time

from benchmarks.deployed import cpu_s, deployed, unique_bytes
from benchmarks.rows import Row
from benchmarks.running import Measured, measure
from tests.e2e.roles import Roles
from tests.kafka_broker import NoKafka

STATIONS = 10_000
TITLE = f"{STATIONS:,} idle stations, a heartbeat each 30 s, one ingress process and one owner"
SECONDS = 60.0
SETTLED_S = 10.0
"""From when all are connected until figures count."""

PROCESSES = ("ingress", "domain")
KIB = 1024


def run() -> list[Row]:
    try:
        with deployed(partitions=1) as roles:
            roles.start_all()
            roles.wait_ready()
            return _measured(roles)
    except NoKafka as error:
        return [Row(name="idle stations on Kafka", command="", figure=f"not measured: {error}")]


def _measured(roles: Roles) -> list[Row]:
    empty = {name: unique_bytes(roles, name) for name in PROCESSES}
    found: list[Measured] = []

    def load() -> None:
        found.append(
            measure(
                roles.ocpp_url,
                stations=STATIONS,
                seconds=SECONDS,
                warmup_s=SETTLED_S,
                mode="idle",
            )
        )

    loading = threading.Thread(target=load)
    loading.start()
    _wait_connected(roles, loading)
    time.sleep(SETTLED_S)
    before, began = {name: cpu_s(roles, name) for name in PROCESSES}, time.perf_counter()
    time.sleep(SECONDS - SETTLED_S)
    seconds = time.perf_counter() - began
    shares = {name: (cpu_s(roles, name) - before[name]) / seconds for name in PROCESSES}
    held = {name: unique_bytes(roles, name) - empty[name] for name in PROCESSES}
    loading.join()
    (measured,) = found
    return [
        Row(
            name="heartbeats",
            command=measured.command,
            figure=f"{measured.calls_per_s:,.0f}/s, p50 {measured.p50_ms:.1f} ms,"
            f" p99 {measured.p99_ms:.1f} ms,"
            f" {measured.errors} errors, {measured.lost_connections} connections lost",
        ),
        *(
            Row(
                name=f"`{name}`",
                command=measured.command,
                figure=f"{shares[name]:.0%} of a core,"
                f" {held[name] / STATIONS / KIB:.1f} KiB for each station (USS)",
            )
            for name in PROCESSES
        ),
    ]


def _wait_connected(roles: Roles, loading: threading.Thread) -> None:
    name = "chargeledger_connections "
    while loading.is_alive():
        for line in roles.health("ingress", "/metrics").text.splitlines():
            if line.startswith(name) and float(line.removeprefix(name)) >= STATIONS:
                return
        time.sleep(0.5)
