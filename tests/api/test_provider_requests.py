"""Somebody else answers what stations ask: sees it, says what they are told, or is too late."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from api import waits
from infra.clock import now_us
from schemas.partitions import partition_of
from schemas.provided import PROVIDABLE
from schemas.records import CALL, ConnectionClosed, MessageReceived, MessageSent, ProviderAnswered
from tests.api.deployment import PARTITIONS, Deployment
from tests.api.owning import POLICY, Owners

pytestmark = pytest.mark.postgres

Json = dict[str, Any]

ACTION = "GetCertificateStatus"
ASKED = {
    "ocspRequestData": {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "n",
        "issuerKeyHash": "k",
        "serialNumber": "1",
        "responderURL": "http://ocsp.example",
    }
}
GIVEN = {"status": "Accepted", "ocspResult": "MIIB"}
PROVIDED = POLICY._replace(provided=PROVIDABLE["2.1"])


class Site:
    """A station of 2.0.1, the owner who decides for it, and what a provider sees of it."""

    def __init__(self, deployment: Deployment, client: httpx.AsyncClient) -> None:
        self.deployment, self.client = deployment, client
        self.owners = Owners(deployment, policy=PROVIDED)
        self._number = 0
        self._protocol = ""

    async def open(self, protocol: str = "2.0.1") -> None:
        self._protocol = protocol
        await self.deployment.connect("default", "CS-1", protocol)
        await self.owners.settle()

    async def asks(self, action: str = ACTION, payload: Json = ASKED) -> str:
        """The station's CALL; the id of the request that it makes."""
        self._number += 1
        offset = await self.deployment.says(
            "default", "CS-1", self._number, action, payload, protocol=self._protocol
        )
        await self.settle()
        return f"{partition_of('default', 'CS-1', PARTITIONS)}:{offset}"

    async def closes(self) -> None:
        await self.deployment.append(
            ConnectionClosed(
                tenant="default",
                station="CS-1",
                recorded_at=now_us(),
                connection="connection-of-default-CS-1",
                code=1006,
            )
        )

    async def settle(self) -> None:
        await self.owners.settle()
        await self.deployment.project()

    async def get(self, path: str = "") -> Any:
        return (await self.client.get(f"/v1/provider-requests{path}")).json()

    async def gives(self, request_id: str, payload: Any, query: str = "") -> httpx.Response:
        path = f"/v1/provider-requests/{request_id}/answer{query}"
        return await self.client.post(path, json={"payload": payload})

    async def told(self) -> list[str]:
        sent: list[MessageSent] = await self.deployment.records(MessageSent)
        return [each.frame for each in sent if each.message_type != CALL]


