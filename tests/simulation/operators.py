"""Operators who want something of stations, through an API that may be two nodes at once."""

import asyncio
from random import Random

from msgspec import Raw

from schemas.journal import AppenderFailed, AppendUnknown, Unavailable
from schemas.partitions import partition_of
from schemas.records import CanaryAsked, CommandRequested, encode
from tests.simulation.broker import BrokerJournal
from tests.simulation.network import Process
from tests.simulation.world import PARTITIONS, World

ACTIONS = ("ClearCache", "GetConfiguration", "UnlockConnector")
PAYLOADS = {"UnlockConnector": b'{"connectorId":1}'}
EXPIRES_S = 60
AGAIN_S = 1.0
ATTEMPTS_MAX = 200


class Operators:
    def __init__(self, world: World, random: Random) -> None:
        self.requested: dict[str, str] = {}
        """Ids that the API has accepted, and of which station."""
        self._world = world
        self._random = random
        self._process = Process("api")
        self._number = 0
        self.canaries = 0

    async def run(self, commands: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(commands):
                await asyncio.sleep(self._random.uniform(1, 40))
                group.create_task(self._ask())
                group.create_task(self._ask_canary())

    async def _ask_canary(self) -> None:
        """As the API does where nobody else writes."""
        self.canaries += 1
        value = encode(
            CanaryAsked(recorded_at=self._world.now_us()), f"api-canary-{self.canaries}", 1
        )
        await self.append(1 + self.canaries % PARTITIONS, value)

    async def _ask(self) -> None:
        random, world = self._random, self._world
        self._number += 1
        command_id = f"command-{self._number}"
        station = random.choice(world.stations).name
        action = random.choice(ACTIONS)
        now = world.now_us()
        wanted = CommandRequested(
            tenant="default",
            station=station,
            recorded_at=now,
            command_id=command_id,
            action=action,
            payload=Raw(PAYLOADS.get(action, b"{}")),
            payload_digest="",
            expires_at=now + EXPIRES_S * 1_000_000,
            actor="operator",
        )
        # The same request may reach two API nodes at once: they make one command.
        nodes = ("a", "b") if random.random() < 0.2 else ("a",)
        for node in nodes:
            value = encode(wanted, f"api-{node}-{self._number}", 1)
            if await self.append(partition_of("default", station, PARTITIONS), value):
                self.requested[command_id] = station

    async def append(self, partition: int, value: bytes) -> bool:
        """Return whether it is in the log; retried under its record id while nobody knows."""
        for _ in range(ATTEMPTS_MAX):
            try:
                await self._append_once(partition, value)
            except (Unavailable, AppendUnknown, AppenderFailed):
                await asyncio.sleep(AGAIN_S)
            else:
                return True
        return False

    async def _append_once(self, partition: int, value: bytes) -> None:
        world = self._world
        if world.deployment == "kafka":
            await BrokerJournal(world.broker, self._process).append(partition, [value])
            return
        edge, process = world.edge, world.processes["edge"]
        if edge is None or not process.is_alive:
            raise Unavailable("nobody listens at the socket")
        try:
            async with asyncio.timeout(10):
                await edge.edge.log.append_values(partition, [value])
        except (TimeoutError, asyncio.CancelledError):
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]  # We run in one.
                raise
            raise AppendUnknown("the edge is gone") from None
