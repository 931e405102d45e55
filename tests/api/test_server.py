"""The API on a real socket: events as they happen, slow and many readers, and a clean end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from api import events
from api.server import serve
from schemas.records import CommandRequested
from tests.api.charging import Talk
from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres


@asynccontextmanager
async def served(
    deployment: Deployment, token: str = ""
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Event]]:
    """The application on a free port, and what stops it."""
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(deployment.app, "127.0.0.1", 0, stop, port.set_result))
        url = f"http://127.0.0.1:{await port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            yield client, stop
            stop.set()


async def read_events(lines: AsyncIterator[str], count: int) -> list[dict[str, Any]]:
    """Return the next events with their ids; comments and the opening are passed over."""
    found: list[dict[str, Any]] = []
    event_id = ""
    while len(found) < count:
        line = await anext(lines)
        name, _, value = line.partition(": ")
        if name == "id":
            event_id = value
        elif name == "data":
            found.append({"id": event_id, **json.loads(value)})
    return found


async def opened(lines: AsyncIterator[str]) -> str:
    """Return the position at which the stream began."""
    while not (line := await anext(lines)).startswith("id: "):
        pass
    return line.removeprefix("id: ")


async def test_events_come_as_they_happen(deployment: Deployment) -> None:
    await deployment.connect("default", "CS-0")
    await deployment.project()
    async with served(deployment) as (client, _), client.stream("GET", "/v1/events") as stream:
        lines = stream.aiter_lines()
        await opened(lines)
        await deployment.connect("default", "CS-1")
        await deployment.connect("other", "CS-2")
        await deployment.connect("default", "CS-3")
        await deployment.project()
        found = await read_events(lines, 2)

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert {event["station"] for event in found} == {"CS-1", "CS-3"}
    assert {event["kind"] for event in found} == {"station-connected"}


async def test_a_reader_that_comes_back_misses_and_repeats_nothing(
    deployment: Deployment,
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await deployment.project()
    seen = []
    async with served(deployment) as (client, _):
        async with client.stream("GET", "/v1/events") as stream:
            after = await opened(stream.aiter_lines())
        await talk.charge(1, "04A1", 1_000)
        await deployment.project()
        for _ in range(3):
            headers = {"Last-Event-ID": after}
            async with client.stream("GET", "/v1/events?after=", headers=headers) as stream:
                (event,) = await read_events(stream.aiter_lines(), 1)
            after = event["id"]
            seen.append((event["kind"], event["position"]))
        async with client.stream("GET", f"/v1/events?after={after}") as stream:
            assert await opened(stream.aiter_lines()) == after

    assert len(set(seen)) == 3
    assert "transaction-started" in {kind for kind, _ in seen}


async def test_streams_and_waits_end_at_once_when_the_server_stops(
    deployment: Deployment,
) -> None:
    await deployment.connect("default", "CS-1")
    await deployment.project()
    path = "/v1/stations/CS-1/commands?wait=60"
    loop = asyncio.get_running_loop()
    async with served(deployment) as (client, stop), client.stream("GET", "/v1/events") as stream:
        lines = stream.aiter_lines()
        await opened(lines)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(client.post(path, json={"action": "ClearCache"}))
            reader = deployment.journal.reader(dict.fromkeys(range(1, 4), 0))
            while not await deployment.records(CommandRequested):
                await reader.poll(records_max=10, timeout_s=1)
            started = loop.time()
            stop.set()
            rest = [line async for line in lines]
        took = loop.time() - started

    assert all(line in ("", ":") for line in rest)
    assert waiting.result().status_code == 202
    assert took < 3


async def test_too_many_streams_are_refused(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAMS_OF_TENANT_MAX", 1)
    await deployment.project()
    async with served(deployment) as (client, _):
        async with client.stream("GET", "/v1/events") as first:
            # Kept: a generator that is thrown away closes its connection.
            lines = first.aiter_lines()
            await opened(lines)
            refused = await client.get("/v1/events")
            async with client.stream("GET", "/v1/events?tenant=other") as second:
                await opened(second.aiter_lines())
        assert refused.status_code == 429
        assert refused.headers["retry-after"]
        status = 429
        for _ in range(200):
            async with client.stream("GET", "/v1/events") as again:
                status = again.status_code
            if status == 200:
                break
        assert status == 200, "a reader that left makes no room"


async def test_a_stream_ends_when_its_key_is_revoked(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(events, "POLL_S", 0.01)
    token = await deployment.key("acme", "reader")
    await deployment.project()
    async with (
        served(deployment, token) as (client, _),
        client.stream("GET", "/v1/events") as stream,
    ):
        lines = stream.aiter_lines()
        await opened(lines)
        while (await anext(lines)) != ":":
            pass
        await deployment.keys.revoke("acme", "a reader")
        rest = [line async for line in lines]

    assert set(rest) <= {"", ":"}


async def test_a_reader_that_takes_nothing_is_let_go(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.2)
    await deployment.project()
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])
        if len(sent) > 1:
            await asyncio.Event().wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    async with asyncio.timeout(30):
        await deployment.app(scope, receive, send)  # type: ignore[arg-type]

    assert sent == ["http.response.start", "http.response.body"]
    async with deployment.client() as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_a_port_that_is_taken_is_an_error(deployment: Deployment) -> None:
    async with served(deployment) as (client, _):
        port = client.base_url.port
        assert port is not None
        with pytest.raises(OSError, match="in use"):
            await serve(deployment.app, "127.0.0.1", port, asyncio.Event())