HASHED: Json = {
    "certificateHashData": {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "n",
        "issuerKeyHash": "k",
        "serialNumber": "1",
    },
    "source": "OCSP",
}
NEEDS: Json = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "DC"}}
CASES: dict[str, tuple[Json, Json]] = {
    "Authorize": (
        {"idToken": {"idToken": "NL-TST-1", "type": "eMAID"}, "certificate": "MIIB"},
        {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"},
    ),
    "DataTransfer": ({"vendorId": "V", "data": "?"}, {"status": "Accepted", "data": "!"}),
    "Get15118EVCertificate": (
        {"iso15118SchemaVersion": "urn", "action": "Install", "exiRequest": "gJgC"},
        {"status": "Accepted", "exiResponse": "gJgDAA=="},
    ),
    "GetCertificateStatus": (ASKED, GIVEN),
    "GetCertificateChainStatus": (
        {"certificateStatusRequests": [{**HASHED, "urls": ["http://ocsp.example"]}]},
        {"certificateStatus": [{**HASHED, "status": "Good", "nextUpdate": "2027-01-01T00:00:00Z"}]},
    ),
    "NotifyEVChargingNeeds": (NEEDS, {"status": "Processing"}),
    "PullDynamicScheduleUpdate": (
        {"chargingProfileId": 7},
        {"status": "Accepted", "scheduleUpdate": {"limit": 11000}},
    ),
    "VatNumberValidation": (
        {"vatNumber": "NL123"},
        {"status": "Accepted", "vatNumber": "NL123"},
    ),
}
"""By action: what the station asks, and what a provider says to that."""

WAITING = ("DataTransfer", "Get15118EVCertificate", "GetCertificateStatus")


@pytest.fixture
async def site(deployment: Deployment, client: httpx.AsyncClient) -> Site:
    site = Site(deployment, client)
    await site.open()
    return site


async def test_what_waits_is_shown_as_the_station_told_it(site: Site) -> None:
    request_id = await site.asks()
    [shown] = (await site.get("?waiting=true"))["items"]

    assert shown == shown | {
        "request_id": request_id,
        "station": "CS-1",
        "version": "2.0.1",
        "action": ACTION,
        "payload": ASKED,
        "fate": "waiting",
        "settled_at": None,
        "answer": None,
    }
    assert shown["asked_at"] < shown["expires_at"]
    assert await site.get(f"/{request_id}") == shown
    assert await site.told() == []


async def test_the_station_is_told_what_was_posted(site: Site) -> None:
    request_id = await site.asks()
    accepted = await site.gives(request_id, GIVEN)
    await site.settle()
    shown = await site.get(f"/{request_id}")

    assert accepted.status_code == 202
    assert accepted.headers["location"] == f"/v1/provider-requests/{request_id}"
    assert await site.told() == ['[3,"m1",{"status":"Accepted","ocspResult":"MIIB"}]']
    assert (shown["fate"], shown["answer"], shown["actor"]) == ("answered", GIVEN, "local")
    assert shown["settled_at"] >= shown["asked_at"]
    assert (await site.get("?waiting=true"))["items"] == []
    assert [item["fate"] for item in (await site.get())["items"]] == ["answered"]


@pytest.mark.parametrize(
    ("version", "action"),
    [(version, action) for version, actions in PROVIDABLE.items() for action in sorted(actions)],
)
async def test_each_action_that_a_provider_may_answer_is_answered_by_it(
    deployment: Deployment, client: httpx.AsyncClient, version: str, action: str
) -> None:
    site = Site(deployment, client)
    await site.open(version)
    asked, given = CASES[action]
    request_id = await site.asks(action, asked)
    waiting = await site.get(f"/{request_id}")
    assert (await site.gives(request_id, given)).status_code == 202
    await site.settle()
    shown = await site.get(f"/{request_id}")

    assert (waiting["fate"], waiting["payload"], waiting["answer"]) == ("waiting", asked, None)
    assert (shown["fate"], shown["answer"]) == ("answered", given)
    assert [json.loads(frame) for frame in await site.told()] == [[3, "m1", given]]


async def test_the_same_may_be_posted_again_and_nothing_else(site: Site) -> None:
    request_id = await site.asks()
    first = await site.gives(request_id, GIVEN)
    twice = await site.gives(request_id, GIVEN)
    await site.settle()
    again = await site.gives(request_id, dict(reversed(GIVEN.items())))
    other = await site.gives(request_id, {"status": "Failed"})

    assert [each.status_code for each in (first, twice, again, other)] == [202, 202, 201, 409]
    assert other.headers["content-type"] == "application/problem+json"
    assert len(await site.told()) == 1


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "payload.status"),
        ({"status": "Maybe"}, "payload.status"),
        ({"status": "Accepted", "ocspResult": 7}, "payload.ocspResult"),
        ({"status": "Accepted", "ocspResult": "x" * 5_501}, "payload.ocspResult"),
        ("Accepted", "payload"),
        (None, "payload"),
    ],
)
async def test_a_result_that_breaks_its_schema_is_refused_by_field(
    site: Site, payload: Any, field: str
) -> None:
    request_id = await site.asks()
    refused = await site.gives(request_id, payload)
    await site.settle()

    assert refused.status_code == 422
    assert field in [error["field"] for error in refused.json()["errors"]]
    assert await site.deployment.records(ProviderAnswered) == []
    assert (await site.get(f"/{request_id}"))["fate"] == "waiting"


