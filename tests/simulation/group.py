"""The consumer group, simulated: who should own which partition, and who learns of it too late.

Stands in for `infra.kafka_assignment.Assignment`: the hints are the simulation's, all that is done
upon them is the product's. Who lost a partition may be told seconds after its successor, so two
owners are alive at once; a member that the brokers do not hear is replaced and told nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from tests.simulation.network import Process

SESSION_S = 6.0
TOLD_LATE_S = (0.0, 8.0)
LOOK_S = 1.0


class Group:
    def __init__(self, random: Random, partitions: int) -> None:
        self._random = random
        self._members: list[GroupMember] = []
        self._owner: dict[int, GroupMember | None] = dict.fromkeys(range(1, partitions + 1))
        self._silent_since: dict[GroupMember, float] = {}

    def join(self, member: "GroupMember") -> None:
        """Also after it was taken for dead: what it still works on it has lost."""
        if member in self._members:
            return
        self._members.append(member)
        for partition in self._owner:
            member.end(partition)

    def leave(self, member: "GroupMember") -> None:
        if member in self._members:
            self._members.remove(member)

    async def watch(self) -> None:
        """Give out what nobody has, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._expire(asyncio.get_running_loop().time())
            for partition, owner in self._owner.items():
                if self._members and owner not in self._members:
                    self._give(partition, self._random.choice(self._members))

    def rebalance(self) -> None:
        """Move a partition to another member."""
        partition = self._random.choice(list(self._owner))
        others = [each for each in self._members if each is not self._owner[partition]]
        if others:
            self._give(partition, self._random.choice(others))

    def _expire(self, now: float) -> None:
        for member in list(self._members):
            if member.is_heard:
                self._silent_since.pop(member, None)
            elif now - self._silent_since.setdefault(member, now) > SESSION_S:
                self._members.remove(member)
                del self._silent_since[member]

    def _give(self, partition: int, member: "GroupMember") -> None:
        older, self._owner[partition] = self._owner[partition], member
        member.begin(partition)
        if older is not None and older is not member:
            delay_s = self._random.uniform(*TOLD_LATE_S)
            asyncio.get_running_loop().call_later(delay_s, older.end, partition)

    def owns(self, member: "GroupMember", partition: int) -> bool:
        return self._owner[partition] is member


class Membership:
    """Given to `DomainNode` as its cluster."""

    def __init__(self, group: Group, process: Process) -> None:
        self.group = group
        self.process = process


class GroupMember:
    """Stands in for `Assignment`: the same constructor, `run`, `settled` and `is_ending`."""

    def __init__(
        self, cluster: Membership, prefix: str, own: Callable[[int], Awaitable[None]]
    ) -> None:
        self.settled = asyncio.Event()
        self.settled.set()
        self._group = cluster.group
        self._process = cluster.process
        self._own = own
        self._running: dict[int, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._is_open = False
        self.is_ending = False

    @property
    def is_heard(self) -> bool:
        return self._process.is_alive and not self._process.is_cut_off

    async def run(self, partitions: int, replication: int, stop: asyncio.Event) -> None:
        async with self._tasks:
            self._is_open = True
            try:
                while not stop.is_set():
                    if self.is_heard:
                        self._group.join(self)
                    await asyncio.sleep(LOOK_S)
            finally:
                self._is_open, self.is_ending = False, True
                self._group.leave(self)
                for partition in list(self._running):
                    self.end(partition)

    def begin(self, partition: int) -> None:
        if self._is_open and partition not in self._running:
            self._running[partition] = self._tasks.create_task(self._owning(partition))

    def end(self, partition: int) -> None:
        is_lost = not self._is_open or not self._group.owns(self, partition)
        if is_lost and partition in self._running:
            self._running.pop(partition).cancel()

    async def _owning(self, partition: int) -> None:
        await self._own(partition)
