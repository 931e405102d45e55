"""CDRs, transactions and id tokens as billing and operators read them."""

import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request

from api.answers import Items, read
from projections.evidence import Bundle
from schemas.cdr import Cdr, canonical, digest
from schemas.partitions import partition_of
from schemas.records import IdTokenPut, IdTokenRemoved
from tests.api.charging import Talk
from tests.api.deployment import PARTITIONS, Deployment
from tests.domain.released import LOCATION

pytestmark = pytest.mark.postgres

SIGNED: dict[str, Any] = {
    "energy_wh": None,
    "is_energy": False,
    "reported_wh": 20_000,
    "cross_check_wh": None,
    "paginations": [],
    "judged": None,
}


@pytest.fixture
async def talk(deployment: Deployment) -> Talk:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    return talk


async def test_billing_s_feed_goes_on_where_it_stopped(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    for number in range(1, 4):
        await talk.charge(number, f"token-{number}", number * 1_000)
    await deployment.project()

    first = (await client.get("/v1/cdrs?limit=2")).json()
    rest = (await client.get(f"/v1/cdrs?after={first['next']}")).json()
    nothing = (await client.get(f"/v1/cdrs?after={rest['next']}")).json()
    await talk.charge(4, "token-4", 4_000)
    await deployment.project()
    later = (await client.get(f"/v1/cdrs?after={nothing['next']}")).json()

    assert [item["energy_wh"] for item in first["items"]] == [1_000, 2_000]
    assert [item["energy_wh"] for item in rest["items"]] == [3_000]
    assert nothing == {"items": [], "next": rest["next"]}
    assert [item["transaction_id"] for item in later["items"]] == ["4"]


async def test_the_feed_is_filtered(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_000)
    await talk.charge(2, "04B2", 2_000)
    await deployment.project()

    async def transactions(query: str) -> list[str]:
        items = (await client.get(f"/v1/cdrs?{query}")).json()["items"]
        return [item["transaction_id"] for item in items]

    assert await transactions("id_token=04b2") == ["2"]
    assert await transactions("station=CS-1") == ["1", "2"]
    assert await transactions("station=CS-2") == []
    assert await transactions("from=2026-01-02T03:04:05Z&to=2026-01-02T03:04:06Z") == ["1", "2"]
    assert await transactions("from=2026-01-02T04:04:05%2B01:00") == ["1", "2"]
    assert await transactions("to=2026-01-02T03:04:05Z") == []
    state = (await client.get("/v1/cdrs")).json()["items"][0]["state"]
    assert await transactions(f"state={state}") == ["1", "2"]
    others = {"OPEN", "HELD", "FINAL"} - {state}
    assert [await transactions(f"state={other}") for other in others] == [[], []]


async def test_a_cdr_is_its_document_and_where_it_is_from(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_234)
    await deployment.project()
    item = (await client.get("/v1/cdrs")).json()["items"][0]

    alone = await client.get(f"/v1/cdrs/{item['id']}")

    cdr = msgspec.json.decode(alone.content, type=Cdr)
    assert alone.json() == item
    assert (cdr.energy_wh, cdr.meter_start_wh, cdr.meter_stop_wh) == (1_234, 1_000, 2_234)
    assert cdr.started_at == "2026-01-02T03:04:05Z"
    assert alone.content.startswith(canonical(cdr)[:-1])
    assert item["sha256"] == digest(canonical(cdr))
    assert item["record"].count(":") == 1


async def test_evidence_is_given_out_once_all_its_frames_are_there(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_234)
    await deployment.project()
    item = (await client.get("/v1/cdrs")).json()["items"][0]

    early = await client.get(f"/v1/cdrs/{item['id']}/evidence")
    await deployment.series_reaches_the_head()
    answer = await client.get(f"/v1/cdrs/{item['id']}/evidence")

    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (503, "not-yet")
    assert "retry-after" in early.headers
    told = msgspec.json.decode(answer.content, type=Bundle)
    assert sha256(bytes(told.evidence)).hexdigest() == told.sha256
    assert answer.json()["evidence"]["cdr_sha256"] == item["sha256"]
    assert (await client.get("/v1/cdrs/nothing/evidence")).status_code == 404


async def test_a_released_priced_cdr_is_told_in_the_words_of_ocpi(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04E91C5A123B80", 20_000)
    place = LOCATION | {"stations": [LOCATION["stations"][0] | {"station": "CS-1"}]}
    cdr = await talk.release(1, location={"position": "0:4", "document": place})
    await deployment.project()

    of_221 = await client.get(f"/v1/cdrs/{cdr}/ocpi?version=2.2.1")
    of_230 = await client.get(f"/v1/cdrs/{cdr}/ocpi?version=2.3.0")

    assert of_221.status_code == 200
    assert of_221.json()["total_cost"] == {"excl_vat": 6, "incl_vat": 6.7}
    assert of_230.json()["total_cost"]["before_taxes"] == 6
    assert of_221.json()["last_updated"].endswith("Z")
    assert (await client.get(f"/v1/cdrs/{cdr}/ocpi?version=2.1.1")).status_code == 422
    assert (await client.get(f"/v1/cdrs/{cdr}/ocpi")).status_code == 422


async def test_signed_values_are_told_in_the_words_of_ocpi_once_their_frames_are_there(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    text = "OCMF|{}|{}"
    frame = msgspec.json.encode([2, "m", "StopTransaction", {"signed": text}]).decode()
    partition, offset = partition_of("default", "CS-1", PARTITIONS), 0
    named = {
        "position": f"{partition}:{offset}",
        "path": "/3/signed",
        "sha256": sha256(text.encode()).hexdigest(),
        "validity": "unverifiable",
        "meter": "",
        "key": "",
        "public_key": "",
    }
    place = LOCATION | {"stations": [LOCATION["stations"][0] | {"station": "CS-1"}]}
    await talk.charge(1, "04E91C5A123B80", 20_000)
    cdr = await talk.release(
        1,
        location={"position": "0:4", "document": place},
        signed=SIGNED | {"values": [named]},
    )
    await deployment.project()
    path = f"/v1/cdrs/{cdr}/ocpi?version=2.2.1"

    early = await client.get(path)
    await deployment.series_reaches_the_head()
    missing = await client.get(path)
    row = {"tenant": "default", "station": "CS-1", "offset": offset, "frame": frame}
    deployment.frames.rows.append(row)
    told = await client.get(path)

    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (503, "not-yet")
    assert missing.status_code == 409
    assert missing.json()["detail"].startswith("signed-values-missing")
    assert told.status_code == 200, told.text
    assert [each["signed_data"] for each in told.json()["signed_data"]["signed_values"]] == [text]
    assert told.json()["signed_data"]["url"] == f"https://check.example/{cdr}"


async def test_what_has_no_form_in_ocpi_is_refused_with_the_reason(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_000)
    await deployment.project()
    item = (await client.get("/v1/cdrs")).json()["items"][0]
    early = await client.get(f"/v1/cdrs/{item['id']}/ocpi?version=2.2.1")
    await talk.release(1, cost=None)
    await deployment.project()
    unpriced = await client.get(f"/v1/cdrs/{item['id']}/ocpi?version=2.2.1")

    assert (early.status_code, early.json()["detail"]) == (409, "it is not released")
    assert unpriced.status_code == 409
    assert unpriced.json()["detail"].startswith("unpriced")


async def test_transactions_are_listed_and_found_by_either_id(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_000)
    await talk.charge(2, "04B2", 1_000)
    await deployment.project()

    page = (await client.get("/v1/transactions?limit=1&active=false")).json()
    rest = (await client.get(f"/v1/transactions?after={page['next']}")).json()
    assert [item["transaction_id"] for item in page["items"]] == ["2"]
    assert [item["transaction_id"] for item in rest["items"]] == ["1"]
    assert rest["next"] is None
    assert (await client.get("/v1/transactions?active=true")).json()["items"] == []
    assert (await client.get("/v1/transactions?id_token=04a1")).json()["items"] == rest["items"]
    first = rest["items"][0]
    unpriced = {**first, "cost": None, "cost_as_of": None}
    assert (await client.get(f"/v1/transactions/{first['id']}")).json() == unpriced
    assert (await client.get("/v1/transactions/1?station=CS-1")).json() == unpriced
    assert (await client.get("/v1/transactions/1?station=CS-2")).status_code == 404


async def test_an_id_token_is_put_read_listed_and_deleted(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    body = {"status": "Blocked", "expires_at": "2030-01-01T01:00:00+01:00", "group": "FLEET"}
    written = await client.put("/v1/id-tokens/04A1", json=body)
    await client.put("/v1/id-tokens/04B2", json={})
    await deployment.project()

    found = (await client.get("/v1/id-tokens/04a1")).json()
    page = (await client.get("/v1/id-tokens?limit=1")).json()
    rest = (await client.get(f"/v1/id-tokens?after={page['next']}")).json()

    assert written.json()["expires_at"] == "2030-01-01T00:00:00Z"
    assert found | written.json() == found
    uids = [item["uid"] for item in (*page["items"], *rest["items"])]
    assert uids == ["04A1", "04B2"]

    gone = await client.delete("/v1/id-tokens/04a1")
    again = await client.delete("/v1/id-tokens/04a1")
    await deployment.project()

    assert (gone.status_code, again.status_code) == (204, 204)
    assert (await client.get("/v1/id-tokens/04A1")).status_code == 404
    assert len(await deployment.records(IdTokenPut)) == 2
    assert len(await deployment.records(IdTokenRemoved)) == 2


async def test_an_id_token_may_hold_a_slash(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    put = await client.put("/v1/id-tokens/04%2FA1", json={"status": "Blocked"})
    await deployment.project()
    found = await client.get("/v1/id-tokens/04%2FA1")
    gone = await client.delete("/v1/id-tokens/04%2FA1")
    await deployment.project()

    assert (put.status_code, put.json()["uid"]) == (200, "04/A1")
    assert (found.status_code, found.json()["uid"]) == (200, "04/A1")
    assert gone.status_code == 204
    assert (await client.get("/v1/id-tokens/04%2FA1")).status_code == 404
    assert (await client.get("/v1/id-tokens/")).status_code == 404


async def test_the_document_of_the_interface_is_whole(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    text = str(document)

    references = {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])
    page = (await client.get("/docs")).text
    scripts = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page)
    assert len(scripts) >= 2
    for script in scripts:
        assert script.startswith("/")
        assert (await client.get(script)).status_code == 200
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            protected = path not in ("/healthz", "/readyz")
            assert bool(described.get("security")) == protected, (method, path)


def test_a_decimal_is_never_a_float() -> None:
    request = Request({"type": "http", "headers": []})
    answer = read(request, Items([Decimal("0.1")], None))

    assert answer.body == b'{"items":["0.1"],"next":null}'


async def test_a_kit_may_ask_which_transaction_is_active_and_how_many_a_token_has(
    deployment: Deployment, client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.charge(1, "04A1", 1_000)
    await talk.charge(2, "04A1", 1_000)
    other = Talk(deployment, "default", "CS-2")
    await other.open()
    await other.charge(3, "04A1", 1_000)
    await talk.call(
        "StartTransaction",
        {
            "connectorId": 1,
            "idTag": "04B2",
            "meterStart": 9_000,
            "timestamp": "2026-01-02T05:04:05Z",
        },
        {"transactionId": 4, "idTagInfo": {"status": "Accepted"}},
    )
    await deployment.project()

    async def asked(query: str) -> dict[str, Any]:
        answer = await client.get(f"/v1/transactions?{query}")
        assert answer.status_code == 200
        page: dict[str, Any] = answer.json()
        return page

    (active,) = (await asked("station=CS-1&state=active"))["items"]
    assert (active["transaction_id"], active["id_token"]) == ("4", "04B2")
    assert (await asked("id_token=04a1&count=true&limit=1"))["total"] == 3
    assert (await asked("station=CS-1&id_token=04A1&count=true"))["total"] == 2
    assert (await asked("state=ended&station=CS-2&count=1"))["total"] == 1
    assert (await asked("station=CS-9&count=true"))["total"] == 0
    assert "total" not in await asked("station=CS-1")
    assert (await asked("state=ended&active=false"))["items"]
    refused = await client.get("/v1/transactions?state=ended&active=true")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "active")
