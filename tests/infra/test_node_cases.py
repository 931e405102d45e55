"""Cases of groups N and F on nodes: a crash loop, two versions side by side, queues in a storm."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from infra import domain_worker, snapshots
from infra.dispatcher import Dispatcher
from infra.domain_worker import PartitionWorker
from infra.edge import Edge
from infra.ingress_node import IngressNode, SlotTaken
from infra.journal_memory import MemoryJournal
from infra.kafka_cluster import KafkaCluster
from infra.kafka_dispatch import KafkaDispatch
from infra.node_watch import NodeWatch
from infra.snapshots import Snapshots
from ingress.options import Options
from schemas.deliveries import DispatchedFrame, Heartbeat, decode_frames, decode_heartbeat
from schemas.deliveries import encode as encode_dispatch
from schemas.journal import Reader
from schemas.records import MessageSent, Record, decode, encode
from tests.infra.test_domain_worker import Mailbox, frames_in, heartbeat, opened, worker
from tests.infra.test_edge import NoSecrets, call, running, station

QUEUED = 50
BACK_WITHIN_S = 10.0


class Bus(KafkaDispatch):
    """A topic of dispatch in memory."""

    def __init__(self, partitions: int = 1) -> None:
        super().__init__(KafkaCluster("127.0.0.1:1"), "unused", partitions)
        self._log = MemoryJournal(partitions)

    async def send(self, partition: int, values: Sequence[bytes]) -> None:
        await self._log.append(partition + 1, values)

    async def tail(self, partition: int) -> Reader:
        return self._log.reader({partition + 1: await self._log.head(partition + 1)})


def ingress(journal: MemoryJournal, nodes: Bus, slot: int) -> IngressNode:
    return IngressNode(
        journal,
        Bus(2),
        nodes,
        slot=slot,
        options=Options(accept_unknown_stations=True),
        verifier=lambda _: None,
        secrets=NoSecrets(),
    )


async def test_n_11_a_node_in_a_crash_loop_with_anothers_slot_disturbs_nobody() -> None:
    journal, nodes, stop = MemoryJournal(1), Bus(), asyncio.Event()
    watch, good = NodeWatch(nodes), ingress(journal, nodes, 0)
    async with asyncio.TaskGroup() as group:
        listening = asyncio.Event()
        group.create_task(good.run("127.0.0.1", 0, stop, lambda _: listening.set()))
        watching = group.create_task(watch.run())
        async with asyncio.timeout(20):
            await listening.wait()
            with pytest.raises(ExceptionGroup) as raised:
                await ingress(journal, nodes, 0).run("127.0.0.1", 0, stop, lambda _: None)
            assert raised.group_contains(SlotTaken, match="CHARGELEDGER_INGRESS_SLOT")
        assert not watch.is_lost(good.node)
        assert good.parts() == {"listening": "ok", "journal": "ok", "heartbeat": "ok"}
        stop.set()
        watching.cancel()


class Versions:
    """Owners of which some are of a later version: it adds members to records and to snapshots."""

    def __init__(self) -> None:
        self.later: set[str] = set()

    def encoded(self, record: Record, incarnation: str, sequence: int) -> bytes:
        value = encode(record, incarnation, sequence)
        if incarnation not in self.later:
            return value
        return value[:-1] + b',"of_a_later_version":{"a":[1,"x"]}}'


async def lived(
    owning: PartitionWorker, journal: MemoryJournal, mailbox: Mailbox, numbers: range
) -> None:
    """Own the partition while the station says this; until all of it is answered."""
    before = len(mailbox.frames)
    async with asyncio.TaskGroup() as group:
        running_ = group.create_task(owning.run())
        await journal.append(1, [heartbeat(number, 1 + number) for number in numbers])
        await frames_in(mailbox, before + len(numbers))
        running_.cancel()


async def test_n_10_owners_of_two_versions_take_over_from_each_other_and_answer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, journal, mailbox = Versions(), MemoryJournal(1), Mailbox()
    monkeypatch.setattr(domain_worker, "encode_record", versions.encoded)
    await journal.append(1, [encode(opened("c", "0/node"), "ingress", 1)])
    async with Dispatcher(mailbox) as dispatcher:
        for life, is_later in enumerate((False, True, False, True)):
            with monkeypatch.context() as patched:
                if is_later:  # It keeps other states, in the same file.
                    patched.setattr(snapshots, "_STATION", "station.v999")
                    patched.setattr(snapshots, "_PARTITION", "partition.v999")
                owning = worker(journal, dispatcher, Snapshots(tmp_path / "snapshots.sqlite"))
                if is_later:
                    versions.later.add(owning._name)  # noqa: SLF001 - what its records bear.
                await lived(owning, journal, mailbox, range(10 * life + 1, 10 * life + 11))
                assert owning.set_aside == 0

    entries = await journal.reader({1: 0}).poll(records_max=1_000, timeout_s=0)
    assert any(b"of_a_later_version" in entry.value for entry in entries)
    records = [decode(entry.value) for entry in entries]
    answered = [record.cause for record in records if isinstance(record, MessageSent)]
    assert len(answered) == len(set(answered)) == 40


def queue(number: int) -> list[tuple[str, dict[str, Any]]]:
    """What a station tells that was away: sessions, in order."""
    at = "2026-11-23T10:00:00Z"
    told: list[tuple[str, dict[str, Any]]] = []
    for session in range(QUEUED // 2):
        start = {"connectorId": 1, "idTag": f"T{number}", "meterStart": session, "timestamp": at}
        told += [("StartTransaction", start), ("StopTransaction", {"meterStop": session + 1})]
    return told


async def come_back(at: Edge, number: int, answer_times: list[float]) -> None:
    async with station(at, f"S{number}") as socket:
        transaction = 0
        for index, (action, payload) in enumerate(queue(number) if number % 5 == 0 else []):
            if action == "StopTransaction":
                payload |= {"transactionId": transaction, "timestamp": "2026-11-23T11:00:00Z"}
            began = time.monotonic()
            answer = await call(socket, f"m{index}", action, payload)
            answer_times.append(time.monotonic() - began)
            assert answer[0] == 3, answer
            transaction = answer[2].get("transactionId", 0)
        began = time.monotonic()
        assert (await call(socket, "h", "Heartbeat", {}))[0] == 3
        answer_times.append(time.monotonic() - began)


async def test_f_03_a_fleet_comes_back_and_a_fifth_of_it_has_fifty_messages(
    tmp_path: Path,
) -> None:
    stations, times = 100, list[float]()
    async with running(tmp_path) as at, asyncio.TaskGroup() as group:
        for number in range(stations):
            group.create_task(come_back(at, number, times))

    assert len(times) == stations + stations // 5 * QUEUED
    assert sorted(times)[int(0.99 * len(times))] < BACK_WITHIN_S


def test_n_10_what_nodes_of_a_later_version_tell_each_other_is_read() -> None:
    frame = DispatchedFrame("0/a", "default", "CP1", "c", 7, '[3,"1",{}]', 3)
    later = [[*orjson.loads(encode_dispatch(frame)), "of a later version", 1]]

    assert decode_frames(orjson.dumps(later)) == [frame]
    assert decode_heartbeat(b'["0/a","of a later version"]') == Heartbeat("0/a")
