"""Stations that others have written: the `ocpp` package's and `test-ocpp`, over real sockets."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from ocpp.v16 import call

from tests.e2e.foreign_station import STARTED, STOPPED, connected, seen
from tests.e2e.running import Up, eventually

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]

TEST_OCPP = Path(sys.executable).with_name("test-ocpp")
FATE_WITHIN_S = 10.0


async def test_a_session_of_the_ocpp_package_is_in_every_view(up: Up) -> None:
    name = "FOREIGN-SESSION"
    async with connected(up, name) as station:
        authorized = await station.call(call.Authorize(id_tag="ALICE"))
        started = await station.begin("ALICE")
        await station.sample(500)
        await station.sample(234)
        stopped = await station.finish(0, "EVDisconnected")

    assert authorized.id_tag_info["status"] == "Accepted"
    assert started.id_tag_info["status"] == "Accepted"
    # It named no token, so there is none to judge.
    assert stopped.id_tag_info is None
    number = str(station.transaction_id)

    def final() -> Any:
        return next((each for each in up.cdrs(station=name) if each.state == "FINAL"), None)

    cdr = await seen(final, "the CDR is final")
    assert (cdr.transaction_id, cdr.id_token, cdr.energy_wh) == (number, "ALICE", 734)
    assert (cdr.meter_start_wh, cdr.meter_stop_wh) == (1_000, 1_734)
    assert (cdr.started_at, cdr.ended_at) == (STARTED, STOPPED)
    assert cdr.stop_reason == "EVDisconnected"

    transaction = up.get(f"/v1/transactions/{number}", station=name)
    assert (transaction["id"], transaction["state"]) == (cdr.id, "ended")
    assert (transaction["energy_wh"], transaction["meter_last_wh"]) == (734, 1_734)

    await asyncio.to_thread(up.wait_projected)
    conversation = up.get(f"/v1/stations/{name}/messages")["items"]
    told = [each["action"] for each in reversed(conversation) if each["direction"] == "in"]
    assert told == [
        "BootNotification",
        "Authorize",
        "StartTransaction",
        "MeterValues",
        "MeterValues",
        "StopTransaction",
    ]
    assert sum(each["type"] == "CALLRESULT" for each in conversation) == len(told)


async def test_the_series_have_the_session_by_http_and_by_the_official_client(up: Up) -> None:
    name = "FOREIGN-SERIES"
    async with connected(up, name) as station:
        await station.begin("BOB")
        await station.sample(321)
        await station.finish(0, "Local")
    await asyncio.to_thread(up.wait_projected)

    rows = up.sql(
        "SELECT energy_wh, cdr_energy_wh, difference_wh FROM session_energy"
        " WHERE station = {station:String}",
        station=name,
    )
    assert rows == "321\t321\t0\n"
    with contextlib.closing(
        clickhouse_connect.get_client(host="127.0.0.1", port=up.deployment.clickhouse_port)
    ) as client:
        curve = client.query(
            "SELECT toInt64(power_w), toInt64(register_wh) FROM power_curve"
            " WHERE station = {station:String} AND transaction_id = {number:String}"
            " AND power_w IS NOT NULL",
            parameters={"station": name, "number": str(station.transaction_id)},
        ).result_rows
    assert curve == [(7_360, 1_321)]


async def test_a_remote_start_and_stop_are_answered_and_their_effects_seen(up: Up) -> None:
    name = "FOREIGN-REMOTE"

    def effect_of(command: Any) -> Callable[[], Any]:
        def look() -> Any:
            now = up.get(f"/v1/commands/{command['command_id']}")
            return now if now["effect_observed"] else None

        return look

    async with connected(up, name) as station:
        start = await asyncio.to_thread(
            up.command, name, "RemoteStartTransaction", FATE_WITHIN_S, idTag="CAROL", connectorId=1
        )
        started = await seen(effect_of(start), "the transaction has started")
        stop = await asyncio.to_thread(
            up.command,
            name,
            "RemoteStopTransaction",
            FATE_WITHIN_S,
            transactionId=station.transaction_id,
        )
        stopped = await seen(effect_of(stop), "the transaction has ended")

    assert (start["fate"], start["answer"]) == ("answered", {"status": "Accepted"})
    assert (stop["fate"], stop["answer"]) == ("answered", {"status": "Accepted"})
    assert started["effect_record"] != stopped["effect_record"]
    (cdr,) = up.cdrs(station=name)
    assert (cdr.id_token, cdr.energy_wh, cdr.stop_reason) == ("CAROL", 77, "Remote")


@pytest.mark.parametrize(
    ("action", "payload", "answer", "error_code"),
    [
        (
            "GetConfiguration",
            {},
            {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]},
            "",
        ),
        ("UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}, ""),
        # No handler: what the package says of an action that it knows.
        ("ClearCache", {}, None, "NotImplemented"),
    ],
)
async def test_what_the_station_answers_is_the_commands_fate(
    up: Up, action: str, payload: dict[str, Any], answer: Any, error_code: str
) -> None:
    name = f"FOREIGN-{action}"
    async with connected(up, name):
        command = await asyncio.to_thread(up.command, name, action, FATE_WITHIN_S, **payload)

    assert command["fate"] == "answered"
    assert command["answer"] == answer
    assert command["error_code"] == error_code


def test_the_connection_tester_of_others_is_content(up: Up) -> None:
    name = "FOREIGN-TESTER"
    run = subprocess.run(
        [str(TEST_OCPP), up.deployment.ocpp_url, name, "--vendor", "Tester", "--timeout", "20"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "ocpp1.6" in run.stdout

    def booted() -> Any:
        found = up.get(f"/v1/stations/{name}")["station"]
        return found if found["vendor"] and not found["online"] else None

    station = eventually(booted, "the station has booted and gone")
    assert (station["vendor"], station["version"]) == ("Tester", "1.6")


def test_the_tester_is_content_with_the_newer_version_too(up: Up) -> None:
    run = subprocess.run(
        [str(TEST_OCPP), up.deployment.ocpp_url, "FOREIGN-2", "--ocpp", "2.0.1", "--timeout", "20"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "ocpp2.0.1" in run.stdout
