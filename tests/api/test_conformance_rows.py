"""What stations say of themselves and of transactions, in the API fields that the page names."""

from typing import Any

import httpx
import pytest

from tests.api.charging import Talk
from tests.api.deployment import Deployment
from tests.domain import events

pytestmark = pytest.mark.postgres

VERSIONS = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
AT = "2026-11-23T10:00:00Z"
BOOTED = {"currentTime": AT, "interval": 300, "status": "Pending"}


def boot(version: str) -> dict[str, Any]:
    if version == "1.6":
        return {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.2"}
    station = {"vendorName": "V", "model": "M", "firmwareVersion": "1.2"}
    return {"reason": "PowerUp", "chargingStation": station}


def status(version: str, word: str) -> dict[str, Any]:
    if version == "1.6":
        return {"connectorId": 2, "errorCode": "NoError", "status": word, "timestamp": AT}
    return {"evseId": 2, "connectorId": 1, "connectorStatus": word, "timestamp": AT}


async def station(deployment: Deployment, client: httpx.AsyncClient) -> dict[str, Any]:
    await deployment.project()
    told: dict[str, Any] = (await client.get("/v1/stations/CS-1")).json()
    return told


@VERSIONS
async def test_a_station_is_shown_as_its_boot_its_status_and_its_heartbeat_tell(
    version: str, deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1", version)
    await talk.open()
    before = (await station(deployment, client))["station"]
    await talk.call("BootNotification", boot(version), BOOTED)
    await talk.call("StatusNotification", status(version, "Available"), {})
    await talk.call("StatusNotification", status(version, "Faulted"), {})
    shown = await station(deployment, client)
    await talk.call("Heartbeat", {}, {"currentTime": AT})
    later = await station(deployment, client)

    assert (before["vendor"], before["boot_status"]) == ("", "")
    told = shown["station"]
    assert (told["vendor"], told["model"], told["firmware_version"]) == ("V", "M", "1.2")
    assert (told["boot_status"], told["faulted"]) == ("Pending", True)
    assert [(each["evse"], each["status"]) for each in shown["connectors"]] == [(2, "Faulted")]
    assert later["station"]["last_seen"] > told["last_seen"]


async def test_a_transaction_of_1_6_is_shown_as_its_messages_tell(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    async def shown() -> dict[str, Any]:
        await deployment.project()
        [found] = (await client.get("/v1/transactions?station=CS-1")).json()["items"]
        told: dict[str, Any] = (await client.get(f"/v1/transactions/{found['id']}")).json()
        return dict(told.get("transaction", told))

    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.start(7, "TAG")
    started = await shown()
    sample = {"timestamp": "2026-01-02T03:34:05Z", "sampledValue": [{"value": "1500"}]}
    values = {"connectorId": 1, "transactionId": 7, "meterValue": [sample]}
    await talk.call("MeterValues", values, {})
    sampled = await shown()
    stop = {"transactionId": 7, "meterStop": 2000, "timestamp": "2026-01-02T04:04:05Z"}
    await talk.call("StopTransaction", {**stop, "reason": "EVDisconnected"}, {})
    ended = await shown()

    assert (started["state"], started["id_token"]) == ("active", "TAG")
    assert (started["meter_start_wh"], started["meter_last_wh"]) == (1000, None)
    assert sampled["meter_last_wh"] == 1500
    assert (ended["state"], ended["stop_reason"]) == ("ended", "EVDisconnected")
    assert (ended["meter_stop_wh"], ended["energy_wh"]) == (2000, 1000)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_transaction_of_2_is_shown_as_its_events_tell(
    version: str, deployment: Deployment, client: httpx.AsyncClient
) -> None:
    async def shown() -> dict[str, Any]:
        await deployment.project()
        [found] = (await client.get("/v1/transactions?station=CS-1")).json()["items"]
        return dict(found)

    talk = Talk(deployment, "default", "CS-1", version)
    await talk.open()
    answer = {"idTokenInfo": {"status": "Accepted"}}
    await talk.call("TransactionEvent", events.started(), answer)
    started = await shown()
    update = events.event("Updated", 1, "2026-11-23T09:30:00Z")
    values = [events.reading(5000, at="2026-11-23T09:30:00Z")]
    await talk.call("TransactionEvent", {**update, "meterValue": values}, {})
    sampled = await shown()
    await talk.call("TransactionEvent", events.ended(), {})
    ended = await shown()

    assert (started["transaction_id"], started["state"], started["evse"]) == ("T-1", "active", 2)
    assert (started["id_token"], started["meter_start_wh"]) == (events.TOKEN["idToken"], 1000)
    assert sampled["meter_last_wh"] == 5000
    assert (ended["state"], ended["stop_reason"]) == ("ended", "EVDisconnected")
    assert (ended["meter_stop_wh"], ended["energy_wh"]) == (9000, 8000)
