"""Whatever a conversation holds and wherever batches end, the rows come out the same."""

import random
from string import ascii_letters
from typing import Any

import pytest

from infra.read_store import PostgresReadStore
from projections import cdrs, commands, events, id_tokens, stations, transactions
from projections.read_model import NAME
from projections.rebuild import digest
from projections.run import Limits
from schemas.records import IdTokenPut, StationRegistered
from tests.domain.events import TOKEN, event, reading
from tests.projections.projecting import project
from tests.projections.world import NOW, World, iso

pytestmark = pytest.mark.postgres

STATUSES = ["Available", "Charging", "Faulted"]


class Eventful:
    """Stations that talk at random, also over superseded connections and about ended sessions."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.connections: dict[str, list[str]] = {}
        self.running: dict[str, int] = {}

    async def connects(self, name: str) -> None:
        protocol = self.chance.choice(["1.6", "2.0.1"])
        connection = await self.world.opens(name, protocol=protocol)
        self.connections.setdefault(name, []).append(connection)

    async def disconnects_an_old_one(self, name: str) -> None:
        if len(self.connections[name]) > 1:
            await self.world.closes(name, self.connections[name].pop(0))

    async def says_its_status(self, name: str) -> None:
        status = {"connectorId": self.chance.randrange(2), "errorCode": "NoError"}
        status["status"] = self.chance.choice(STATUSES)
        await self.world.calls(name, "StatusNotification", status)

    async def says_the_status_of_one_of_two_evses(self, name: str) -> None:
        status = {
            "evseId": self.chance.choice([1, 2]),
            "connectorId": self.chance.choice([1, 2]),
            "connectorStatus": self.chance.choice(STATUSES),
        }
        await self.world.calls(name, "StatusNotification", status, protocol="2.0.1")

    async def tells_an_event(self, name: str) -> None:
        """Of one of two transactions; they begin, go on and end in any order, also twice."""
        kind = self.chance.choice(["Started", "Updated", "Ended"])
        context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Trigger")
        more: dict[str, Any] = {"meterValue": [reading(self.chance.randrange(9_000), context)]}
        if self.chance.random() < 0.5:
            more |= {"idToken": TOKEN, "evse": {"id": self.chance.choice([1, 2])}}
        told = event(
            kind, self.chance.randrange(4), iso(self.world.now), id=self.chance.choice("AB"), **more
        )
        await self.world.calls(name, "TransactionEvent", told, protocol="2.1")

    async def is_asked_to_reset(self, name: str) -> None:
        command_id = f"k{self.chance.getrandbits(64)}"
        await self.world.requests(name, "Reset", {"type": "Soft"}, command_id)
        if self.chance.random() < 0.7:
            await self.world.says(name, [3, command_id, {"status": "Accepted"}])

    async def boots(self, name: str) -> None:
        boot = {"chargePointVendor": "V", "chargePointModel": str(self.world.now)}
        await self.world.calls(name, "BootNotification", boot)

    async def starts(self, name: str) -> None:
        self.running[name] = await self.world.starts(name, 100, idTag=self.chance.choice("AB"))

    async def samples(self, name: str) -> None:
        if name in self.running:
            await self.world.samples(name, self.running[name], self.chance.randrange(10_000))

    async def stops(self, name: str) -> None:
        meter = self.chance.choice([9_000, 10, -1])
        await self.world.stops(name, self.running.get(name, 424_242), meter)


async def eventful_world(chance: random.Random) -> World:
    world = await World(partitions=2, settle_us=chance.choice([0, 20_000_000])).start()
    names = [f"CP{number}" for number in range(5)]
    stations = Eventful(world, chance)
    for name in names:
        await stations.connects(name)
    happenings = [
        stations.connects,
        stations.disconnects_an_old_one,
        stations.says_its_status,
        stations.says_the_status_of_one_of_two_evses,
        stations.tells_an_event,
        stations.tells_an_event,
        stations.is_asked_to_reset,
        stations.boots,
        stations.starts,
        stations.samples,
        stations.samples,
        stations.stops,
    ]
    for _ in range(120):
        await chance.choice(happenings)(chance.choice(names))
    await world.settle()
    return world


@pytest.mark.parametrize("seed", range(5))
async def test_the_rows_do_not_depend_on_where_batches_end(
    store: PostgresReadStore, seed: int
) -> None:
    chance = random.Random(seed)
    world = await eventful_world(chance)

    digests: set[tuple[tuple[str, str], ...]] = set()
    for records in (100_000, 1, chance.randrange(2, 9), chance.randrange(20, 60)):
        limits = Limits(
            batch_records=records,
            batch_s=10.0,
            checkpoint_records=chance.randrange(1, 100),
            stations_max=chance.choice([1, 3, 100]),
        )
        await project(world, store, limits=limits)
        digests.add(tuple(sorted((await digest(store)).tables.items())))
        await store.forget(NAME, tables=True)

    assert len(digests) == 1


async def test_no_query_shows_another_tenants_rows(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.session("CP1")
    await world.requests("CP1", "Reset", {"type": "Soft"}, "k1")
    by: dict[str, Any] = {"tenant": "default", "actor": "somebody"}
    await world.append(
        0,
        IdTokenPut(uid="Abc", recorded_at=NOW, **by),
        StationRegistered(station="CP2", recorded_at=NOW, **by),
    )
    await project(world, store)
    [cdr] = (await cdrs.feed(store, "default")).items

    async def seen(tenant: str) -> list[bool]:
        return [
            bool(await stations.find_stations(store, tenant)),
            await stations.find_station(store, tenant, "CP1") is not None,
            bool(await transactions.find_transactions(store, tenant)),
            await transactions.find_transaction(store, tenant, cdr.cdr.id) is not None,
            await transactions.find_transaction(store, tenant, str(transaction_id)) is not None,
            bool((await cdrs.feed(store, tenant)).items),
            await cdrs.find_cdr(store, tenant, cdr.cdr.id) is not None,
            await commands.find_command(store, tenant, "k1") is not None,
            bool(await commands.find_commands(store, tenant, "CP1")),
            bool(await id_tokens.find_id_tokens(store, tenant)),
            await id_tokens.find_id_token(store, tenant, "abc") is not None,
            bool((await events.events_after(store, tenant)).items),
        ]

    assert set(await seen("default")) == {True}
    assert set(await seen("other")) == {False}


async def test_an_id_token_of_any_length_is_kept_and_found(store: PostgresReadStore) -> None:
    token = "".join(random.Random(1).choices(ascii_letters, k=20_000))
    world = await World().start()
    await world.opens("CP1")
    await world.starts("CP1", idTag=token)

    await project(world, store)

    [row] = await transactions.find_transactions(
        store, "default", transactions.Wanted(id_token=token.upper())
    )
    assert row.id_token == token
    assert len((await cdrs.feed(store, "default", id_token=token)).items) == 1


async def test_pages_of_every_list_join_without_a_gap(store: PostgresReadStore) -> None:
    world = await World().start()
    for number in range(5):
        await world.opens(f"CP{number}")
        await world.session(f"CP{number}")
        await world.requests("CP0", "ClearCache", {}, f"k{number}")
    await project(world, store)

    whole = [row.id for row in await transactions.find_transactions(store, "default")]
    paged: list[str] = []
    while page := await transactions.find_transactions(
        store, "default", after=paged[-1] if paged else None, limit=2
    ):
        paged += [row.id for row in page]
    assert paged == whole
    names: list[str] = []
    while some := await stations.find_stations(
        store, "default", after=names[-1] if names else None, limit=2
    ):
        names += [row.station for row in some]
    assert names == [f"CP{number}" for number in range(5)]
    asked: list[str] = []
    while found := await commands.find_commands(
        store, "default", "CP0", after=asked[-1] if asked else None, limit=2
    ):
        asked += [row.command_id for row in found]
    assert asked == [f"k{number}" for number in reversed(range(5))]
