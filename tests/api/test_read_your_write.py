"""P-09: who reads what was just written sees it, or is told that it is not shown yet."""

import asyncio

import httpx
import pytest

from tests.api.deployment import Deployment

pytestmark = pytest.mark.postgres

TOKEN = "/v1/id-tokens/04E91C5A"


async def test_p_09_a_read_that_names_the_write_waits_until_it_is_shown(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    written = await client.put(TOKEN, json={"status": "Blocked"})
    position = written.headers["Ledger-Position"]

    async def project_later() -> None:
        await asyncio.sleep(0.2)
        await deployment.project()

    async with asyncio.TaskGroup() as group:
        group.create_task(project_later())
        found = await client.get(TOKEN, headers={"Ledger-Position": position})

    assert (found.status_code, found.json()["status"]) == (200, "Blocked")
    assert "Ledger-Position" not in found.headers


async def test_p_09_a_read_that_is_older_than_the_write_says_so(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put(TOKEN, json={"status": "Accepted"})
    await deployment.project()
    position = (await client.put(TOKEN, json={"status": "Blocked"})).headers["Ledger-Position"]

    stale = await client.get(TOKEN, headers={"Ledger-Position": position})

    assert stale.json()["status"] == "Accepted"
    assert stale.headers["Ledger-Position"] == "pending"


async def test_p_09_a_write_of_several_records_names_the_last_of_each_partition(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    password = "uK3xw9Qz7Lm2Tp8Rb5Vd"
    await client.put("/v1/stations/CS-1", json={"password": password})
    await deployment.project()
    answer = await client.post(
        "/v1/stations/CS-1/commands",
        json={
            "action": "ChangeConfiguration",
            "payload": {"key": "AuthorizationKey", "value": password[::-1]},
        },
    )
    places = [each.split(":") for each in answer.headers["Ledger-Position"].split(",")]
    assert sorted(int(partition) > 0 for partition, _ in places) == [False, True]

    await deployment.project()
    headers = {"Ledger-Position": answer.headers["Ledger-Position"]}
    shown = await client.get(answer.headers["Location"], headers=headers)
    assert (shown.status_code, "Ledger-Position" in shown.headers) == (200, False)


@pytest.mark.parametrize("odd", ["", "x", "1", "1:2:3", "0:1," * 9, "9" * 7 + ":1"])
async def test_what_is_no_position_promises_nothing(
    deployment: Deployment, client: httpx.AsyncClient, odd: str
) -> None:
    await deployment.project()
    answer = await client.get("/v1/id-tokens", headers={"Ledger-Position": odd})

    assert answer.status_code == 200
    assert answer.headers.get("Ledger-Position") == ("pending" if odd else None)


async def test_who_asks_for_no_position_waits_for_nothing(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    await client.put(TOKEN, json={})
    async with asyncio.timeout(0.9):
        assert (await client.get(TOKEN)).status_code == 404
