"""The `ocpp` package's stations of 2.0.1 and 2.1 over real sockets: from the handshake to a CDR."""

import asyncio
from typing import Any

import msgspec
import pytest

from tests.e2e.foreign_station import STARTED, STOPPED, opened, seen
from tests.e2e.foreign_station_2 import connected
from tests.e2e.running import Up

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


@VERSIONS
async def test_a_session_is_in_every_view(up: Up, version: str) -> None:
    name = f"FOREIGN-{version}"
    async with connected(up, name, version) as station:
        booted = await station.boot()
        started = await station.session("a-name-of-its-own", "ALICE", evse_id=2)

    assert booted.status == "Accepted"
    assert started.id_token_info["status"] == "Accepted"

    def final() -> Any:
        return next((each for each in up.cdrs(station=name) if each.state == "FINAL"), None)

    cdr = await seen(final, "the CDR is final")
    assert (cdr.transaction_id, cdr.id_token) == ("a-name-of-its-own", "ALICE")
    assert (cdr.energy_wh, cdr.flags) == (734, ("LATE_DELIVERY",))  # Its clock is months behind.
    assert (cdr.meter_start_wh, cdr.meter_stop_wh) == (1_000, 1_734)
    assert (cdr.evse, cdr.connector) == (2, 1)
    assert (cdr.started_at, cdr.ended_at) == (STARTED, STOPPED)
    assert cdr.stop_reason == "EVDisconnected"

    transaction = up.get("/v1/transactions/a-name-of-its-own", station=name)
    assert (transaction["id"], transaction["state"]) == (cdr.id, "ended")
    found = up.get(f"/v1/stations/{name}")["station"]
    assert (found["version"], found["vendor"]) == (version, "Foreign")
    assert found["firmware_version"] == "7.1"
    listed = up.get("/v1/stations", version=version, limit=1000)["items"]
    assert name in [each["station"] for each in listed]


@VERSIONS
async def test_the_series_have_the_session(up: Up, version: str) -> None:
    name = f"FOREIGN-SERIES-{version}"
    async with connected(up, name, version) as station:
        await station.session("T", "BOB", evse_id=1)
    await asyncio.to_thread(up.wait_projected)

    of = {"station": name}
    energy = up.sql(
        "SELECT energy_wh, cdr_energy_wh, difference_wh FROM session_energy"
        " WHERE station = {station:String}",
        **of,
    )
    hours = up.sql(
        "SELECT sum(energy_wh) FROM energy_by_station_hour WHERE station = {station:String}", **of
    )
    curve = up.sql(
        "SELECT toInt64(power_w), toInt64(register_wh), evse FROM power_curve"
        " WHERE station = {station:String} AND power_w IS NOT NULL ORDER BY time",
        **of,
    )
    assert energy == "734\t734\t0\n"
    assert float(hours) == 734
    assert curve == "7360\t1000\t1\n7360\t1500\t1\n7360\t1734\t1\n"


@VERSIONS
async def test_connectors_of_two_evses_are_two(up: Up, version: str) -> None:
    name = f"FOREIGN-EVSES-{version}"
    async with connected(up, name, version) as station:
        await station.status(1, "Occupied")
        await station.status(2, "Faulted")
    await asyncio.to_thread(up.wait_projected)

    found = up.get(f"/v1/stations/{name}")
    told = [(each["evse"], each["connector"], each["status"]) for each in found["connectors"]]
    assert told == [(1, 1, "Occupied"), (2, 1, "Faulted")]
    assert found["station"]["faulted"] is True
    rows = up.sql(
        "SELECT evse, connector, status FROM connector_status FINAL"
        " WHERE station = {station:String} AND source = 'status' ORDER BY evse",
        station=name,
    )
    assert rows == "1\t1\tOccupied\n2\t1\tFaulted\n"


async def test_a_send_is_in_the_conversation_and_gets_no_answer(up: Up) -> None:
    name = "FOREIGN-SEND"
    stream = {
        "id": 1,
        "pending": 0,
        "basetime": STARTED,
        "data": [{"t": 0, "v": "230.1"}],
    }
    async with await opened(f"{up.deployment.ocpp_url}/{name}", {}, "ocpp2.1") as connection:
        await connection.send(
            msgspec.json.encode([6, "s1", "NotifyPeriodicEventStream", stream]).decode()
        )
        await connection.send('[5,"nothing","InternalError","",{}]')
        await connection.send('[2,"h1","Heartbeat",{}]')
        first = msgspec.json.decode(await connection.recv())
    await asyncio.to_thread(up.wait_projected)

    assert first[:2] == [3, "h1"]
    conversation = up.get(f"/v1/stations/{name}/messages")["items"]
    told = [(each["direction"], each["type"], each["error"]) for each in reversed(conversation)]
    assert told == [
        ("in", "SEND", ""),
        ("in", "CALLRESULTERROR", ""),
        ("in", "CALL", ""),
        ("out", "CALLRESULT", ""),
    ]


async def test_compression_is_agreed_with_whoever_offers_it(up: Up) -> None:
    url = f"{up.deployment.ocpp_url}/FOREIGN-DEFLATE"
    async with await opened(url, {}, "ocpp2.0.1") as connection:
        await connection.send('[2,"h1","Heartbeat",{}]')
        assert msgspec.json.decode(await connection.recv())[:2] == [3, "h1"]

        assert connection.response is not None
        agreed = connection.response.headers["Sec-WebSocket-Extensions"]
    assert agreed.startswith("permessage-deflate")
