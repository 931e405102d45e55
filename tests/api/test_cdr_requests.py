"""People decide about CDRs: released, rejected, repriced, or told why not; once per key."""

from typing import Any

import httpx
import pytest

from schemas.records import CdrActionRequested, CdrCorrected, CdrReleased
from tests.api.deployment import Deployment
from tests.api.owning import Owners
from tests.api.test_tariffs import tariff

pytestmark = pytest.mark.postgres

Json = dict[str, Any]


class Site:
    """A station whose sessions cost 0.25 a kWh and 10 % tax, and who decides for it."""

    def __init__(self, deployment: Deployment, client: httpx.AsyncClient) -> None:
        self.deployment, self.client = deployment, client
        self.owners = Owners(deployment)
        self._number = 0

    async def open(self) -> None:
        await self.client.put(
            "/v1/tariffs/K", json={"tariff": tariff(), "valid_from": "2020-01-01T00:00:00Z"}
        )
        await self.deployment.project()
        await self.client.put(
            "/v1/tariff-assignments",
            json={"tariff_id": "K", "valid_from": "2020-01-01T00:00:00Z"},
        )
        await self.deployment.connect("default", "CS-1")
        await self.owners.settle()

    async def says(self, action: str, payload: Json) -> None:
        self._number += 1
        await self.deployment.says("default", "CS-1", self._number, action, payload)
        await self.owners.settle()

    async def charges(self, energy_wh: int = 8_000, at: str = "2026-03-10T09:00:00Z") -> Json:
        """A session; return its CDR."""
        await self.says(
            "StartTransaction",
            {"connectorId": 1, "idTag": "TAG", "meterStart": 1_000, "timestamp": at},
        )
        await self.stops(1_000 + energy_wh, at.replace("T09", "T10"))
        return (await self.cdrs())[-1]

    async def stops(self, meter: int, at: str) -> None:
        transaction_id = int((await self.cdrs())[-1]["transaction_id"])
        await self.says(
            "StopTransaction",
            {"transactionId": transaction_id, "meterStop": meter, "timestamp": at},
        )

    async def cdrs(self, query: str = "") -> list[Json]:
        await self.deployment.project()
        items: list[Json] = (await self.client.get(f"/v1/cdrs{query}")).json()["items"]
        return items

    async def asks(self, cdr: Json, action: str, key: str = "k1", **body: Any) -> Json:
        """Ask; return what became of it."""
        path = f"/v1/cdrs/{cdr['id']}/{action}"
        body = {"reason": "because", **body}
        answer = await self.client.post(path, json=body, headers={"Idempotency-Key": key})
        assert answer.status_code in (201, 202), answer.text
        await self.owners.settle()
        await self.deployment.project()
        found: Json = (await self.client.get(answer.headers["location"])).json()
        return found


@pytest.fixture
async def site(deployment: Deployment, client: httpx.AsyncClient) -> Site:
    site = Site(deployment, client)
    await site.open()
    return site


async def test_a_session_is_released_with_its_price(site: Site) -> None:
    cdr = await site.charges()

    assert cdr["state"] == "FINAL"
    assert cdr["cost"]["rounded"] == ["2.00", "2.20"]
    assert cdr["tariff"]["document"]["id"] == "K"


async def test_a_held_cdr_is_on_the_work_list_until_a_person_releases_it(site: Site) -> None:
    cdr = await site.charges(energy_wh=-2_000)
    waiting = (await site.client.get("/v1/work-list?held_by=METER_STOP_INVALID")).json()["items"]
    unknown = await site.asks(cdr, "release")
    done = await site.asks(cdr, "release", key="k2", energy_wh=4_000, reason="Read on the meter")
    [released] = await site.cdrs()

    assert [item["id"] for item in waiting] == [cdr["id"]]
    assert waiting[0]["holds"] == ["METER_STOP_INVALID"]
    assert (unknown["fate"], unknown["refusal"]) == (
        "refused",
        "its energy is not known: say energy_wh",
    )
    assert (done["fate"], done["result"]) == ("done", [cdr["id"]])
    assert (released["state"], released["energy_wh"]) == ("FINAL", 4_000)
    assert released["cost"]["rounded"] == ["1.00", "1.10"]
    assert released["decided"]["reason"] == "Read on the meter"
    assert (await site.client.get("/v1/work-list")).json()["items"] == []


async def test_a_rejected_cdr_is_billed_to_nobody(site: Site) -> None:
    cdr = await site.charges(energy_wh=-2_000)
    done = await site.asks(cdr, "reject")
    again = await site.asks(cdr, "reject", key="k2")
    [rejected] = await site.cdrs()

    assert (done["fate"], again["refusal"]) == ("done", "it was rejected before")
    assert rejected["state"] == "REJECTED"
    assert rejected["decided"]["actor"] == "local"
    assert await site.deployment.records(CdrReleased) == []


async def test_one_key_is_one_request_and_another_content_is_refused(site: Site) -> None:
    cdr = await site.charges(energy_wh=-2_000)
    first = await site.asks(cdr, "release", energy_wh=4_000)
    again = await site.asks(cdr, "release", energy_wh=4_000)
    path = f"/v1/cdrs/{cdr['id']}/release"
    other = await site.client.post(
        path, json={"reason": "because", "energy_wh": 1}, headers={"Idempotency-Key": "k1"}
    )

    assert first == again
    assert other.status_code == 409
    assert len(await site.deployment.records(CdrActionRequested)) == 1


