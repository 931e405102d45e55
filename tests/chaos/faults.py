"""What breaks, drawn from the seed: every kind has its turn, then all again in another order.

Each fault undoes itself. A thing has one fault at a time; several things may have one at once.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.chaos.enclave import INNER, OUTER
from tests.chaos.machines import NAMES, Machines

Fault = Callable[["Faults"], Coroutine[None, None, None]]


class Faults:
    def __init__(
        self, machines: Machines, random: Random, say: Callable[[str], None], longest_s: float
    ) -> None:
        self._machines = machines
        self._random = random
        self._say = say
        self._longest_s = longest_s
        self._broken: set[str] = set()
        self._began = 0.0
        self.kinds: set[str] = set()
        """Of the faults that there were."""

    async def run(self, seconds: float, every_s: float, kinds: Sequence[str] = ()) -> None:
        """Break things for so long; return when each fault has undone itself."""
        self._began = asyncio.get_running_loop().time()
        deadline = self._began + seconds
        wanted = list(kinds or possible(self._machines))
        turn: list[str] = []
        async with asyncio.TaskGroup() as group:
            while asyncio.get_running_loop().time() < deadline:
                turn = turn or self._random.sample(wanted, len(wanted))
                group.create_task(KINDS[turn.pop()](self))
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * every_s)

    def _long(self, at_least_s: float = 0.5) -> float:
        return self._random.uniform(at_least_s, max(at_least_s, self._longest_s))

    @asynccontextmanager
    async def _breaking(self, kind: str, *names: str) -> AsyncIterator[str]:
        """Yield one of them that is whole; nothing happens to a thing that is broken already."""
        whole = [name for name in names if name not in self._broken]
        if not whole:
            raise Nothing
        name = self._random.choice(whole)
        self._broken.add(name)
        self.kinds.add(kind)
        now = asyncio.get_running_loop().time
        self._say(f"{now() - self._began:6.1f} {kind}: {name}")
        try:
            yield name
        finally:
            self._broken.discard(name)

    # Processes.

    async def kill_role(self) -> None:
        async with self._breaking("kill -9", *NAMES) as name:
            self._machines.roles.kill(name)
            await asyncio.sleep(self._long())

    async def end_role(self) -> None:
        async with self._breaking("SIGTERM", *NAMES) as name:
            self._machines.roles.send(name, signal.SIGTERM)
            await asyncio.sleep(self._long())

    async def stop_role(self) -> None:
        async with self._breaking("SIGSTOP", *NAMES) as name:
            process = self._machines.roles.process(name)
            process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(self._long())
            finally:
                process.send_signal(signal.SIGCONT)

    async def kill_broker(self) -> None:
        async with self._breaking("kill -9", *self._machines.brokers) as name:
            broker = self._machines.brokers[name]
            await asyncio.to_thread(broker.kill)
            try:
                await asyncio.sleep(self._long())
            finally:
                broker.start()
            await asyncio.to_thread(broker.wait_until_up)

    async def stop_broker(self) -> None:
        async with self._breaking("SIGSTOP", *self._machines.brokers) as name:
            await self._stopped([name])

    async def no_log(self) -> None:
        """All that are whole at once: nobody can append."""
        names = [name for name in self._machines.brokers if name not in self._broken]
        async with self._breaking("no log", "the log"):
            await self._stopped(names)

    async def _stopped(self, names: Sequence[str]) -> None:
        self._broken.update(names)
        brokers = [self._machines.brokers[name] for name in names]
        for broker in brokers:
            broker.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(self._long())
        finally:
            for broker in brokers:
                broker.send(signal.SIGCONT)
            self._broken.difference_update(names)

    async def kill_postgres(self) -> None:
        async with self._breaking("kill -9", "postgres"):
            postgres = self._machines.postgres
            await asyncio.to_thread(postgres.kill)
            await asyncio.sleep(self._long())
            await asyncio.to_thread(postgres.start)

    async def stop_postgres(self) -> None:
        async with self._breaking("SIGSTOP", "postgres"):
            self._machines.postgres.send(signal.SIGSTOP)
            try:
                await asyncio.sleep(self._long())
            finally:
                self._machines.postgres.send(signal.SIGCONT)

    # Links.

    async def reset_link(self) -> None:
        async with self._breaking("RST", *self._links()) as name:
            self._machines.links[name.removeprefix("link to ")].cut(reset=True)

    async def delay_link(self) -> None:
        async with self._breaking("delay", *self._links()) as name:
            await self._slowed(name, self._random.uniform(0.02, 1.0), 65_536)

    async def narrow_link(self) -> None:
        async with self._breaking("bandwidth", *self._links()) as name:
            await self._slowed(name, 0.02, self._random.choice((64, 256, 1_024)))

    async def _slowed(self, name: str, delay_s: float, slice_bytes: int) -> None:
        link = self._machines.links[name.removeprefix("link to ")]
        link.delay_s, link.slice_bytes = delay_s, slice_bytes
        try:
            await asyncio.sleep(self._long())
        finally:
            link.heal()

    async def half_open_link(self) -> None:
        async with self._breaking("half-open", *self._links()) as name:
            link = self._machines.links[name.removeprefix("link to ")]
            link.silent_up, link.silent_down = self._random.choice(
                ((True, True), (True, False), (False, True))
            )
            try:
                await asyncio.sleep(self._long())
            finally:
                link.heal()

    def _links(self) -> list[str]:
        return [f"link to {name}" for name in self._machines.links]

    async def partition(self) -> None:
        """A node that reaches no broker and keeps its stations, or the reverse; one way or both."""
        machine = self._machines.enclave
        assert machine is not None
        async with self._breaking("partition", f"cable {INNER}", f"cable {OUTER}") as name:
            cable = name.removeprefix("cable ")
            break_it = self._random.choice((machine.pull, machine.deafen, machine.mute))
            await asyncio.to_thread(break_it, cable)
            try:
                await asyncio.sleep(self._long())
            finally:
                machine.heal(cable)

    # Disks.

    async def fill_disk(self) -> None:
        """What ends for lack of space is started again once there is some."""
        machines = self._machines
        async with self._breaking("disk full", *machines.disks) as name:
            disk = machines.disks[name]
            await asyncio.to_thread(disk.fill)
            try:
                await asyncio.sleep(self._long())
            finally:
                disk.clear()
            broker = machines.brokers.get(name)
            if broker is not None and not broker.is_alive:
                broker.start()
                await asyncio.to_thread(broker.wait_until_up)
            if name == "postgres" and not machines.postgres.is_alive:
                await asyncio.to_thread(machines.postgres.start)


class Nothing(Exception):
    """All things of the kind are broken already."""


def _or_nothing(fault: Fault) -> Fault:
    async def tried(faults: Faults) -> None:
        try:
            await fault(faults)
        except Nothing:
            return

    return tried


KINDS: dict[str, Fault] = {
    name: _or_nothing(fault)
    for name, fault in {
        "kill-role": Faults.kill_role,
        "end-role": Faults.end_role,
        "stop-role": Faults.stop_role,
        "kill-broker": Faults.kill_broker,
        "stop-broker": Faults.stop_broker,
        "no-log": Faults.no_log,
        "kill-postgres": Faults.kill_postgres,
        "stop-postgres": Faults.stop_postgres,
        "reset-link": Faults.reset_link,
        "delay-link": Faults.delay_link,
        "narrow-link": Faults.narrow_link,
        "half-open-link": Faults.half_open_link,
        "partition": Faults.partition,
        "fill-disk": Faults.fill_disk,
    }.items()
}


def possible(machines: Machines) -> list[str]:
    """Return the kinds that this machine allows."""
    lacking = set()
    if machines.enclave is None:
        lacking.add("partition")
    if not machines.disks:
        lacking.add("fill-disk")
    return [name for name in KINDS if name not in lacking]
