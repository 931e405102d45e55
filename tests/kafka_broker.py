"""Apache Kafka from its published jars (infra/kafka/pom.xml), on loopback, for tests and trials.

`python -m tests.kafka_broker [--brokers N]` starts a cluster, prints where it is, and removes it on
Ctrl-C. Needs a JDK (17 or later) and Maven, which resolves the jars once into infra/kafka/target.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import randrange
from types import FrameType
from typing import IO

POM = Path(__file__).parent.parent / "infra" / "kafka" / "pom.xml"
JARS = POM.parent / "target" / "jars"
CLUSTER_ID = "Y2hhcmdlbGVkZ2VyLWtmaw"
JAVA_MIN = 17
"""Of Kafka 4's broker."""
PORTS = (10_000, 32_000)
UP_WITHIN_S = 60
"""It takes 3 s; a machine that builds other things at the same time takes longer."""
JAVA = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class NoKafka(Exception):
    """A broker cannot be had on this machine, and why."""


def why_not() -> str:
    """Return what this machine lacks; nothing if a broker can be started."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if missing:
        return f"needs {' and '.join(missing)} on the path"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr)
    if version is None or int(version[1]) < JAVA_MIN:
        return f"needs Java {JAVA_MIN} or later, not {said.stderr.splitlines()[:1]}"
    return ""


def resolve_jars() -> None:
    """Fetch the jars unless they are there and no older than the pom.

    Raises:
        NoKafka: Maven failed; says how.
    """
    if JARS.is_dir() and JARS.stat().st_mtime >= POM.stat().st_mtime:
        return
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    maven = subprocess.run(command, capture_output=True, text=True, check=False)
    if maven.returncode != 0:
        raise NoKafka(f"{' '.join(command)} failed:\n{maven.stdout}{maven.stderr}")
    JARS.touch()


class Broker:
    """One node: controller and broker in one process."""

    def __init__(self, directory: Path, node_id: int, port: int, controller_port: int) -> None:
        self.node_id = node_id
        self.port = port
        self.controller_port = controller_port
        self.advertised = f"127.0.0.1:{port}"
        """Where clients are told that it is: something in between, perhaps."""
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def voter(self) -> str:
        return f"{self.node_id}@127.0.0.1:{self.controller_port}"

    def format(self, voters: Sequence[str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (peers_port,) = free_ports(1)
        copies = min(3, len(voters))
        self._configuration.write_text(
            "\n".join(
                [
                    "process.roles=broker,controller",
                    f"node.id={self.node_id}",
                    f"controller.quorum.voters={','.join(voters)}",
                    f"listeners=CLIENT://127.0.0.1:{self.port},"
                    f"PEERS://127.0.0.1:{peers_port},"
                    f"CONTROLLER://127.0.0.1:{self.controller_port}",
                    f"advertised.listeners=CLIENT://{self.advertised},"
                    f"PEERS://127.0.0.1:{peers_port}",
                    "listener.security.protocol.map="
                    "CLIENT:PLAINTEXT,PEERS:PLAINTEXT,CONTROLLER:PLAINTEXT",
                    "inter.broker.listener.name=PEERS",
                    "controller.listener.names=CONTROLLER",
                    f"log.dirs={self._directory / 'log'}",
                    "auto.create.topics.enable=false",
                    f"offsets.topic.replication.factor={copies}",
                    f"transaction.state.log.replication.factor={copies}",
                    f"transaction.state.log.min.isr={max(1, copies - 1)}",
                    "group.initial.rebalance.delay.ms=0",
                    # A killed broker is let in again once its last session is over.
                    "broker.session.timeout.ms=1500",
                    "broker.heartbeat.interval.ms=300",
                    "num.network.threads=2",
                    "num.io.threads=4",
                    "log.cleaner.dedupe.buffer.size=4194304",
                ]
            )
        )
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]
        command = [*self._java, *tool, str(self._configuration)]
        formatted = subprocess.run(command, capture_output=True, text=True, check=False)
        if formatted.returncode != 0:
            raise NoKafka(f"{' '.join(tool)} failed:\n{formatted.stdout}{formatted.stderr}")

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*dies_with_us(), *self._java, "kafka.Kafka", str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_up(self) -> None:
        """Return once clients can connect.

        Raises:
            NoKafka: it ended, or is not up in time; with the end of its log.
        """
        assert self._process is not None
        deadline = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        log = self._log.read_text(errors="replace")[-4_000:]
        raise NoKafka(f"broker {self.node_id} is not up:\n{log}")

    def kill(self) -> None:
        """As a crash of the process would."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT; nothing if it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def _configuration(self) -> Path:
        return self._directory / "server.properties"

    @property
    def _log(self) -> Path:
        return self._directory / "server.out"

    @property
    def _java(self) -> list[str]:
        return ["java", *JAVA, "-cp", str(JARS / "*")]


class Cluster:
    def __init__(self, brokers: Sequence[Broker]) -> None:
        self.brokers = brokers

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)


@contextmanager
def running_cluster(brokers: int = 1) -> Iterator[Cluster]:
    """Start a cluster with nothing in it; its data go when it goes.

    Raises:
        NoKafka: it cannot be started here.
    """
    if reason := why_not():
        raise NoKafka(reason)
    resolve_jars()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kafka-")))
        ports = free_ports(2 * brokers)
        cluster = Cluster(
            [
                Broker(directory / str(number), number, ports.pop(), ports.pop())
                for number in range(1, brokers + 1)
            ]
        )
        for broker in cluster.brokers:
            broker.format([each.voter for each in cluster.brokers])
        for broker in cluster.brokers:
            stack.callback(broker.kill)
            broker.start()
        for broker in cluster.brokers:
            broker.wait_until_up()
        yield cluster


def dies_with_us() -> list[str]:
    """Return what to put before a command so that it ends when this process is killed."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def free_ports(count: int) -> list[int]:
    """Return ports below those that the system gives away: nobody gets one while it is not used."""
    found: dict[int, socket.socket] = {}
    with ExitStack() as stack:
        while len(found) < count:
            port = randrange(*PORTS)
            if port not in found:
                found[port] = stack.enter_context(socket.socket())
                try:
                    found[port].bind(("127.0.0.1", port))
                except OSError:
                    del found[port]
    return list(found)


def say(line: str, out: IO[str] | None = None) -> None:
    out = out or sys.stdout
    out.write(f"{line}\n")
    out.flush()


def interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kafka", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--brokers", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with running_cluster(arguments.brokers) as cluster:
            say(cluster.bootstrap)
            say(f"(process {os.getpid()}; Ctrl-C stops it and removes its data)", sys.stderr)
            signal.pause()
        return 0
    except KeyboardInterrupt:
        return 0
    except NoKafka as error:
        say(f"no Kafka: {error}", sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
