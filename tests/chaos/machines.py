"""What is broken: three brokers, Postgres and every role as processes, with links between them.

Roles reach brokers and Postgres, and stations the ingress processes, over proxies only. The second
ingress process is in a network namespace, and the disks of a broker, of Postgres and of an owner
are small, where this machine allows it.
"""

import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from infra.migrations import migrate
from infra.postgres_embedded import EmbeddedPostgres
from tests.chaos.disks import Disk, small_disk
from tests.chaos.enclave import OUTER, Enclave, address_of, enclave
from tests.e2e.roles import Roles, running_roles
from tests.faulty_link import LOOPBACK, Link, linked
from tests.kafka_broker import Broker, Cluster, NoKafka, free_ports, resolve_jars, why_not

BROKERS = 3
DISK_MIB = {"broker 3": 384, "postgres": 384, "domain 2": 64}
PREFIX = "chaos"
NAMES = ("ingress", "ingress:2", "domain", "domain:2", "projections", "api")


class Postgres:
    """Started, killed and stopped with all that belongs to it."""

    def __init__(self, directory: Path) -> None:
        self.server = EmbeddedPostgres(directory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return when it answers."""
        self.server.prepare()
        command = [*self.server.command(), "-c", "max_wal_size=64MB"]
        with self.server.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.server.wait_ready(lambda: self.is_alive)

    def send(self, number: signal.Signals) -> None:
        if self._process is None or not self.is_alive:
            return
        main = psutil.Process(self._process.pid)
        for process in [main, *main.children(recursive=True)]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)


@dataclass(slots=True, kw_only=True)
class Machines:
    brokers: Mapping[str, Broker]
    postgres: Postgres
    roles: Roles
    links: Mapping[str, Link]
    disks: Mapping[str, Disk]
    enclave: Enclave | None
    missing: list[str]
    """What this machine does not allow, and why."""

    @property
    def ocpp_url(self) -> str:
        return f"ws://{LOOPBACK}:{self.links['stations'].port}/ocpp"

    def start_what_ended(self) -> None:
        """Brokers and Postgres; the roles are started by whoever keeps them running."""
        for broker in self.brokers.values():
            if not broker.is_alive:
                broker.start()
        for broker in self.brokers.values():
            broker.wait_until_up()
        if not self.postgres.is_alive:
            self.postgres.start()


@contextmanager
def _killed(kill: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    finally:
        kill()


@asynccontextmanager
async def machines(directory: Path) -> AsyncIterator[Machines]:
    """Start everything; leave nothing running or mounted.

    Raises:
        NoKafka: a broker cannot be had here, and why.
    """
    if reason := why_not():
        raise NoKafka(reason)
    resolve_jars()
    async with AsyncExitStack() as stack:
        made = stack.enter_context(enclave())
        host = address_of(made)
        missing = [f"no network namespace: {made}"] if isinstance(made, str) else []
        disks: dict[str, Disk] = {}
        for name, mib in DISK_MIB.items():
            disk = stack.enter_context(small_disk(directory / name.replace(" ", "-"), mib))
            if isinstance(disk, Disk):
                disks[name] = disk
            else:
                missing.append(f"no small disk for {name}: {disk}")

        ports = free_ports(2 * BROKERS)
        brokers = {
            f"broker {number}": Broker(
                directory / f"broker-{number}", number, ports.pop(), ports.pop()
            )
            for number in range(1, BROKERS + 1)
        }
        links: dict[str, Link] = {}

        async def link(name: str, *targets: tuple[str, int], to: str = host) -> str:
            links[name] = await stack.enter_async_context(linked(*targets, host=to))
            return f"{to}:{links[name].port}"

        for name, broker in brokers.items():
            broker.advertised = await link(name, (LOOPBACK, broker.port))
        _start_brokers(stack, list(brokers.values()))

        postgres = Postgres(directory / "postgres" / "cluster")
        stack.enter_context(_killed(postgres.kill))
        postgres.start()
        await migrate(postgres.server.dsn)
        await link("postgres", (LOOPBACK, postgres.server.port))
        dsn = make_conninfo(postgres.server.dsn, host=host, port=links["postgres"].port)
        bootstrap = ",".join(broker.advertised for broker in brokers.values())
        roles = stack.enter_context(
            running_roles(directory, bootstrap, PREFIX, dsn, replication=str(BROKERS))
        )
        second = _start_roles(roles, made, directory)
        await link("stations", (LOOPBACK, roles.ocpp_port), second, to=LOOPBACK)
        yield Machines(
            brokers=brokers,
            postgres=postgres,
            roles=roles,
            links=links,
            disks=disks,
            enclave=made if isinstance(made, Enclave) else None,
            missing=missing,
        )


def _start_brokers(stack: AsyncExitStack, brokers: list[Broker]) -> None:
    cluster = Cluster(brokers)
    for broker in cluster.brokers:
        broker.format([each.voter for each in cluster.brokers])
    for broker in cluster.brokers:
        stack.callback(broker.kill)
        broker.start()
    for broker in cluster.brokers:
        broker.wait_until_up()


def _start_roles(roles: Roles, made: Enclave | str, directory: Path) -> tuple[str, int]:
    """Start all; return where the second ingress process listens."""
    (port,) = free_ports(1)
    roles.start_all()
    roles.start("domain:2", data=str(directory / "domain-2"))
    slot = {"ingress_slot": "1", "ocpp_port": str(port)}
    if isinstance(made, str):
        roles.start("ingress:2", **slot)
        return LOOPBACK, port
    host = made.there(OUTER)
    roles.start("ingress:2", inside=made.command, ocpp_host=host, **slot)
    return host, port
