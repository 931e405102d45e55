"""Processes of a benchmark: a server on a free port, and the load generator against it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

END_MAX_S = 10.0
LOAD_EXTRA_S = 90.0


class LoadFailed(Exception):
    """The load generator ended without a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    command: str
    calls_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    unsent: int
    lost_connections: int
    generator_cpu_us: float
    generator_cpu_share: float
    sessions: int
    energy_wh: int

    @property
    def clean(self) -> bool:
        return self.errors == 0 and self.lost_connections == 0


@contextmanager
def server(module: str) -> Iterator[str]:
    """Run `python -m module`, which prints its port; yield the URL that stations connect to."""
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise LoadFailed(f"{module} ended before it listened")
        yield f"ws://127.0.0.1:{port}/ocpp"
    finally:
        process.terminate()
        try:
            process.wait(END_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_MAX_S)


def idle_command(url: str, connections: int) -> list[str]:
    """Return the command that holds so many idle connections."""
    arguments = ["--mode", "idle", "--stations", str(connections), "--seconds", "600"]
    return [sys.executable, "-m", "benchmarks.load", "--url", url, *arguments]


@contextmanager
def idle(url: str, connections: int) -> Iterator[None]:
    """Hold that many connections until the block ends; yield once all are connected."""
    load = subprocess.Popen(idle_command(url, connections), stdout=subprocess.PIPE, text=True)
    try:
        assert load.stdout is not None
        if "connected" not in load.stdout.readline():
            raise LoadFailed("the connections did not all open")
        yield
    finally:
        load.kill()
        load.wait()


def measure(
    url: str,
    *,
    stations: int,
    seconds: float,
    warmup_s: float = 2.0,
    mode: str = "session",
    rate: float = 0.0,
) -> Measured:
    """
    Raises:
        LoadFailed: there is no result; the message is what the generator said.
    """
    arguments = [
        *("--stations", str(stations), "--seconds", f"{seconds:g}", "--warmup", f"{warmup_s:g}"),
        *("--mode", mode),
        *(("--rate", f"{rate:g}") if rate else ()),
    ]
    output = _run(["--url", url, *arguments], timeout_s=seconds + warmup_s + LOAD_EXTRA_S)
    result = json.loads(output.splitlines()[-1])
    return Measured(
        command="python -m benchmarks.load " + " ".join(arguments),
        calls_per_s=result["calls_per_s"],
        p50_ms=result["p50_ms"],
        p99_ms=result["p99_ms"],
        errors=result["errors"],
        unsent=result["unsent"],
        lost_connections=result["lost_connections"],
        generator_cpu_us=result["cpu_us_per_call"],
        generator_cpu_share=result["cpu_s"] / result["seconds"],
        sessions=result["sessions"],
        energy_wh=result["energy_wh"],
    )


def _run(arguments: Sequence[str], *, timeout_s: float) -> str:
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except subprocess.CalledProcessError as error:
        raise LoadFailed(error.stderr[-2000:]) from error
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"no result within {timeout_s:.0f} s") from error
    return done.stdout
