"""Laws of every CDR, on conversations that nobody wrote down: a station of 1.6 as it may behave."""

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
ODD_IDS = (-1, 0, 987_654)
QUEUED_MIN = 30.0


class Talk:
    """What the station says, and in it what it was answered, by minutes since the start."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.events: list[Event] = []
        self.minute = 0.0
        self.register_wh = random.randint(0, 1_000_000)
        self._says(0, {"ctl": "ws_open", "at": text(0)})

    def session(self, number: int) -> None:
        r = self.random
        self.minute += r.randint(1, 60)
        connector, transaction = r.choice((1, 1, 2)), self._start(r.choice((1, 1, 2)), number)
        for _ in range(r.randint(0, 4)):
            self._meter_values(connector, transaction)
        self.minute += r.randint(1, 30)
        self.register_wh += r.randint(-200 if r.random() < 0.1 else 0, 4_000)
        if r.random() < 0.9:
            self._stop(transaction)

    def _start(self, connector: int, number: int) -> Any:
        r = self.random
        start = {
            "connectorId": connector,
            "idTag": r.choice("AB"),
            "meterStart": self.register_wh,
            "timestamp": text(self.minute),
        }
        if r.random() < 0.1:
            return r.choice(ODD_IDS)
        message_id = self._call("StartTransaction", start, 0.05)
        if r.random() < 0.2:
            self._call("StartTransaction", start, 0.08)
        if r.random() < 0.1:
            return -1
        answer = {"transactionId": f"$T{number}", "idTagInfo": {"status": "Accepted"}}
        at = us(self.minute + 0.06)
        self.events.append(Event(at, "CS", 1, "out", [3, message_id, answer], {}))
        return f"$T{number}"

    def _meter_values(self, connector: int, transaction: Any) -> None:
        r = self.random
        self.minute += r.randint(1, 20)
        self.register_wh += r.randint(0, 3_000)
        register = str(self.register_wh)
        value = r.choice((register, register, "", "x", str(self.register_wh - 5_000)))
        values = [{"timestamp": text(self.minute), "sampledValue": [{"value": value}]}]
        told: dict[str, Any] = {"connectorId": connector, "meterValue": values}
        if r.random() < 0.8:
            told["transactionId"] = 0 if transaction == -1 else transaction
        self._call("MeterValues", told, r.choice((0.05, QUEUED_MIN)))

    def _stop(self, transaction: Any) -> None:
        r = self.random
        stop: dict[str, Any] = {
            "transactionId": transaction,
            "meterStop": r.choice([self.register_wh] * 9 + [-1]),
            "timestamp": text(self.minute),
        }
        if r.random() < 0.5:
            stop["idTag"] = "A"
        self._call("StopTransaction", stop, 0.05)
        if r.random() < 0.2:
            self._call("StopTransaction", stop, 0.1)
        if r.random() < 0.1:
            self._call("StopTransaction", {**stop, "meterStop": self.register_wh + 1}, 0.2)

    def _call(self, action: str, payload: dict[str, Any], late_min: float) -> str:
        message_id = f"m{len(self.events)}"
        at = us(self.minute + late_min)
        frame = [2, message_id, action, payload]
        self.events.append(Event(at, "CS", 1, "in", frame, {}))
        return message_id

    def _says(self, minute: float, control: dict[str, Any]) -> None:
        self.events.append(Event(us(minute), "CS", 1, "", [], control))


def conversation(seed: int) -> Scenario:
    talk = Talk(Random(seed))
    for number in range(1, talk.random.randint(2, 5)):
        talk.session(number)
    events = sorted(talk.events, key=lambda event: event.at)
    return Scenario(f"R{seed}", "", "1.6", "K25", CONFIG, events, {"cdrs": []})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_the_laws_of_cdrs_hold_whatever_a_station_says(seed: int) -> None:
    check(conversation(seed))


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_the_laws_of_cdrs_hold_in_thousands_of_conversations() -> None:
    for seed in range(5_000):
        check(conversation(seed))
