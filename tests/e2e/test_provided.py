"""A station of another's making asks for certificates, and a provider of another's answers it."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.foreign_station import opened, seen
from tests.e2e.foreign_station_2 import connected
from tests.e2e.running import Up, run_program

pytestmark = [pytest.mark.postgres, pytest.mark.clickhouse, pytest.mark.slow]
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
ACTION = "Get15118EVCertificate"
SCHEMA = "urn:iso:15118:2:2013:MsgDef"
INSTALLED = {"action": "Install", "exi_request": "gJgC"}
CERTIFICATE = {
    "2.0.1": {**INSTALLED, "iso15118_schema_version": SCHEMA},
    "2.1": {**INSTALLED, "iso_15118_schema_version": SCHEMA},
}
"""As each package of `ocpp` spells it."""
CALL = f'[2,"c1","{ACTION}",{{"iso15118SchemaVersion":"urn","action":"Install","exiRequest":"g"}}]'


def provide_for(up: Up, name: str, actions: str) -> None:
    answer = httpx.put(
        f"{up.api_url}/v1/stations/{name}", json={"attributes": {"provided": actions}}
    )
    answer.raise_for_status()


@VERSIONS
async def test_a_contract_certificate_comes_from_its_provider(up: Up, version: str) -> None:
    name = f"PROVIDED-{version}"
    provide_for(up, name, ACTION)
    async with connected(up, name, version) as station:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(station.call(ACTION, **CERTIFICATE[version]))
            request = await asyncio.to_thread(up.waiting_request, name)
            given = await asyncio.to_thread(
                up.provide, request, status="Accepted", exiResponse="gJgDAA=="
            )
        refused = await asyncio.to_thread(up.provide, request, status="Failed", exiResponse="")

    assert request["payload"]["exiRequest"] == "gJgC"
    assert (asking.result().status, asking.result().exi_response) == ("Accepted", "gJgDAA==")
    assert (given.status_code, given.json()["fate"]) == (201, "answered")
    assert refused.status_code == 409

    await asyncio.to_thread(up.wait_projected)
    conversation = up.get(f"/v1/stations/{name}/messages")["items"]
    assert [each["type"] for each in conversation if each["action"] == ACTION] == [
        "CALLRESULT",
        "CALL",
    ]
    replayed = await asyncio.to_thread(
        run_program, "replay", "--station", name, "--data", str(up.layout.data)
    )
    assert "provider-asked" in replayed.stdout
    assert "provider-answered" in replayed.stdout


async def test_a_vat_number_is_what_its_provider_says(up: Up) -> None:
    name = "PROVIDED-VAT"
    provide_for(up, name, "VatNumberValidation, GetCertificateStatus")
    async with connected(up, name, "2.1") as station:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(station.call("VatNumberValidation", vat_number="NL123"))
            request = await asyncio.to_thread(up.waiting_request, name)
            await asyncio.to_thread(up.provide, request, status="Accepted", vatNumber="NL123")
        unprovided = await station.call(ACTION, **CERTIFICATE["2.1"])

    assert asking.result().status == "Accepted"
    assert unprovided.status == "Failed"

    def checked() -> Any:
        items = up.get(f"/v1/stations/{name}/vat-checks")["items"]
        return next((each for each in items if each["answer"] == "Accepted"), None)

    await seen(checked, "the VAT number is accepted")


async def test_what_waited_when_all_was_killed_is_asked_again(own_up: Up) -> None:
    name = "PROVIDED-KILLED"
    provide_for(own_up, name, ACTION)
    async with await opened(f"{own_up.deployment.ocpp_url}/{name}", {}, "ocpp2.0.1") as connection:
        await connection.send(CALL)
        request = await asyncio.to_thread(own_up.waiting_request, name)
        own_up.kill()
    own_up.start()
    await asyncio.to_thread(own_up.wait_ready)
    async with connected(own_up, name, "2.0.1") as station:
        async with asyncio.TaskGroup() as group:
            again = group.create_task(station.call(ACTION, **CERTIFICATE["2.0.1"]))
            second = await asyncio.to_thread(own_up.waiting_request, name)
            await asyncio.to_thread(own_up.provide, second, status="Accepted", exiResponse="ok")
        late = await asyncio.to_thread(own_up.provide, request, status="Accepted", exiResponse="ok")

    assert again.result().exi_response == "ok"
    assert late.status_code == 409
    assert "too late" in late.json()["detail"]
