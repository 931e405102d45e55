"""What stations hold, as rows: wherever batches end, and found by what it is."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from infra.read_store import PostgresReadStore
from projections.read_model import NAME
from projections.rebuild import digest
from projections.run import Limits
from projections.station_state import find_reservations, find_state
from tests.projections.projecting import project
from tests.projections.world import TENANT, World, iso

pytestmark = pytest.mark.postgres

ACCEPTED = {"status": "Accepted"}


class Holding:
    """Stations of all versions that report, are asked and answer, at random."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.commands = 0

    async def asks(self, name: str, action: str, payload: Any, result: Any) -> None:
        self.commands += 1
        command_id = f"k{self.commands}"
        version = "2.0.1" if name.endswith("2") else "1.6"
        await self.world.requests(name, action, payload, command_id, version=version)
        await self.world.says(name, [3, command_id, result], protocol=version)
        await self.world.settle()

    async def reports(self) -> None:
        request_id = self.chance.randrange(3)
        if self.chance.random() < 0.5:
            asked = {"requestId": request_id, "reportBase": "FullInventory"}
            await self.asks("CP2", "GetBaseReport", asked, ACCEPTED)
        for number in range(self.chance.randrange(1, 4)):
            told = self.part(request_id, number)
            await self.world.calls("CP2", "NotifyReport", told, protocol="2.0.1")

    def part(self, request_id: int, number: int) -> Any:
        items = [
            {
                "component": {"name": "C"},
                "variable": {"name": f"V{self.chance.randrange(6)}"},
                "variableAttribute": [{"value": str(self.chance.randrange(100))}],
                **self.traits(),
            }
            for _ in range(3)
        ]
        told = {"requestId": request_id, "seqNo": number, "tbc": self.chance.random() < 0.5}
        return {**told, "generatedAt": iso(self.world.now), "reportData": items}

    def traits(self) -> dict[str, Any]:
        known = {"dataType": "decimal", "supportsMonitoring": False, "maxLimit": 1.50}
        return {"variableCharacteristics": known} if self.chance.random() < 0.5 else {}

    async def sets_a_variable(self) -> None:
        name = {"component": {"name": "C"}, "variable": {"name": f"V{self.chance.randrange(6)}"}}
        await self.asks(
            "CP2",
            "SetVariables",
            {"setVariableData": [{**name, "attributeValue": "set"}]},
            {"setVariableResult": [{**name, "attributeStatus": "Accepted"}]},
        )

    async def reserves(self) -> None:
        number = self.chance.randrange(4)
        asked = {
            "connectorId": 1, "reservationId": number, "idTag": self.chance.choice(["A", "b"]),
            "expiryDate": iso(self.world.now + 3_000_000),
        }  # fmt: skip
        await self.asks("CP1", "ReserveNow", asked, ACCEPTED)

    async def cancels(self) -> None:
        asked = {"reservationId": self.chance.randrange(4)}
        await self.asks("CP1", "CancelReservation", asked, ACCEPTED)

    async def configures(self) -> None:
        names = self.chance.sample("ABCDE", 2)
        keys = [{"key": name, "readonly": False, "value": "1"} for name in names]
        await self.asks("CP1", "GetConfiguration", {}, {"configurationKey": keys})

    async def updates(self) -> None:
        status = self.chance.choice(["Downloading", "Installed", "DownloadFailed"])
        await self.world.calls("CP1", "FirmwareStatusNotification", {"status": status})


async def holding_world(chance: random.Random) -> World:
    world = await World().start()
    await world.opens("CP1")
    await world.opens("CP2", protocol="2.0.1")
    stations = Holding(world, chance)
    happenings: list[Callable[[], Awaitable[None]]] = [
        stations.reports,
        stations.reports,
        stations.sets_a_variable,
        stations.reserves,
        stations.cancels,
        stations.configures,
        stations.updates,
    ]
    for _ in range(70):
        await chance.choice(happenings)()
    await world.settle()
    return world


@pytest.mark.parametrize("seed", range(4))
async def test_what_stations_hold_does_not_depend_on_where_batches_end(
    store: PostgresReadStore, seed: int
) -> None:
    chance = random.Random(seed)
    world = await holding_world(chance)

    digests: set[str] = set()
    held: set[str] = set()
    for records in (100_000, 1, chance.randrange(2, 9), chance.randrange(20, 60)):
        limits = Limits(
            batch_records=records,
            batch_s=10.0,
            checkpoint_records=chance.randrange(1, 100),
            stations_max=chance.choice([1, 100]),
        )
        await project(world, store, limits=limits)
        digests.add((await digest(store)).tables["station_state"])
        found = await find_state(store, TENANT, "CP2", "variables")
        held.add(str([bytes(each.item) for each in found]))
        await store.forget(NAME, tables=True)

    assert len(digests) == len(held) == 1
    assert held != {"[]"}


async def test_a_number_stands_as_it_was_written(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP2", protocol="2.0.1")
    stations = Holding(world, random.Random(1))
    told = stations.part(1, 0)
    told["reportData"] = told["reportData"][:1]
    told["reportData"][0]["variableCharacteristics"] = {
        "dataType": "decimal", "supportsMonitoring": False, "maxLimit": msgspec.Raw(b"16.50"),
    }  # fmt: skip
    await world.calls("CP2", "NotifyReport", told, protocol="2.0.1")

    await project(world, store)

    [found] = await find_state(store, TENANT, "CP2", "variables")
    assert b'"max_limit": 16.50' in bytes(found.item)


async def test_reservations_are_found_by_what_they_are(store: PostgresReadStore) -> None:
    world = await World().start()
    for name in ("CP1", "CP3"):
        await world.opens(name)
        await world.opens(name, tenant="other")
    stations = Holding(world, random.Random(1))
    far = iso(world.now + 10**12)
    for name, number, token in (("CP1", 1, "Anna"), ("CP1", 2, "Bob"), ("CP3", 1, "anna")):
        asked = {"connectorId": 1, "reservationId": number, "idTag": token, "expiryDate": far}
        await stations.asks(name, "ReserveNow", asked, ACCEPTED)
    await stations.asks("CP1", "CancelReservation", {"reservationId": 1}, ACCEPTED)
    await project(world, store)

    async def seen(tenant: str = TENANT, **more: Any) -> list[str]:
        return [each.key for each in await find_reservations(store, tenant, **more)]

    assert await seen() == ["CP1:1", "CP1:2", "CP3:1"]
    assert await seen(id_token="ANNA") == ["CP1:1", "CP3:1"]
    assert await seen(station="CP1") == ["CP1:1", "CP1:2"]
    assert await seen(state="active") == ["CP1:2", "CP3:1"]
    assert await seen(state="cancelled", station="CP3") == []
    assert await seen(after="CP1:1", limit=1) == ["CP1:2"]
    assert await seen("other") == []
