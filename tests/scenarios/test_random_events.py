"""Laws of every CDR, on conversations that nobody wrote down: a station of 2.0.1 may behave so."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.scenario_file import Event, Scenario
from tests.scenarios.laws import check
from tests.scenarios.random_clock import text, us

CONFIG = {
    "cs": "CS",
    "time_zone": "Europe/Amsterdam",
    "connectors": 2,
    "max_power_w": 11_000,
    "currency": "EUR",
}
STATES = ("Charging", "SuspendedEV", "SuspendedEVSE", "EVConnected", "Idle")
QUEUED_MIN = 120.0


class Talk:
    """What the station says, by minutes since the start."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.events: list[Event] = []
        self.minute = 0.0
        self.register_wh = random.randint(0, 1_000_000)

    def session(self, number: int) -> None:
        r = self.random
        self.minute += r.randint(1, 60)
        events = self._events(number, first=r.choice((0, 0, 0, 17)))
        kept = [each for each in events if r.random() < 0.9]
        if r.random() < 0.3:
            self._queue(kept)
        for at, payload in kept:
            self._tells(at + 0.05, payload)
            if r.random() < 0.1:
                self._tells(at + 0.1, payload)

    def _events(self, number: int, first: int) -> list[tuple[float, dict[str, Any]]]:
        r = self.random
        evse, count = r.choice((1, 2)), r.randint(2, 6)
        events = []
        for index in range(count):
            kind = "Started" if not index else "Ended" if index == count - 1 else "Updated"
            payload: dict[str, Any] = {
                "eventType": kind,
                "timestamp": text(self.minute),
                "triggerReason": "Authorized" if not index else "MeterValuePeriodic",
                "seqNo": first + index,
                "transactionInfo": {"transactionId": f"t{number}"},
            }
            if r.random() < 0.5:
                payload["transactionInfo"]["chargingState"] = r.choice(STATES)
            if not index:
                payload["evse"] = {"id": evse, "connectorId": 1}
                payload["idToken"] = {"idToken": r.choice("AB"), "type": "ISO14443"}
            if r.random() < 0.9:
                payload["meterValue"] = [self._meter_value(kind)]
            events.append((self.minute, payload))
            self.minute += r.randint(1, 20)
            self.register_wh += r.randint(-200 if r.random() < 0.05 else 0, 3_000)
        return events

    def _meter_value(self, kind: str) -> dict[str, Any]:
        context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
        sampled = {"value": self.register_wh, "context": context.get(kind, "Sample.Periodic")}
        if self.random.random() < 0.1:
            sampled["value"] = self.register_wh - 5_000
        return {"timestamp": text(self.minute), "sampledValue": [sampled]}

    def _queue(self, kept: list[tuple[float, dict[str, Any]]]) -> None:
        """They wait, and come in any order."""
        self.random.shuffle(kept)
        back = self.minute + QUEUED_MIN
        kept[:] = [
            (back + n / 60, {**payload, "offline": True}) for n, (_, payload) in enumerate(kept)
        ]

    def _tells(self, minute: float, payload: dict[str, Any]) -> None:
        frame = [2, f"m{len(self.events)}", "TransactionEvent", payload]
        self.events.append(Event(us(minute), "CS", 1, "in", frame, {}))


def conversation(seed: int) -> Scenario:
    talk = Talk(Random(seed))
    for number in range(1, talk.random.randint(2, 5)):
        talk.session(number)
    events = sorted(talk.events, key=lambda event: event.at)
    opened = {"ctl": "ws_open", "at": text(0)}
    events.insert(0, Event(us(0), "CS", 1, "", [], opened))
    return Scenario(f"E{seed}", "", "2.0.1", "EPARK", CONFIG, events, {"cdrs": []})


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_laws_of_cdrs_hold_whatever_a_station_of_2_says(seed: int) -> None:
    check(conversation(seed))


@pytest.mark.parametrize("seed", [10_022, 10_164])
def test_every_repeat_is_named_by_its_cdr(seed: int) -> None:
    """Stations that tell the end, or the start, a second time once it is over."""
    check(conversation(seed))


def test_periods_of_endless_decimals_add_up_to_the_energy() -> None:
    """Thirteenths of a Wh, which no decimal says."""
    check(conversation(2_921))


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_the_laws_of_cdrs_hold_in_thousands_of_conversations_of_2() -> None:
    for seed in range(3_000):
        check(conversation(seed))
