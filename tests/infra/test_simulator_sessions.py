"""The plans of simulated sessions are exact in energy, plausible in shape, and end now."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.simulator.csv_sessions import (
    UnreadableSessions,
    plans_by_station,
    read_rows,
    whole_wh,
)
from infra.simulator.fleet import ending_now
from infra.simulator.session import (
    Habits,
    SessionPlan,
    current_per_phase_a,
    energy_at,
    plan_sessions,
    samples,
)

SAMPLE = Path(__file__).parent.parent / "data" / "epfl_dc_sessions_sample.csv"
NOW = datetime(2026, 5, 4, 12, 0, 0, 987_654, tzinfo=UTC)
COLUMNS = "Session,CCS,Arrival,Departure,Energy (Wh),SOC arrival,SOC departure\n"


@given(
    duration_s=st.integers(1, 100_000),
    energy_wh=st.integers(1, 500_000),
    soc=st.one_of(st.none(), st.tuples(st.integers(0, 100), st.integers(0, 100))),
    every_s=st.integers(1, 900),
)
def test_registers_never_fall_and_end_at_the_total(
    duration_s: int, energy_wh: int, soc: tuple[int, int] | None, every_s: int
) -> None:
    plan = SessionPlan(
        started_at=NOW,
        connector_id=1,
        id_token="T",
        duration_s=duration_s,
        energy_wh=energy_wh,
        soc_percent=soc,
    )

    energies = [0, *(sample.energy_wh for sample in samples(plan, every_s)), energy_wh]

    assert energies == sorted(energies)
    assert energy_at(plan, duration_s) == energy_wh
    assert all(0 < sample.at_s < duration_s for sample in samples(plan, every_s))


def test_a_direct_current_session_tapers_off() -> None:
    plan = SessionPlan(
        started_at=NOW,
        connector_id=1,
        id_token="T",
        duration_s=1800,
        energy_wh=50_000,
        soc_percent=(10, 80),
    )

    told = list(samples(plan, 60))

    assert told[0].power_w > 100_000 > told[-1].power_w
    assert [sample.soc_percent for sample in told] == sorted(
        sample.soc_percent or 0 for sample in told
    )


def test_currents_are_of_three_phases() -> None:
    assert current_per_phase_a(11_040) == "16.0"


def test_invented_sessions_follow_each_other_and_end_now() -> None:
    habits = Habits(direct_current=True, duration_s=(300, 900), pause_s=(10, 60))
    endless = plan_sessions(Random(1), habits, start=NOW, connector_id=1, id_tokens=("A", "B"))

    plans = ending_now(list(islice(endless, 20)), NOW, float("inf"))

    assert all(after.started_at > before.ended_at for before, after in pairwise(plans))
    assert timedelta(0) <= NOW - plans[-1].ended_at < timedelta(seconds=1)


@pytest.mark.parametrize(("text", "wh"), [("63272.5", 63273), ("0.4999", 0), ("1165.0", 1165)])
def test_energy_is_rounded_half_up(text: str, wh: int) -> None:
    assert whole_wh(text) == wh


@pytest.mark.parametrize("spread", [1, 3])
def test_the_file_is_replayed_whole_and_ends_now(spread: int) -> None:
    rows = read_rows(SAMPLE)

    plans = plans_by_station(rows, now=NOW, prefix="P-", id_tokens=("A",), spread=spread)

    every = [plan for of_station in plans.values() for plan in of_station]
    with SAMPLE.open(newline="") as file:
        expected = sorted(whole_wh(cells["Energy (Wh)"]) for cells in csv.DictReader(file))
    assert sorted(plan.energy_wh for plan in every) == expected
    assert max(plan.ended_at for plan in every) == NOW.replace(microsecond=0)
    assert len(plans) == 2 * spread
    assert sum(expected) - sum(Decimal(str(row.energy_wh)) for row in rows) == 0


def test_overlapping_sessions_of_one_outlet_get_connectors_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "overlap.csv"
    path.write_text(
        COLUMNS
        + "1,A,2026-01-01 10:00:00,2026-01-01 11:00:00,10.5,1,2\n"
        + "2,A,2026-01-01 10:30:00,2026-01-01 11:30:00,20,1,2\n"
        + "3,A,2026-01-01 11:00:00,2026-01-01 11:10:00,30,1,2\n"
    )

    plans = plans_by_station(read_rows(path), now=NOW, prefix="", id_tokens=("A",), spread=1)

    assert [(p.reference, p.connector_id) for p in plans["A"]] == [("1", 1), ("2", 2), ("3", 1)]


@pytest.mark.parametrize(
    "row",
    [
        "1,A,yesterday,2026-01-01 11:00:00,10,1,2",
        "1,A,2026-01-01 11:00:00,2026-01-01 11:00:00,10,1,2",
        "1,A,2026-01-01 10:00:00,2026-01-01 11:00:00,much,1,2",
        "1,A",
    ],
)
def test_a_row_that_is_not_a_session_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(COLUMNS + row + "\n")

    with pytest.raises(UnreadableSessions) as caught:
        read_rows(path)

    assert caught.value.line == 2


def test_a_file_without_sessions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(COLUMNS)

    with pytest.raises(UnreadableSessions):
        read_rows(path)
