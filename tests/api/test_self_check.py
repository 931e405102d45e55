"""Readiness is true where nothing happens, and what owners set aside is shown with its place."""

import re
from typing import Any

import httpx
import pytest

from api.roles import Role
from domain.facts import Fact
from infra.canary import Canaries
from infra.clock import now_us
from infra.record_appender import RecordAppender
from projections.progress import Lateness
from schemas.journal import Unavailable
from schemas.partitions import partition_of
from schemas.records import CanaryAnswered, CanaryAsked, RecordSetAside, encode
from tests.api.charging import Talk
from tests.api.deployment import PARTITIONS, Deployment
from tests.api.owning import Owners

pytestmark = pytest.mark.postgres

MINUTE_US = 60_000_000


def canaries(deployment: Deployment, later_us: int = 0) -> Canaries:
    lateness: Lateness = deployment.app.state.ports.lateness
    return Canaries(deployment.log, lateness, now_us=lambda: now_us() + later_us)


async def test_in_a_quiet_deployment_an_owner_that_is_gone_makes_readiness_red(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    owners = Owners(deployment)
    await owners.settle()
    await canaries(deployment, -MINUTE_US).look()
    await owners.settle()
    await deployment.project()
    assert (await client.get("/readyz")).json()["owners"] == "ok"
    assert len(await deployment.records(CanaryAnswered)) == PARTITIONS

    await canaries(deployment, -MINUTE_US).look()
    await deployment.project()

    dead = await client.get("/readyz")
    assert dead.status_code == 503
    told = [rf"partition {p}: no decision for 6\d s" for p in range(1, PARTITIONS + 1)]
    assert re.fullmatch("; ".join(told), dead.json()["owners"])
    await owners.settle()
    await deployment.project()
    assert (await client.get("/readyz")).status_code == 200


async def test_in_a_quiet_deployment_a_projection_that_stands_still_makes_readiness_red(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    owners = Owners(deployment)
    await owners.settle()
    await deployment.project()
    asking = canaries(deployment, -2 * MINUTE_US)
    await asking.look()
    await owners.settle()
    await asking.look()

    stuck = await client.get("/readyz")

    assert stuck.status_code == 503
    assert re.match(r"read is 1[12]\d s and \d records behind", stuck.json()["projections"])
    await deployment.project()
    assert (await client.get("/readyz")).status_code == 200


async def test_no_canary_is_asked_where_others_write(deployment: Deployment) -> None:
    asking = canaries(deployment)
    await asking.look()
    before = len(await deployment.records(CanaryAsked))
    assert before == PARTITIONS
    await deployment.connect("default", "CS-1")

    await asking.look()

    # Its own canaries were written since the last look: now there was something everywhere.
    assert len(await deployment.records(CanaryAsked)) == before
    await deployment.connect("default", "CS-2")
    await asking.look()
    busy = partition_of("default", "CS-2", PARTITIONS)
    asked = [await of_partition(deployment, p, CanaryAsked) for p in range(1, PARTITIONS + 1)]
    assert asked == [1 if p == busy else 2 for p in range(1, PARTITIONS + 1)]


async def of_partition(deployment: Deployment, partition: int, kind: type[Any]) -> int:
    entries = await deployment.journal.reader({partition: 0}).poll(records_max=100, timeout_s=0)
    tag = kind.__struct_config__.tag.encode()
    return sum(tag in entry.value for entry in entries)


class FlakyLog(RecordAppender):
    """Refuses the next append."""

    refuses = False

    async def _append(self, partition: int, value: bytes) -> int:
        if self.refuses:
            self.refuses = False
            raise Unavailable("closed for a moment")
        return await super()._append(partition, value)


async def test_an_append_that_failed_once_does_not_keep_readiness_red(
    deployment: Deployment,
) -> None:
    log = FlakyLog(deployment.journal, PARTITIONS)
    app = deployment.app_with(log)
    asking = Canaries(log, Lateness(), now_us=now_us)
    await asking.look()
    log.refuses = True
    with pytest.raises(Unavailable):
        await log.append(CanaryAsked(recorded_at=now_us()))
    async with deployment.client(app=app) as client:
        await deployment.project()
        assert (await client.get("/readyz")).json()["journal"] == "not writable"

        await asking.look()

        assert (await client.get("/readyz")).json()["journal"] == "ok"


async def test_canaries_are_in_no_list_and_no_event(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    owners = Owners(deployment)
    await canaries(deployment).look()
    await owners.settle()
    await deployment.project()

    for path in ("stations", "transactions", "cdrs", "id-tokens"):
        assert (await client.get(f"/v1/{path}")).json()["items"] == [], path
    async with deployment.postgres.connection() as connection:
        for table in ("events", "stations", "station_states", "connections", "poison"):
            cursor = await connection.execute(f"SELECT count(*) FROM read.{table}")
            assert await cursor.fetchone() == (0,), table


async def test_what_an_owner_sets_aside_is_shown_with_its_place_until_it_is_decided(
    deployment: Deployment, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> list[Fact]:
        raise ValueError("a rule that fails")

    owners, talk = Owners(deployment), Talk(deployment, "default", "CS-1")
    await talk.open()
    with monkeypatch.context() as patched:
        patched.setattr("domain.owner.routes.answer", breaks)
        offset = await deployment.says("default", "CS-1", 7, "Heartbeat", {})
        await owners.settle()
    await deployment.project()

    (item,) = (await client.get("/v1/set-aside")).json()["items"]
    partition = partition_of("default", "CS-1", PARTITIONS)
    assert item == {
        "station": "CS-1",
        "position": f"{partition}:{offset}",
        "projections": [],
        "owner": True,
        "reason": "ValueError: a rule that fails",
    }
    assert (await client.get("/v1/set-aside?tenant=other")).json()["items"] == []
    figures = (await client.get("/metrics")).text.splitlines()
    assert "chargeledger_owner_set_aside_records 1.0" in figures

    await Owners(deployment, "successor").settle()
    await deployment.project()
    assert (await client.get("/v1/set-aside")).json()["items"] == []


async def test_what_is_of_nobody_is_shown_without_its_content_to_who_may_see_the_deployment(
    deployment: Deployment,
) -> None:
    said = RecordSetAside(
        recorded_at=now_us(), cause=3, purpose="set-aside", epoch=-1, reason="no JSON: a secret"
    )
    await deployment.journal.append(1, [encode(said, "w1", 1)])
    await deployment.project()

    async def shown_to(role: Role) -> list[Any]:
        async with deployment.client(await deployment.key("acme", role)) as client:
            items: list[Any] = (await client.get("/v1/set-aside")).json()["items"]
            return items

    (item,) = await shown_to("auditor")
    assert (item["station"], item["position"], item["owner"]) == ("", "1:3", True)
    assert "secret" not in item["reason"]
    assert await shown_to("operator") == []
