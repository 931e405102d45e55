"""Stations written in JavaScript: `ocpp-rpc`, `ocpp-ts` and the checks of `ocpp-ws-cli`.

Their packages check our frames against their own copies of the schemas.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.e2e.foreign_station import is_online
from tests.e2e.running import Up, eventually

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

WITHIN_S = 90.0
RESET = {"1.6": "Soft", "2.0.1": "Immediate", "2.1": "Immediate"}


class Run:
    """A script of tests/npm beside the test; it says "ready" once its session is told."""

    def __init__(self, npm: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["node", *arguments],
            cwd=npm,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line != "ready\n":
            raise AssertionError(line + "".join(self._process.communicate(timeout=WITHIN_S)))

    def assert_content(self) -> None:
        output = self._process.communicate(timeout=WITHIN_S)
        assert self._process.returncode == 0, output

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def assert_session_is_final(up: Up, name: str) -> None:
    def final() -> Any:
        return next((cdr for cdr in up.cdrs(station=name) if cdr.state == "FINAL"), None)

    cdr = eventually(final, "the CDR is final")
    assert (cdr.energy_wh, cdr.meter_start_wh, cdr.meter_stop_wh) == (734, 1_000, 1_734)


def told_and_reset(up: Up, npm: Path, name: str, version: str, arguments: Sequence[str]) -> None:
    run = Run(npm, *arguments)
    try:
        run.wait_ready()
        eventually(lambda: is_online(up, name), f"{name} is online", 60.0)
        command = up.command(name, "Reset", 20, type=RESET[version])
        run.assert_content()
    finally:
        run.end()
    assert (command["fate"], command["answer"]) == ("answered", {"status": "Accepted"})
    assert_session_is_final(up, name)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_ocpp_rpc_in_strict_mode_is_content(up: Up, npm: Path, version: str) -> None:
    name = f"OCPP-RPC-{version}"
    arguments = ["ocpp_rpc.mjs", up.deployment.ocpp_url, name, version]
    told_and_reset(up, npm, name, version, arguments)


def test_ocpp_ts_is_content(up: Up, npm: Path) -> None:
    name = "OCPP-TS"
    told_and_reset(up, npm, name, "1.6", ["ocpp_ts.mjs", up.deployment.ocpp_url, name])


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_every_rpc_check_of_ocpp_ws_cli_passes(
    up: Up, npm: Path, version: str, tmp_path: Path
) -> None:
    options = {
        "--endpoint": up.deployment.ocpp_url,
        "--identity": f"WS-CLI-{version}",
        "--protocol": f"ocpp{version}",
        "--suite": "rpc",
        "--report": "json",
        "--report-dir": str(tmp_path),
    }
    run = subprocess.run(
        ["node", "node_modules/ocpp-ws-cli/dist/index.js", "test", *sum(options.items(), ())],
        cwd=npm,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    [report] = tmp_path.glob("*.json")
    results = msgspec.json.decode(report.read_bytes())["testResults"]
    assert len(results) == 8
    assert [result for result in results if not result["passed"]] == []
