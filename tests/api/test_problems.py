"""Every error is a problem document, and none repeats what was sent."""

import asyncio
from typing import Any

import httpx
import pytest

from api import bodies
from api.bodies import BODY_BYTES_MAX
from schemas import positions
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check the members that RFC 9457 and we promise."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("urn:chargeledger:problem:")
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    return body


async def test_what_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/v1/cdrs/x", "/v1/transactions/x", "/v1/commands/x"):
        problem(await client.get(path), 404)


async def test_a_wrong_method_is_405_and_names_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.patch("/v1/id-tokens/04A1")

    problem(answer, 405)
    assert answer.headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]}", b'{"name": "\\ud800"}', b"[" * 100, b"\xff", b'{"name":"\\u0000"}'],
)
async def test_a_body_that_is_no_json_of_ours_is_400(
    client: httpx.AsyncClient, content: bytes
) -> None:
    problem(await client.put("/v1/stations/CS-1", content=content, headers=JSON), 400)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_415(client: httpx.AsyncClient, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    problem(await client.put("/v1/stations/CS-1", content=b"{}", headers=headers), 415)


async def test_a_body_beyond_the_bound_is_413_however_it_is_sent(
    client: httpx.AsyncClient,
) -> None:
    body = b" " * BODY_BYTES_MAX + b"{}"

    async def pieces() -> Any:
        for start in range(0, len(body), 1_000):
            yield body[start : start + 1_000]

    problem(await client.put("/v1/stations/CS-1", content=body, headers=JSON), 413)
    problem(await client.put("/v1/stations/CS-1", content=pieces(), headers=JSON), 413)


async def test_a_body_that_does_not_come_is_408(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)

    async def pieces() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    problem(await client.put("/v1/stations/CS-1", content=pieces(), headers=JSON), 408)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/stations?ofline=true", "ofline"),
        ("/v1/stations?offline=perhaps", "offline"),
        ("/v1/cdrs?limit=0", "limit"),
        ("/v1/cdrs?limit=1001", "limit"),
        ("/v1/cdrs?state=DONE", "state"),
        ("/v1/cdrs?from=2026-01-01T00:00:00", "from"),
        ("/v1/cdrs?from=yesterday", "from"),
        ("/v1/transactions?active=1&activ=1", "activ"),
        ("/v1/commands/x?wait=1", "wait"),
    ],
)
async def test_a_parameter_that_is_unknown_or_wrong_is_422_by_name(
    client: httpx.AsyncClient, path: str, field: str
) -> None:
    body = problem(await client.get(path), 422)

    assert [error["field"] for error in body["errors"]] == [field]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/cdrs?after=x",
        f"/v1/cdrs?after={positions.encode({2**40: (1, 1)})}",
        f"/v1/cdrs?after={positions.encode({-1: (1, 1)})}",
        "/v1/events?after=x",
    ],
)
async def test_a_position_of_somebody_else_is_422(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 422)


@pytest.mark.parametrize(
    "path", ["/v1/stations/a%00", "/v1/stations?after=%00", "/v1/transactions/%00?station=x"]
)
async def test_a_nul_character_in_a_url_is_422(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 422)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/transactions?after=x",
        "/v1/transactions?after=" + "9" * 200,
        "/v1/transactions/99999999999999999999999",
        "/v1/transactions/-1?station=%F0%9F%94%8C",
        "/v1/cdrs?from=0001-01-01T00:00:00%2B14:00&to=9999-12-31T23:59:59-14:00",
        "/v1/id-tokens?after=%C4%B0",
        "/v1/stations?after=%ED%A0%80",
    ],
)
async def test_odd_filters_find_nothing_and_break_nothing(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(path)).status_code in (200, 404)


@pytest.mark.parametrize(
    "body",
    [
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "2026-01-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"status": "Good"},
        {"group": " padded "},
        {"type": ""},
    ],
)
async def test_an_id_token_that_makes_no_sense_is_422_by_name(
    client: httpx.AsyncClient, body: dict[str, str]
) -> None:
    answer = problem(await client.put("/v1/id-tokens/04A1", json=body), 422)

    assert answer["errors"][0]["field"] in body


async def test_without_postgres_the_answer_is_503_and_says_when_to_come_again(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.get("/v1/stations")
    await deployment.postgres.close()

    answer = await client.get("/v1/stations")

    problem(answer, 503)
    assert answer.headers["retry-after"]


async def test_a_fault_of_ours_is_500_and_tells_nothing(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    app = deployment.app_with(None)
    async with deployment.client(app=app) as broken:
        body = problem(await broken.put("/v1/id-tokens/04A1", json={}), 500)

    assert "NoneType" not in str(body)


async def test_cross_origin_readers_get_no_leave(client: httpx.AsyncClient) -> None:
    preflight = await client.options(
        "/v1/stations/CS-1",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"},
    )

    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
