"""A deployment on Kafka under a test: every role a real process, kept running as systemd would."""

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from infra.deployment import ensure_keys
from infra.journal_kafka import KafkaJournal
from infra.kafka_cluster import KafkaCluster
from schemas.journal import Entry
from tests.e2e.checking import entries_of
from tests.e2e.running import PROGRAM, STOPPED_WITHIN_S, Views, environment, eventually
from tests.kafka_broker import dies_with_us, free_ports

READY_WITHIN_S = 60.0
RESTART_AFTER_S = 0.2
PARTITIONS = 2


class Roles(Views):
    """A process is named by its role, or `role:more` if there are several of one."""

    def __init__(
        self, directory: Path, bootstrap: str, prefix: str, postgres_dsn: str, **settings: str
    ) -> None:
        self.cluster = KafkaCluster(bootstrap)
        self.prefix = prefix
        self.starts: dict[str, int] = {}
        self._directory = directory
        self._ocpp_port, self._api_port, self._clickhouse_port, *health = free_ports(6)
        self._health_ports = dict(zip(("ingress", "domain", "projections"), health, strict=True))
        ensure_keys(directory / "secrets", is_new=True)
        self._settings = {
            "journal": "kafka",
            "kafka_bootstrap": bootstrap,
            "kafka_prefix": prefix,
            "partitions": str(PARTITIONS),
            "replication": "1",
            "ingress_slots": "2",
            "postgres_dsn": postgres_dsn,
            "clickhouse_dsn": f"http://127.0.0.1:{self._clickhouse_port}",
            "secrets": str(directory / "secrets"),
            "ocpp_port": str(self._ocpp_port),
            "api_port": str(self._api_port),
            "clickhouse_port": str(self._clickhouse_port),
            "unknown_stations": "accept",
            "unknown_tokens": "accept",
            "settle_s": "0",
            "drain_s": "1",
            "retry_after_max_s": "2",
            **settings,
        }
        self._inside: dict[str, Sequence[str]] = {}
        self._wanted: dict[str, dict[str, str]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._turn = threading.Lock()
        self._ended = threading.Event()

    @property
    def ocpp_port(self) -> int:
        """Of the process `ingress`."""
        return self._ocpp_port

    @property
    def ocpp_url(self) -> str:
        return f"ws://127.0.0.1:{self._ocpp_port}/ocpp"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self._api_port}"

    @property
    def clickhouse_url(self) -> str:
        return f"http://127.0.0.1:{self._clickhouse_port}"

    def start(self, name: str, *, inside: Sequence[str] = (), **settings: str) -> None:
        """Start the process, and again whenever it ends. Return at once.

        `inside` is a command that runs it on another machine, so to say.
        """
        with self._turn:
            self._inside[name] = inside
            own = self._directory / name.replace(":", "-")
            self._wanted[name] = {**self._settings, "data": str(own), **settings}
            if name in self._health_ports:
                self._wanted[name]["health_port"] = str(self._health_ports[name])
            if name == "projections":
                self._wanted[name]["clickhouse_dsn"] = f"chdb://{self._directory}/clickhouse"
            self._spawn(name)

    def start_all(self) -> None:
        for name in ("ingress", "domain", "projections", "api"):
            self.start(name)

    def health(self, name: str, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self._health_ports[name]}{path}")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the program that reads the deployment, with its settings."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env=environment(**self._settings),
        )

    def process(self, name: str) -> "subprocess.Popen[bytes]":
        return self._processes[name]

    def kill(self, name: str) -> None:
        """kill -9; it is started again."""
        self._processes[name].kill()

    def send(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """End it for good; return the exit code."""
        with self._turn:
            del self._wanted[name]
            process = self._processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{name} does not end; it said:\n{self.said(name)}") from None

    def said(self, name: str) -> str:
        """Return what the process and its earlier lives logged."""
        return self._log(name).read_text(errors="replace")

    def wait_said(self, name: str, text: str, within_s: float = READY_WITHIN_S) -> None:
        what = f"{name} says {text!r}"
        eventually(lambda: True if text in self.said(name) else None, what, within_s)

    def wait_ready(self) -> None:
        """Until stations can connect and the API reads everything."""
        eventually(self._accepts_stations, "ingress listens", READY_WITHIN_S)
        eventually(self._reads_everything, "the API is ready", READY_WITHIN_S)

    async def entries(self) -> list[Entry]:
        """Return the whole log."""
        journal = await KafkaJournal.open(self.cluster, self.prefix)
        try:
            return await entries_of(journal)
        finally:
            await journal.close()

    def end(self) -> None:
        """Leave nothing running."""
        self._ended.set()
        with self._turn:
            self._wanted.clear()
            for process in self._processes.values():
                process.kill()
                process.wait(10)

    def keep_running(self) -> None:
        """Start again what ended, until the end."""
        while not self._ended.wait(RESTART_AFTER_S):
            with self._turn:
                for name in self._wanted:
                    if self._processes[name].poll() is not None:
                        self._spawn(name)

    def _spawn(self, name: str) -> None:
        self.starts[name] = self.starts.get(name, 0) + 1
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*dies_with_us(), *self._inside[name], str(PROGRAM), name.partition(":")[0]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**self._wanted[name]),
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._directory / f"{name.replace(':', '-')}.log"

    def _reads_everything(self) -> bool | None:
        return httpx.get(f"{self.api_url}/readyz").status_code == 200 or None

    def _accepts_stations(self) -> bool | None:
        with socket.socket() as probe:
            return True if probe.connect_ex(("127.0.0.1", self._ocpp_port)) == 0 else None


@contextmanager
def running_roles(
    directory: Path, bootstrap: str, prefix: str, postgres_dsn: str, **settings: str
) -> Iterator[Roles]:
    """Yield a deployment of which nothing runs yet; leave nothing of it running."""
    roles = Roles(directory, bootstrap, prefix, postgres_dsn, **settings)
    keeper = threading.Thread(target=roles.keep_running)
    keeper.start()
    try:
        yield roles
    finally:
        roles.end()
        keeper.join()
