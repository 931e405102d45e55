"""Charging states of 1.6: told before, during or long after the transaction that they belong to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import charging_states
from domain.facts import ConnectorStatusReported
from domain.station import Station
from infra.scenario_file import Event, Scenario
from schemas.cdr import Cdr
from tests.scenarios.telling import ALL, run

F06 = next(each for each in ALL if each.id == "F06")
"""Its tariff has a price for parking."""

BEGAN = datetime(2026, 3, 10, 10, 0, 5, tzinfo=UTC)


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def us(seconds: float) -> int:
    return int((BEGAN + timedelta(seconds=seconds)).timestamp() * 1e6)


def told(seconds: float, action: str, late_s: float = 0.1, **payload: Any) -> Event:
    frame = [2, f"{action}{seconds}", action, payload | {"timestamp": at(seconds)}]
    return Event(us(seconds + late_s), "CP001", 1, "in", frame, {})


def state(seconds: float, status: str, late_s: float = 0.1) -> Event:
    return told(
        seconds, "StatusNotification", late_s, connectorId=1, errorCode="NoError", status=status
    )


def cdrs(*states: Event) -> list[Cdr]:
    """One hour with these states; the CDRs that came of it, in their order."""
    start = told(0, "StartTransaction", connectorId=1, idTag="TAG1", meterStart=0)
    answer = [3, start.raw[1], {"transactionId": "$T1", "idTagInfo": {"status": "Accepted"}}]
    events = [
        Event(us(-60), "CP001", 1, "", [], {"ctl": "ws_open", "at": at(-60)}),
        start,
        start._replace(direction="out", raw=answer),
        told(3_600, "StopTransaction", transactionId="$T1", idTag="TAG1", meterStop=10_000),
    ]
    told_all = sorted([*events, *states], key=lambda event: event.at)
    talk = Scenario("C", "", "1.6", F06.tariff_id, F06.config, told_all, {"cdrs": []})
    return sorted(run(talk).cdrs, key=lambda cdr: cdr.sequence)


@pytest.mark.parametrize("late_s", [0.1, 1_000.0])
def test_how_it_was_a_moment_before_its_start_is_how_it_began(late_s: float) -> None:
    (cdr,) = cdrs(state(-5, "SuspendedEV", late_s), state(595, "Charging"))

    assert cdr.total_parking_time_s == "595"


@pytest.mark.parametrize("late_s", [0.1, 1_000.0])
def test_how_it_was_long_before_its_start_is_not_its(late_s: float) -> None:
    (cdr,) = cdrs(state(-50_000, "SuspendedEV", late_s), state(595, "Charging"))

    assert cdr.total_parking_time_s == "0"


def test_a_state_that_comes_after_the_release_corrects_it() -> None:
    released, credit, replacement = cdrs(state(1_800, "SuspendedEV", 5 * 86_400.0))

    assert released.total_parking_time_s == "0"
    assert (credit.credit, credit.credit_reference_id) == (True, released.id)
    assert (replacement.total_parking_time_s, replacement.replaces) == ("1800", released.id)


def test_what_a_station_may_have_kept_is_bounded() -> None:
    station = Station(tenant="default", station="CP001", partition=1)
    for number in range(3 * charging_states.EVSES_MAX):
        for evse_id in (1, number + 1):
            fact = ConnectorStatusReported(
                offset=number,
                recorded_at=us(number),
                evse_id=evse_id,
                connector_id=1,
                status="SuspendedEV",
                at=us(number),
            )
            charging_states.told(station, fact)

    kept = station.charging_states
    assert len(kept) == charging_states.EVSES_MAX
    assert len(kept[1]) == charging_states.KEPT_MAX
    assert kept[1][-1].at == us(3 * charging_states.EVSES_MAX - 1)
