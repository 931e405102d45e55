"""A role's process says of itself whether it lives, whether it works, and how much."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.dispatcher import Dispatcher
from infra.health_http import Health, health_http
from infra.journal_memory import MemoryJournal
from infra.snapshots import Snapshots
from tests.infra.test_domain_worker import Mailbox, frames_in, heartbeat, say, worker

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
