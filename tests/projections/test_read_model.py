"""Records in, rows out: what each view says of a conversation."""

from typing import Any, Literal

import pytest

from infra.read_store import PostgresReadStore
from projections import cdrs, commands, events, id_tokens, progress, stations, transactions
from schemas.cdr import canonical
from schemas.records import (
    CdrReleased,
    IdTokenPut,
    IdTokenRemoved,
    StationDeregistered,
    StationRegistered,
    decode,
)
from tests.domain import events as events_of_2
from tests.projections.projecting import project
from tests.projections.world import NOW, SECOND, World

pytestmark = pytest.mark.postgres


async def test_a_session_becomes_a_transaction_and_a_final_cdr(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.session("CP1", meter=1000, energy=8000)

    await project(world, store)

    [row] = await transactions.find_transactions(store, "default")
    assert (row.state, row.energy_wh, row.meter_last_wh) == ("ended", 8000, 5000)
    assert row.transaction_id == str(transaction_id)
    [item] = (await cdrs.feed(store, "default")).items
    assert (item.cdr.state, item.cdr.energy_wh, item.cdr.id) == ("FINAL", 8000, row.id)
    partition = world.partition("CP1")
    released = decode(world.values[partition][-1])
    assert isinstance(released, CdrReleased)
    assert item.body == bytes(released.document) == canonical(item.cdr)
    assert (item.sha256, item.record) == (
        released.sha256,
        f"{partition}:{len(world.values[partition]) - 1}",
    )
    assert await cdrs.find_cdr(store, "default", row.id) is not None
    assert await transactions.find_transaction(store, "default", row.id) == row
    assert await transactions.find_transaction(store, "default", str(transaction_id)) == row
    assert await transactions.find_transaction(store, "default", row.id, "CP2") is None


async def test_a_running_session_is_active_and_its_cdr_open(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.starts("CP1", meter=1000)
    await world.samples("CP1", transaction_id, 2500)

    await project(world, store)

    active, ended = transactions.Wanted(state="active"), transactions.Wanted(state="ended")
    [row] = await transactions.find_transactions(store, "default", active)
    assert (row.energy_wh, row.meter_last_wh, row.ended_at) == (None, 2500, None)
    [item] = (await cdrs.feed(store, "default")).items
    assert (item.cdr.state, item.cdr.revision) == ("OPEN", 1)
    assert await transactions.find_transactions(store, "default", ended) == []


async def test_of_two_starts_on_a_connector_only_the_later_is_active(
    store: PostgresReadStore,
) -> None:
    world = await World(settle_us=900 * SECOND).start()
    await world.opens("CP1")
    first = await world.starts("CP1", meter=1000)
    await project(world, store)
    second = await world.starts("CP1", meter=4000, idTag="OTHER")
    await world.starts("CP1", meter=1, idTag="THIRD", connectorId=2)
    await project(world, store)

    async def listed(state: Literal["active", "ended"]) -> list[tuple[str, Any]]:
        rows = await transactions.find_transactions(
            store, "default", transactions.Wanted(state=state)
        )
        return sorted((row.id_token, row.ended_at) for row in rows)

    assert await listed("active") == [("OTHER", None), ("THIRD", None)]
    [(token, ended_at)] = await listed("ended")
    assert (token, ended_at) == ("TAG", None)
    assert (await progress.count(store, "default")).transactions_active == 2
    assert [item.cdr.state for item in (await cdrs.feed(store, "default")).items] == ["OPEN"] * 3

    world.now += 1000 * SECOND
    await world.stops("CP1", first, meter=3000)
    await world.stops("CP1", second, meter=5000)
    await project(world, store)

    assert [token for token, _ in await listed("active")] == ["THIRD"]
    assert None not in [at for _, at in await listed("ended")]


async def test_of_two_transactions_of_2_on_an_evse_only_the_later_is_active(
    store: PostgresReadStore,
) -> None:
    world = await World(settle_us=900 * SECOND).start()
    await world.opens("CP1", protocol="2.0.1")
    later = "2026-11-23T09:30:00Z"
    nowhere: dict[str, Any] = {"id": "T-2", "at": later}
    for told in (
        events_of_2.started(),
        {**events_of_2.started(**nowhere), "evse": {}},
        events_of_2.event("Updated", 1, **nowhere, evse={"id": 2, "connectorId": 1}),
    ):
        await world.calls("CP1", "TransactionEvent", told, protocol="2.0.1")
        await project(world, store)

    rows = await transactions.find_transactions(store, "default")
    assert sorted((row.transaction_id, row.state) for row in rows) == [
        ("T-1", "ended"),
        ("T-2", "active"),
    ]


async def test_a_transaction_that_was_closed_without_an_end_is_not_active(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.starts("CP1", meter=1000)
    await world.starts("CP1", meter=4000, idTag="OTHER")

    await project(world, store)

    rows = await transactions.find_transactions(store, "default")
    assert [(row.id_token, row.state, row.ended_at) for row in rows] == [
        ("OTHER", "active", None),
        ("TAG", "ended", None),
    ]


async def test_a_start_ends_another_and_the_record_that_says_so_holds_that_one(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.starts("CP1", meter=1000)
    await world.starts("CP1", meter=4000, idTag="OTHER")

    await project(world, store)

    second, first = (await cdrs.feed(store, "default")).items
    assert first.cdr.closed_by == "next-start"
    assert (first.cdr.state, first.cdr.energy_bounds_wh) == ("HELD", (0, 3000))
    assert (second.cdr.state, second.cdr.id_token) == ("OPEN", "OTHER")
    assert (await cdrs.feed(store, "default", after=second.position)).items == [first]


async def test_a_late_sample_that_widens_what_is_known_is_a_new_revision(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    first = await world.starts("CP1", meter=1000)
    await world.starts("CP1", meter=4000, idTag="OTHER")
    await project(world, store)
    before = await cdrs.feed(store, "default")
    await world.samples("CP1", first, 2500)

    await project(world, store)

    [item] = (await cdrs.feed(store, "default", after=before.next)).items
    assert (item.cdr.energy_bounds_wh, item.cdr.revision) == ((1500, 3000), 3)


async def test_a_register_past_64_bits_bounds_nothing_and_breaks_nothing(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.starts("CP1", meter=1000)
    await world.samples("CP1", transaction_id, 10**25)
    await world.samples("CP1", transaction_id, 2000)

    await project(world, store)

    [row] = await transactions.find_transactions(store, "default")
    assert row.meter_last_wh == 2000
    [kept] = await progress.find_progress(store)
    assert kept.poison == 0


async def test_a_station_is_known_from_its_boot_its_status_and_its_connection(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    odd = ("url-in-path",)
    connection = await world.opens("CP1", user_agent="firmware/1", violations=odd)
    await world.calls(
        "CP1",
        "BootNotification",
        {"chargePointVendor": "ACME", "chargePointModel": "X", "firmwareVersion": "1.2"},
    )
    status = {"connectorId": 1, "errorCode": "NoError", "timestamp": "2026-11-23T10:00:00Z"}
    await world.calls("CP1", "StatusNotification", {**status, "status": "Available"})
    later = {**status, "status": "Available", "timestamp": "2026-11-23T11:00:00Z"}
    await world.calls("CP1", "StatusNotification", later)

    await project(world, store)

    detail = await stations.find_station(store, "default", "CP1")
    assert detail is not None
    row = detail.station
    assert (row.vendor, row.firmware_version, row.version) == ("ACME", "1.2", "1.6")
    assert (row.online, row.faulted, row.registered) == (True, False, False)
    assert row.boot_status == "Accepted"
    [connector] = detail.connectors
    assert (connector.status, connector.since.hour) == ("Available", 10)
    assert detail.connection is not None
    assert (detail.connection.connection, detail.connection.closed_at) == (connection, None)
    assert tuple(detail.connection.violations) == odd

    await world.calls("CP1", "StatusNotification", {**status, "status": "Faulted"})
    await world.closes("CP1", connection, reason="NUL\0")
    await project(world, store)

    [row] = await stations.find_stations(store, "default", online=False, faulted=True)
    assert (row.station, row.version, row.connected_at) == ("CP1", "1.6", None)
    detail = await stations.find_station(store, "default", "CP1")
    assert detail is not None
    assert detail.connection is not None
    assert (detail.connection.reason, detail.connection.superseded) == ("NUL\ufffd", False)


async def test_what_a_boot_was_answered_is_shown(store: PostgresReadStore) -> None:
    world = await World().start()
    told = {"chargePointVendor": "ACME", "chargePointModel": "X"}
    for station, policy in (("CP1", "Pending"), ("CP2", "Rejected"), ("CP3", "")):
        if policy:
            await world.registers(station, boot_policy=policy)
        await world.opens(station)
        if policy:
            await world.calls(station, "BootNotification", told)

    await project(world, store)

    found = await stations.find_stations(store, "default")
    assert [each.boot_status for each in found] == ["Pending", "Rejected", ""]

    await world.registers("CP1", boot_policy="Accepted")
    await world.calls("CP1", "BootNotification", told)
    await project(world, store)

    assert [each.boot_status for each in await stations.find_stations(store, "default")][:1] == [
        "Accepted"
    ]


async def test_a_superseded_connection_that_closes_leaves_the_station_online(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    old = await world.opens("CP1")
    new = await world.opens("CP1", protocol="2.0.1")
    await world.closes("CP1", old)

    await project(world, store)

    detail = await stations.find_station(store, "default", "CP1")
    assert detail is not None
    assert (detail.station.online, detail.station.version) == (True, "2.0.1")
    assert detail.connection is not None
    assert detail.connection.connection == new


async def test_registered_stations_and_tokens_are_as_people_left_them(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    by: dict[str, Any] = {"tenant": "default", "recorded_at": NOW, "actor": "somebody"}
    await world.append(
        0,
        StationRegistered(
            station="CP1", name="Yard", credential="secret:1", attributes={"bay": 7}, **by
        ),
        StationRegistered(station="CP2", **by),
        StationDeregistered(station="CP2", **by),
        IdTokenPut(uid="Abc", group="G", expires_at=NOW + SECOND, **by),
        IdTokenPut(uid="gone", **by),
        IdTokenRemoved(uid="GONE", **by),
    )

    await project(world, store)

    # Nobody ever heard of the one that was registered and is not any more.
    [one] = await stations.find_stations(store, "default")
    assert (one.registered, one.name, one.attributes, one.has_password) == (
        True,
        "Yard",
        {"bay": 7},
        True,
    )
    assert one.online
    [token] = await id_tokens.find_id_tokens(store, "default")
    assert (token.uid, token.group) == ("Abc", "G")
    assert await id_tokens.find_id_token(store, "default", "ABC") == token
    assert await id_tokens.find_id_token(store, "default", "gone") is None


async def test_a_command_is_followed_to_its_effect(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    wanted = {"idTag": "TAG", "connectorId": 1}
    await world.requests("CP1", "RemoteStartTransaction", wanted, "k1")
    await project(world, store)
    row = await commands.find_command(store, "default", "k1")
    assert row is not None
    assert (row.fate, row.payload, row.actor) == ("dispatched", wanted, "somebody")

    await world.says("CP1", [3, "k1", {"status": "Accepted"}])
    await world.starts("CP1")
    await project(world, store)

    [row] = await commands.find_commands(store, "default", "CP1")
    assert (row.fate, row.answer, row.late) == ("answered", {"status": "Accepted"}, False)
    assert row.effect is not None
    assert row.effect_at is not None
    assert await commands.find_commands(store, "default", "CP1", open_only=True) == []


async def test_a_stop_of_an_unknown_transaction_is_on_the_work_list(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.stops("CP1", 424242)

    await project(world, store)

    rows = await store.fetch("orphans.find", {"tenant": "default", "limit": 10})
    assert [(row["reason"], row["transaction_id"]) for row in rows] == [
        ("STOP_UNKNOWN_TX", "424242")
    ]


async def test_the_counts_follow_the_rows(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.opens("CP2")
    await world.session("CP1", energy=8000)
    await world.session("CP1", meter=20_000, energy=500)
    await world.starts("CP2", meter=1)
    await world.starts("CP2", meter=2, idTag="OTHER")

    await project(world, store)

    counts = await progress.count(store, "default")
    assert (counts.stations, counts.stations_online, counts.transactions_active) == (2, 2, 1)
    assert (counts.cdrs_open, counts.cdrs_held, counts.cdrs_final) == (1, 1, 2)
    assert counts.energy_wh == 8500
    assert await progress.count(store) == counts
    assert (await progress.count(store, "other")).stations == 0


async def test_events_are_resumed_where_they_were_left(store: PostgresReadStore) -> None:
    world = await World().start()
    await world.opens("CP1")
    await world.session("CP1")
    await project(world, store)

    page = await events.events_after(store, "default", limit=2)
    kinds = [event.kind for event in page.items]
    rest = await events.events_after(store, "default", page.next)
    kinds += [event.kind for event in rest.items]

    assert kinds == [
        "station-connected",
        "cdr-changed",
        "transaction-started",
        "cdr-changed",
        "transaction-ended",
        "cdr-changed",
    ]
    assert (await events.events_after(store, "default", rest.next)).items == []
    newest = await events.newest(store)
    assert (await events.events_after(store, "default", newest)).items == []
    await world.session("CP1", meter=50_000)
    await project(world, store)
    assert len((await events.events_after(store, "default", newest)).items) == 5
