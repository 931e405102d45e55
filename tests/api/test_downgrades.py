"""A command that lowers a station's security profile is refused with 422, by name; others pass."""

from typing import Any

import httpx
import pytest

from schemas.records import CommandRequested
from tests.api.charging import Talk
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

PATH = "/v1/stations/CS-1/commands"
AT = "2026-01-02T03:04:05Z"
CONNECTION = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "wss://example.org/ocpp",
    "messageTimeout": 30,
    "ocppInterface": "Wired0",
}


def named(component: str, variable: str) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": variable}}


def sets(component: str, variable: str, value: str) -> dict[str, Any]:
    wanted = {**named(component, variable), "attributeValue": value}
    return {"action": "SetVariables", "payload": {"setVariableData": [wanted]}}


def slot(number: int, profile: int) -> dict[str, Any]:
    data = {**CONNECTION, "securityProfile": profile}
    return {"configurationSlot": number, "connectionData": data}


async def speaking(deployment: Deployment, version: str, **told: str) -> Talk:
    """A station that has told these variables of its SecurityCtrlr."""
    talk = Talk(deployment, "default", "CS-1", version)
    await talk.open()
    if version == "1.6":
        keys = [{"key": name, "readonly": False, "value": value} for name, value in told.items()]
        await talk.ask("GetConfiguration", {}, {"configurationKey": keys})
    else:
        data = [
            {**named("SecurityCtrlr", name), "variableAttribute": [{"value": value}]}
            for name, value in told.items()
        ]
        report = {"requestId": 1, "generatedAt": AT, "seqNo": 0, "reportData": data}
        await talk.call("NotifyReport", report, {})
    await deployment.project()
    return talk


async def asked(client: httpx.AsyncClient, body: Any, **headers: str) -> tuple[int, str]:
    """Return the status and the member that is wrong."""
    answer = await client.post(PATH, json=body, headers=headers)
    return answer.status_code, (answer.json().get("errors") or [{"field": ""}])[0]["field"]


async def test_a_15_in_16_the_key_is_never_set_lower(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await speaking(deployment, "1.6", SecurityProfile="2", AllowSecurityProfileDowngrade="true")
    before = len(await deployment.records(CommandRequested))

    def change(value: str) -> dict[str, Any]:
        payload = {"key": "SecurityProfile", "value": value}
        return {"action": "ChangeConfiguration", "payload": payload}

    words = {"command": "set_configuration", "payload": {"values": {"SecurityProfile": "1"}}}
    assert await asked(client, change("1")) == (422, "payload.value")
    assert await asked(client, change("0")) == (422, "payload.value")
    assert (await asked(client, words))[0] == 422
    assert len(await deployment.records(CommandRequested)) == before
    assert await asked(client, change("2")) == (202, "")
    assert await asked(client, change("3")) == (202, "")


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_15_in_2_no_variable_and_no_network_profile_is_set_lower(
    deployment: Deployment, client: httpx.AsyncClient, version: str
) -> None:
    talk = await speaking(deployment, version, SecurityProfile="2")
    slots = [
        {**named("NetworkConfiguration", "SecurityProfile"), "variableAttribute": [{"value": "3"}]}
    ]
    told = {"requestId": 9, "generatedAt": AT, "seqNo": 0, "reportData": slots}
    await talk.call("NotifyReport", told, {})
    for number, profile in ((1, 1), (2, 3)):
        await talk.ask("SetNetworkProfile", slot(number, profile), {"status": "Accepted"})
    await deployment.project()
    before = len(await deployment.records(CommandRequested))
    network = {"action": "SetNetworkProfile", "payload": slot(3, 1)}
    member = "payload.setVariableData.0.attributeValue"
    priority = ("OCPPCommCtrlr", "NetworkConfigurationPriority")

    assert await asked(client, sets("SecurityCtrlr", "SecurityProfile", "1")) == (422, member)
    assert await asked(client, sets(*priority, "2,1")) == (422, member)
    assert await asked(client, network) == (422, "payload.connectionData.securityProfile")
    assert len(await deployment.records(CommandRequested)) == before
    assert (await asked(client, sets(*priority, "2")))[0] == 202
    assert (await asked(client, {**network, "payload": slot(3, 2)}))[0] == 202


async def test_a_15_where_the_station_allows_it_3_becomes_2_and_nothing_becomes_1(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await speaking(deployment, "2.1", SecurityProfile="3", AllowSecurityProfileDowngrade="true")
    network = {"action": "SetNetworkProfile", "payload": slot(1, 2)}

    assert (await asked(client, network))[0] == 202
    assert (await asked(client, {**network, "payload": slot(1, 1)}))[0] == 422


async def test_a_command_that_was_taken_before_is_what_it_was(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = await speaking(deployment, "2.1", SecurityProfile="1")
    wanted = {"action": "SetNetworkProfile", "payload": slot(1, 2)}
    key = {"Idempotency-Key": "once"}
    assert (await asked(client, wanted, **key))[0] == 202

    data = [{**named("SecurityCtrlr", "SecurityProfile"), "variableAttribute": [{"value": "3"}]}]
    report = {"requestId": 2, "generatedAt": AT, "seqNo": 0, "reportData": data}
    await talk.call("NotifyReport", report, {})
    await deployment.project()

    assert (await asked(client, wanted, **key))[0] == 202
    assert (await asked(client, wanted))[0] == 422
