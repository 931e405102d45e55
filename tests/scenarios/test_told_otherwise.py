"""What must not change a CDR: repeats, the order of a queue, neighbours, another zero, a crash."""

import asyncio

import pytest

from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.station import Station, dump
from infra.scenario_file import Scenario
from infra.scenario_rows import MemoryRows
from infra.scenario_run import ScenarioRun, projected
from infra.scenario_world import PARTITION, ScenarioWorld
from projections.read_model import ReadModel
from projections.run import Limits, Projection
from schemas.records import CALL, decode
from tests.scenarios.telling import (
    ALL,
    EDGES,
    REPEATS,
    TARIFFS,
    all_figures,
    copies,
    is_dated_status,
    queued,
    run,
    shifted,
    statuses_moved,
    told_twice,
)

by_id = pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.id)

ABSOLUTE = frozenset({"D05", "D06", "D06T", "D07", "D08", "D09", "S01", "S02", "S03", "S06"})
"""Bases and wraps are told by where zero is, and signed values cannot be moved."""


def is_solo(scenario: Scenario) -> bool:
    """Whether it is a conversation of TransactionEvents alone."""
    return scenario.version != "1.6" and all(
        event.direction and (event.raw[0] != CALL or event.raw[2] == "TransactionEvent")
        for event in scenario.events
    )


SOLO = [each for each in ALL if is_solo(each) and not {"G12", "G27"} & {each.id}]
"""Of two events with one number the first counts (G12)."""

STATUSES = [
    each
    for each in ALL
    if each.version == "1.6"
    and any(is_dated_status(event) for event in each.events)
    and not any(e.control or (e.direction == "out" and e.raw[0] == CALL) for e in each.events)
]


@by_id
def test_every_frame_told_twice_is_told_once(scenario: Scenario) -> None:
    assert all_figures(run(told_twice(scenario))) == all_figures(run(scenario))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scenario", SOLO, ids=lambda scenario: scenario.id)
def test_events_count_by_when_they_happened_and_not_by_when_they_came(
    scenario: Scenario, seed: int
) -> None:
    _shuffled(scenario, seed)


def _shuffled(scenario: Scenario, seed: int) -> None:
    but = REPEATS | {"OUT_OF_ORDER"}
    in_order, shuffled = run(queued(scenario, None)), run(queued(scenario, seed))

    assert all_figures(shuffled, flags_but=but) == all_figures(in_order, flags_but=but)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scenario", STATUSES, ids=lambda scenario: scenario.id)
def test_a_status_that_overtakes_the_queue_counts_by_when_it_was(
    scenario: Scenario, seed: int
) -> None:
    but = REPEATS | {"OUT_OF_ORDER"}
    in_order, moved = run(statuses_moved(scenario, None)), run(statuses_moved(scenario, seed))

    assert all_figures(moved, flags_but=but) == all_figures(in_order, flags_but=but)


@pytest.mark.parametrize(
    "scenario", [each for each in ALL if each.id not in ABSOLUTE], ids=lambda scenario: scenario.id
)
def test_where_a_register_counts_from_changes_no_energy(scenario: Scenario) -> None:
    registers = ("meter_start_wh", "meter_stop_wh")

    assert all_figures(run(shifted(scenario, 3_000_000)), *registers) == all_figures(
        run(scenario), *registers
    )


def _side_by_side(scenario: Scenario, count: int) -> None:
    alone, together = all_figures(run(scenario)), all_figures(run(copies(scenario, count)))

    assert together == sorted(alone * count)


ALIKE = [each for each in ALL if "reservations" not in each.config]


@pytest.mark.parametrize("scenario", ALIKE[::4], ids=lambda scenario: scenario.id)
def test_stations_do_not_disturb_each_other(scenario: Scenario) -> None:
    _side_by_side(scenario, 20)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("scenario", ALIKE, ids=lambda scenario: scenario.id)
def test_a_thousand_stations_do_not_disturb_each_other(scenario: Scenario) -> None:
    _side_by_side(scenario, 1_000)


async def _killed_after(scenario: Scenario, step: int) -> None:
    world = await _ran(scenario)
    whole = await projected(world)
    rows, head = MemoryRows(), await world.journal.head(PARTITION)
    registry = await world.journal.head(0)
    for until in [*range(1, head, step), head]:
        heads = {0: registry, PARTITION: until}
        sink = ReadModel(rows)
        limits = Limits(batch_s=0.001)
        await Projection(world.journal, sink, rows, limits=limits, until=heads).run()
    assert (rows.cdrs, rows.transactions, rows.orphans) == (
        whole.cdrs,
        whole.transactions,
        whole.orphans,
    )


async def _ran(scenario: Scenario) -> ScenarioWorld:
    ran = ScenarioRun(scenario, TARIFFS)
    await ran.run()
    return ran.world


@pytest.mark.parametrize("scenario", ALL[1::5], ids=lambda scenario: scenario.id)
def test_a_projection_that_dies_goes_on_where_it_was(scenario: Scenario) -> None:
    asyncio.run(_killed_after(scenario, 3))


@pytest.mark.long
@by_id
def test_a_projection_that_dies_after_each_record_goes_on_where_it_was(scenario: Scenario) -> None:
    asyncio.run(_killed_after(scenario, 1))


@by_id
def test_a_fold_from_zero_is_the_state_that_decided(scenario: Scenario) -> None:
    world = asyncio.run(_ran(scenario))
    stations: dict[tuple[str, str], Station] = {}
    admitted = LogFilter()
    for offset, value in enumerate(world.values):
        record = decode(value)
        if admitted.admit(offset, record) and record.station:
            key = (record.tenant, record.station)
            fold(stations.setdefault(key, Station(*key, PARTITION)), offset, record)

    assert {key: dump(each) for key, each in stations.items()} == {
        key: dump(each) for key, each in world.owner.stations.items()
    }


CONTRADICTORY = frozenset({"edge-G31", "edge-G31t", "edge-G50", "edge-Y01"})
"""Of two events with one number the first counts; an id used twice is told apart by the order."""


@pytest.mark.long
@pytest.mark.parametrize("scenario", EDGES.scenarios, ids=lambda scenario: scenario.id)
def test_edges_are_told_otherwise_too(scenario: Scenario) -> None:
    told = all_figures(run(scenario))
    assert all_figures(run(told_twice(scenario))) == told
    asyncio.run(_killed_after(scenario, 1))
    if "reservations" not in scenario.config:
        _side_by_side(scenario, 20)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "scenario",
    [each for each in EDGES.scenarios if is_solo(each) and each.id not in CONTRADICTORY],
    ids=lambda scenario: scenario.id,
)
def test_edges_count_by_when_they_happened(scenario: Scenario, seed: int) -> None:
    _shuffled(scenario, seed)
