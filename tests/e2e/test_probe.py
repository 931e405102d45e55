"""`chargeledger probe` says that a deployment serves, and which step fails if it does not."""

import signal

import pytest

from infra.cli.probing import ProbeWish, stations
from schemas.partitions import partition_of
from tests.e2e.running import Up, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]


def probed(up: Up, *options: str) -> tuple[int, str]:
    run = run_program("probe", "--data", str(up.layout.data), *options)
    return run.returncode, run.stdout + run.stderr


def test_each_partition_has_a_station_of_its_own() -> None:
    wish = ProbeWish(
        ocpp_url="",
        api_url="",
        tenant="default",
        station="PROBE",
        partitions=16,
        password="",
        api_key="",
        within_s=1,
    )

    assert [partition_of("default", name, 16) for name in stations(wish)] == list(range(1, 17))


def test_what_is_answered_and_shown_is_well(up: Up) -> None:
    for _ in range(2):
        code, said = probed(up)
        assert (code, said.split()[:2]) == (0, ["partition", "1"]), said
        assert "shown after" in said


def test_what_nobody_projects_is_not_well(up: Up) -> None:
    projections = up.child("projections")
    assert projections is not None
    projections.send_signal(signal.SIGSTOP)
    try:
        code, said = probed(up, "--within", "2")
    finally:
        projections.send_signal(signal.SIGCONT)
    assert (code, "and not shown in 2" in said) == (1, True), said


def test_where_nobody_listens_nobody_is_let_in(up: Up) -> None:
    code, said = probed(up, "--url", "ws://127.0.0.1:1/ocpp")
    assert (code, "not let in" in said) == (1, True), said
