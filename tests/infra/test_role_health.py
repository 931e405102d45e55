"""A role's process says of itself whether it lives, whether it works, and how much."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.batching_log import BatchingLog
from infra.dispatcher import Dispatcher
from infra.health_http import Health, health_http
from infra.ingress_node import IngressNode
from infra.journal_memory import MemoryJournal, MemoryReader
from infra.migrations import migrate
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from infra.role_health import deaf, of_ingress, of_projections
from infra.snapshots import Snapshots
from ingress.options import Options
from projections.marks import Marks
from schemas.journal import Entry
from schemas.partitions import partition_of
from schemas.records import CanaryAsked, encode
from tests.engines import PostgresDatabase
from tests.infra.test_domain_worker import (
    NODE,
    AwayJournal,
    Mailbox,
    frames_in,
    heartbeat,
    opened,
    say,
    worker,
)
from tests.infra.test_edge import NoSecrets
from tests.projections.projecting import project
from tests.projections.world import World

MINUTE_US = 60_000_000


async def test_a_part_that_is_not_ok_turns_readiness_red() -> None:
    parts = {"listening": "ok", "journal": "ok"}

    async def said() -> Mapping[str, str]:
        return parts

    async def figures() -> str:
        return "chargeledger_connections 3\n"

    async with (
        health_http(0, Health(parts=said, figures=figures)) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/healthz")).json() == {"alive": True}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, **parts})

        parts["journal"] = "not writable: partitions [2]"
        red = await client.get("/readyz")
        assert (red.status_code, red.json()) == (503, {"ready": False, **parts})

        (figure,) = text_string_to_metric_families((await client.get("/metrics")).text)
        assert figure.samples[0].value == 3
        elsewhere = await client.get("/metrics", headers={"Host": "evil.example"})
        assert elsewhere.status_code == 400


async def test_without_a_port_nobody_is_answered() -> None:
    async def never() -> str:
        raise AssertionError

    async def no_parts() -> Mapping[str, str]:
        raise AssertionError

    async with health_http(None, Health(parts=no_parts, figures=never)) as port:
        assert port is None


class StuckJournal(MemoryJournal):
    """Says from some moment on no more whether anything was appended."""

    stuck = False

    async def append(self, partition: int, values: Sequence[bytes]) -> Sequence[int]:
        if self.stuck:
            await asyncio.Future()
        return await super().append(partition, values)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots.sqlite")


async def test_an_owner_is_ok_once_it_owns_and_until_it_decides_nothing(
    snapshots: Snapshots,
) -> None:
    journal, mailbox = StuckJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        owning = worker(journal, dispatcher, snapshots)
        assert owning.condition(0) == "not ours yet, folded up to 0"
        running = group.create_task(owning.run())
        await say(journal, 1)
        await frames_in(mailbox, 1)
        assert owning.condition(MINUTE_US) == "ok"
        assert (owning.owns, owning.stations, owning.set_aside) == (True, 1, 0)

        journal.stuck = True
        await MemoryJournal.append(journal, 1, [heartbeat(2, MINUTE_US)])
        for _ in range(1_000):
            if owning.waiting_s(MINUTE_US + 1):
                break
            await asyncio.sleep(0.01)
        assert owning.condition(MINUTE_US + 20_000_000) == "ok"
        assert owning.condition(MINUTE_US + 40_000_000) == "no decision for 40 s"
        running.cancel()


class DeafJournal(MemoryJournal):
    """Its readers find nothing any more from some moment on."""

    is_deaf = False

    def reader(self, positions: Mapping[int, int]) -> MemoryReader:
        journal = self

        class Deaf(MemoryReader):
            async def poll(self, *, records_max: int, timeout_s: float) -> Sequence[Entry]:
                if journal.is_deaf:
                    await asyncio.sleep(0.01)
                    return ()
                return await super().poll(records_max=records_max, timeout_s=0.01)

        return Deaf(journal, self._logs, positions)


async def test_an_owner_that_reads_nothing_though_more_is_there_is_not_ok(
    snapshots: Snapshots,
) -> None:
    journal, mailbox, marks = DeafJournal(1), Mailbox(), Marks()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        owning = worker(journal, dispatcher, snapshots)
        running = group.create_task(owning.run())
        await say(journal, 1)
        await frames_in(mailbox, 1)
        assert await deaf(journal, {1: owning}, marks, MINUTE_US) == {}

        journal.is_deaf = True
        await asyncio.sleep(0.05)
        await MemoryJournal.append(journal, 1, [heartbeat(2, MINUTE_US)])
        assert await deaf(journal, {1: owning}, marks, MINUTE_US) == {}
        assert owning.condition(2 * MINUTE_US) == "ok"
        said = {"partition 1": "reads nothing for 60 s"}
        assert await deaf(journal, {1: owning}, marks, 2 * MINUTE_US) == said

        journal.is_deaf = False
        await frames_in(mailbox, 2)
        assert await deaf(journal, {1: owning}, marks, 2 * MINUTE_US) == {}
        running.cancel()


async def test_an_owner_that_answers_no_canary_is_not_ok(snapshots: Snapshots) -> None:
    journal, mailbox = StuckJournal(1), Mailbox()
    async with Dispatcher(mailbox) as dispatcher, asyncio.TaskGroup() as group:
        owning = worker(journal, dispatcher, snapshots)
        running = group.create_task(owning.run())
        await until(lambda: owning.owns)
        canary = CanaryAsked(recorded_at=MINUTE_US)
        await journal.append(1, [encode(canary, "api", 1)])
        await until(lambda: owning.position == 3)
        assert owning.condition(2 * MINUTE_US) == "ok"

        journal.stuck = True
        await MemoryJournal.append(journal, 1, [encode(canary, "api", 2)])
        await until(lambda: owning.position == 4)
        assert owning.condition(2 * MINUTE_US) == "no decision for 60 s"
        running.cancel()


async def until(came: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not came():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_ingress_node_says_which_partitions_cannot_be_written() -> None:
    beats = Mailbox()
    journal = AwayJournal(2)
    node = IngressNode(
        journal,
        beats,
        beats,
        slot=0,
        options=Options(),
        verifier=lambda _: None,
        secrets=NoSecrets(),
    )
    node.log = BatchingLog(journal, on_closed=lambda _: None, close_door_s=0.1)
    assert node.parts() == {"listening": "not yet", "journal": "ok", "heartbeat": "ok"}

    partition = partition_of("default", "A", 2)
    async with node.log:
        journal.is_away = True
        node.log.post(opened("c", NODE))
        await asyncio.sleep(0.3)
        assert node.parts()["journal"] == f"not writable: partitions [{partition}]"
        figures = await of_ingress(node).figures()
        assert "chargeledger_journal_refuses 1" in figures.splitlines()
        journal.is_away = False
        await asyncio.sleep(0.5)
        assert node.parts()["journal"] == "ok"


@pytest.mark.postgres
async def test_projections_say_which_is_late_and_that_postgres_is_away(
    postgres_database: PostgresDatabase,
) -> None:
    await migrate(postgres_database.dsn)
    world = await World(partitions=1).start()
    world.now -= 2 * 3_600 * 1_000_000
    async with Postgres(postgres_database.dsn) as postgres:
        store = PostgresReadStore(postgres)
        await world.opens("CP1")
        await project(world, store)
        health = of_projections(world.journal, store)
        assert set((await health.parts()).values()) == {"ok"}

        await world.opens("CP2")
        await asyncio.sleep(0.01)
        late = of_projections(world.journal, store)
        said = await late.parts()
        assert said["read"].endswith("s and 1 records behind")
        figures = (await late.figures()).splitlines()
        assert 'chargeledger_projection_lag_records{projection="read"} 1' in figures
    assert await health.parts() == {"postgres": "not reachable"}
    assert await health.figures() == ""
