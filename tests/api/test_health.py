"""Readiness and figures: true, and naming what is not so."""

import asyncio
import re

import httpx
import pytest

from infra.clock import now_us
from schemas.journal import Unavailable
from schemas.partitions import partition_of
from schemas.records import IdTokenPut, MessageReceived
from tests.api.charging import Talk
from tests.api.deployment import PARTITIONS, Deployment

pytestmark = pytest.mark.postgres


async def test_a_sound_deployment_is_ready(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.project()

    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)


async def test_readiness_needs_no_key(deployment: Deployment) -> None:
    await deployment.key("acme", "reader")
    async with deployment.client() as stranger:
        assert (await stranger.get("/healthz")).status_code == 200
        assert (await stranger.get("/readyz")).status_code == 200


async def test_readiness_says_that_postgres_is_away(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await deployment.postgres.close()

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["postgres"] == "not reachable"
    assert answer.json()["journal"] == "ok"


async def test_readiness_says_that_the_journal_cannot_be_written(
    deployment: Deployment,
) -> None:
    async with deployment.client(app=deployment.app_with(ClosedLog())) as client:
        answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["journal"] == "not writable"
    assert "closed" not in answer.text


async def test_readiness_says_which_projection_is_behind(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    hours = 3_600_000_000
    old = IdTokenPut(tenant="t", recorded_at=now_us() - 2 * hours, actor="a", uid="04A1")
    log = deployment.app.state.ports.log
    await log.append(old)
    await deployment.project()
    await log.append(old)

    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert re.match(r"read is 72\d\d s and 1 records behind", answer.json()["projections"])


async def test_readiness_says_which_partitions_owner_is_stuck_until_it_decides_again(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.call("Heartbeat", {}, {"currentTime": "2026-01-02T03:04:05Z"})
    await deployment.project()
    assert (await client.get("/readyz")).json()["owners"] == "ok"

    partition = partition_of("default", "CS-1", PARTITIONS)
    await deployment.append(unanswered(now_us() - 40_000_000))
    await deployment.append(unanswered(now_us()))
    await deployment.project()
    stuck = await client.get("/readyz")
    assert stuck.status_code == 503
    assert re.fullmatch(rf"partition {partition}: no decision for 4\d s", stuck.json()["owners"])
    assert stuck.json()["projections"] == "ok"
    figures = (await client.get("/metrics")).text
    (waiting,) = re.findall(
        rf'^chargeledger_owner_waiting_seconds{{partition="{partition}"}} (.*)$', figures, re.M
    )
    assert 40 <= float(waiting) < 60

    await talk.call("Heartbeat", {}, {"currentTime": "2026-01-02T03:04:05Z"})
    await deployment.project()
    assert (await client.get("/readyz")).json()["owners"] == "ok"


async def test_a_record_that_cannot_be_folded_is_shown_with_its_place_and_counted(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.call_answered_unreadably()
    await talk.charge(1, "04A1", 1_500)
    await deployment.project()

    partition = partition_of("default", "CS-1", PARTITIONS)
    (item,) = (await client.get("/v1/set-aside")).json()["items"]
    assert item["station"] == "CS-1"
    assert item["position"] == f"{partition}:3"
    assert (item["projections"], item["owner"]) == (["read"], False)
    assert item["reason"]
    assert (await client.get("/v1/set-aside?station=CS-2")).json()["items"] == []
    figures = (await client.get("/metrics")).text.splitlines()
    assert 'chargeledger_projection_poison_records{projection="read"} 1.0' in figures


def unanswered(recorded_at: int) -> MessageReceived:
    return MessageReceived(
        tenant="default",
        station="CS-1",
        recorded_at=recorded_at,
        connection="connection-of-default-CS-1",
        number=99,
        frame='[2,"m99","Heartbeat",{}]',
        message_type=2,
        message_id="m99",
        action="Heartbeat",
    )


async def test_a_part_that_says_nothing_is_not_waited_for(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.questions.ANSWER_WITHIN_S", 0.1)
    log = SilentLog()
    async with deployment.client(app=deployment.app_with(log)) as client:
        answers = [await client.get("/readyz") for _ in range(3)]
        assert log.questions == 1
        log.says.set()
        await asyncio.sleep(0)
        again = await client.get("/readyz")

    assert [(each.status_code, each.json()["journal"]) for each in answers] == [
        (503, "not writable")
    ] * 3
    assert again.json()["journal"] == "ok"


class SilentLog:
    """Hangs until it is told to say that nothing is wrong."""

    def __init__(self) -> None:
        self.says = asyncio.Event()
        self.questions = 0

    async def heads(self) -> dict[int, int]:
        return {}

    async def trouble(self) -> str:
        self.questions += 1
        await self.says.wait()
        return ""


class ClosedLog:
    async def heads(self) -> dict[int, int]:
        raise Unavailable("closed")

    async def trouble(self) -> str:
        return "the last append failed: closed"


async def test_figures_tell_requests_lag_and_what_the_edge_says(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    talk = Talk(deployment, "default", "CS-1")
    await talk.open()
    await talk.charge(1, "04A1", 1_500)
    await deployment.project()
    await deployment.connect("default", "CS-2")
    await client.get("/v1/stations/CS-1")
    await client.get("/nowhere")

    answer = await client.get("/metrics")
    lines = answer.text.splitlines()

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    route = 'method="GET",route="/v1/stations/{station}",status="200"'
    assert f"chargeledger_http_requests_total{{{route}}} 1.0" in lines
    assert 'chargeledger_projection_lag_records{projection="read"} 1.0' in lines
    assert "chargeledger_energy_wh 1500.0" in lines
    assert "chargeledger_stations_online 1.0" in lines
    assert "chargeledger_postgres_up 1.0" in lines
    assert "chargeledger_connections 7" in lines
    assert any("http_request_seconds_bucket" in line for line in lines)
    assert "nowhere" not in answer.text


async def test_figures_without_postgres_say_so(deployment: Deployment) -> None:
    token = await deployment.key("acme", "admin")
    async with deployment.client(token) as client:
        before = await client.get("/metrics")
        await deployment.postgres.close()
        after = await client.get("/metrics")

    assert "chargeledger_postgres_up 1.0" in before.text.splitlines()
    assert after.status_code == 200
    assert "chargeledger_postgres_up 0.0" in after.text.splitlines()
    assert "chargeledger_connections 7" in after.text.splitlines()
