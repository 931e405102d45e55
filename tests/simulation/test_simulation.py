"""Promises P1-P4, P6 and P7 under whatever seeds break: fixed ones, then new ones for a while.

A failing test prints its seed; `python -m tests.simulation --seed S` runs it again, to the letter.
"""

import os
import secrets
import time

import pytest

from tests.simulation.run import deployment_of, simulate, size_of
from tests.simulation.world import Size

FIXED = tuple(range(8))
NEW_FOR_S = float(os.environ.get("CHARGELEDGER_TEST_SIMULATE_S", "5"))


@pytest.mark.parametrize("seed", FIXED)
def test_promises_hold_whatever_breaks(seed: int) -> None:
    findings = simulate(seed)

    assert not findings.wrong, str(findings)
    assert findings.answers > 50
    assert findings.sessions > 10
    assert (findings.provided > 0) == (size_of(seed).asks > 0)


@pytest.mark.timeout(NEW_FOR_S + 300)
def test_promises_hold_in_runs_that_nobody_has_seen() -> None:
    until = time.monotonic() + NEW_FOR_S
    while time.monotonic() < until:
        seed = secrets.randbelow(10**9)
        findings = simulate(seed)
        assert not findings.wrong, str(findings)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_says_everything(seed: int) -> None:
    size = Size(stations=3, sessions=1)

    first, second = simulate(seed, size), simulate(seed, size)

    assert first.log_digest == second.log_digest
    assert first.faults == second.faults


def test_both_deployments_are_among_the_seeds() -> None:
    assert {deployment_of(seed) for seed in FIXED} == {"kafka", "embedded"}
