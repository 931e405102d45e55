"""An operator who goes on asking things of a fleet while parts of the deployment are killed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx

from domain.commands import OPEN_FATES
from infra.simulator.oplog import Operation
from schemas.journal import Entry
from tests.e2e.checking_commands import Commanded, wrong_fates
from tests.e2e.running import Views, eventually

EVERY_S = 0.1
TIMEOUT_S = 5
FATES_WITHIN_S = 40.0
COMMANDS: Sequence[dict[str, Any]] = (
    {"action": "GetConfiguration"},
    {"action": "ClearCache"},
    {"action": "TriggerMessage", "payload": {"requestedMessage": "Heartbeat"}},
    {"action": "ChangeConfiguration", "payload": {"key": "ConnectionTimeOut", "value": "30"}},
    {"action": "DataTransfer", "payload": {"vendorId": "unheard-of"}},
)


@asynccontextmanager
async def commanding(views: Views, stations: Sequence[str]) -> AsyncIterator[list[str]]:
    """Yield the ids of the commands that the API has taken; at the end each has its fate."""
    taken: list[str] = []
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(_ask(views.api_url, stations, taken))
        yield taken
        asking.cancel()
    # While their stations are still there to answer.
    await asyncio.to_thread(eventually, lambda: _settled(views, taken), "all fates", FATES_WITHIN_S)


def assert_fates(
    views: Views, taken: Sequence[str], operations: Sequence[Operation], entries: Sequence[Entry]
) -> None:
    assert taken
    assert wrong_fates(operations, entries, commanded(views, taken)) == []


async def _ask(url: str, stations: Sequence[str], taken: list[str]) -> None:
    """One thing after the other, each under its own key until the API has taken it."""
    async with httpx.AsyncClient(base_url=url, timeout=5) as api:
        for number in count():
            wanted = COMMANDS[number % len(COMMANDS)] | {"timeout_s": TIMEOUT_S}
            station = stations[number % len(stations)]
            key = {"Idempotency-Key": f"asked-{number}"}
            response = None
            while response is None or not response.is_success:
                await asyncio.sleep(EVERY_S)
                try:
                    response = await api.post(
                        f"/v1/stations/{station}/commands", json=wanted, headers=key
                    )
                except httpx.HTTPError:
                    continue
                # The station is not seen yet, or the log or the views are away.
                assert response.is_success or response.status_code in (404, 503), response.text
            taken.append(response.json()["command_id"])


def commanded(views: Views, taken: Sequence[str]) -> list[Commanded]:
    rows = [views.get(f"/v1/commands/{command_id}") for command_id in taken]
    return [Commanded(row["command_id"], row["fate"], row["answer"]) for row in rows]


def _settled(views: Views, taken: Sequence[str]) -> bool | None:
    return None if any(each.fate in OPEN_FATES for each in commanded(views, taken)) else True
