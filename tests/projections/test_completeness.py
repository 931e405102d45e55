"""Every session and every Wh of a day is accounted for: real sessions, and odd ones."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from infra.read_store import PostgresReadStore
from infra.simulator.csv_sessions import read_rows
from projections.completeness import Completeness, Day, completeness
from projections.work_list import find_orphans
from schemas.cdr import cdr_id
from schemas.records import CdrActionRequested, MessageReceived, MessageSent, decode
from tests.domain.events import ended, reading, started
from tests.domain.test_calibrated_stations import ALTERED, CONTAINERS, KEBA, signed
from tests.engines import PostgresDatabase
from tests.projections.projecting import project
from tests.projections.world import SECOND, TENANT, World

pytestmark = pytest.mark.postgres

SAMPLE = Path(__file__).parents[1] / "data" / "epfl_dc_sessions_sample.csv"
UTC_ZONE = ZoneInfo("UTC")
DAY = 86_400 * SECOND


def day_of(microseconds: int) -> date:
    return datetime.fromtimestamp(microseconds // SECOND, UTC).date()


async def stated(
    world: World, store: PostgresReadStore, zone: ZoneInfo = UTC_ZONE, *, tenant: str = TENANT
) -> Completeness:
    first, last = day_of(world.now - 400 * DAY), day_of(world.now + 2 * DAY)
    first = max(first, date.fromordinal(last.toordinal() - 366))
    return await completeness(store, tenant, first, last, zone)


def whole_of(said: Completeness) -> dict[str, Any]:
    names = [name for name in Day.__struct_fields__ if name not in ("day", "starts_at", "ends_at")]
    return {name: sum(getattr(day, name) for day in said.days) for name in names[:-1]}


def told_by_frames(world: World) -> int:
    """Wh by the registers in the frames themselves, read without any code of ours."""
    begun: dict[int, int] = {}
    calls: dict[str, dict[str, Any]] = {}
    energy: dict[int, int] = {}
    for partition in list(world.values)[1:]:
        for value in world.values[partition]:
            record = decode(value)
            if isinstance(record, MessageReceived) and record.message_type == 2:
                calls[record.message_id] = msgspec.json.decode(record.frame)[3]
            elif isinstance(record, MessageSent) and record.message_type == 3:
                asked = calls.get(record.message_id, {})
                answer = msgspec.json.decode(record.frame)[2]
                if record.action == "StartTransaction":
                    begun.setdefault(answer["transactionId"], asked["meterStart"])
                elif record.action == "StopTransaction" and asked["transactionId"] in begun:
                    transaction_id = asked["transactionId"]
                    energy.setdefault(transaction_id, asked["meterStop"] - begun[transaction_id])
    return sum(energy.values())


async def test_real_sessions_are_accounted_for_to_the_watt_hour(store: PostgresReadStore) -> None:
    world = await World().start()
    rows = read_rows(SAMPLE)
    for station in sorted({row.outlet for row in rows}):
        await world.opens(station)
    register = 0
    for number, row in enumerate(rows):
        world.now += DAY // 7
        transaction_id = await world.starts(row.outlet, register)
        await world.samples(row.outlet, transaction_id, register + row.energy_wh // 2)
        register += row.energy_wh
        if number < len(rows) - 2:
            await world.stops(row.outlet, transaction_id, register)
    await project(world, store)

    said = await stated(world, store)
    whole = whole_of(said)

    assert all(day.is_balanced for day in said.days)
    assert (whole["sessions"], whole["released"]) == (len(rows), len(rows) - 2)
    assert whole["released_wh"] == told_by_frames(world) == sum(r.energy_wh for r in rows[:-2])
    assert whole["open_wh"] + whole["held_wh"] == sum(r.energy_wh // 2 for r in rows[-2:])
    assert whole["frames_wh"] == sum(whole[f"{name}_wh"] for name in ("released", "held", "open"))
    assert len([day for day in said.days if day.sessions]) > 3


async def odd() -> World:
    """What goes wrong with sessions, each once."""
    world = await World().start()
    await world.registers("CAL", eichrecht=True, public_key_hex=CONTAINERS[KEBA][0]["key"])
    for station in ("CP1", "CP2", "CP3", "CAL"):
        await world.opens(station)
    await world.session("CP1", 1000, 8000)
    # The register ran backwards; no stop register; the next start ends it; still running.
    await world.stops("CP1", await world.starts("CP1", 9000), 8500)
    held = await world.starts("CP1", 9000)
    await world.samples("CP1", held, 9700)
    await world.calls("CP1", "StopTransaction", {"transactionId": held, "timestamp": "nonsense"})
    await world.starts("CP2", 500)
    running = await world.starts("CP2", 700)
    await world.samples("CP2", running, 950)
    # Told twice with two registers: the first one stands, and a person must look.
    twice = await world.starts("CP3", 0)
    await world.stops("CP3", twice, 100)
    await world.stops("CP3", twice, 200)
    # A stop of nothing that we know.
    await world.stops("CP3", 2_000_000_000, 1)
    for name in (KEBA, ALTERED):
        values = [
            {
                "timestamp": "2026-11-23T10:00:00Z",
                "sampledValue": [signed(CONTAINERS[name][0]["text"])],
            }
        ]
        await world.stops("CAL", await world.starts("CAL", 259), 259, transactionData=values)
    return world


async def test_odd_sessions_are_accounted_for_too(store: PostgresReadStore) -> None:
    world = await odd()
    await project(world, store)
    said = await stated(world, store)
    whole = whole_of(said)
    assert all(day.is_balanced for day in said.days)
    assert whole["sessions"] == 8
    assert (whole["orphans"], whole["orphans_unknown"], whole["orphaned_wh"]) == (1, 1, 0)
    assert whole["released"] + whole["held"] + whole["open"] == 8
    assert whole["open"] == 1
    assert whole["released_wh"] == Decimal("8000.1") + 100 * (whole["released"] - 2)
    # The signed tenth of a Wh is nothing that a register told.
    assert whole["adjusted_wh"] == Decimal("-0.1")
    assert whole["unexplained_wh"] == 0
    assert whole["open_wh"] == 250


def sampled(begin: str, end: str | None = None) -> list[dict[str, Any]]:
    told = [("Transaction.Begin", begin), ("Transaction.End", end)]
    return [
        {
            "timestamp": "2026-11-23T10:00:00Z",
            "sampledValue": [{"value": value, "context": context}],
        }
        for context, value in told
        if value is not None
    ]


async def with_orphans() -> World:
    world = await World().start()
    await world.opens("CP1")
    await world.opens("CP2")
    await world.session("CP1", 1000, 8000)
    unknown = 2_000_000_000
    for _ in range(3):
        world.now += SECOND
        again: dict[str, Any] = {"timestamp": "2026-11-23T10:00:00Z"}
        again |= {"transactionData": sampled("173.8", "498.7")}
        await world.stops("CP1", unknown, 498, **again)
    await world.stops("CP1", unknown, 700, transactionData=sampled("200"))
    await world.stops("CP2", unknown, 700, transactionData=sampled("200"))
    # Only an end; two ends; a register that fell; no register at the end.
    await world.stops("CP2", unknown + 1, 700)
    await world.stops("CP2", unknown + 1, 701, transactionData=sampled("200", "900"))
    await world.stops("CP2", unknown + 1, 702, transactionData=sampled("900"))
    await world.stops("CP2", unknown + 1, -1, transactionData=sampled("900"))
    # It may be either of two that run.
    first, second = await world.starts("CP2", 0), await world.starts("CP2", 0, connectorId=2)
    await world.samples("CP2", first, 250)
    await world.samples("CP2", second, 350)
    await world.stops("CP2", -1, 400, transactionData=sampled("0", "400"))
    return world


async def test_what_orphans_say_of_energy_is_accounted_for_once_and_never_guessed(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await with_orphans()
    await project(world, store)
    said = await stated(world, store)
    whole = whole_of(said)

    assert all(day.is_balanced for day in said.days)
    assert whole["orphaned_wh"] == Decimal("324.9") + 500 + 500
    assert (whole["orphans"], whole["orphans_unknown"]) == (10, 5)
    sums = sum(whole[f"{each}_wh"] for each in ("released", "held", "open", "orphaned"))
    assert whole["frames_wh"] == sums == 8000 + 250 + 350 + Decimal("1324.9")
    with psycopg.connect(postgres_database.dsn) as connection:
        row = connection.execute(
            "SELECT sum(frames_wh), sum(orphaned_wh), sum(orphans_unknown), sum(unexplained_wh)"
            " FROM billing.completeness WHERE tenant = %s",
            (TENANT,),
        ).fetchone()
    assert row == (whole["frames_wh"], whole["orphaned_wh"], 5, 0)


async def test_what_was_given_back_counts_once_as_what_stands_in_its_place(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.starts("CP1", 1000)
    await world.samples("CP1", transaction_id, 1200)
    asked = CdrActionRequested(
        tenant=TENANT,
        station="CP1",
        recorded_at=world.now,
        request_id="r1",
        action="release",
        transaction_id=str(transaction_id),
        cdr_id=cdr_id(TENANT, "CP1", str(transaction_id)),
        actor="somebody",
        reason="the station is gone",
        energy_wh=300,
        ended_at=world.now,
    )
    await world.append(world.partition("CP1"), asked, writer="api")
    await world.settle()
    await project(world, store)
    estimated = whole_of(await stated(world, store))
    assert (estimated["released_wh"], estimated["adjusted_wh"]) == (300, -100)
    assert estimated["unexplained_wh"] == 0

    world.now += 3_600 * SECOND
    await world.stops("CP1", transaction_id, 9000)
    await project(world, store)
    said = await stated(world, store)
    whole = whole_of(said)
    assert all(day.is_balanced for day in said.days)
    assert (whole["sessions"], whole["credits"], whole["replacements"]) == (1, 1, 1)
    assert (whole["frames_wh"], whole["released_wh"], whole["adjusted_wh"]) == (8000, 8000, 0)


async def test_what_a_document_says_otherwise_without_a_reason_is_unexplained(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await World().start()
    await world.opens("CP1")
    transaction_id = await world.session("CP1", 1000, 8000)
    await project(world, store)
    tamper(postgres_database.dsn, transaction_id)
    day = next(day for day in (await stated(world, store)).days if day.sessions)
    assert (day.frames_wh, day.released_wh, day.unexplained_wh) == (7999, 8000, -1)
    assert not day.is_balanced


def tamper(dsn: str, transaction_id: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE read.transactions SET meter_stop_wh = meter_stop_wh - 1 WHERE id = %s::uuid",
            (cdr_id(TENANT, "CP1", str(transaction_id)),),
        )


async def test_a_session_belongs_to_one_day_of_the_zone_that_is_asked_for(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    world.now = 1_774_996_200_000_000  # 2026-03-31T22:30:00Z: the first of April in Amsterdam.
    await world.opens("CP1")
    await world.session("CP1")
    await project(world, store)
    first, last = date(2026, 3, 28), date(2026, 4, 3)
    in_utc = await completeness(store, TENANT, first, last, UTC_ZONE)
    in_town = await completeness(store, TENANT, first, last, ZoneInfo("Europe/Amsterdam"))
    assert [day.day for day in in_utc.days if day.sessions] == ["2026-03-31"]
    assert [day.day for day in in_town.days if day.sessions] == ["2026-04-01"]
    spring = next(day for day in in_town.days if day.day == "2026-03-29")
    assert (spring.starts_at, spring.ends_at) == (
        "2026-03-28T23:00:00.000000Z",
        "2026-03-29T22:00:00.000000Z",
    )
    assert in_utc.positions != {}
    assert in_utc.folded_until is not None


async def test_events_that_name_no_transaction_are_on_the_work_list_and_accounted_for(
    store: PostgresReadStore,
) -> None:
    world = await World().start()
    await world.opens("CP1", protocol="2.1")
    both = [reading(1000, "Transaction.Begin"), reading(9000, "Transaction.End")]
    for event in (started(id=""), ended(id=""), ended(id="", meterValue=both)):
        await world.calls("CP1", "TransactionEvent", event, protocol="2.1")
    await project(world, store)

    whole = whole_of(await stated(world, store))
    assert (whole["sessions"], whole["orphans"], whole["orphans_unknown"]) == (0, 3, 2)
    assert (whole["frames_wh"], whole["orphaned_wh"], whole["unexplained_wh"]) == (8000, 8000, 0)
    waiting = await find_orphans(store, TENANT)
    assert [orphan.reason for orphan in waiting] == ["STOP_UNKNOWN_TX"] * 3


async def test_the_statement_is_the_same_after_a_rebuild(store: PostgresReadStore) -> None:
    world = await odd()
    await project(world, store)
    before = await stated(world, store)
    await store.forget("read", tables=True)
    await project(world, store)
    assert await stated(world, store) == before


async def test_the_view_of_billing_says_the_same(
    store: PostgresReadStore, postgres_database: PostgresDatabase
) -> None:
    world = await odd()
    await project(world, store)
    whole = whole_of(await stated(world, store))
    with psycopg.connect(postgres_database.dsn) as connection:
        row = connection.execute(
            "SELECT sum(sessions), sum(orphans), sum(frames_wh), sum(released_wh),"
            " sum(adjusted_wh), sum(unexplained_wh) FROM billing.completeness WHERE tenant = %s",
            (TENANT,),
        ).fetchone()
    names = ("sessions", "orphans", "frames_wh", "released_wh", "adjusted_wh", "unexplained_wh")
    assert row == tuple(whole[name] for name in names)
