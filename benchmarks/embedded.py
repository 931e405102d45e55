"""A whole `chargeledger up` of its own, in a directory of its own, and what can be seen of it.

Everything runs with the product's defaults; ports are free ones. What is killed is the process
group that this module started, nothing else.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from infra.deployment import Deployment, Layout
from infra.postgres_embedded import EmbeddedPostgres
from tests.kafka_broker import dies_with_us

READY_MAX_S = 90.0
STOPS_MAX_S = 60.0
UP_COMMAND = (sys.executable, "-P", "-c", "from infra.cli import main; main()", "up")


class NotReady(Exception):
    """`up` did not come up in time, or ended; the message is the end of what it said."""


class Memory(NamedTuple):
    """Bytes of one process: its own, and with its share of what it shares."""

    unique: int
    proportional: int


class Embedded:
    """A running `up`. `started` is when it was started, by `time.perf_counter`."""

    def __init__(self, data: Path, ocpp_port: int = 0) -> None:
        self.layout = Layout(data)
        self.started = time.perf_counter()
        self._said = data.with_name(data.name + ".out")
        ports = ("--ocpp-port", str(ocpp_port), "--api-port", "0")
        more = ("--clickhouse-port", "0", "--postgres-port", "0")
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [*dies_with_us(), *UP_COMMAND, "--data", str(data), *ports, *more],
                stdout=said,
                stderr=subprocess.STDOUT,
                # In our session: Linux gives every session its own share of the cores.
                process_group=0,
            )

    @property
    def deployment(self) -> Deployment:
        return self.layout.read()

    @property
    def url(self) -> str:
        return self.deployment.ocpp_url

    @property
    def postgres_dsn(self) -> str:
        return EmbeddedPostgres(self.layout.postgres, self.deployment.postgres_port).dsn

    def wait_ready(self) -> None:
        """Return when every role is up: `up` greets then.

        Raises:
            NotReady: see there.
        """
        deadline = time.monotonic() + READY_MAX_S
        while "Ctrl-C stops it" not in self._said.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(self._said.read_text()[-2000:])
            time.sleep(0.05)

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Return the processes of this `up` by role; "up" is the one that watches the others."""
        found: dict[str, list[psutil.Process]] = {}
        root = psutil.Process(self._process.pid)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                found.setdefault(_role(process.cmdline()), []).append(process)
        return found

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds spent until now, by role."""
        return {role: _sum_cpu(some) for role, some in self.processes().items()}

    def memory(self) -> list[tuple[str, Memory]]:
        """Return what each process takes, with its role."""
        found = []
        for role, some in self.processes().items():
            for process in some:
                with suppress(psutil.Error):
                    full = process.memory_full_info()
                    found.append((role, Memory(full.uss, full.pss)))
        return found

    def stop(self) -> None:
        """End it as Ctrl-C would, but for the signal going to `up` alone."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOPS_MAX_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """`kill -9` of the whole process group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOPS_MAX_S)

    def ended(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def directory() -> Iterator[Path]:
    """Yield a data directory that is removed in the end."""
    parent = Path(tempfile.mkdtemp(prefix="cl-bench-"))
    try:
        yield parent / "data"
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def embedded(data: Path) -> Iterator[Embedded]:
    """Run `up` on the directory until the block ends; yield it when all roles are ready."""
    running = Embedded(data)
    try:
        running.wait_ready()
        yield running
    finally:
        if not running.ended():
            running.stop()


def spent(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> str:
    """Return the share of one core that each role took between two readings, largest first."""
    shares = {role: (after[role] - before.get(role, 0.0)) / seconds for role in after}
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{role} {share:.0%}" for role, share in ordered if share >= 0.005)


def _role(command: list[str]) -> str:
    if "child" in command:
        return command[command.index("child") + 1]
    if command and command[0].rpartition("/")[2].startswith("postgres"):
        return "postgres"
    return "up"


def _sum_cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total