async def test_a_corrected_tariff_makes_a_credit_and_a_replacement(site: Site) -> None:
    cdr = await site.charges()
    same = await site.asks(cdr, "reprice")
    cheaper = {"tariff": tariff(price=0.2), "valid_from": "2026-01-01T00:00:00Z"}
    await site.client.put("/v1/tariffs/K", json=cheaper)
    done = await site.asks(cdr, "reprice", key="k2", reason="Sold at 0.20")
    original, credit, replacement = await site.cdrs()

    assert same["refusal"] == "it costs the same"
    assert done["result"] == [credit["id"], replacement["id"]]
    assert {**original, "position": ""} == {**cdr, "position": ""}
    assert (credit["credit"], credit["credit_reference_id"]) == (True, cdr["id"])
    assert credit["cost"]["rounded"] == ["-2.00", "-2.20"]
    assert credit["cost"]["energy"] == cdr["cost"]["energy"]
    assert credit["energy_wh"] == 8_000
    assert replacement["cost"]["rounded"] == ["1.60", "1.76"]
    assert replacement["replaces"] == cdr["id"]
    assert replacement["causes"] == credit["causes"]
    assert replacement["decided"]["reason"] == "Sold at 0.20"
    [record] = await site.deployment.records(CdrCorrected)
    assert replacement["causes"][0].endswith(f":{record.cause}")


async def test_what_was_corrected_is_corrected_once(site: Site) -> None:
    cdr = await site.charges()
    for price, key in ((0.2, "k1"), (0.1, "k2")):
        body = {"tariff": tariff("L", price), "valid_from": "2026-01-01T00:00:00Z"}
        await site.client.put("/v1/tariffs/L", json=body)
        latest = await site.asks(cdr, "reprice", key=key, tariff_id="L")
    chain = await site.cdrs()
    onwards = await site.asks(chain[-1], "reprice", key="k3", tariff_id="L")

    assert latest["refusal"] == f"it was corrected before: {chain[2]['id']} stands in its place"
    assert onwards["fate"] == "done"
    assert [each.get("sequence", 0) for each in await site.cdrs()] == [0, 1, 2, 3, 4]


async def test_only_who_may_release_does(deployment: Deployment, site: Site) -> None:
    cdr = await site.charges(energy_wh=-2_000)
    token = await deployment.key("default", "auditor")
    async with deployment.client(token) as auditor:
        answer = await auditor.post(f"/v1/cdrs/{cdr['id']}/release", json={"reason": "because"})

    assert answer.status_code == 403
    assert await deployment.records(CdrActionRequested) == []


@pytest.mark.parametrize(
    "body", [{}, {"reason": "x"}, {"reason": "because", "energy_wh": -1}, {"reason": "ok!", "a": 1}]
)
async def test_a_request_without_a_reason_or_with_nonsense_is_refused(
    site: Site, body: Json
) -> None:
    cdr = await site.charges(energy_wh=-2_000)

    answer = await site.client.post(f"/v1/cdrs/{cdr['id']}/release", json=body)

    assert answer.status_code == 422


async def test_a_running_transaction_shows_what_it_owes_up_to_its_last_reading(site: Site) -> None:
    await site.says(
        "StartTransaction",
        {
            "connectorId": 1,
            "idTag": "TAG",
            "meterStart": 1_000,
            "timestamp": "2026-03-10T09:00:00Z",
        },
    )
    transaction_id = int((await site.cdrs())[-1]["transaction_id"])
    before = (await site.client.get(f"/v1/transactions/{transaction_id}")).json()
    sample = {"timestamp": "2026-03-10T09:30:00Z", "sampledValue": [{"value": "5000"}]}
    values = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [sample]}
    await site.says("MeterValues", values)
    await site.deployment.project()
    running = (await site.client.get(f"/v1/transactions/{transaction_id}")).json()
    await site.stops(9_000, "2026-03-10T10:00:00Z")
    await site.deployment.project()
    over = (await site.client.get(f"/v1/transactions/{transaction_id}")).json()

    assert before["cost"]["rounded"] == ["0.00", "0.00"]
    assert running["cost"]["rounded"] == ["1.00", "1.10"]
    assert running["cost_as_of"] == "2026-03-10T09:30:00Z"
    assert (over["cost"]["rounded"], over["cost_as_of"]) == (["2.00", "2.20"], None)


async def test_a_doubt_that_comes_after_the_release_is_on_the_work_list_until_it_is_overruled(
    site: Site,
) -> None:
    cdr = await site.charges()
    assert (await site.client.get("/v1/work-list")).json()["items"] == []
    await site.stops(9_500, "2026-03-10T10:30:00Z")
    held = await site.charges(energy_wh=-2_000, at="2026-03-11T09:00:00Z")

    for query in ("", "?held_by=CONFLICTING_STOP", "?limit=1"):
        waiting = (await site.client.get(f"/v1/work-list{query}")).json()["items"]
        assert (waiting[0]["id"], waiting[0]["state"]) == (cdr["id"], "FINAL")
        assert waiting[0]["doubts"] == ["CONFLICTING_STOP"]
        assert [each["id"] for each in waiting[1:]] == ([held["id"]] if query == "" else [])
    assert waiting[0]["sha256"] == cdr["sha256"]
    [other] = (await site.client.get("/v1/work-list?held_by=METER_STOP_INVALID")).json()["items"]
    assert "doubts" not in other

    done = await site.asks(cdr, "overrule", reason="The first one is right")

    assert (done["fate"], done["result"]) == ("done", [cdr["id"]])
    [left] = (await site.client.get("/v1/work-list")).json()["items"]
    assert left["id"] == held["id"]
    refused = await site.asks(cdr, "overrule", key="k2")
    assert refused["fate"] == "refused"
