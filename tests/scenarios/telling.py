"""Scenarios of the data files, told otherwise than they stand there; and what CDRs say of them."""

import asyncio
import copy
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from infra.scenario_file import Event, Json, Scenario, read_scenarios
from infra.scenario_run import Ran, ScenarioRun
from schemas.cdr import Cdr, canonical
from schemas.records import CALL

DATA = Path(__file__).parents[1] / "data"
GIVEN = read_scenarios(DATA / "scenarios.jsonl")
VARIANTS = read_scenarios(DATA / "scenario_variants.jsonl")
EDGES = read_scenarios(DATA / "scenario_edges.jsonl")
ALL: Sequence[Scenario] = [*GIVEN.scenarios, *VARIANTS.scenarios]
TARIFFS: Sequence[Json] = [*{t["id"]: t for t in (*GIVEN.tariffs, *EDGES.tariffs)}.values()]

REPEATS = frozenset({"DUPLICATE_START", "DUPLICATE_STOP", "DUPLICATE_EVENT"})
_PLACES = (
    "id", "revision", "positions", "transaction_id", "tariff", "location", "causes", "signed",
    "credit_reference_id", "replaces", "station", "decided",
)  # fmt: skip
"""Of a CDR: where in which log it was told, and what is derived from that."""

_REGISTER = "Energy.Active.Import.Register"


def run(scenario: Scenario) -> Ran:
    return run_with(scenario, TARIFFS)


def run_with(scenario: Scenario, tariffs: Sequence[Json]) -> Ran:
    async def ran() -> Ran:
        return await ScenarioRun(scenario, tariffs).run()

    return asyncio.run(ran())


def figures(cdr: Cdr, *but: str, flags_but: frozenset[str] = REPEATS) -> str:
    told = msgspec.json.decode(canonical(cdr))
    for name in (*_PLACES, *but):
        told.pop(name, None)
    told["flags"] = sorted(set(cdr.flags) - flags_but)
    return repr(sorted(told.items()))


def all_figures(ran: Ran, *but: str, flags_but: frozenset[str] = REPEATS) -> list[str]:
    return sorted(figures(cdr, *but, flags_but=flags_but) for cdr in ran.cdrs)


def told_twice(scenario: Scenario) -> Scenario:
    """Every frame of the stations comes twice."""
    events: list[Event] = []
    for event in scenario.events:
        events.append(event)
        if event.direction == "in" and event.raw[0] == CALL:
            events.append(event)
    return scenario._replace(events=events)


OF_THE_LOG = {"kafka_redeliver"}
"""Controls that concern every station at once."""


def copies(scenario: Scenario, count: int) -> Scenario:
    """As many stations, side by side in one log, each with this conversation."""
    events = [
        _renamed(event, f"{number}-")
        for event in scenario.events
        for number in range(1 if event.control.get("ctl") in OF_THE_LOG else count)
    ]
    config = {**scenario.config, "cs": f"0-{scenario.config['cs']}"}
    assert "reservations" not in config, "they would be one station's"
    return scenario._replace(events=events, config=config)


def _renamed(event: Event, prefix: str) -> Event:
    raw = copy.deepcopy(event.raw)
    if raw:
        raw[1] = prefix + raw[1]
    control = {**event.control, "cs": prefix + event.station} if event.control else {}
    return event._replace(
        station=prefix + event.station, raw=_with_names(raw, prefix), control=control
    )


def _with_names(value: Any, prefix: str) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return f"${prefix}{value[1:]}"
    if isinstance(value, list):
        return [_with_names(each, prefix) for each in value]
    if isinstance(value, dict):
        return {name: _with_names(each, prefix) for name, each in value.items()}
    return value


def shifted(scenario: Scenario, wh: int) -> Scenario:
    """Every register counts from another zero."""
    events = [
        event._replace(raw=_shifted(copy.deepcopy(event.raw), wh)) if event.raw else event
        for event in scenario.events
    ]
    return scenario._replace(events=events)


def _shifted(value: Any, wh: int) -> Any:
    if isinstance(value, list):
        return [_shifted(each, wh) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {name: _shifted(each, wh) for name, each in value.items()}
    for name in ("meterStart", "meterStop"):
        if name in moved and float(moved[name]) >= 0:
            moved[name] += wh
    if "value" in moved and _is_register(moved):
        moved["value"] = _moved(moved, wh)
    return moved


def _is_register(sampled: Json) -> bool:
    return (
        sampled.get("measurand", _REGISTER) == _REGISTER
        and sampled.get("format", "Raw") == "Raw"
        and sampled.get("phase") in (None, "L1")
    )


def _moved(sampled: Json, wh: int) -> Any:
    unit = sampled.get("unitOfMeasure") or {}
    kilo = "kWh" in (sampled.get("unit"), unit.get("unit"))
    by = Decimal(wh) / (1000 if kilo else 1) / Decimal(10) ** unit.get("multiplier", 0)
    value = sampled["value"]
    if isinstance(value, str):
        text = value.strip()
        is_number = text.replace(".", "", 1).isdecimal()
        return str(Decimal(text) + by) if is_number else value
    return float(Decimal(repr(value)) + by)


def statuses_moved(scenario: Scenario, seed: int | None) -> Scenario:
    """1.6, offline for long: all is told after the last event, in order.

    With a seed, connector statuses overtake what waits in the queue; 0: all of them, the whole of
    it. A queue holds transaction messages only (OCPP 1.6, 4.1).
    """
    last = max(event.at for event in scenario.events)
    exchanges: list[list[Event]] = []
    for event in scenario.events:
        if event.direction == "out" and exchanges:
            exchanges[-1].append(event)
        else:
            exchanges.append([event])
    if seed is not None:
        free = [each for each in exchanges if is_dated_status(each[0])]
        exchanges = [each for each in exchanges if not is_dated_status(each[0])]
        place = random.Random(seed)
        for each in reversed(free):
            exchanges.insert(place.randint(0, len(exchanges)) if seed else 0, each)
    events = [
        event._replace(at=last + n * 1_000_000)
        for n, exchange in enumerate(exchanges)
        for event in exchange
    ]
    return scenario._replace(events=events)


def is_dated_status(event: Event) -> bool:
    return bool(
        event.direction == "in"
        and event.raw[0] == CALL
        and event.raw[2] == "StatusNotification"
        and "timestamp" in event.raw[3]
    )


def queued(scenario: Scenario, seed: int | None) -> Scenario:
    """All events (2.x) come out of a queue after the last of them, shuffled if there is a seed."""
    told = [e for e in scenario.events if e.direction == "in"]
    if seed is not None:
        random.Random(seed).shuffle(told)
    last = max(event.at for event in scenario.events)
    events = [event._replace(at=last + 1_000_000 * n) for n, event in enumerate(told)]
    return scenario._replace(events=events)
