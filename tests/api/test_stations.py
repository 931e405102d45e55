"""Stations and their registration, through the whole application."""

from itertools import product
from typing import Any

import httpx
import pytest

from api.ports import Appender, Place
from schemas.credentials import matches
from schemas.journal import AppendUnknown, Unavailable
from schemas.records import Record, StationDeregistered, StationRegistered
from tests.api.deployment import VAULT_KEYS, Deployment

pytestmark = pytest.mark.postgres

PASSWORD = "correct-horse-battery"
OTHER_PASSWORD = "an-entirely-other-one"


async def registered(deployment: Deployment) -> list[StationRegistered]:
    return await deployment.records(StationRegistered)


async def verifier_of(deployment: Deployment, record: StationRegistered) -> str:
    rows = await deployment.vault.verifiers_after(0)
    return next(row[2] for row in rows if f"secret:{row[1]}" == record.credential)


async def test_a_registered_station_appears_with_what_was_written(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    written = await client.put(
        "/v1/stations/CS-1",
        json={
            "name": "Garage 1",
            "attributes": {"site": "Berlin", "bays": 2},
            "password": PASSWORD,
        },
    )
    await deployment.project()
    found = (await client.get("/v1/stations/CS-1")).json()["station"]

    assert written.status_code == 200
    assert written.json() == {
        "tenant": "default",
        "station": "CS-1",
        "name": "Garage 1",
        "attributes": {"site": "Berlin", "bays": 2},
        "has_password": True,
    }
    assert found | written.json() == found
    assert (found["registered"], found["online"], found["position"]) == (True, False, "")


@pytest.mark.parametrize("policy", ["Accepted", "Pending", "Rejected", None])
async def test_the_boot_policy_is_an_attribute(
    policy: str | None, deployment: Deployment, client: httpx.AsyncClient
) -> None:
    body = {"attributes": {"boot_policy": policy}}

    assert (await client.put("/v1/stations/CS-1", json=body)).status_code == 200


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        *product(["boot_policy", "certificate_requests"], ["accepted", "", 1, True]),
        ("provided", "Heartbeat"),
        ("provided", "DataTransfer;GetCertificateStatus"),
        ("provided", True),
        *product(["blocked", "eichrecht"], ["true", "", 1]),
        *product(
            ["cost_updates_s", "max_power_w", "register_modulus_wh", "connectors"],
            ["30", 0, -1, True],
        ),
        ("commissioned_at", "yesterday"),
        ("commissioned_at", 2026),
    ],
)
async def test_a_policy_that_is_none_is_refused(
    policy: Any, name: str, deployment: Deployment, client: httpx.AsyncClient
) -> None:
    body = {"attributes": {name: policy}}

    refused = await client.put("/v1/stations/CS-1", json=body)

    assert refused.status_code == 422
    assert name in refused.text
    assert not isinstance(policy, str) or not policy or f"{policy}:" not in refused.text
    assert await registered(deployment) == []


