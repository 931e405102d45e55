"""Runs the installed program as a newcomer would: up, simulate, look at a CDR, stop."""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from typing import Any

READY_WITHIN_S = 120
PROJECTED_WITHIN_S = 30
STOPS_WITHIN_S = 60
COMMAND_WITHIN_S = 120
STATIONS, SESSIONS = 4, 2


def main(program: str, data: str) -> None:
    ports = [f"--{name}-port=0" for name in ("ocpp", "api", "clickhouse", "postgres")]
    up = subprocess.Popen(
        [program, "up", "--data", data, *ports], stdout=subprocess.PIPE, text=True
    )
    try:
        api = address_of_api(up)
        fleet = [f"--stations={STATIONS}", f"--sessions={SESSIONS}"]
        sys.stdout.write(run(program, "simulate", "--data", data, *fleet))
        cdrs = wait_for_cdrs(api, STATIONS * SESSIONS)
        energy_wh = sum(cdr["energy_wh"] for cdr in cdrs)
        wait_for_series(program, data, energy_wh)
        run(program, "replay", "--data", data, "--cdr", cdrs[0]["id"])
        run(program, "rebuild", "--data", data)
        up.send_signal(signal.SIGTERM)
        assert up.wait(STOPS_WITHIN_S) == 0, f"exit code {up.returncode}"
    finally:
        up.kill()
        up.wait()
    found = f"{len(cdrs)} CDRs, {energy_wh} Wh, in ClickHouse too; rebuilt, stopped in order"
    sys.stdout.write(f"{found}\n")


def address_of_api(up: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert up.stdout is not None
        for line in up.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
        assert line, "up has ended"
        if found := re.search(r"(http://\S+)/docs", line):
            return found[1]


def wait_for_cdrs(api: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PROJECTED_WITHIN_S
    while True:
        with urllib.request.urlopen(f"{api}/v1/cdrs?state=FINAL&limit=100") as response:
            items: list[dict[str, Any]] = json.load(response)["items"]
        if len(items) >= count:
            return items
        assert time.monotonic() < deadline, f"{len(items)} of {count} CDRs are final"
        time.sleep(0.2)


def wait_for_series(program: str, data: str, energy_wh: int) -> None:
    query = "SELECT sum(energy_wh) AS wh FROM session_energy"
    deadline = time.monotonic() + PROJECTED_WITHIN_S
    while True:
        answer = run(program, "sql", "--data", data, "--format", "json", query)
        seen_wh = int(json.loads(answer)["wh"] or 0)
        if seen_wh == energy_wh:
            return
        told = f"{seen_wh} Wh in ClickHouse, {energy_wh} Wh in the CDRs"
        assert time.monotonic() < deadline, told


def run(*command: str) -> str:
    result = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=COMMAND_WITHIN_S
    )
    return result.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
