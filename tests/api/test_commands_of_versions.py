"""Commands of every version through the whole application: chosen, refused, kept, and shown."""

from typing import Any

import httpx
import pytest

from infra.clock import now_us
from schemas.records import (
    CommandRequested,
    StationPasswordOffered,
    StationPasswordSettled,
    StationRegistered,
)
from tests.api.charging import Talk
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

PASSWORD = "7Qw2zK9vXe4LmT1rBn8YcU5pGh3JdA6s"
REPORT = {"action": "GetBaseReport", "payload": {"requestId": 1, "reportBase": "FullInventory"}}


@pytest.fixture
async def stations(deployment: Deployment) -> None:
    """CS-16, CS-201 and CS-21 speak what they are called; CS-0 is registered and was never seen."""
    for name, protocol in (("CS-16", "1.6"), ("CS-201", "2.0.1"), ("CS-21", "2.1")):
        await deployment.connect("default", name, protocol)
    await deployment.append_to_registry(
        StationRegistered(
            tenant="default", station="CS-0", recorded_at=now_us(), actor="a", credential=""
        )
    )
    await deployment.project()


async def ask(
    client: httpx.AsyncClient, station: str, body: dict[str, Any], key: str = "k"
) -> httpx.Response:
    return await client.post(
        f"/v1/stations/{station}/commands", json=body, headers={"Idempotency-Key": key}
    )


@pytest.mark.parametrize(
    ("station", "version", "action"),
    [
        ("CS-16", "1.6", "RemoteStartTransaction"),
        ("CS-201", "2.0.1", "RequestStartTransaction"),
        ("CS-21", "2.1", "RequestStartTransaction"),
        ("CS-0", "1.6", "RemoteStartTransaction"),
    ],
)
async def test_a_command_becomes_what_the_station_speaks(
    deployment: Deployment,
    client: httpx.AsyncClient,
    stations: None,
    station: str,
    version: str,
    action: str,
) -> None:
    answer = await ask(client, station, {"command": "start", "payload": {"id_token": "04A1"}})

    (record,) = await deployment.records(CommandRequested)
    shown = answer.json()
    assert answer.status_code == 202
    assert (record.version, record.action, record.command) == (version, action, "start")
    assert (shown["version"], shown["action"], shown["command"]) == (version, action, "start")
    await deployment.project()
    assert (await client.get(answer.headers["location"])).json() == shown


async def test_a_station_that_was_never_seen_may_be_asked_in_a_version(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    answer = await ask(client, "CS-0", REPORT | {"version": "2.0.1"})
    guessed = await ask(client, "CS-0", REPORT, key="2")

    assert (answer.status_code, answer.json()["version"]) == (202, "2.0.1")
    assert (guessed.status_code, guessed.json()["errors"][0]["field"]) == (422, "action")


async def test_an_action_of_another_version_is_refused(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    for station, body in (("CS-16", REPORT), ("CS-201", {"action": "ClearTariffs"})):
        answer = await ask(client, station, body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "action")
    assert await deployment.records(CommandRequested) == []


async def test_a_repeat_is_the_same_command_also_when_the_station_has_changed_its_version(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    body = {"command": "reset", "payload": {"type": "hard"}}
    first = await ask(client, "CS-16", body)
    await deployment.connect("default", "CS-16", "2.0.1")
    await deployment.project()
    again = await ask(client, "CS-16", body)
    other = await ask(client, "CS-16", {"command": "reset"})

    assert again.json()["command_id"] == first.json()["command_id"]
    assert again.json()["version"] == "1.6"
    assert other.status_code == 409
    assert len(await deployment.records(CommandRequested)) == 1


async def test_several_secrets_of_one_payload_are_kept_each(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    def setting(name: str, value: str) -> dict[str, Any]:
        return {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": name},
            "attributeValue": value,
        }

    items = [setting("BasicAuthPassword", PASSWORD), setting("ApiKey", "another-word")]
    body = {"action": "SetVariables", "payload": {"setVariableData": items}}
    answer = await ask(client, "CS-201", body)
    again = await ask(client, "CS-201", body)
    items[1]["attributeValue"] = "another-worm"
    other = await ask(client, "CS-201", body)

    (record,) = await deployment.records(CommandRequested)
    kept = [await deployment.vault.reveal(secret_id) for secret_id in record.secrets]
    assert kept == [PASSWORD, "another-word"]
    assert (again.json()["payload"], other.status_code) == (answer.json()["payload"], 409)
    for text in (answer.text, str(record)):
        assert PASSWORD not in text
        assert "another-word" not in text


async def test_a_password_is_offered_before_the_command_that_sets_it(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    body = {
        "command": "set_configuration",
        "payload": {"settings": [{"name": "AuthorizationKey", "value": PASSWORD}]},
    }
    await ask(client, "CS-0", body)
    await ask(client, "CS-0", body)
    await ask(client, "CS-16", body)

    (offer,) = await deployment.records(StationPasswordOffered)
    first, _ = await deployment.records(CommandRequested)
    verifiers = {row[1] for row in await deployment.vault.verifiers_after(0)}
    assert offer.command_id in {command.command_id for command in (first, _)}
    assert offer.credential.removeprefix("secret:") in verifiers
    assert PASSWORD not in str(offer)


async def test_a_station_is_shown_to_have_the_password_that_a_command_gave_it(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    async def has_password() -> bool:
        await deployment.project()
        shown: bool = (await client.get("/v1/stations/CS-0")).json()["station"]["has_password"]
        return shown

    assert not await has_password()
    named: dict[str, Any] = {"tenant": "default", "station": "CS-0", "recorded_at": now_us()}
    settled = StationPasswordSettled(**named, command_id="c", counts=True, reason="accepted")
    await deployment.append_to_registry(settled)
    assert await has_password()

    await client.put("/v1/stations/CS-0", json={"name": "another name"})
    assert await has_password()

    await client.put("/v1/stations/CS-0", json={"password": None})
    assert not await has_password()


async def test_where_a_job_is_is_shown(
    deployment: Deployment, client: httpx.AsyncClient, stations: None
) -> None:
    talk = Talk(deployment, "default", "CS-9")
    await talk.open()
    await deployment.project()
    body = {"command": "update_firmware", "payload": {"location": "https://files.example/1.2"}}
    answer = await ask(client, "CS-9", body)
    (record,) = await deployment.records(CommandRequested)
    await talk.dispatch(record, await deployment.offset_of(record))
    await talk.answer(record.command_id, {})
    await talk.call("FirmwareStatusNotification", {"status": "Downloading"}, {})
    await deployment.project()

    shown = (await client.get(answer.headers["location"])).json()

    assert (shown["progress"], shown["effect_observed"]) == ("Downloading", False)
    await talk.call("FirmwareStatusNotification", {"status": "Installed"}, {})
    await deployment.project()
    shown = (await client.get(answer.headers["location"])).json()
    assert (shown["progress"], shown["effect_observed"]) == ("Installed", True)
