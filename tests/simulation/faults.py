"""What breaks, when, and how it heals: drawn from the seed before anything runs.

All of it is over by `BREAKING_S`; what a run then leaves behind must be as if nothing had happened.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random

from tests.simulation.broker import Weather
from tests.simulation.network import Link
from tests.simulation.sockets import ClientSocket
from tests.simulation.stores import Trouble
from tests.simulation.world import World

BREAKING_S = 300.0
KINDS_MAX = 5
"""Of one run: few at a time, so that a failing seed tells which."""

CLOCK_AHEAD_US = 4 * 3_600 * 1_000_000

FLOOD_FRAMES, FLOOD_EVERY_S = 600, 0.05

Fault = Callable[["Faults"], Coroutine[None, None, None]]


class Faults:
    def __init__(self, world: World, random: Random, kinds: Sequence[str] = ()) -> None:
        """`kinds`: only these, else some that the seed picks."""
        self.world = world
        self._kinds = kinds
        self.random = random
        self.is_flapping = self.is_flooding = False
        self.told: list[str] = []
        """What was done, for whoever reads a failing seed."""

    async def run(self) -> None:
        kinds = BROKER if self.world.deployment == "kafka" else EMBEDDED
        names = self._kinds or self.random.sample(sorted(kinds), KINDS_MAX)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while loop.time() < BREAKING_S:
                await asyncio.sleep(self.random.expovariate(1 / 12))
                name = self.random.choice(names)
                self.told.append(f"{loop.time():7.2f} {name}")
                group.create_task((kinds | ASKED_FOR)[name](self))
        self.heal()

    def heal(self) -> None:
        world = self.world
        world.broker.weather = Weather()
        world.broker.is_down = world.drive.is_full = False
        world.drive.lies = 0.0
        world.trouble.away = world.trouble.no_answer = 0.0
        for process in world.processes.values():
            process.is_cut_off = False
        # What waits for a clock that was set back need not be waited for.
        world.clock_offset_us = abs(world.clock_offset_us) + CLOCK_AHEAD_US

    # Processes.

    async def kill(self) -> None:
        name = self.random.choice(sorted(self.world.processes))
        self.world.kill(name, silently=self.random.random() < 0.3)

    async def restart(self) -> None:
        name = self.random.choice(sorted(self.world.processes))
        self.world.stops[name].set()

    async def cut_off(self) -> None:
        names = [name for name in sorted(self.world.processes) if name != "projections"]
        process = self.world.processes[self.random.choice(names)]
        process.is_cut_off = True
        await asyncio.sleep(self.random.uniform(3, 40))
        process.is_cut_off = False

    async def rebalance(self) -> None:
        self.world.group.rebalance()

    # The log.

    async def outage(self) -> None:
        self.world.broker.is_down = True
        await asyncio.sleep(self.random.choice((1.0, 5.0, 20.0, 60.0)))
        self.world.broker.is_down = False

    async def ten_minutes(self) -> None:
        """One outage of the log, in which every session that can end ends."""
        if not self.world.broker.is_down:
            self._no_log(True)
            await asyncio.sleep(600)
            self._no_log(False)

    async def flap(self) -> None:
        """The log is there for two seconds and away for twenty, ten times."""
        if self.is_flapping:
            return
        self.is_flapping = True
        for _ in range(10):
            self._no_log(True)
            await asyncio.sleep(20)
            self._no_log(False)
            await asyncio.sleep(2)
        self.is_flapping = False

    def _no_log(self, is_away: bool) -> None:
        """Of either deployment."""
        self.world.broker.is_down = self.world.drive.is_full = is_away

    async def flood(self) -> None:
        """A peer that waits for no answer, while the log cannot be written.

        One at a time: what a node holds in memory meanwhile is bounded by peer.
        """
        if self.is_flooding:
            return
        self.is_flooding = True
        try:
            await self._flooded()
        finally:
            self.is_flooding = False

    async def _flooded(self) -> None:
        socket = ClientSocket("FLOOD")
        port = self.random.choice(sorted(self.world.network.owners))
        try:
            link = self.world.network.connect(port, "FLOOD", socket)
        except ConnectionRefusedError:
            return
        await asyncio.sleep(1)
        self.world.broker.is_down = True
        for number in range(FLOOD_FRAMES):
            socket.send(f'[2,"{number}","Heartbeat",{{}}]')
            await asyncio.sleep(FLOOD_EVERY_S)
        self.world.broker.is_down = False
        link.cut()

    async def storm(self) -> None:
        self.world.broker.weather = Weather(delay_s=(0.001, 0.2), ack_lost=0.1, slow=0.15, gap=0.05)
        await asyncio.sleep(self.random.uniform(5, 30))
        self.world.broker.weather = Weather()

    async def disk_full(self) -> None:
        self.world.drive.is_full = True
        await asyncio.sleep(self.random.choice((1.0, 5.0, 40.0)))
        self.world.drive.is_full = False

    async def lying_disk(self) -> None:
        self.world.drive.lies = 0.1
        await asyncio.sleep(self.random.uniform(2, 20))
        self.world.drive.lies = 0.0

    async def stores(self) -> None:
        trouble: Trouble = self.world.trouble
        trouble.away, trouble.no_answer = 0.3, 0.3
        await asyncio.sleep(self.random.uniform(5, 40))
        trouble.away = trouble.no_answer = 0.0

    # The network.

    def _link(self) -> Link | None:
        links = [each.link for each in self.world.stations if each.link is not None]
        return self.random.choice(links) if links else None

    async def cut_link(self) -> None:
        if link := self._link():
            link.cut()

    async def half_open(self) -> None:
        if link := self._link():
            link.silence(to_server=True, to_client=self.random.random() < 0.5)

    async def lost_answers(self) -> None:
        self.random.choice(self.world.stations).loses_an_answer = True

    async def late_frames(self) -> None:
        if link := self._link():
            link.stall(self.random.uniform(5, 40))
            await asyncio.sleep(self.random.uniform(0, 3))
            link.client_end.reset()

    async def offline(self) -> None:
        station = self.random.choice(self.world.stations)
        await station.go_offline(self.random.uniform(1, 90))

    async def clock_jump(self) -> None:
        world, seconds = self.world, self.random.choice((-3_600, 3_600, -5, 5))
        # Not ever further, however often it jumps.
        world.clock_offset_us = (world.clock_offset_us + seconds * 1_000_000) % CLOCK_AHEAD_US


EVERYWHERE: dict[str, Fault] = {
    "kill": Faults.kill,
    "restart": Faults.restart,
    "stores": Faults.stores,
    "cut_link": Faults.cut_link,
    "half_open": Faults.half_open,
    "lost_answers": Faults.lost_answers,
    "late_frames": Faults.late_frames,
    "offline": Faults.offline,
    "clock_jump": Faults.clock_jump,
}
BROKER: dict[str, Fault] = EVERYWHERE | {
    "cut_off": Faults.cut_off,
    "rebalance": Faults.rebalance,
    "outage": Faults.outage,
    "flood": Faults.flood,
    "storm": Faults.storm,
}
EMBEDDED: dict[str, Fault] = EVERYWHERE | {
    "disk_full": Faults.disk_full,
    "lying_disk": Faults.lying_disk,
}
ASKED_FOR: dict[str, Fault] = {"ten_minutes": Faults.ten_minutes, "flap": Faults.flap}
"""Too long for runs that have other faults."""
