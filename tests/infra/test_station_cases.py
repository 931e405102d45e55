"""The cases O-01, O-02, O-10, O-14 and O-17 on sockets: queues emptied, stations that come back."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.cdr import cdr_of
from infra.edge import Edge
from tests.edge_stations import (
    NAME,
    answers_until_heartbeat,
    asked,
    call,
    connected,
    hears,
    journal_of,
    moves_of,
    running,
    station_in,
)
from tests.ingress.node import Answering, masked, serving

FIRST = datetime(2026, 11, 22, tzinfo=UTC)
SESSION_WH = 300


def at_minute(minute: int) -> str:
    return (FIRST + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def flush(at: Edge, name: str, sessions: int, live_every: int = 0) -> list[str]:
    """Tell a day's queued sessions of five messages each; return the ids in their order."""
    told: list[str] = []
    async with connected(at, name=name) as station:

        async def tell(action: str, payload: Any) -> Any:
            told.append(f"{name}-{len(told)}")
            answer = await call(station, told[-1], action, payload)
            assert answer[:2] == [3, told[-1]]
            return answer[2]

        for number in range(sessions):
            await one_session(tell, number)
            if live_every and number % live_every == 0:
                live = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
                await tell("StatusNotification", live)
    return told


async def one_session(tell: Any, number: int) -> None:
    begin, meter = number * 10, 1000 + number * SESSION_WH
    start = {"connectorId": 1, "idTag": "TAG", "meterStart": meter, "timestamp": at_minute(begin)}
    transaction_id = (await tell("StartTransaction", start))["transactionId"]
    for sample in range(1, 4):
        register = {"value": str(meter + 100 * sample)}
        value = {"timestamp": at_minute(begin + sample), "sampledValue": [register]}
        payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [value]}
        await tell("MeterValues", payload)
    stop = {"transactionId": transaction_id, "meterStop": meter + SESSION_WH}
    await tell("StopTransaction", stop | {"timestamp": at_minute(begin + 5)})


def energies(at: Edge, name: str) -> list[tuple[int | Decimal | None, str | None]]:
    known = station_in(at, name).transactions.known.values()
    cdrs = [cdr_of("default", name, 1, transaction) for transaction in known]
    return [(cdr.energy_wh, cdr.started_at) for cdr in cdrs]


async def test_o_01_a_days_queue_is_taken_in_order_with_what_is_live_between(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, settle_us=10**15) as at:
        began = time.monotonic()
        told = await flush(at, NAME, 100, live_every=10)
        took_s = time.monotonic() - began
        # By the station's own time, not by ours.
        assert energies(at, NAME) == [(SESSION_WH, at_minute(10 * n)) for n in range(100)]
    received, sent, _ = await journal_of(tmp_path)

    assert len(told) == 510
    assert [record.message_id for record in received] == told
    assert [record.message_id for record in sent] == told
    assert len(told) / took_s >= 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stations", "sessions"), [(40, 4), pytest.param(200, 20, marks=pytest.mark.long)]
)
async def test_o_02_many_queues_at_once_are_all_taken(
    stations: int, sessions: int, tmp_path: Path
) -> None:
    async with running(tmp_path, settle_us=10**15) as at:
        async with asyncio.timeout(200), asyncio.TaskGroup() as tasks:
            for number in range(stations):
                tasks.create_task(flush(at, f"CP{number}", sessions))
        for number in range(stations):
            wh = [energy for energy, _ in energies(at, f"CP{number}")]
            assert wh == [SESSION_WH] * sessions
        assert at.log.owners[0].poisoned == {}


async def test_o_10_who_comes_back_without_a_boot_is_served(tmp_path: Path) -> None:
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    start = {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-11-23T10:00:00Z"}
    async with running(tmp_path) as at, connected(at) as station:
        assert (await call(station, "1", "BootNotification", boot))[2]["status"] == "Accepted"
    async with running(tmp_path) as at, connected(at) as station:
        assert (await call(station, "2", "StartTransaction", start))[0] == 3
        await asked(at, "k1", "TriggerMessage", {"requestedMessage": "BootNotification"})
        assert (await hears(station))[1] == "k1"


@pytest.mark.parametrize("sign", [masked(b'[2,"1","Heartbeat",{}]'), masked(b"", 0x8A)])
async def test_o_14_any_frame_is_a_sign_of_life(sign: bytes) -> None:
    async with serving(Answering(), ping_s=45.0, pong_s=20.0, silence_s=900.0) as node:
        station = await node.raw()
        await station.upgrade()
        for round_ in range(120):
            station.write(sign + masked(b"x", 0x89))
            while (await station.frame())[0] != 0x8A:
                pass
            node.turn(8.0 + round_ % 5)
        assert node.server.counters()["connections"] == 1
        await station.close()


async def test_o_14_our_clock_is_set_and_nobody_is_cut() -> None:
    async with serving(ping_s=45.0, pong_s=20.0) as node, await node.connect():
        for hours in (1, -2):
            node.clock[0] += hours * 3_600_000_000
            node.turn(1.0)
        assert node.server.counters()["connections"] == 1


async def test_o_17_a_command_while_the_station_comes_back_is_delivered_once(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as at:
        async with connected(at) as station:
            await answers_until_heartbeat(station)
        async with asyncio.timeout(20):
            while station_in(at).connection is not None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        await asked(at, "k1", "ClearCache")
        async with connected(at) as station:
            assert await hears(station) == [2, "k1", "ClearCache", {}]
            await station.send('[3,"k1",{"status":"Accepted"}]')
            assert await answers_until_heartbeat(station) == []
        async with connected(at) as station:
            assert await answers_until_heartbeat(station) == []
    _, sent, facts = await journal_of(tmp_path)

    assert [record.message_id for record in sent if record.message_type == 2] == ["k1"]
    assert moves_of(facts, "k1")[-1].fate == "answered"
    assert orjson.loads(moves_of(facts, "k1")[-1].answer or b"") == {"status": "Accepted"}
