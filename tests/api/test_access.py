"""Who is answered: keys, roles, tenants, and the machine itself while there is no key."""

import logging
from base64 import b64encode
from urllib.parse import quote

import httpx
import pytest

from api.roles import RIGHTS, ROLES, Right, Role
from api.server import address_to_listen
from api.station_state import ALL
from ingress.identity import AmbiguousName, NoSuchPath, identity_of
from schemas.names import is_name
from schemas.records import IdTokenPut
from tests.api.deployment import Deployment
from tests.api.test_tenants import OPEN

pytestmark = pytest.mark.postgres


async def test_without_any_key_this_machine_is_answered_for_the_tenant_it_names(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put("/v1/stations/CS-1?tenant=acme", json={})
    await deployment.project()

    async def stations(query: str) -> int:
        return len((await client.get(f"/v1/stations{query}")).json()["items"])

    assert await stations("?tenant=acme") == 1
    assert await stations("") == await stations("?tenant=default") == 0
    assert (await client.get("/v1/stations?tenant=a/b")).status_code == 422
    assert (await client.get("/v1/stations?tenant=a&tenant=b")).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "127.0.0.1:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8080"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, 200),
        ({"Host": "localhost:8080", "Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:8080", "Origin": "null"}, 403),
    ],
)
async def test_without_any_key_pages_and_names_of_elsewhere_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.get("/v1/stations", headers=headers)).status_code == status


async def test_a_19_once_there_is_a_key_nobody_is_answered_without_one(
    deployment: Deployment,
) -> None:
    token = await deployment.key("acme", "admin")
    async with deployment.client() as stranger:
        refused = await stranger.get("/v1/stations")
        wrong = await stranger.get("/v1/stations", headers={"Authorization": f"Bearer {token}x"})
        basic = await stranger.get("/v1/stations", headers={"Authorization": f"Basic {token}"})
    async with deployment.client(token) as owner:
        welcome = await owner.get("/v1/stations")
        afar = await owner.get("/v1/stations", headers={"Host": "api.example"})

    assert [answer.status_code for answer in (refused, wrong, basic)] == [401, 401, 401]
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (welcome.status_code, afar.status_code) == (200, 200)


async def test_a_19_no_route_is_open_without_a_key(deployment: Deployment) -> None:
    gone = await deployment.key("acme", "admin")
    await deployment.keys.revoke("acme", "a admin")
    await deployment.key("acme", "operator")
    claims = b64encode(b'{"sub":"acme"}').decode().rstrip("=")
    unsigned = b64encode(b'{"alg":"none"}').decode().rstrip("=") + f".{claims}."
    routes = [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in deployment.app.openapi()["paths"].items()
        for method in methods
        if path not in OPEN
    ]
    async with deployment.client() as stranger:
        for token in ("", f"{gone}x", gone, unsigned):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for method, path in routes:
                answer = await stranger.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path)

    assert len(routes) > 50


async def test_a_key_is_of_one_tenant_whatever_the_query_says(deployment: Deployment) -> None:
    token = await deployment.key("acme", "admin")
    async with deployment.client(token) as client:
        same = await client.get("/v1/stations?tenant=acme")
        other = await client.get("/v1/stations?tenant=default")
        both = await client.get("/v1/stations?tenant=acme&tenant=default")

    assert [answer.status_code for answer in (same, other, both)] == [200, 403, 403]


async def test_a_revoked_key_is_refused(deployment: Deployment) -> None:
    token = await deployment.key("acme", "admin")
    await deployment.keys.revoke("acme", "a admin")
    async with deployment.client(token) as client:
        assert (await client.get("/v1/stations")).status_code == 401


async def test_records_say_whose_key_it_was(deployment: Deployment) -> None:
    token = await deployment.keys.create("acme", "front desk", "operator", actor="alice")
    async with deployment.client(token) as client:
        await client.put("/v1/id-tokens/04A1", json={})

    (record,) = await deployment.records(IdTokenPut)
    assert (record.tenant, record.actor) == ("acme", "alice")


def right_to_see(facet: str) -> Right:
    paid = {"reservations", "costs", "settlements"}
    return "read-transactions" if facet in paid else "read-fleet"


ROUTES: list[tuple[Right, str, str]] = [
    ("read-fleet", "GET", "/v1/stations"),
    ("read-fleet", "GET", "/v1/stations/CS-1"),
    ("read-fleet", "GET", "/v1/stations/CS-1/commands"),
    ("read-fleet", "GET", "/v1/commands/x"),
    *((right_to_see(facet), "GET", f"/v1/stations/CS-1/{facet}") for facet in ALL),
    ("read-transactions", "GET", "/v1/reservations"),
    ("read-conversation", "GET", "/v1/stations/CS-1/messages"),
    ("read-transactions", "GET", "/v1/transactions"),
    ("read-transactions", "GET", "/v1/transactions/x"),
    ("read-cdrs", "GET", "/v1/cdrs"),
    ("read-cdrs", "GET", "/v1/cdrs/x"),
    ("read-id-tokens", "GET", "/v1/id-tokens"),
    ("read-id-tokens", "GET", "/v1/id-tokens/x"),
    ("command", "POST", "/v1/stations/CS-1/commands"),
    ("write-id-tokens", "PUT", "/v1/id-tokens/x"),
    ("write-id-tokens", "DELETE", "/v1/id-tokens/x"),
    ("write-stations", "PUT", "/v1/stations/CS-1"),
    ("write-stations", "DELETE", "/v1/stations/CS-1"),
    ("read-provider-requests", "GET", "/v1/provider-requests"),
    ("read-provider-requests", "GET", "/v1/provider-requests/1:1"),
    ("provide", "POST", "/v1/provider-requests/1:1/answer"),
    ("read-metrics", "GET", "/metrics"),
]


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_what_the_table_says_and_nothing_else(
    deployment: Deployment, role: Role
) -> None:
    token = await deployment.key("acme", role)
    async with deployment.client(token) as client:
        for right, method, path in ROUTES:
            answer = await client.request(method, path)
            assert (answer.status_code == 403) == (right not in RIGHTS[role]), (role, path)


async def test_while_keys_cannot_be_looked_up_nobody_is_let_in(deployment: Deployment) -> None:
    await deployment.postgres.close()
    async with deployment.client("clk_whatever") as client:
        assert (await client.get("/v1/stations")).status_code == 503


def test_without_any_key_only_loopback_is_listened_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    assert address_to_listen("0.0.0.0", has_keys=True) == "0.0.0.0"
    assert not caplog.records
    assert address_to_listen("0.0.0.0", has_keys=False) == "127.0.0.1"
    assert "listens on 127.0.0.1 and not on 0.0.0.0" in caplog.text
    assert address_to_listen("::1", has_keys=False) == "::1"


@pytest.mark.parametrize(
    "name", ["CS-1", "a b", "Zürich", "a:b", "a/b", " a", "a ", ".", "..", "", "x" * 49, "e\u0301"]
)
def test_the_api_and_the_stations_door_agree_on_names(name: str) -> None:
    try:
        is_admitted = identity_of(f"/ocpp/t/{quote(name, safe='')}").station == name
    except (AmbiguousName, NoSuchPath):
        is_admitted = False

    assert is_name(name) == is_admitted
