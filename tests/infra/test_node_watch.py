"""Who is lost: a node that fell silent, heard by an owner that hears itself; nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from infra import domain_worker, ingress_node, node_watch
from infra.journal_memory import MemoryJournal
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from schemas.deliveries import Heartbeat, encode
from schemas.journal import Reader, Unavailable

LOST_AFTER_S = 0.45


class Heartbeats(KafkaDispatch):
    """The topic of heartbeats, in memory; a broker that can be away."""

    def __init__(self) -> None:
        super().__init__(KafkaCluster("127.0.0.1:1"), "unused", 1)
        self.is_away = False
        self._journal = MemoryJournal(1)

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        if self.is_away:
            raise Unavailable("away")
        await self._journal.append(1, values)

    async def tail(self, partition: int) -> Reader:
        return self._journal.reader({1: await self._journal.head(1)})

    async def beat(self, node: str) -> None:
        await self.send(0, [encode(Heartbeat(node))])


@asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Heartbeats, NodeWatch]]:
    monkeypatch.setattr(node_watch, "LOST_AFTER_S", LOST_AFTER_S)
    monkeypatch.setattr(node_watch, "ECHO_S", 0.05)
    beats = Heartbeats()
    watch = NodeWatch(beats)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        yield beats, watch
        running.cancel()


async def test_a_node_is_lost_once_it_was_silent_for_long_enough_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(monkeypatch) as (beats, watch):
        now = asyncio.get_running_loop().time
        await asyncio.sleep(0.2)
        await beats.beat("0/dies")
        silent_since = now()
        while not watch.is_lost("0/dies"):
            assert now() - silent_since < 5 * LOST_AFTER_S
            await beats.beat("1/lives")
            await asyncio.sleep(0.05)
        assert now() - silent_since > LOST_AFTER_S * 0.9
        assert not watch.is_lost("1/lives")


async def test_nobody_is_lost_while_nothing_can_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as (beats, watch):
        await asyncio.sleep(0.2)
        await beats.beat("0/lives")
        await asyncio.sleep(0.1)
        beats.is_away = True
        await asyncio.sleep(3 * LOST_AFTER_S)
        assert not watch.is_lost("0/lives")


async def test_a_node_that_was_lost_may_be_back_while_nothing_can_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_watch, "DEAF_S", 0.2)
    async with watching(monkeypatch) as (beats, watch):
        await asyncio.sleep(0.1)
        await beats.beat("0/back")
        await asyncio.sleep(2 * LOST_AFTER_S)
        assert watch.is_lost("0/back")
        beats.is_away = True
        await asyncio.sleep(0.4)
        assert not watch.is_lost("0/back")
        beats.is_away = False
        await beats.beat("0/back")
        await asyncio.sleep(0.3)
        assert not watch.is_lost("0/back")


async def test_a_node_has_time_to_be_heard_again_after_nothing_could_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_watch, "DEAF_S", 0.3)
    async with watching(monkeypatch) as (beats, watch):
        await asyncio.sleep(0.2)
        await beats.beat("0/lives")
        await asyncio.sleep(0.1)
        beats.is_away = True
        await asyncio.sleep(2 * LOST_AFTER_S)
        beats.is_away = False
        for _ in range(10):
            await asyncio.sleep(LOST_AFTER_S / 20)
            assert not watch.is_lost("0/lives")
        await asyncio.sleep(LOST_AFTER_S)
        assert watch.is_lost("0/lives")


async def test_another_process_in_its_slot_means_that_a_node_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(monkeypatch) as (beats, watch):
        await asyncio.sleep(0.2)
        await beats.beat("0/first")
        await beats.beat("0/second")
        await asyncio.sleep(0.1)
        assert watch.is_lost("0/first")
        assert not watch.is_lost("0/second")


async def test_a_node_whose_first_heartbeat_is_on_its_way_is_not_taken_for_the_one_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(monkeypatch) as (beats, watch):
        await asyncio.sleep(0.2)
        await asyncio.sleep(LOST_AFTER_S)
        await beats.beat("0/first")
        await asyncio.sleep(0.1)
        assert not watch.is_lost("0/second")
        await beats.beat("0/second")
        await asyncio.sleep(0.1)
        assert not watch.is_lost("0/second")
        assert watch.is_lost("0/first")


async def test_a_node_that_is_never_heard_is_lost_after_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching(monkeypatch) as (_, watch):
        await asyncio.sleep(LOST_AFTER_S)
        assert not watch.is_lost("0/gone")
        await asyncio.sleep(LOST_AFTER_S + 0.2)
        assert watch.is_lost("0/gone")


def test_it_is_known_within_15_s_and_after_the_node_has_closed_its_sockets() -> None:
    looks_s = node_watch.ECHO_S + domain_worker.LOST_CHECK_S
    assert node_watch.LOST_AFTER_S + looks_s < 15.0
    closed_s = ingress_node.SILENT_MAX_S + ingress_node.HEARTBEAT_S
    assert closed_s < node_watch.LOST_AFTER_S
