"""The main job: real sessions in, their exact Wh out, and everything rebuilt from the log."""

import csv
import json
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.foreign_station import connected
from tests.e2e.running import Up, eventually, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

SESSIONS = Path(__file__).parents[1] / "data" / "epfl_dc_sessions_sample.csv"
PREFIX = "EPFL-"
TEST_OCPP = Path(sys.executable).with_name("test-ocpp")
PASSWORD = "a-password-of-24-letters"
PROJECTIONS = ("postgres", "clickhouse")


def expected_wh() -> list[tuple[str, int]]:
    """Station and whole Wh of each session of the file, read here once more by other code."""
    with SESSIONS.open(newline="", encoding="utf-8-sig") as file:
        return sorted(
            (
                PREFIX + row["CCS"],
                int(Decimal(row["Energy (Wh)"]).quantize(Decimal(1), ROUND_HALF_UP)),
            )
            for row in csv.DictReader(file)
        )


def simulate(up: Up, *arguments: str) -> str:
    run = run_program("simulate", "--data", str(up.layout.data), *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def final_cdrs(up: Up, prefix: str, count: int) -> list[Any]:
    def look() -> list[Any] | None:
        found = [
            cdr for cdr in up.cdrs() if cdr.station.startswith(prefix) and cdr.state == "FINAL"
        ]
        return found if len(found) >= count else None

    return eventually(look, f"{count} CDRs are final", 30)


@pytest.fixture(scope="module")
def replayed(up: Up) -> Up:
    """The deployment, with the file's sessions in it."""
    told = simulate(up, "--from-csv", str(SESSIONS), "--stations", "1", "--prefix", PREFIX)
    expected = expected_wh()
    assert f"sessions   {len(expected)} of {len(expected)}\n" in told
    assert f"energy     {sum(wh for _, wh in expected)} Wh\n" in told
    final_cdrs(up, PREFIX, len(expected))
    up.wait_projected()
    return up


def test_every_session_of_the_file_is_billed_to_the_watt_hour(replayed: Up) -> None:
    cdrs = [cdr for cdr in replayed.cdrs() if cdr.station.startswith(PREFIX)]

    assert sorted((cdr.station, cdr.energy_wh) for cdr in cdrs) == expected_wh()
    assert {cdr.state for cdr in cdrs} == {"FINAL"}
    # They are told now, long after they took place.
    assert {cdr.flags for cdr in cdrs} == {("LATE_DELIVERY",)}


def test_every_session_of_the_file_is_in_the_series_to_the_watt_hour(replayed: Up) -> None:
    rows = [row for row in replayed.series() if row.station.startswith(PREFIX)]
    by_hour = replayed.sql(
        "SELECT sum(energy_wh) FROM energy_by_station_hour"
        " WHERE startsWith(station, {prefix:String})",
        prefix=PREFIX,
    )

    assert sorted((row.station, row.energy_wh) for row in rows) == expected_wh()
    assert Decimal(by_hour.strip()) == sum(wh for _, wh in expected_wh())


def test_an_auditor_sees_the_frames_that_made_a_cdr(replayed: Up) -> None:
    cdr = next(cdr for cdr in replayed.cdrs() if cdr.station.startswith(PREFIX))
    arguments = ("replay", "--data", str(replayed.layout.data), "--cdr", cdr.id)

    shown = run_program(*arguments)
    lines = run_program(*arguments, "--json").stdout.splitlines()

    assert shown.returncode == 0, shown.stderr
    records = [json.loads(line)["record"] for line in lines]
    frames = [each["frame"] for each in records if "frame" in each]
    assert all(frame in shown.stdout for frame in frames)
    told = {
        each["action"]: json.loads(each["frame"])[3]
        for each in records
        if each["kind"] == "message-received.v1" and each["action"] != "MeterValues"
    }
    assert told["StartTransaction"]["meterStart"] == cdr.meter_start_wh
    assert told["StopTransaction"]["meterStop"] == cdr.meter_stop_wh
    assert str(told["StopTransaction"]["transactionId"]) == cdr.transaction_id
    assert records[-1]["kind"] == "cdr-released.v1"
    assert records[-1]["document"]["energy_wh"] == cdr.energy_wh


def assert_rebuilds_to_the_same(up: Up) -> None:
    run = run_program("rebuild", "--data", str(up.layout.data))

    assert run.returncode == 0, run.stdout + run.stderr
    lines = [line.split() for line in run.stdout.splitlines()]
    assert [line[0] for line in lines if len(line) == 1] == [
        word for name in PROJECTIONS for word in (name, "equal")
    ]
    digests = {word: [line[1] for line in lines if line[0] == word] for word in ("before", "after")}
    assert digests["before"] == digests["after"]
    assert len(set(digests["before"])) == len(PROJECTIONS)


def test_every_projection_is_rebuilt_beside_a_running_deployment(replayed: Up) -> None:
    before = replayed.cdrs(), sorted(replayed.series(), key=str)

    assert_rebuilds_to_the_same(replayed)

    replayed.wait_projected()
    assert (replayed.cdrs(), sorted(replayed.series(), key=str)) == before


def test_a_second_up_on_the_same_directory_is_refused(up: Up) -> None:
    second = run_program(*up.arguments(0, 0, 0, 0)[1:])

    assert second.returncode == 1
    assert f"{up.layout.data} is in use by process {up.deployment.pid}" in second.stderr
    assert up.get("/readyz")["ready"] is True


async def test_a_session_goes_on_after_a_stop_and_a_start(own_up: Up) -> None:
    up = own_up
    async with connected(up, "RESTARTED") as station:
        await station.begin("DAVE")
        await station.sample(100)
    simulate(up, "--stations", "2", "--sessions", "2", "--prefix", "BEFORE-")
    final_cdrs(up, "BEFORE-", 4)
    up.wait_projected()
    billed = up.get("/v1/cdrs", limit=1000, state="FINAL")

    assert up.stop() == 0, up.output.read_text()
    assert_rebuilds_to_the_same(up)
    up.start()
    up.wait_ready()

    assert up.get("/v1/cdrs", limit=1000, state="FINAL")["items"] == billed["items"]
    async with connected(up, "RESTARTED") as again:
        again.transaction_id, again.meter_wh = station.transaction_id, station.meter_wh
        await again.finish(11, "PowerLoss")
    (cdr,) = final_cdrs(up, "RESTARTED", 1)
    assert (cdr.transaction_id, cdr.energy_wh) == (str(station.transaction_id), 111)
    simulate(up, "--stations", "2", "--sessions", "2", "--prefix", "AFTER-")
    news = up.get("/v1/cdrs", limit=1000, after=billed["next"])["items"]
    assert not {each["id"] for each in billed["items"]} & {each["id"] for each in news}
    assert up.stop() == 0, up.output.read_text()


def key(up: Up, tenant: str, role: str) -> dict[str, str]:
    run = run_program(
        "key", "create", "--data", str(up.layout.data), "--tenant", tenant, "--name", "console",
        "--role", role,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return {"Authorization": f"Bearer {run.stdout.strip()}"}


def test_the_first_key_closes_the_api_and_shows_its_tenant_only(own_up: Up) -> None:
    up = own_up
    simulate(up, "--stations", "1", "--sessions", "2", "--prefix", "NORTH-", "--tenant", "north")
    with httpx.Client(base_url=up.deployment.api_url, timeout=30) as api:

        def billed() -> Any:
            found = api.get("/v1/cdrs", params={"tenant": "north", "state": "FINAL"}).json()
            return found["items"] if len(found["items"]) == 2 else None

        cdr, _ = eventually(billed, "two CDRs of the tenant")
        paths = [
            "/v1/stations/NORTH-0001",
            "/v1/stations/NORTH-0001/messages",
            f"/v1/cdrs/{cdr['id']}",
            f"/v1/transactions/{cdr['id']}",
            f"/v1/transactions/{cdr['transaction_id']}",
        ]
        north, south = key(up, "north", "admin"), key(up, "south", "admin")

        def closed() -> bool | None:
            return True if api.get("/v1/cdrs").status_code == 401 else None

        eventually(closed, "the API is closed")
        for path in ["/v1/stations", "/v1/cdrs", *paths]:
            assert api.get(path).status_code == 401, path
            assert api.get(path, headers=north).status_code == 200, path
        assert len(api.get("/v1/cdrs", headers=north).json()["items"]) == 2
        for path in paths:
            assert api.get(path, headers=south).status_code == 404, path
        for path in ("/v1/stations", "/v1/cdrs", "/v1/transactions", "/v1/id-tokens"):
            assert api.get(path, headers=south).json()["items"] == [], path
            refused = api.get(path, headers=south, params={"tenant": "north"})
            assert refused.status_code == 403, path


def test_a_station_with_a_password_must_present_it(up: Up) -> None:
    name = "WITH-PASSWORD"
    response = httpx.put(
        f"{up.deployment.api_url}/v1/stations/{name}", json={"password": PASSWORD}, timeout=30
    )
    assert response.status_code == 200, response.text

    def tester(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(TEST_OCPP), up.deployment.ocpp_url, name, "--timeout", "20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def admitted() -> bool | None:
        return True if tester("--password", PASSWORD).returncode == 0 else None

    eventually(admitted, "the station is admitted with its password")
    for wrong in ((), ("--password", f"{PASSWORD}!"), ("--username", name)):
        refused = tester(*wrong)
        assert refused.returncode == 1, wrong
        assert "401" in refused.stdout + refused.stderr, wrong
