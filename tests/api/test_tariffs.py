"""Tariffs, assignments and locations through the API: checked, versioned, durable."""

import json
from typing import Any

import httpx
import pytest

from schemas.records import CommandRequested, LocationPut, TariffAssigned, TariffPut, TariffRemoved
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

Json = dict[str, Any]


def tariff(tariff_id: str = "K", price: float = 0.25, **members: Any) -> Json:
    return {
        "country_code": "NL",
        "party_id": "TST",
        "id": tariff_id,
        "currency": "EUR",
        "elements": [
            {"price_components": [{"type": "ENERGY", "price": price, "vat": 10, "step_size": 1}]}
        ],
        "last_updated": "2026-01-01T00:00:00Z",
        **members,
    }


async def test_a_tariff_is_put_and_found_as_it_was_given(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    put = await client.put("/v1/tariffs/K", json={"tariff": tariff(), "reason": "new"})
    await deployment.project()
    one, listed = await client.get("/v1/tariffs/K"), await client.get("/v1/tariffs")

    assert put.status_code == 200
    assert one.json()["tariff"] == tariff()
    assert one.json()["actor"] == "local"
    assert [item["id"] for item in listed.json()["items"]] == ["K"]
    [record] = await deployment.records(TariffPut)
    assert b'"price":0.25,' in bytes(record.tariff)


async def test_versions_stay_and_the_one_of_the_time_is_shown(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    for price, since in ((0.25, "2026-01-01T00:00:00Z"), (0.5, "2099-01-01T00:00:00Z")):
        body = {"tariff": tariff(price=price), "valid_from": since}
        await client.put("/v1/tariffs/K", json=body)
    await deployment.project()

    def price_in(found: httpx.Response) -> Any:
        return found.json()["tariff"]["elements"][0]["price_components"][0]["price"]

    now = await client.get("/v1/tariffs/K")
    later = await client.get("/v1/tariffs/K?at=2099-06-01T00:00:00Z")
    earlier = await client.get("/v1/tariffs?at=2025-06-01T00:00:00Z")

    assert (price_in(now), price_in(later)) == (0.25, 0.5)
    assert len(now.json()["versions"]) == 2
    assert earlier.json()["items"] == []


async def test_a_removed_tariff_is_listed_no_more_and_its_versions_stay(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/tariffs/K", json={"tariff": tariff()})
    gone = await client.delete("/v1/tariffs/K?reason=over")
    await deployment.project()

    assert gone.status_code == 204
    assert (await client.get("/v1/tariffs")).json()["items"] == []
    assert len((await client.get("/v1/tariffs/K")).json()["versions"]) == 2
    [record] = await deployment.records(TariffRemoved)
    assert record.reason == "over"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"currency": "EURO"}, "tariff.currency"),
        ({"id": "other"}, "tariff.id"),
        ({"elements": []}, "tariff"),
        ({"start_date_time": "soon"}, "tariff.start_date_time"),
    ],
)
async def test_what_is_no_tariff_is_refused_with_its_field(
    deployment: Deployment, client: httpx.AsyncClient, members: Json, field: str
) -> None:
    answer = await client.put("/v1/tariffs/K", json={"tariff": tariff(**members)})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert await deployment.records(TariffPut) == []


async def test_what_is_probably_not_meant_is_said_and_accepted(client: httpx.AsyncClient) -> None:
    twice = tariff()["elements"] * 2

    answer = await client.put("/v1/tariffs/K", json={"tariff": tariff(elements=twice)})

    assert answer.status_code == 200
    assert "never prices ENERGY" in answer.json()["warnings"][0]


async def test_a_tariff_is_assigned_to_a_scope(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/tariffs/K", json={"tariff": tariff()})
    await deployment.project()
    scope = {"station": "CS-1", "evse": 2, "group": "FLEET"}
    put = await client.put("/v1/tariff-assignments", json={"tariff_id": "K", **scope})
    await client.put("/v1/tariff-assignments", json={"tariff_id": "K"})
    await client.put("/v1/tariff-assignments", json={"tariff_id": None})
    await deployment.project()
    listed = (await client.get("/v1/tariff-assignments")).json()["items"]

    assert put.status_code == 200
    assert [{name: each[name] for name in scope} for each in listed] == [scope]
    assert len(await deployment.records(TariffAssigned)) == 3


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"tariff_id": "unknown"}, 404),
        ({"tariff_id": "K", "evse": 1}, 422),
        ({"tariff_id": "K", "station": "CS-1", "location_id": "HQ"}, 422),
        ({"tariff_id": "K", "station": "a:b"}, 422),
    ],
)
async def test_a_scope_that_is_none_is_refused(
    deployment: Deployment, client: httpx.AsyncClient, scope: Json, status: int
) -> None:
    await client.put("/v1/tariffs/K", json={"tariff": tariff()})
    await deployment.project()

    assert (await client.put("/v1/tariff-assignments", json=scope)).status_code == status


async def test_a_location_is_put_replaced_and_removed(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    place = {
        "time_zone": "Europe/Amsterdam",
        "address": "Damrak 1",
        "coordinates": {"latitude": "52.37570", "longitude": "4.89940"},
        "stations": [{"station": "CS-1", "evses": [{"evse": 1, "uid": "HQ-1"}]}],
    }
    put = await client.put("/v1/locations/HQ", json=place)
    await deployment.project()
    found = (await client.get("/v1/locations/HQ")).json()
    await client.delete("/v1/locations/HQ")
    await deployment.project()

    assert put.status_code == 200
    assert found["location"] == {"id": "HQ", **place}
    assert (await client.get("/v1/locations/HQ")).status_code == 404
    assert (await client.get("/v1/locations")).json()["items"] == []


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"stations": [{"station": "A"}, {"station": "A"}]}, "stations"),
        ({"stations": [{"station": "A:B"}]}, "stations.0.station"),
        ({"country": "Holland"}, "country"),
    ],
)
async def test_a_place_that_cannot_be_is_refused(
    deployment: Deployment, client: httpx.AsyncClient, members: Json, field: str
) -> None:
    answer = await client.put("/v1/locations/HQ", json={"time_zone": "UTC", **members})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert await deployment.records(LocationPut) == []


async def test_a_station_of_2_1_is_told_a_tariff_as_a_command(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.connect("default", "CS-21", protocol="2.1")
    await client.put("/v1/tariffs/K", json={"tariff": tariff()})
    await deployment.project()
    headers = {"Idempotency-Key": "k"}
    answer = await client.post(
        "/v1/tariffs/K/tell", json={"station": "CS-21", "evse": 1}, headers=headers
    )
    again = await client.post(
        "/v1/tariffs/K/tell", json={"station": "CS-21", "evse": 1}, headers=headers
    )
    [record] = await deployment.records(CommandRequested)

    assert (answer.status_code, again.status_code) == (202, 202)
    assert record.action == "SetDefaultTariff"
    payload = json.loads(bytes(record.payload))
    assert payload["evseId"] == 1
    assert payload["tariff"]["energy"]["prices"] == [{"priceKwh": 0.25}]


async def test_a_tariff_that_ocpp_has_no_words_for_is_not_told(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.connect("default", "CS-21", protocol="2.1")
    stepped = tariff()
    stepped["elements"][0]["price_components"][0]["step_size"] = 500
    await client.put("/v1/tariffs/K", json={"tariff": stepped})
    await deployment.project()
    answer = await client.post("/v1/tariffs/K/tell", json={"station": "CS-21"})

    assert answer.status_code == 422
    assert "steps" in answer.json()["errors"][0]["message"]
    assert await deployment.records(CommandRequested) == []
