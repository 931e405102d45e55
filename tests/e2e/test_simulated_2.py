"""Simulated stations of 2.0.1 and 2.1, with outages and re-sends: their exact Wh in every view."""

from typing import Any

import pytest

from tests.e2e.running import Up, eventually, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_every_session_is_billed_once_to_the_watt_hour(up: Up, version: str) -> None:
    prefix = f"SIM{version}-"
    run = run_program(
        "simulate", "--data", str(up.layout.data), "--protocol", version, "--stations", "4",
        "--sessions", "6", "--mishaps", "0.6", "--prefix", prefix,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    told = {line.split()[0]: line.split()[1:] for line in run.stdout.splitlines()}
    assert told["sessions"] == ["24", "of", "24"]

    def final() -> Any:
        found = [cdr for cdr in up.cdrs(state="FINAL") if cdr.station.startswith(prefix)]
        return found if len(found) >= 24 else None

    cdrs = eventually(final, "24 CDRs are final", 30)
    assert len({cdr.id for cdr in cdrs}) == len(cdrs) == 24
    assert sum(cdr.energy_wh for cdr in cdrs) == int(told["energy"][0])
    assert {cdr.evse for cdr in cdrs} == {1, 2}

    up.wait_projected()
    rows = [row for row in up.series() if row.station.startswith(prefix)]
    by_id = {(cdr.station, cdr.transaction_id): cdr.energy_wh for cdr in cdrs}
    assert {(row.station, row.transaction_id): row.energy_wh for row in rows} == by_id