async def test_a_password_is_nowhere_but_in_the_vault(
    deployment: Deployment, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answer = await client.put("/v1/stations/CS-1", json={"password": PASSWORD})
    refused = await client.put("/v1/stations/CS-1", json={"password": PASSWORD + " "})
    too_long = await client.put("/v1/stations/CS-1", json={"password": PASSWORD * 3})

    (record,) = await registered(deployment)
    assert matches(await verifier_of(deployment, record), PASSWORD.encode(), VAULT_KEYS.pepper)
    assert [refused.status_code, too_long.status_code] == [422, 422]
    for text in (answer.text, refused.text, too_long.text, str(record), caplog.text):
        assert PASSWORD not in text


async def test_a_registration_without_the_member_keeps_the_password_at_once(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/stations/CS-1", json={"password": PASSWORD})

    renamed = await client.put("/v1/stations/CS-1", json={"name": "Garage 2"})

    first, second = await registered(deployment)
    assert renamed.json()["has_password"]
    assert first.credential == second.credential != ""


async def test_a_password_is_replaced_and_removed(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/stations/CS-1", json={"password": PASSWORD})
    await client.put("/v1/stations/CS-1", json={"password": OTHER_PASSWORD})
    await deployment.project()
    removed = await client.put("/v1/stations/CS-1", json={"password": None})
    renamed = await client.put("/v1/stations/CS-1", json={"name": "without"})

    first, second, third, fourth = await registered(deployment)
    assert first.credential != second.credential
    verifier = await verifier_of(deployment, second)
    assert matches(verifier, OTHER_PASSWORD.encode(), VAULT_KEYS.pepper)
    assert (third.credential, fourth.credential) == ("", "")
    assert not removed.json()["has_password"]
    assert not renamed.json()["has_password"]


async def test_a_deregistered_station_does_not_get_its_password_back(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/stations/CS-1", json={"password": PASSWORD})
    await deployment.project()
    gone = await client.delete("/v1/stations/CS-1")
    again = await client.put("/v1/stations/CS-1", json={})

    assert gone.status_code == 204
    assert len(await deployment.records(StationDeregistered)) == 1
    assert not again.json()["has_password"]


async def test_a_deregistered_station_that_never_came_is_forgotten(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    for name in ("CS-1", "CS-2"):
        await client.put(f"/v1/stations/{name}", json={})
    await client.delete("/v1/stations/CS-1")
    await deployment.project()

    listed = await client.get("/v1/stations")
    assert [each["station"] for each in listed.json()["items"]] == ["CS-2"]
    assert (await client.get("/v1/stations/CS-1")).status_code == 404
    assert (await client.get("/v1/stations/CS-2")).status_code == 200


class FailingLog:
    """The journal fails the first append in the given way."""

    def __init__(self, deployment: Deployment, error: Exception) -> None:
        self._log: Appender = deployment.app.state.ports.log
        self._errors = [error]

    async def append(self, record: Record) -> Place:
        if self._errors:
            raise self._errors.pop()
        return await self._log.append(record)


@pytest.mark.parametrize(
    ("error", "name"),
    [(Unavailable("down"), "journal-unavailable"), (AppendUnknown("late"), "outcome-unknown")],
)
async def test_a_registration_that_is_not_durable_is_not_confirmed(
    deployment: Deployment, error: Exception, name: str
) -> None:
    await deployment.key("default", "admin")
    token = await deployment.keys.create("default", "second", "admin")
    app = deployment.app_with(FailingLog(deployment, error))
    async with deployment.client(token, app) as client:
        failed = await client.put("/v1/stations/CS-1", json={"password": PASSWORD})
        renamed = await client.put("/v1/stations/CS-1", json={"name": "Garage"})

    assert failed.status_code == 503
    assert failed.headers["retry-after"]
    assert failed.json()["type"] == f"urn:chargeledger:problem:{name}"
    assert renamed.status_code == 200
    assert not renamed.json()["has_password"]


async def test_a_station_that_only_talked_is_known(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.connect("default", "CS-2")
    await deployment.project()

    detail = (await client.get("/v1/stations/CS-2")).json()

    assert detail["station"]["online"]
    assert not detail["station"]["registered"]
    assert detail["connection"]["protocol"] == "1.6"
    assert (await client.get("/v1/stations/CS-3")).status_code == 404


async def test_stations_are_filtered_and_paged(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    for number in range(3):
        await client.put(f"/v1/stations/CS-{number}", json={})
    await deployment.connect("default", "CS-1")
    await deployment.project()

    async def ids(query: str) -> list[str]:
        answer = (await client.get(f"/v1/stations{query}")).json()
        return [item["station"] for item in answer["items"]]

    assert await ids("") == ["CS-0", "CS-1", "CS-2"]
    assert await ids("?offline=true") == ["CS-0", "CS-2"]
    assert await ids("?offline=false") == ["CS-1"]
    assert await ids("?version=1.6") == ["CS-1"]
    assert await ids("?faulted=true") == []
    assert (await client.get("/v1/stations?version=9")).status_code == 422
    first = (await client.get("/v1/stations?limit=2")).json()
    assert first["next"] == "CS-1"
    assert await ids(f"?limit=2&after={first['next']}") == ["CS-2"]


@pytest.mark.parametrize("station", ["a:b", "a%25b", "x" * 49, " a", "..%20"])
async def test_a_name_that_could_be_read_twice_is_refused(
    client: httpx.AsyncClient, station: str
) -> None:
    answer = await client.put(f"/v1/stations/{station}", json={})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "station"


async def test_what_was_read_already_is_not_sent_again(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/stations/CS-1", json={})
    await deployment.project()
    first = await client.get("/v1/stations/CS-1")

    again = await client.get("/v1/stations/CS-1", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


async def test_the_conversation_says_when_its_store_is_away(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.connect("default", "CS-1")
    await deployment.project()
    deployment.frames.is_down = True

    answer = await client.get("/v1/stations/CS-1/messages")
    unknown = await client.get("/v1/stations/CS-2/messages")
    misread = await client.get("/v1/stations/CS-1/messages?before=yesterday")

    assert (answer.status_code, unknown.status_code, misread.status_code) == (503, 404, 422)
    assert answer.json()["type"].endswith("store-unavailable")