async def test_who_is_too_late_is_told_so(site: Site) -> None:
    request_id = await site.asks()
    await site.closes()
    await site.settle()
    late = await site.gives(request_id, GIVEN)

    assert late.status_code == 409
    assert "too late" in late.json()["detail"]
    assert await site.told() == ['[3,"m1",{"status":"Failed"}]']
    assert (await site.get(f"/{request_id}"))["fate"] == "unanswered"


async def test_who_waits_is_told_that_it_came_too_late(site: Site) -> None:
    request_id = await site.asks()
    await site.closes()

    async with asyncio.TaskGroup() as group:
        giving = group.create_task(site.gives(request_id, GIVEN, "?wait=10"))
        await asyncio.sleep(0.2)
        await site.settle()

    assert giving.result().status_code == 409


async def test_who_waits_is_told_when_the_station_was(site: Site) -> None:
    request_id = await site.asks()

    async with asyncio.TaskGroup() as group:
        giving = group.create_task(site.gives(request_id, GIVEN, "?wait=10"))
        await asyncio.sleep(0.2)
        await site.settle()

    assert giving.result().status_code == 201
    assert giving.result().json()["fate"] == "answered"


async def test_a_list_waits_for_the_first_request(site: Site) -> None:
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(site.get("?waiting=true&wait=10"))
        await asyncio.sleep(0.2)
        request_id = await site.asks()

    assert [item["request_id"] for item in listing.result()["items"]] == [request_id]


async def test_a_list_that_the_caller_has_waits_until_it_is_another(site: Site) -> None:
    await site.asks()
    path = "/v1/provider-requests?waiting=true&wait=10"
    first = await site.client.get(path)
    had = {"If-None-Match": first.headers["etag"]}
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(site.client.get(path, headers=had))
        await asyncio.sleep(0.3)
        early = listing.done()
        other = await site.asks("DataTransfer", {"vendorId": "V"})
    unchanged = await site.client.get(
        path.replace("10", "0.2"), headers={"If-None-Match": listing.result().headers["etag"]}
    )

    assert not early
    assert [item["request_id"] for item in listing.result().json()["items"]][1:] == [other]
    assert unchanged.status_code == 304


async def test_a_tenant_does_not_wait_without_bound(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "WAITS_OF_TENANT_MAX", 2)
    path = "/v1/provider-requests?waiting=true&wait=1"
    async with asyncio.TaskGroup() as group:
        listings = [group.create_task(site.client.get(path)) for _ in range(3)]
    again = await site.client.get(path)

    assert sorted(each.result().status_code for each in listings) == [200, 200, 429]
    assert again.status_code == 200


async def test_what_waits_is_listed_and_paged_the_oldest_first(site: Site) -> None:
    ids = [await site.asks(action, CASES[action][0]) for action in CASES if action in WAITING]
    pages = [await site.get("?waiting=true&limit=2")]
    pages.append(await site.get(f"?waiting=true&limit=2&after={pages[0]['next']}"))

    assert [item["request_id"] for page in pages for item in page["items"]] == ids


async def test_lists_are_filtered_and_paged_the_latest_first(site: Site) -> None:
    ids = [await site.asks() for _ in range(2)]
    ids.append(await site.asks("DataTransfer", {"vendorId": "V"}))
    pages = [await site.get("?limit=2")]
    pages.append(await site.get(f"?limit=2&after={pages[0]['next']}"))

    assert [item["request_id"] for page in pages for item in page["items"]] == ids[::-1]
    assert pages[1]["next"] is None
    of_action = (await site.get("?action=DataTransfer"))["items"]
    assert [item["request_id"] for item in of_action] == ids[2:]
    assert (await site.get("?station=CS-2"))["items"] == []
    assert len((await site.get("?station=CS-1"))["items"]) == 3


