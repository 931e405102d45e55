"""Answered CALLs a second with 1, 2 and 4 ingress and domain processes on the same broker.

Each ingress process has a load generator of its own; all of them, the broker and Postgres share
this machine, so the figures stop growing with its cores. No projections run.
"""

from concurrent.futures import ThreadPoolExecutor

from benchmarks.deployed import deployed
from benchmarks.rows import Row
from benchmarks.running import Measured, measure
from tests.e2e.roles import Roles
from tests.kafka_broker import NoKafka, free_ports

TITLE = "On Kafka: 1, 2 and 4 ingress and domain processes, one broker, 400 stations"
WORKERS = (1, 2, 4)
STATIONS = 400
SECONDS, WARMUP_S = 10.0, 5.0
OWNED_WITHIN_S = 60.0


def run() -> list[Row]:
    rows: list[Row] = []
    first = 0.0
    for workers in WORKERS:
        try:
            with deployed(partitions=max(WORKERS), ingress_slots=max(WORKERS)) as roles:
                found = _measured(roles, workers)
        except NoKafka as error:
            return [Row(name="workers on Kafka", command="", figure=f"not measured: {error}")]
        rate = sum(each.calls_per_s for each in found)
        first = first or rate
        wrong = sum(each.errors + each.lost_connections for each in found)
        rows.append(
            Row(
                name=f"{workers} ingress, {workers} domain",
                command=f"{workers} times {found[0].command}",
                figure=f"{rate:,.0f} CALLs/s, p99 {max(each.p99_ms for each in found):.1f} ms"
                + (f" (**{wrong} errors and lost connections**)" if wrong else ""),
                ratio=f"{rate / first:.2f}",
            )
        )
    return rows


def _measured(roles: Roles, workers: int) -> list[Measured]:
    urls = [roles.ocpp_url]
    roles.start("ingress")
    roles.start("domain")
    for number, port in enumerate(free_ports(workers - 1), 1):
        roles.start(f"ingress:{number}", ingress_slot=str(number), ocpp_port=str(port))
        roles.start(f"domain:{number}")
        urls.append(f"ws://127.0.0.1:{port}/ocpp")
    domains = ["domain", *(f"domain:{number}" for number in range(1, workers))]
    ingresses = ["ingress", *(f"ingress:{number}" for number in range(1, workers))]
    for name in ingresses:
        roles.wait_said(name, "listening for stations", OWNED_WITHIN_S)
    for name in domains:
        roles.wait_said(name, "is ours", OWNED_WITHIN_S)

    def load(url: str) -> Measured:
        return measure(url, stations=STATIONS // workers, seconds=SECONDS, warmup_s=WARMUP_S)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(load, urls))
