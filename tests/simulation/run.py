"""One seed: a deployment in which things break, heal, and are looked at in the end."""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from tests.simulation.checkers import Findings, examine
from tests.simulation.determinism import determined
from tests.simulation.faults import Faults
from tests.simulation.loop import Stuck, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.operators import Operators
from tests.simulation.providers import Provider
from tests.simulation.world import Deployment, Size, World

DONE_WITHIN_S = 3_000.0
QUIET_S = 130.0
"""Longer than the deadline of any command and than the settle window."""

CAUGHT_UP_WITHIN_S = 180.0
DEPLOYMENTS: tuple[Deployment, ...] = ("kafka", "embedded")


def deployment_of(seed: int) -> Deployment:
    return DEPLOYMENTS[seed % len(DEPLOYMENTS)]


def size_of(seed: int) -> Size:
    """Of every other pair of seeds the stations ask a provider, too."""
    return Size(asks=4 if seed // len(DEPLOYMENTS) % 2 else 0)


def simulate(
    seed: int,
    size: Size | None = None,
    *,
    deployment: Deployment | None = None,
    kinds: Sequence[str] = (),
) -> Findings:
    """Return what the checkers found; the same for the same seed and code.

    The seed says which deployment, which kinds of faults and how much, unless they are given.
    """
    network = Network(Random(f"{seed} network"))
    loop = VirtualLoop(network)
    worlds: list[World] = []

    def now_us() -> int:
        return worlds[0].now_us()

    async def run() -> Findings:
        world = World(seed, deployment or deployment_of(seed), size or size_of(seed), network)
        worlds.append(world)
        loop.set_exception_handler(lambda _, context: _unhandled(world, context))
        return await _run(world, seed, kinds)

    with (
        determined(seed, now_us),
        _quiet_logs(),
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        try:
            return runner.run(run())
        except Stuck:
            return Findings(seed, ["everybody waits for something that will never happen"])


async def _run(world: World, seed: int, kinds: Sequence[str]) -> Findings:
    operators = Operators(world, Random(f"{seed} operators"))
    provider = Provider(world, operators, Random(f"{seed} provider"))
    faults = Faults(world, Random(f"{seed} faults"), kinds)
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(world.supervise(name, life)) for name, life in world.lives().items()
        ]
        running.append(group.create_task(world.group.watch()))
        running.append(group.create_task(_note_troubles(world)))
        running.append(group.create_task(provider.run()))
        stations = [group.create_task(station.run()) for station in world.stations]
        breaking = group.create_task(faults.run())
        asking = group.create_task(operators.run(commands=10))
        await _all_done(world)
        await breaking
        await asking
        await asyncio.sleep(QUIET_S)
        for station in stations:
            station.cancel()
        await asyncio.sleep(30)
        await _caught_up(world)
        for task in running:
            task.cancel()
    findings = await examine(world, operators, seed)
    findings.faults = faults.told
    findings.log_digest = hashlib.sha256(b"".join(e.value for e in world.entries())).hexdigest()
    return findings


async def _note_troubles(world: World) -> None:
    while True:
        if world.is_troubled:
            world.witness.troubled_at = asyncio.get_running_loop().time()
        await asyncio.sleep(1)


def _unhandled(world: World, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not isinstance(error, asyncio.CancelledError):
        world.failures.append(f"unhandled: {context.get('message')}: {error!r}")


async def _all_done(world: World) -> None:
    try:
        async with asyncio.timeout(DONE_WITHIN_S):
            for station in world.stations:
                await station.done.wait()
    except TimeoutError:
        late = [station.name for station in world.stations if not station.done.is_set()]
        world.failures.append(f"after {DONE_WITHIN_S:.0f} s {late} are not done")


async def _caught_up(world: World) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + CAUGHT_UP_WITHIN_S
    while loop.time() < until:
        heads, stored = world.heads(), world.disk.stored
        if len(stored) == 2 and all(
            each.positions.get(partition, 0) >= head
            for each in stored.values()
            for partition, head in heads.items()
        ):
            return
        await asyncio.sleep(1)
    world.failures.append("a projection does not come to the head of the log")


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """The product tells of every fault; a run has hundreds."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
