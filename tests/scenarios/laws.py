"""Laws of every CDR, whatever was told."""

import asyncio
from collections.abc import Set
from decimal import Decimal
from typing import Any

import msgspec

from domain.readings import read_time
from infra.scenario_file import Scenario
from infra.scenario_rows import MemoryRows
from infra.scenario_run import Ran, ScenarioRun, projected
from infra.scenario_world import ScenarioWorld
from schemas.cdr import Cdr
from schemas.records import CALL, CdrReleased, MessageReceived, decode
from tests.scenarios.telling import TARIFFS

MONEY = frozenset({"StartTransaction", "StopTransaction"})


def check(scenario: Scenario) -> Ran:
    """Energy is never negative and its periods add up, nothing FINAL is held, what was released
    stays, and every frame is in a CDR, among the orphans or in the series."""
    world, ran, rows = asyncio.run(_told(scenario))

    assert ran.problems == []
    for cdr in ran.cdrs:
        _check_cdr(cdr)
    _check_frames(world, ran, rows)
    return ran


async def _told(scenario: Scenario) -> tuple[ScenarioWorld, Ran, MemoryRows]:
    run = ScenarioRun(scenario, TARIFFS)
    ran = await run.run()
    return run.world, ran, await projected(run.world)


def _check_frames(world: ScenarioWorld, ran: Ran, rows: MemoryRows) -> None:
    named = {
        int(offset)
        for cdr in ran.cdrs
        for at in cdr.positions.values()
        for offset in at.partition(":")[2].split(",")
    }
    orphans = {int(row["told_offset"]) for row in rows.orphans.values()}
    series = {(at, raw) for at, _, _, raw in ran.series}
    running = {cdr.transaction_id.partition("~")[0] for cdr in ran.cdrs if cdr.state == "OPEN"}
    for offset, value in enumerate(world.values):
        record = decode(value)
        if isinstance(record, MessageReceived) and record.message_type == CALL:
            is_kept = offset in named | orphans
            if record.action in MONEY:
                assert is_kept, record.frame
            elif record.action in ("MeterValues", "TransactionEvent"):
                assert is_kept or _is_elsewhere(record.frame, series, running), record.frame
        elif isinstance(record, CdrReleased):
            document = msgspec.json.decode(bytes(record.document), type=Cdr)
            assert document in ran.cdrs, "a released CDR is another one now"


def _is_elsewhere(frame: str, series: Set[tuple[int | None, str]], running: Set[str]) -> bool:
    """Whether its samples are in the series, or it will be named when its transaction is over."""
    payload: Any = msgspec.json.decode(frame)[3]
    told = {
        (read_time(value["timestamp"])[0], str(sampled["value"]))
        for value in payload.get("meterValue", ())
        for sampled in value["sampledValue"]
    }
    info = payload.get("transactionInfo", {})
    return (bool(told) and told <= series) or info.get("transactionId") in running


def _check_cdr(cdr: Cdr) -> None:
    if cdr.state == "FINAL":
        assert cdr.decided or not cdr.holds
        assert cdr.energy_wh is not None
    if cdr.energy_wh is not None:
        assert Decimal(cdr.energy_wh) >= 0
        if cdr.charging_periods:
            parts = [Decimal(period.energy_wh) for period in cdr.charging_periods]
            assert sum(parts) == Decimal(cdr.energy_wh)
    if cdr.total_time_s is not None and cdr.charging_periods:
        spent = [
            Decimal(period.time_s) + Decimal(period.parking_time_s) + Decimal(period.unpriced_s)
            for period in cdr.charging_periods
        ]
        assert abs(sum(spent) - Decimal(cdr.total_time_s)) < Decimal("0.000001")
