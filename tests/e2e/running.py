"""A real `chargeledger up` under a test: started, asked, killed, stopped. As a user would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import psutil

from infra.deployment import Deployment, Layout
from schemas.cdr import Cdr
from tests.e2e.checking import SessionEnergy
from tests.kafka_broker import free_ports

T = TypeVar("T")

PROGRAM = Path(sys.executable).with_name("chargeledger")
PROJECTIONS = 2
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05
SERIES = "SELECT station, transaction_id, energy_wh FROM session_energy FORMAT JSONCompactEachRow"


class NotInTime(AssertionError):
    """What a test waited for did not come."""


def eventually(look: Callable[[], T | None], what: str, within_s: float = 20.0) -> T:
    """Return what `look` finds; ask again while it is None or nobody answers."""
    deadline = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = look()
            if found is not None:
                return found
        except httpx.HTTPError as error:
            last = error
        time.sleep(LOOK_EVERY_S)
    raise NotInTime(f"{what}: not within {within_s:g} s ({last!r})")


def environment(**settings: str) -> dict[str, str]:
    """Return ours with nothing of ChargeLedger's in it but these settings."""
    ours = {name: value for name, value in os.environ.items() if "CHARGELEDGER" not in name}
    return ours | {f"CHARGELEDGER_{name.upper()}": value for name, value in settings.items()}


def run_program(*arguments: str, within_s: float = 90.0) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
        env=environment(),
    )


class Views:
    """What is read of a deployment, wherever it runs."""

    @property
    def api_url(self) -> str:
        raise NotImplementedError

    @property
    def clickhouse_url(self) -> str:
        raise NotImplementedError

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the API's answer, which is 200."""
        response = httpx.get(f"{self.api_url}{path}", params=parameters, timeout=30)
        response.raise_for_status()
        return response.json()

    def command(self, station: str, action: str, wait_s: float = 0, **payload: Any) -> Any:
        """Ask something of a station through the API; return the command."""
        response = httpx.post(
            f"{self.api_url}/v1/stations/{station}/commands",
            params={"wait": wait_s},
            json={"action": action, "payload": payload},
            timeout=30 + wait_s,
        )
        response.raise_for_status()
        return response.json()

    def waiting_request(self, station: str, within_s: float = 20) -> Any:
        """Return what the station has asked, and waits for a provider to answer."""
        wanted = {"station": station, "waiting": True, "wait": within_s}
        [request] = self.get("/v1/provider-requests", **wanted)["items"]
        return request

    def provide(self, request: Any, within_s: float = 20, **payload: Any) -> httpx.Response:
        """Answer it as a provider."""
        return httpx.post(
            f"{self.api_url}/v1/provider-requests/{request['request_id']}/answer",
            params={"wait": within_s},
            json={"payload": payload},
            timeout=30 + within_s,
        )

    def sql(self, query: str, **parameters: Any) -> str:
        """Ask ClickHouse as an analyst does, by HTTP."""
        wanted = {f"param_{name}": value for name, value in parameters.items()}
        response = httpx.post(self.clickhouse_url, params=wanted, content=query, timeout=30)
        response.raise_for_status()
        return response.text

    def cdrs(self, **wanted: Any) -> list[Cdr]:
        """Follow billing's feed from its begin to where it stands now."""
        found: list[Cdr] = []
        after: dict[str, str] = {}
        while True:
            page = self.get("/v1/cdrs", limit=1000, **wanted, **after)
            found += msgspec.convert(page["items"], list[Cdr])
            if not page["items"]:
                return found
            after = {"after": page["next"]}

    def series(self) -> list[SessionEnergy]:
        """Return each transaction's Wh as ClickHouse has it."""
        return [
            SessionEnergy(station, number, None if wh is None else int(wh))
            for station, number, wh in map(msgspec.json.decode, self.sql(SERIES).splitlines())
        ]

    def wait_projected(self, within_s: float = 60.0) -> None:
        """Wait until every projection has read the log to its head."""

        def look() -> bool | None:
            text = httpx.get(f"{self.api_url}/metrics", timeout=30).text
            name = "chargeledger_projection_lag_records{"
            lags = [line.split()[-1] for line in text.splitlines() if line.startswith(name)]
            is_there = len(lags) == PROJECTIONS and all(float(lag) == 0 for lag in lags)
            return True if is_there else None

        eventually(look, "all is projected", within_s)


class Up(Views):
    """One deployment, over any number of starts; all on the ports of the first."""

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.layout = Layout(data.resolve())
        self.output = data.with_name(f"{data.name}.out")
        self._environment = environment(**(settings or {}))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def deployment(self) -> Deployment:
        return self.layout.read()

    @property
    def api_url(self) -> str:
        return self.deployment.api_url

    @property
    def clickhouse_url(self) -> str:
        return self.deployment.clickhouse_url

    def start(self) -> None:
        """Return at once; `wait_ready` waits."""
        if self.layout.deployment.exists():
            known = self.deployment
            ports = [known.ocpp_port, known.api_port, known.clickhouse_port, known.postgres_port]
        else:
            ports = free_ports(4)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.arguments(*ports),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )

    def arguments(self, ocpp: int, api: int, clickhouse: int, postgres: int) -> Sequence[str]:
        ports = {"ocpp": ocpp, "api": api, "clickhouse": clickhouse, "postgres": postgres}
        options = [f"--{name}-port={port}" for name, port in ports.items()]
        return [str(PROGRAM), "up", "--data", str(self.layout.data), *options]

    def wait_ready(self) -> None:
        def look() -> bool | None:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"up has ended: {self.output.read_text()}")
            if self.layout.running() is None:
                return None
            response = httpx.get(f"{self.deployment.api_url}/readyz")
            return True if response.status_code == 200 else None

        try:
            eventually(look, "up is ready", READY_WITHIN_S)
        except NotInTime as error:
            raise NotInTime(f"{error}\n{self.output.read_text()}") from error

    def stop(self) -> int:
        """End it as systemd does; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOPPED_WITHIN_S)

    def kill(self) -> None:
        """kill -9 of the whole process group, and of Postgres, which leaves it."""
        assert self._process is not None
        if self._process.poll() is None and (postgres := self.child("postgres")) is not None:
            postgres.kill()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def kill_alone(self) -> None:
        """kill -9 of `up` itself: its children see that it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def end(self) -> None:
        """Whatever has become of it, leave nothing running."""
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()

    def child(self, name: str) -> psutil.Process | None:
        """Return the process of that name which `up` keeps now; "postgres" is one of them."""
        assert self._process is not None
        for child in psutil.Process(self._process.pid).children():
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            ours = words[words.index("child") + 1 :][:1] if "child" in words else []
            if ours == [name] or (words and Path(words[0]).name == name):
                return child
        return None
