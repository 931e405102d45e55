"""One simulated deployment: its processes, their supervisor, stations and stores."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from infra.snapshots import Snapshots
from schemas.journal import AppenderFailed, Entry, Unavailable
from tests.simulation.broker import JOURNAL, Broker, BrokerJournal, Weather
from tests.simulation.edge_journal import Drive, DriveView
from tests.simulation.group import Group
from tests.simulation.network import Network, Process
from tests.simulation.processes import (
    FIRST_PORT,
    SLOTS,
    EdgeProcess,
    domain_life,
    ingress_life,
    projections_life,
)
from tests.simulation.stations import EPOCH, Make, SimulatedStation, Witness
from tests.simulation.stores import Disk, Trouble

Deployment = Literal["kafka", "embedded"]
PARTITIONS = 2
DOMAIN_NODES = 2
RESTART_S = (0.5, 3.0)
EPOCH_US = round(EPOCH.timestamp() * 1e6)

Life = Callable[[Process, asyncio.Event], Awaitable[None]]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    stations: int = 5
    sessions: int = 3
    asks: int = 0
    """What each station asks, for a provider to answer."""


class World:
    """Use within the virtual loop that has its network."""

    def __init__(self, seed: int, deployment: Deployment, size: Size, network: Network) -> None:
        self.deployment = deployment
        self.random = Random(f"{seed} world")
        self.network = network
        self.witness = Witness()
        self.disk = Disk()
        self.trouble = Trouble()
        self.broker = Broker(Random(f"{seed} broker"), PARTITIONS)
        self.drive = Drive(PARTITIONS, Random(f"{seed} drive"))
        self.group = Group(Random(f"{seed} group"), PARTITIONS)
        self.processes: dict[str, Process] = {}
        self.stops: dict[str, asyncio.Event] = {}
        self.edge: EdgeProcess | None = None
        self.clock_offset_us = 0
        self.failures: list[str] = []
        self.unlogged_max = 0
        ports = [FIRST_PORT + slot for slot in range(SLOTS if deployment == "kafka" else 1)]
        self.stations = [
            SimulatedStation(
                f"SIM-{number}",
                make=Make(same_id=self.random.random() < 0.5),
                sessions=size.sessions,
                ports=ports,
                network=network,
                witness=self.witness,
                random=Random(f"{seed} station {number}"),
                asks=size.asks,
                asking=Random(f"{seed} asking {number}"),
            )
            for number in range(size.stations)
        ]
        self._seed = seed
        self._dying: dict[str, asyncio.Future[None]] = {}
        self._snapshots: dict[str, Snapshots] = {}

    def now_us(self) -> int:
        loop = asyncio.get_running_loop()
        return EPOCH_US + round(loop.time() * 1e6) + self.clock_offset_us

    @property
    def is_troubled(self) -> bool:
        """Whether the log cannot be written as usual, or a process cannot reach it."""
        broker, drive = self.broker, self.drive
        return (
            broker.is_down
            or broker.weather != Weather()
            or drive.is_full
            or drive.lies > 0
            or any(process.is_cut_off for process in self.processes.values())
        )

    # Processes.

    def lives(self) -> dict[str, Life]:
        """The processes of the deployment by name."""
        lives: dict[str, Life] = {"projections": self._projections}
        if self.deployment == "embedded":
            lives["edge"] = self._edge
            return lives
        for slot in range(SLOTS):
            lives[f"ingress-{slot}"] = self._ingress_of(slot)
        for number in range(DOMAIN_NODES):
            lives[f"domain-{number}"] = self._domain
        return lives

    async def supervise(self, name: str, life: Life) -> None:
        """Keep the process running, whatever becomes of it, until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                process = self.processes[name] = Process(name)
                stop = self.stops[name] = asyncio.Event()
                dying = self._dying[name] = loop.create_future()
                living = group.create_task(self._watched(life, process, stop))
                try:
                    await asyncio.wait([living, dying], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self.unlogged_max = max(self.unlogged_max, process.unlogged_max)
                    if not living.done():
                        process.is_alive = False
                        living.cancel()
                await asyncio.sleep(self.random.uniform(*RESTART_S))

    async def _watched(self, life: Life, process: Process, stop: asyncio.Event) -> None:
        try:
            await life(process, stop)
        except* (Unavailable, AppenderFailed) as errors:
            _logger.warning("%s ends: %s", process.name, errors.exceptions)
        except* Exception as errors:  # noqa: BLE001 - whatever it is is a finding.
            if process.is_alive:
                self.failures.append(f"{process.name} died of {errors.exceptions!r}")
        finally:
            if process.is_alive:
                process.is_alive = False
                self._links_of(process, silently=False)

    def kill(self, name: str, *, silently: bool = False) -> None:
        """kill -9; `silently`: with its machine, so that its peers hear nothing."""
        process, dying = self.processes[name], self._dying[name]
        process.is_alive = False
        self._links_of(process, silently=silently)
        if not dying.done():
            dying.set_result(None)

    def _links_of(self, process: Process, *, silently: bool) -> None:
        for link in list(self.network.links):
            if link.process is process and not link.is_over:
                link.process_died(silently=silently)

    def _snapshots_of(self, name: str) -> Snapshots:
        if name not in self._snapshots:
            self._snapshots[name] = Snapshots(Path(":memory:"))
        return self._snapshots[name]

    def _ingress_of(self, slot: int) -> Life:
        async def life(process: Process, stop: asyncio.Event) -> None:
            self.network.owners[FIRST_PORT + slot] = process
            await ingress_life(self.broker, process, slot, stop)

        return life

    async def _domain(self, process: Process, stop: asyncio.Event) -> None:
        snapshots = self._snapshots_of(process.name)
        await domain_life(self.broker, process, self.group, snapshots, stop)

    async def _edge(self, process: Process, stop: asyncio.Event) -> None:
        self.network.owners[FIRST_PORT] = process
        self.edge = EdgeProcess(self.drive, process, self._snapshots_of("edge"))
        await self.edge.run(stop)

    async def _projections(self, process: Process, _: asyncio.Event) -> None:
        journal = self.journal(process)
        random = Random(self.random.random())
        await projections_life(journal, self.disk, process, self.trouble, random)

    # The log.

    def journal(self, process: Process) -> BrokerJournal | DriveView:
        if self.deployment == "kafka":
            return BrokerJournal(self.broker, process)
        return DriveView(self.drive, process)

    def heads(self) -> dict[int, int]:
        if self.deployment == "kafka":
            return {p: self.broker.head((JOURNAL, p)) for p in range(PARTITIONS + 1)}
        return {p: len(log) for p, log in enumerate(self.drive.logs)}

    def entries(self) -> list[Entry]:
        if self.deployment == "kafka":
            return [
                Entry(p, offset, value)
                for p in range(PARTITIONS + 1)
                for offset, value in self.broker.logs[JOURNAL, p]
            ]
        return [
            Entry(p, offset, value)
            for p, log in enumerate(self.drive.logs)
            for offset, value in enumerate(log)
        ]
