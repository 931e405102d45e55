"""Whoever answers what stations ask of others: soon, too late, twice and otherwise, or never."""

import asyncio
import json
from random import Random
from typing import Any

from msgspec import Raw

from schemas.records import ProviderAnswered, encode
from tests.simulation.operators import Operators
from tests.simulation.processes import PROVIDER_S
from tests.simulation.world import World

LOOKS_EVERY_S = (0.2, 2.0)
NEVER, TWICE = 0.1, 0.2


class Provider:
    """It sees what the read model shows, and the API is its way into the log."""

    def __init__(self, world: World, operators: Operators, random: Random) -> None:
        self._world = world
        self._operators = operators
        self._random = random
        self._seen: set[str] = set()
        self._number = 0

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._random.uniform(*LOOKS_EVERY_S))
                for row in list(self._world.disk.rows["provider_requests.write"].values()):
                    if row["fate"] == "waiting" and row["request_id"] not in self._seen:
                        self._seen.add(row["request_id"])
                        group.create_task(self._answer(row))

    async def _answer(self, row: dict[str, Any]) -> None:
        random = self._random
        await asyncio.sleep(random.uniform(0, PROVIDER_S * 1.2))
        if random.random() < NEVER:
            return
        statuses = ("Accepted", "Rejected") if random.random() < TWICE else ("Accepted",)
        for status in statuses:
            self._number += 1
            payload = {"status": status, "data": json.loads(row["payload"])["data"]}
            answered = ProviderAnswered(
                tenant=row["tenant"],
                station=row["station"],
                recorded_at=self._world.now_us(),
                call=row["call_offset"],
                payload=Raw(json.dumps(payload).encode()),
                actor="provider",
            )
            value = encode(answered, f"provider-{self._number}", 1)
            await self._operators.append(row["partition"], value)
