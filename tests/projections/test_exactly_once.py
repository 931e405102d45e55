"""Billing reads the feed exactly once: killed anywhere, while CDRs change and views are rebuilt.

The consumer does what the page says: it keeps its position with its own writes, in one transaction,
and knows a document by its id.
"""

import random
import sqlite3
from pathlib import Path

import pytest

from infra.read_store import PostgresReadStore
from projections.cdrs import feed
from schemas.journal import REGISTRY_PARTITION
from schemas.records import CdrCorrected, CdrReleased, decode
from tests.projections.projecting import project
from tests.projections.world import SECOND, TENANT, World

pytestmark = pytest.mark.postgres


class Killed(Exception):
    """The consumer's process ends here."""


class Billing:
    """A consumer with a database of its own."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._database = sqlite3.connect(path)
        self._chance = chance
        self._database.executescript(
            "CREATE TABLE IF NOT EXISTS billed (id TEXT PRIMARY KEY, sha256 TEXT, wh TEXT);"
            "CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY, value TEXT);"
        )

    async def consume(self, store: PostgresReadStore) -> int:
        """Take one page; raise Killed now and then, before what was done is kept or after."""
        row = self._database.execute("SELECT value FROM position").fetchone()
        after = row[0] if row else None
        page = await feed(store, TENANT, after=after, limit=self._chance.randint(1, 4))
        for item in page.items:
            if item.cdr.state == "FINAL":
                # No OR IGNORE: what came twice would fail here, and does not come.
                self._database.execute(
                    "INSERT INTO billed VALUES (?, ?, ?)",
                    (item.cdr.id, item.sha256, str(item.cdr.energy_wh)),
                )
        self._database.execute("REPLACE INTO position VALUES (1, ?)", (page.next,))
        died = self._chance.random()
        if died < 0.2:
            self._database.rollback()
            raise Killed
        self._database.commit()
        if died < 0.4:
            raise Killed
        return len(page.items)

    def billed(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT id, sha256 FROM billed"))

    def close(self) -> None:
        self._database.close()


def released_in(world: World) -> dict[str, str]:
    """What the log says was released, by id."""
    found: dict[str, str] = {}
    for partition, values in world.values.items():
        for value in values if partition != REGISTRY_PARTITION else ():
            record = decode(value)
            if isinstance(record, CdrReleased):
                found[record.cdr_id] = record.sha256
            elif isinstance(record, CdrCorrected):
                raise AssertionError("nothing is corrected here")
    return found


async def something_happens(world: World, running: dict[str, int], chance: random.Random) -> None:
    station = f"CP{chance.randrange(6)}"
    world.now += chance.randrange(1, 120) * SECOND
    if station not in running:
        running[station] = await world.starts(station, chance.randrange(100))
    elif chance.random() < 0.4:
        await world.samples(station, running[station], 100 + chance.randrange(1_000))
    else:
        await world.stops(station, running.pop(station), chance.choice([50, 5_000, 9_000]))


@pytest.mark.parametrize("seed", range(4))
async def test_each_released_document_is_billed_once(
    store: PostgresReadStore, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    world = await World(partitions=3, settle_us=60 * SECOND).start()
    for number in range(6):
        await world.opens(f"CP{number}")
    running: dict[str, int] = {}
    deaths = 0
    billing = Billing(tmp_path / "billing.sqlite3", chance)
    for step in range(60):
        for _ in range(chance.randrange(4)):
            await something_happens(world, running, chance)
        if step % 20 == 13:
            await store.forget("read", tables=True)
        await project(world, store)
        try:
            await billing.consume(store)
        except Killed:
            deaths += 1
            billing.close()
            billing = Billing(tmp_path / "billing.sqlite3", chance)
    world.now += 3_600 * SECOND
    await world.settle()
    await project(world, store)
    idle = 0
    while idle < 3:
        try:
            idle = idle + 1 if await billing.consume(store) == 0 else 0
        except Killed:
            deaths += 1
    assert deaths > 10
    assert len(released_in(world)) > 8
    assert billing.billed() == released_in(world)
    billing.close()
