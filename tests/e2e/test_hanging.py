"""A part that hangs refuses nothing and answers nothing: whoever looks after `up` is told so."""

import signal

import httpx
import pytest

from tests.e2e.running import Up, eventually, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

PROBE_S = 9.0
"""Prometheus waits for 10 s."""


def made_key(up: Up) -> str:
    options = ("--data", str(up.layout.data), "--tenant", "default", "--name", "figures")
    made = run_program("key", "create", *options, "--role", "auditor")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [("edge", "journal", "not writable"), ("postgres", "postgres", "not reachable")],
)
def test_readiness_and_figures_come_in_time_whatever_hangs(
    own_up: Up, name: str, member: str, said: str
) -> None:
    key = {"authorization": f"Bearer {made_key(own_up)}"}
    figures = httpx.get(f"{own_up.api_url}/metrics", headers=key)
    assert "chargeledger_postgres_up 1.0" in figures.text
    child = own_up.child(name)
    assert child is not None
    stopped = [child, *child.children(recursive=True)]
    for each in stopped:
        each.suspend()
    try:
        ready = httpx.get(f"{own_up.api_url}/readyz", timeout=PROBE_S)
        figures = httpx.get(f"{own_up.api_url}/metrics", headers=key, timeout=PROBE_S)
    finally:
        for each in stopped:
            if each.is_running():
                each.send_signal(signal.SIGCONT)

    assert (ready.status_code, ready.json()[member]) == (503, said)
    assert figures.status_code == 200
    is_up = "chargeledger_postgres_up 0.0" not in figures.text
    assert is_up == (name != "postgres")

    def is_ready() -> bool | None:
        return True if httpx.get(f"{own_up.api_url}/readyz").status_code == 200 else None

    eventually(is_ready, "it is ready again", 60)
