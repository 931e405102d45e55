"""What an abuse costs a process and its other stations: memory, processor, answers, log lines."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

MIB = 2**20
BYSTANDERS = 5
ASK_EVERY_S = 0.004
USUAL_S = 0.6
NOISE_S = 0.25
"""Abuser and bystanders share a process, two cores all: that much is not the abused one's fault."""


@dataclass(slots=True)
class Watched:
    """`usual` are other stations' answer times before, `during` those while the block lasts."""

    usual: list[float] = field(default_factory=list, repr=False)
    during: list[float] = field(default_factory=list, repr=False)
    grown_bytes: int = 0
    """Of the process's memory, over the block."""
    cpu_s: float = 0.0
    took_s: float = 0.0
    said_bytes: int = 0
    """Of its log."""

    def assert_others_unharmed(self) -> None:
        """Nobody was cut, and the p99 stays under twice its usual value."""
        assert len(self.during) > BYSTANDERS
        usual_s, during_s = p99(self.usual), p99(self.during)
        assert during_s < max(2 * usual_s, NOISE_S), (usual_s, during_s, max(self.during))


def p99(seconds: list[float]) -> float:
    ordered = sorted(seconds)
    return ordered[int(0.99 * (len(ordered) - 1))]


@asynccontextmanager
async def watched(url: str, process: psutil.Process, log: Path) -> AsyncIterator[Watched]:
    """Have bystanders ask for the time all the while; the block is the abuse."""
    found = Watched()
    answers = found.usual

    async def ask(name: str) -> None:
        async with connect(f"{url}/{name}", subprotocols=[Subprotocol("ocpp1.6")]) as station:
            while not over.is_set():
                began = time.perf_counter()
                await station.send('[2,"1","Heartbeat",{}]')
                async with asyncio.timeout(10):
                    await station.recv()
                answers.append(time.perf_counter() - began)
                await asyncio.sleep(ASK_EVERY_S)

    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(BYSTANDERS):
            tasks.create_task(ask(f"BYSTANDER-{number}"))
        await asyncio.sleep(USUAL_S)
        answers = found.during
        memory, cpu, said = process.memory_info().rss, sum(process.cpu_times()[:2]), size(log)
        began = time.perf_counter()
        try:
            yield found
            found.took_s = time.perf_counter() - began
            found.cpu_s = sum(process.cpu_times()[:2]) - cpu
            found.grown_bytes = process.memory_info().rss - memory
            found.said_bytes = size(log) - said
        finally:
            over.set()


def size(log: Path) -> int:
    return log.stat().st_size
