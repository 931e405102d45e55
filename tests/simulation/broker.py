"""The brokers, simulated: the journal's topic, deliveries and heartbeats, and who may reach them.

A producer has one batch in flight per partition and sends it again until it lands or the process is
dead; so what ran out of time may still land, before whatever this process sends there later, and
what a killed process sent may land after its death.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from infra.journal_batches import joined
from infra.journal_identity import creation_record, identity_in
from infra.kafka_dispatch import KafkaDispatch
from schemas.journal import REGISTRY_PARTITION, AppendUnknown, Entry, Unavailable
from tests.simulation.network import Process

APPEND_TIMEOUT_S = 10.0
AGAIN_S = 0.2
LANDS_AFTER_DEATH = 0.5
JOURNAL, DELIVERIES, NODES = "journal", "deliveries", "nodes"

Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(slots=True)
class Weather:
    """What the brokers do to those who write, as probabilities and seconds."""

    delay_s: tuple[float, float] = (0.001, 0.01)
    ack_lost: float = 0.0
    """The batch landed, and its producer hears nothing until its time is over."""
    slow: float = 0.0
    slow_s: tuple[float, float] = (0.5, 14.0)
    gap: float = 0.0
    """Offsets are left out, as control records of Kafka do."""


@dataclass(slots=True, eq=False)
class _Batch:
    values: Sequence[bytes]
    landed: "asyncio.Future[range]"
    is_sent: bool = False


@dataclass(slots=True)
class _Lane:
    process: Process
    place: Place
    waiting: deque[_Batch] = field(default_factory=deque)
    is_busy: bool = False


class Broker:
    def __init__(self, random: Random, partitions: int) -> None:
        self.weather = Weather()
        self.is_down = False
        self.partitions = partitions
        created = creation_record(partitions)
        self.id = identity_in(created, where="simulated").journal_id
        self.logs: dict[Place, list[tuple[int, bytes]]] = defaultdict(list)
        self.logs[JOURNAL, REGISTRY_PARTITION].append((0, created))
        self._random = random
        self._lanes: dict[tuple[str, Place], _Lane] = {}
        self._sleeping: dict[str, dict[asyncio.Future[None], None]] = defaultdict(dict)
        """Readers without anything to read, by topic."""

    def head(self, place: Place) -> int:
        log = self.logs[place]
        return log[-1][0] + 1 if log else 0

    def is_reached_by(self, process: Process) -> bool:
        return not self.is_down and not process.is_cut_off

    async def append(self, process: Process, place: Place, values: Sequence[bytes]) -> range:
        process.require_life()
        joined(values)
        loop = asyncio.get_running_loop()
        key = (f"{process.name}/{id(process)}", place)
        lane = self._lanes.setdefault(key, _Lane(process, place))
        batch = _Batch(list(values), loop.create_future())
        lane.waiting.append(batch)
        self._pump(lane)
        try:
            async with asyncio.timeout(APPEND_TIMEOUT_S):
                return await batch.landed
        except TimeoutError:
            process.require_life()
            if batch.is_sent:
                raise AppendUnknown(f"{place}: no answer") from None
            lane.waiting.remove(batch)
            raise Unavailable(f"{place}: not sent") from None

    def _pump(self, lane: _Lane) -> None:
        if lane.is_busy or not lane.waiting:
            return
        lane.is_busy = True
        weather = self.weather
        bounds = weather.slow_s if self._random.random() < weather.slow else weather.delay_s
        loop = asyncio.get_running_loop()
        loop.call_later(self._random.uniform(*bounds), self._land, lane)

    def _land(self, lane: _Lane) -> None:
        if lane.waiting and (self.is_reached_by(lane.process) or lane.waiting[0].is_sent):
            lane.waiting[0].is_sent = True
        if self.is_down or lane.process.is_cut_off:
            if lane.process.is_alive:
                asyncio.get_running_loop().call_later(AGAIN_S, self._land, lane)
            return
        lane.is_busy = False
        if not lane.waiting:
            return
        batch = lane.waiting.popleft()
        if not lane.process.is_alive and self._random.random() > LANDS_AFTER_DEATH:
            lane.waiting.clear()
            return
        offsets = self.put(lane.place, batch.values)
        lane.process.landed(batch.values)
        if self._random.random() >= self.weather.ack_lost and not batch.landed.done():
            batch.landed.set_result(offsets)
        self._pump(lane)

    def put(self, place: Place, values: Sequence[bytes]) -> range:
        first = self.head(place)
        if first and self._random.random() < self.weather.gap:
            first += self._random.randint(1, 3)
        log = self.logs[place]
        log.extend((first + index, value) for index, value in enumerate(values))
        for woken in self._sleeping[place[0]]:
            if not woken.done():
                woken.set_result(None)
        return range(first, first + len(values))

    async def changed(self, topic: str, timeout_s: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping[topic][woken] = None
        try:
            await asyncio.wait([woken], timeout=timeout_s)
        finally:
            self._sleeping[topic].pop(woken, None)


class BrokerReader:
    def __init__(
        self, broker: Broker, process: Process, topic: str, positions: Mapping[int, int]
    ) -> None:
        self._broker = broker
        self._process = process
        self._topic = topic
        self._positions = dict(positions)
        self._index = {
            partition: sum(offset < position for offset, _ in broker.logs[topic, partition])
            for partition, position in positions.items()
        }

    async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            self._process.require_life()
            if not self._broker.is_reached_by(self._process):
                await asyncio.sleep(min(1.0, max(0.01, deadline - loop.time())))
                raise Unavailable(f"{self._topic} cannot be read")
            if entries := self._take(records_max):
                return entries
            left = deadline - loop.time()
            if left <= 0:
                return ()
            await self._broker.changed(self._topic, left)

    def _take(self, records_max: int) -> list[Entry]:
        entries: list[Entry] = []
        for partition, index in self._index.items():
            log = self._broker.logs[self._topic, partition]
            found = log[index : index + records_max - len(entries)]
            self._index[partition] = index + len(found)
            entries.extend(Entry(partition, offset, value) for offset, value in found)
        return entries

    async def close(self) -> None: ...


class BrokerJournal:
    """`schemas.journal.Journal`, as one process sees it."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker = broker
        self._process = process
        self.id = broker.id
        self.partitions = broker.partitions

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        return await self._broker.append(self._process, (JOURNAL, partition), values)

    async def head(self, partition: int) -> int:
        self._process.require_life()
        await asyncio.sleep(0.001)
        if not self._broker.is_reached_by(self._process):
            raise Unavailable("the log cannot be reached")
        return self._broker.head((JOURNAL, partition))

    def reader(self, positions: Mapping[int, int]) -> BrokerReader:
        return BrokerReader(self._broker, self._process, JOURNAL, positions)

    async def close(self) -> None: ...


class BrokerDispatch(KafkaDispatch):
    """Deliveries or heartbeats, as one process sees them."""

    def __init__(self, broker: Broker, process: Process, topic: str, partitions: int) -> None:
        # Not the client's own: there is no cluster.
        self.partitions = partitions
        self._broker = broker
        self._process = process
        self._name = topic

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        await self._broker.append(self._process, (self._name, partition), values)

    async def tail(self, partition: int) -> BrokerReader:
        self._process.require_life()
        if not self._broker.is_reached_by(self._process):
            raise Unavailable(self._name)
        end = self._broker.head((self._name, partition))
        return BrokerReader(self._broker, self._process, self._name, {partition: end})

    async def close(self) -> None: ...
