"""P5: a tenant never sees or touches another's. Every route, in a matrix of two tenants."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.station_state import ALL
from infra.clock import now
from schemas.records import (
    CdrActionRequested,
    CommandRequested,
    IdTokenPut,
    IdTokenRemoved,
    ProviderAnswered,
    StationDeregistered,
    StationRegistered,
)
from tests.api.charging import Talk
from tests.api.deployment import Deployment
from tests.api.test_tariffs import tariff

pytestmark = pytest.mark.postgres

RESET = {"action": "Reset", "payload": {"type": "Hard"}}
ORPHAN = {"transactionId": 99, "meterStop": 1, "timestamp": "2026-01-02T04:04:05Z"}
ANSWER = "/v1/provider-requests/{id}/answer"
DRY_RUN, TELL = "/v1/pricing/dry-run", "/v1/tariffs/{id}/tell"
MARK = "of-acme"
"""Stands in everything that acme has, and nowhere else."""

Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]

LISTS = (
    "/v1/stations",
    "/v1/transactions",
    "/v1/cdrs",
    "/v1/id-tokens",
    "/v1/tariffs",
    "/v1/tariff-assignments",
    "/v1/locations",
    "/v1/work-list",
    "/v1/orphans",
    "/v1/reservations",
    "/v1/provider-requests",
    "/v1/set-aside",
    "/v1/events",
)
DECISIONS = {f"/v1/cdrs/{{id}}/{action}" for action in ("release", "reject", "reprice", "overrule")}
UNPRICED = "/v1/cdrs/{id}/ocpi"
"""Of what acme has nothing has a form in OCPI: another test."""

STATEMENT = "/v1/cdrs/completeness"
"""Counts, which another test compares."""

OPEN = {"/healthz", "/readyz"}
"""Say nothing of any tenant."""


@pytest.fixture
async def paths(deployment: Deployment) -> dict[str, str]:
    """What acme has: a path for each route that names one thing, by the route's own path."""
    talk = Talk(deployment, "acme", f"CS-{MARK}")
    await talk.open()
    await talk.charge(4711, f"token-{MARK}", 5_000)
    reserved = {
        "connectorId": 1, "reservationId": 1, "idTag": f"token-{MARK}",
        "expiryDate": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    await talk.ask("ReserveNow", reserved, {"status": "Accepted"})
    async with deployment.client() as client:
        where = {"tenant": "acme"}
        station = f"/v1/stations/CS-{MARK}"
        token = f"/v1/id-tokens/token-{MARK}"
        await client.put(station, json={"name": MARK}, params=where)
        await client.put(token, json={"group": MARK}, params=where)
        await deployment.project()
        asked = await client.post(
            f"{station}/commands", json={**RESET, "reason": MARK}, params=where
        )
        await deployment.project()
        cdr = (await client.get("/v1/cdrs", params=where)).json()["items"][0]["id"]
        priced = {"tariff": tariff(f"tariff-{MARK}"), "reason": MARK}
        await client.put(f"/v1/tariffs/tariff-{MARK}", json=priced, params=where)
        place = {"time_zone": "UTC", "name": MARK}
        await client.put(f"/v1/locations/place-{MARK}", json=place, params=where)
        await deployment.project()
        assigned = {"tariff_id": f"tariff-{MARK}", "reason": MARK}
        await client.put("/v1/tariff-assignments", json=assigned, params=where)
        decided = await client.post(f"/v1/cdrs/{cdr}/reject", json={"reason": MARK}, params=where)
        await talk.call("StopTransaction", ORPHAN, {})
        await talk.start(4712, f"token-{MARK}")
        await talk.start(4713, f"token-{MARK}")
        await talk.call("StopTransaction", {**ORPHAN, "transactionId": 4713, "meterStop": -1}, {})
        await deployment.project()
    forwarded = await talk.call_forwarded("DataTransfer", {"vendorId": MARK})
    await talk.call_answered_unreadably()
    await deployment.project()
    await deployment.series_reaches_the_head()
    held = {f"/v1/stations/{{station}}/{facet}": f"{station}/{facet}" for facet in ALL}
    return {
        **held,
        "/v1/stations/{station}": station,
        "/v1/stations/{station}/messages": f"{station}/messages",
        "/v1/stations/{station}/commands": f"{station}/commands",
        "/v1/commands/{id}": asked.headers["location"],
        "/v1/transactions/{id}": f"/v1/transactions/{cdr}",
        "/v1/cdrs/{id}": f"/v1/cdrs/{cdr}",
        "/v1/cdrs/{id}/evidence": f"/v1/cdrs/{cdr}/evidence",
        "/v1/id-tokens/{uid}": token,
        "/v1/tariffs/{id}": f"/v1/tariffs/tariff-{MARK}",
        "/v1/locations/{id}": f"/v1/locations/place-{MARK}",
        "/v1/cdr-requests/{id}": decided.headers["location"],
        "/v1/provider-requests/{id}": f"/v1/provider-requests/{forwarded}",
    }


@pytest.fixture
async def clients(deployment: Deployment, paths: dict[str, str]) -> AsyncIterator[Clients]:
    """acme's own administrator, and that of another tenant."""
    acme, rival = await deployment.key("acme", "admin"), await deployment.key("rival", "admin")
    async with deployment.client(acme) as first, deployment.client(rival) as second:
        yield first, second


async def test_every_route_is_in_this_matrix(deployment: Deployment, paths: dict[str, str]) -> None:
    document = deployment.app.openapi()
    covered = {
        *paths,
        *LISTS,
        *OPEN,
        *DECISIONS,
        UNPRICED,
        ANSWER,
        DRY_RUN,
        TELL,
        STATEMENT,
        "/metrics",
    }

    assert set(document["paths"]) == covered


async def test_what_one_tenant_has_another_does_not_find(
    deployment: Deployment, clients: Clients, paths: dict[str, str]
) -> None:
    acme, rival = clients
    for route, path in paths.items():
        mine = await acme.get(path)
        theirs = await rival.get(path)

        assert mine.status_code == 200, route
        assert theirs.status_code == 404, route
        assert MARK not in _without_url(theirs, path)
        stolen = await rival.get(path, params={"tenant": "acme"})
        assert stolen.status_code == 403, route


async def test_the_statement_of_completeness_counts_one_s_own(clients: Clients) -> None:
    acme, rival = clients
    today = now().date()
    where = f"{STATEMENT}?from={today - timedelta(days=1)}&to={today + timedelta(days=2)}"
    mine, theirs = (await acme.get(where)).json(), (await rival.get(where)).json()
    assert sum(day["sessions"] for day in mine["days"]) == 3
    assert sum(day["orphans"] for day in mine["days"]) == 1
    assert sum(day["sessions"] + day["orphans"] for day in theirs["days"]) == 0


async def test_a_cdr_in_the_words_of_ocpi_is_its_tenant_s_only(
    clients: Clients, paths: dict[str, str]
) -> None:
    acme, rival = clients
    path = f"{paths['/v1/cdrs/{id}']}/ocpi?version=2.2.1"
    assert (await acme.get(path)).status_code == 409
    assert (await rival.get(path)).status_code == 404


async def test_the_station_s_own_transaction_id_is_found_in_its_tenant_only(
    deployment: Deployment, clients: Clients
) -> None:
    acme, rival = clients

    assert (await acme.get("/v1/transactions/4711")).status_code == 200
    assert (await rival.get("/v1/transactions/4711")).status_code == 404


async def test_lists_hold_what_is_one_s_own(deployment: Deployment, clients: Clients) -> None:
    acme, rival = clients
    for path in LISTS[:-1]:
        mine, theirs = await acme.get(path), await rival.get(path)
        assert MARK in mine.text, path
        assert theirs.json()["items"] == [], path
        filtered = {"/v1/cdrs": {"station": f"CS-{MARK}"}, "/v1/transactions": {"active": "false"}}
        answer = await rival.get(path, params=filtered.get(path, {}))
        assert answer.json()["items"] == [], path


async def test_a_page_of_one_tenant_does_not_continue_in_another(
    deployment: Deployment, clients: Clients
) -> None:
    acme, rival = clients
    transaction = (await acme.get("/v1/transactions?limit=1")).json()["next"]

    for path, after in (
        ("/v1/stations", "A"),
        ("/v1/transactions", transaction),
        ("/v1/id-tokens", "a"),
        ("/v1/cdrs", (await rival.get("/v1/cdrs")).json()["next"]),
    ):
        answer = await rival.get(path, params={"after": after})
        assert answer.json()["items"] == [], path


async def test_nothing_of_another_tenant_can_be_touched(
    deployment: Deployment, clients: Clients, paths: dict[str, str]
) -> None:
    acme, rival = clients
    station, token = paths["/v1/stations/{station}"], paths["/v1/id-tokens/{uid}"]
    before = [(await acme.get(path)).json() for path in (station, token)]

    commanded = await rival.post(f"{station}/commands", json=RESET)
    put = await rival.put(station, json={"name": "stolen", "password": "x" * 16})
    deleted = await rival.delete(station)
    token_put = await rival.put(token, json={"status": "Blocked"})
    token_deleted = await rival.delete(token)
    await deployment.project()

    assert commanded.status_code == 404
    statuses = [answer.status_code for answer in (put, deleted, token_put, token_deleted)]
    assert statuses == [200, 204, 200, 204]
    assert [(await acme.get(path)).json() for path in (station, token)] == before
    kinds = (StationRegistered, StationDeregistered, IdTokenPut, IdTokenRemoved, CommandRequested)
    for kind in kinds:
        for record in await deployment.records(kind):
            assert (record.actor == "key:a admin") == (record.tenant == "rival")


async def test_nobody_decides_about_another_tenant_s_cdr(
    deployment: Deployment, clients: Clients, paths: dict[str, str]
) -> None:
    _, rival = clients
    before = len(await deployment.records(CdrActionRequested))
    for route in DECISIONS:
        path = route.replace("/v1/cdrs/{id}", paths["/v1/cdrs/{id}"])
        assert (await rival.post(path, json={"reason": "theft"})).status_code == 404

    assert len(await deployment.records(CdrActionRequested)) == before


async def test_nobody_answers_what_another_tenant_s_station_asks(
    deployment: Deployment, clients: Clients, paths: dict[str, str]
) -> None:
    acme, rival = clients
    path = f"{paths['/v1/provider-requests/{id}']}/answer"
    body = {"payload": {"status": "Accepted"}}
    theirs, mine = await rival.post(path, json=body), await acme.post(path, json=body)

    assert (theirs.status_code, mine.status_code) == (404, 202)
    assert [r.tenant for r in await deployment.records(ProviderAnswered)] == ["acme"]


async def test_nobody_prices_with_what_is_another_tenant_s(
    deployment: Deployment, clients: Clients, paths: dict[str, str]
) -> None:
    acme, rival = clients
    its_cdr, its_tariff = paths["/v1/cdrs/{id}"].split("/")[-1], f"tariff-{MARK}"
    session = {"start": "2099-01-02T03:04:05Z", "end": "2099-01-02T04:04:05Z", "energy_wh": 1}
    asked = (
        {"tariff": tariff("T"), "cdr": its_cdr},
        {"tariff_id": its_tariff, "session": session},
    )
    mine = [(await acme.post(DRY_RUN, json=body)).status_code for body in asked]
    theirs = [(await rival.post(DRY_RUN, json=body)).status_code for body in asked]

    assert (mine, theirs) == ([200, 200], [404, 404])
    told = await rival.post(f"/v1/tariffs/{its_tariff}/tell", json={"station": f"CS-{MARK}"})
    assert told.status_code == 404


async def test_one_idempotency_key_of_two_tenants_is_two_commands(
    deployment: Deployment, clients: Clients
) -> None:
    await deployment.connect("acme", "CS-1")
    await deployment.connect("rival", "CS-1")
    await deployment.project()

    answers = [
        await client.post("/v1/stations/CS-1/commands", json=body, headers={"Idempotency-Key": "k"})
        for client, body in zip(clients, (RESET, {"action": "ClearCache"}), strict=True)
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["command_id"] for answer in answers}) == 2


async def test_figures_name_no_tenant_and_no_station(clients: Clients) -> None:
    _, rival = clients
    figures = await rival.get("/metrics")

    assert figures.status_code == 200
    assert "acme" not in figures.text
    assert MARK not in figures.text


def _without_url(answer: httpx.Response, path: str) -> str:
    body: dict[str, Any] = answer.json()
    return re.sub(re.escape(path), "", str({**body, "instance": ""}))