async def test_secrets_of_an_answer_are_nowhere_but_in_the_vault(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    request_id = await site.asks("DataTransfer", {"vendorId": "V"})
    data = {"apnPassword": "hunter2", "pin": {"simPin": 4711}}
    given = await site.gives(request_id, {"status": "Accepted", "data": data})
    again = await site.gives(request_id, {"status": "Accepted", "data": data})
    await site.settle()
    told = await site.gives(request_id, {"status": "Accepted", "data": data})
    other = await site.gives(request_id, {"status": "Accepted", "data": {"apnPassword": "x"}})
    shown = (await site.client.get(f"/v1/provider-requests/{request_id}")).text

    [record] = await site.deployment.records(ProviderAnswered)
    [sent] = [r for r in await site.deployment.records(MessageSent) if r.message_type != CALL]
    kept = [await site.deployment.vault.reveal(each) for each in record.secrets]
    assert [each.status_code for each in (given, again, told, other)] == [202, 202, 201, 409]
    assert sorted(kept) == ["4711", "hunter2"]
    assert sent.secrets == record.secrets
    assert "secret:" in sent.frame
    assert "secret-number:" in sent.frame
    for text in (str(record), sent.frame, shown, given.text, told.text, other.text, caplog.text):
        assert "hunter2" not in text
        assert "4711" not in text


async def test_an_object_beside_a_secrets_name_is_kept_by_its_leaves(site: Site) -> None:
    request_id = await site.asks("DataTransfer", {"vendorId": "V"})
    value = ["hunter2", {"pin": 4711, "on": True, "none": None}]
    data = {"key": "AuthorizationKey", "value": value}
    await site.gives(request_id, {"status": "Accepted", "data": data})
    await site.settle()

    [sent] = [r for r in await site.deployment.records(MessageSent) if r.message_type != CALL]
    frame = sent.frame
    for secret_id in sent.secrets:
        secret = await site.deployment.vault.reveal(secret_id)
        frame = frame.replace(f'"secret:{secret_id}"', json.dumps(secret))
        frame = frame.replace(f'"secret-number:{secret_id}"', secret)
    assert "hunter2" not in sent.frame
    assert json.loads(frame)[2]["data"] == data


async def test_secrets_of_an_answer_that_is_too_late_are_not_kept(site: Site) -> None:
    request_id = await site.asks("DataTransfer", {"vendorId": "V"})
    await site.closes()
    await site.settle()
    payload = {"status": "Accepted", "data": {"apnPassword": "hunter2"}}
    late = await site.gives(request_id, payload)
    async with site.deployment.postgres.connection(wait_s=5) as connection:
        cursor = await connection.execute("SELECT count(*) FROM vault.secrets")
        rows = await cursor.fetchall()

    assert late.status_code == 409
    assert [tuple(row) for row in rows] == [(0,)]


async def test_an_error_repeats_nothing_of_an_answer(site: Site) -> None:
    request_id = await site.asks()
    for payload in (
        {"status": "hunter2"},
        {"status": "Accepted", "ocspResult": {"k": "hunter2"}},
        {"status": "Accepted", "ocspResult": "hunter2" * 2_000},
    ):
        refused = await site.gives(request_id, payload)

        assert refused.status_code == 422
        assert "hunter2" not in refused.text


async def test_posting_again_and_again_is_one_record(site: Site) -> None:
    request_id = await site.asks()
    for _ in range(5):
        await site.gives(request_id, GIVEN)
    await site.gives(request_id, {"status": "Failed"})

    assert len(await site.deployment.records(ProviderAnswered)) == 2


async def test_the_same_is_what_would_be_the_same_on_the_wire(site: Site) -> None:
    request_id = await site.asks("DataTransfer", {"vendorId": "V"})
    await site.gives(request_id, {"status": "Accepted", "data": {"on": True}})
    await site.settle()
    same = await site.gives(request_id, {"data": {"on": True}, "status": "Accepted"})
    other = await site.gives(request_id, {"status": "Accepted", "data": {"on": 1}})

    assert (same.status_code, other.status_code) == (201, 409)


async def test_what_the_station_told_is_shown_to_the_digit(site: Site) -> None:
    await site.deployment.append(
        MessageReceived(
            tenant="default",
            station="CS-1",
            recorded_at=now_us(),
            connection="connection-of-default-CS-1",
            number=99,
            frame='[2,"m99","DataTransfer",{"vendorId":"V","data":0.12345678901234567890}]',
            message_type=CALL,
            message_id="m99",
            action="DataTransfer",
            protocol="2.0.1",
        )
    )
    await site.settle()
    listed = (await site.client.get("/v1/provider-requests?waiting=true")).text

    assert '"data":0.12345678901234567890' in listed


async def test_numbers_reach_the_station_as_they_were_written(site: Site) -> None:
    request_id = await site.asks("DataTransfer", {"vendorId": "V", "data": {"limit": 1}})
    path = f"/v1/provider-requests/{request_id}/answer"
    body = '{"payload": {"status": "Accepted", "data": {"limit": 16.10}}}'
    headers = {"content-type": "application/json"}
    await site.client.post(path, content=body, headers=headers)
    await site.settle()
    again = await site.client.post(path, content=body, headers=headers)

    assert await site.told() == ['[3,"m1",{"status":"Accepted","data":{"limit":16.10}}]']
    assert again.status_code == 201
    assert '"data":{"limit":16.10}' in again.text


@pytest.mark.parametrize(
    ("request_id", "status"),
    [("1:999", 404), ("0:0", 404), ("1:-1", 422), ("x", 422), ("1", 422), ("99999:1", 404)],
)
async def test_what_is_no_request_is_not_found(site: Site, request_id: str, status: int) -> None:
    await site.asks()
    read = await site.client.get(f"/v1/provider-requests/{request_id}")
    given = await site.gives(request_id, GIVEN)

    assert (read.status_code, given.status_code) == (status, status)


async def test_a_call_that_no_provider_was_asked_about_is_no_request(site: Site) -> None:
    request_id = await site.asks("Heartbeat", {})

    assert (await site.gives(request_id, GIVEN)).status_code == 404
    assert await site.deployment.records(ProviderAnswered) == []


async def test_a_providers_key_opens_nothing_else(site: Site) -> None:
    request_id = await site.asks()
    token = await site.deployment.key("default", "provider")
    reader = await site.deployment.key("default", "auditor")
    async with site.deployment.client(token) as provider:
        seen = await provider.get(f"/v1/provider-requests/{request_id}")
        path = f"/v1/provider-requests/{request_id}/answer"
        given = await provider.post(path, json={"payload": GIVEN})
        fleet = await provider.get("/v1/stations")
    async with site.deployment.client(reader) as auditor:
        listed = await auditor.get("/v1/provider-requests")
        refused = await auditor.post(path, json={"payload": GIVEN})

    assert (seen.status_code, given.status_code, fleet.status_code) == (200, 202, 403)
    assert (listed.status_code, refused.status_code) == (200, 403)
    [record] = await site.deployment.records(ProviderAnswered)
    assert record.actor == "key:a provider"


async def test_what_becomes_of_it_is_an_event(site: Site) -> None:
    request_id = await site.asks()
    await site.gives(request_id, GIVEN)
    await site.settle()
    rows = await site.deployment.store.fetch(
        "events.after",
        {"tenant": "default", "partitions": [], "offsets": [], "indexes": [], "limit": 100},
    )

    moves = [row["detail"] for row in rows if row["kind"] == "provider-request-moved"]
    assert [move["fate"] for move in moves] == ["waiting", "answered"]
    assert now_us() > rows[-1]["recorded_at"]
