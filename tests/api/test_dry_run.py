"""The dry run: what a session would cost, line by line, and why."""

from typing import Any

import httpx
import pytest

from tests.api.deployment import Deployment
from tests.api.test_cdr_requests import Site
from tests.api.test_tariffs import tariff

pytestmark = pytest.mark.postgres

Json = dict[str, Any]
SESSION = {"start": "2026-03-10T15:30:00Z", "end": "2026-03-10T16:30:00Z", "energy_wh": 8000}


def component(kind: str, price: float, step: int = 1) -> Json:
    return {"type": kind, "price": price, "step_size": step}


def time_of_use() -> Json:
    return tariff(
        elements=[
            {
                "price_components": [component("ENERGY", 0.2)],
                "restrictions": {"end_time": "17:00"},
            },
            {"price_components": [component("ENERGY", 0.3), component("PARKING_TIME", 2, 900)]},
        ]
    )


async def run(client: httpx.AsyncClient, **body: Any) -> Json:
    answer = await client.post("/v1/pricing/dry-run", json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_a_tariff_that_nobody_registered_is_tried(client: httpx.AsyncClient) -> None:
    states = [{"at": "2026-03-10T16:10:00Z", "state": "SuspendedEV"}]
    readings = [{"at": "2026-03-10T16:00:00Z", "energy_wh": 6000}]
    session = {**SESSION, "states": states, "readings": readings}
    found = await run(client, tariff=time_of_use(), session=session, time_zone="Europe/Amsterdam")

    assert found["cost"]["rounded"] == ["2.80", "2.80"]
    assert [(line["kind"], line["volume"], line["step_surplus"]) for line in found["lines"]] == [
        ("ENERGY", "6000", "0"),
        ("ENERGY", "2000", "0"),
        ("PARKING", "1200", "600"),
    ]
    assert found["lines"][0]["because"] == "element 1 (end_time 17:00)"
    assert found["flags"] == []
    assert "rounded up to 900 s" in found["warnings"][0]


async def test_a_registered_one_counts_as_of_the_start_of_the_session(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    for price, since in ((0.25, "2026-01-01T00:00:00Z"), (0.5, "2026-03-10T15:31:00Z")):
        body = {"tariff": tariff(price=price), "valid_from": since}
        await client.put("/v1/tariffs/K", json=body)
    await deployment.project()
    found = await run(client, tariff_id="K", session=SESSION)
    earlier = {**SESSION, "start": "2025-03-10T15:30:00Z"}
    none = {"tariff_id": "K", "session": earlier}

    assert found["cost"]["incl_vat"] == "2.2"
    assert (await client.post("/v1/pricing/dry-run", json=none)).status_code == 404


async def test_a_session_that_took_place_is_priced_otherwise(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    site = Site(deployment, client)
    await site.open()
    cdr = await site.charges()
    found = await run(client, tariff=tariff("L", 0.5), cdr=cdr["id"])

    assert found["cost"]["rounded"] == ["4.00", "4.40"]
    assert (await site.cdrs()) == [cdr]


async def test_the_periods_of_an_ocpi_cdr_are_priced(client: httpx.AsyncClient) -> None:
    period = {
        "start_date_time": "2026-03-10T15:30:00Z",
        "dimensions": [{"type": "ENERGY", "volume": 8}, {"type": "TIME", "volume": 1}],
    }
    ocpi = {
        "start_date_time": "2026-03-10T15:30:00Z",
        "end_date_time": "2026-03-10T16:30:00Z",
        "charging_periods": [period],
    }

    assert (await run(client, tariff=tariff(), ocpi=ocpi))["cost"]["incl_vat"] == "2.2"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tariff": tariff()}, "session"),
        ({"tariff": tariff(), "session": SESSION, "cdr": "x"}, "session"),
        ({"session": SESSION}, "tariff_id"),
        ({"tariff": tariff(), "tariff_id": "K", "session": SESSION}, "tariff_id"),
        ({"tariff": {"id": "K"}, "session": SESSION}, "tariff"),
        ({"tariff": tariff(), "session": SESSION, "time_zone": "Mars"}, "time_zone"),
        ({"tariff": tariff(), "session": {**SESSION, "end": SESSION["start"]}}, ""),
        ({"tariff": tariff(), "session": {**SESSION, "end": "2026-03-10T15:00:00Z"}}, "session"),
    ],
)
async def test_what_cannot_be_priced_is_said(
    client: httpx.AsyncClient, body: Json, field: str
) -> None:
    answer = await client.post("/v1/pricing/dry-run", json=body)

    if not field:
        assert answer.json()["cost"]["incl_vat"] == "2.2"  # No time at all is a time.
        return
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)
