"""Monitors, the events they make, security events, and periodic event streams."""

from typing import Any

import pytest

from domain import holdings
from tests.domain.holding import Holder, column

ACCEPTED = {"status": "Accepted"}
NAMED = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"}}
AT = "2026-11-23T10:00:00Z"


def set_monitor(holder: Holder, number: int, status: str = "Accepted", **more: Any) -> None:
    asked = {"value": 60, "type": "UpperThreshold", "severity": 5, **NAMED, **more}
    result = {"id": number, "status": status, "type": "UpperThreshold", "severity": 5, **NAMED}
    holder.asked(
        "SetVariableMonitoring",
        {"setMonitoringData": [asked]},
        {"setMonitoringResult": [result]},
    )


def report(number: int, *monitors: Any, more: bool = False) -> dict[str, Any]:
    told = {"requestId": 7, "generatedAt": AT, "seqNo": number, "tbc": more}
    return {**told, "monitor": [{**NAMED, "variableMonitoring": list(monitors)}]}


def told_monitor(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number, "transaction": False, "value": 1.5, "type": "Delta", "severity": 3, **more,
    }  # fmt: skip


def event(number: int, value: str = "61", at: str = AT, **more: Any) -> dict[str, Any]:
    data = {
        "eventId": number, "timestamp": at, "trigger": "Alerting", "actualValue": value,
        "eventNotificationType": "CustomMonitor", **NAMED, **more,
    }  # fmt: skip
    return {"generatedAt": AT, "seqNo": 0, "eventData": [data]}


def monitors(holder: Holder) -> list[Any]:
    return list(column(holder.of("monitors"), "monitor_id"))


@pytest.fixture(params=["2.0.1", "2.1"])
def holder(request: pytest.FixtureRequest) -> Holder:
    return Holder(request.param)


def test_monitors_are_set_and_cleared(holder: Holder) -> None:
    set_monitor(holder, 1)
    set_monitor(holder, 2)
    set_monitor(holder, 3, "Rejected")
    value = holder.of("monitors")["1"]
    expected = {
        "monitor_id": 1, "component": "EVSE", "evse_id": 1, "variable": "Temperature",
        "type": "UpperThreshold", "value": 60, "severity": 5, "kind": "CustomMonitor",
    }  # fmt: skip
    assert value == value | expected

    results = [{"id": 1, **ACCEPTED}, {"id": 2, "status": "Rejected"}]
    holder.asked("ClearVariableMonitoring", {"id": [1, 2]}, {"clearMonitoringResult": results})

    assert monitors(holder) == [2]
    holder.assert_rebuilt()


def test_a_report_of_all_monitors_replaces_those_known(holder: Holder) -> None:
    set_monitor(holder, 1)
    holder.asked("GetMonitoringReport", {"requestId": 7}, ACCEPTED)
    hard = told_monitor(3, eventNotificationType="HardWiredMonitor")
    holder.tells("NotifyMonitoringReport", report(0, told_monitor(2), more=True))
    assert monitors(holder) == [1, 2]
    holder.tells("NotifyMonitoringReport", report(1, hard))

    assert monitors(holder) == [2, 3]
    assert str(holder.of("monitors")["2"]["value"]) == "1.5"
    assert holder.of("reports")["monitors/7"]["state"] == "complete"


def test_a_report_of_some_monitors_adds(holder: Holder) -> None:
    set_monitor(holder, 1)
    asked = {"requestId": 7, "monitoringCriteria": ["ThresholdMonitoring"]}
    holder.asked("GetMonitoringReport", asked, ACCEPTED)
    holder.tells("NotifyMonitoringReport", report(0, told_monitor(2)))

    assert monitors(holder) == [1, 2]


@pytest.mark.parametrize(
    ("base", "left"), [("All", [1, 2, 3]), ("FactoryDefault", [2, 3]), ("HardWiredOnly", [3])]
)
def test_a_base_removes_what_others_set(holder: Holder, base: str, left: list[int]) -> None:
    set_monitor(holder, 1)
    told = (
        told_monitor(2, eventNotificationType="PreconfiguredMonitor"),
        told_monitor(3, eventNotificationType="HardWiredMonitor"),
    )
    holder.tells("NotifyMonitoringReport", report(0, *told))

    holder.asked("SetMonitoringBase", {"monitoringBase": base}, ACCEPTED)
    holder.asked("SetMonitoringLevel", {"severity": 4}, ACCEPTED)
    holder.asked("SetMonitoringLevel", {"severity": 9}, {"status": "Rejected"})

    assert monitors(holder) == left
    assert holder.of("monitoring")["base"]["monitoring_base"] == base
    assert holder.of("monitoring")["level"]["severity"] == 4


def test_an_event_is_listed_and_its_value_is_the_variables(holder: Holder) -> None:
    holder.tells("NotifyEvent", event(4, techInfo="hot", severity=2))
    holder.tells("NotifyEvent", event(4, techInfo="hot", severity=2))

    value = holder.one("station-events")
    expected = {
        "event_id": 4, "at": AT, "trigger": "Alerting", "actual_value": "61", "tech_info": "hot",
        "severity": 2, "component": "EVSE", "variable": "Temperature",
    }  # fmt: skip
    assert value == value | expected
    assert holder.one("variables")["value"] == "61"
    holder.assert_rebuilt()


def test_only_the_latest_events_are_listed(holder: Holder) -> None:
    most = holdings.FACETS["station-events"].items_max
    for number in range(most + 7):
        at = f"2026-11-23T10:{number // 60:02}:{number % 60:02}Z"
        holder.tells("NotifyEvent", event(number, at=at))

    assert column(holder.of("station-events"), "event_id") == list(range(7, most + 7))


def test_an_event_of_a_secret_tells_no_value(holder: Holder) -> None:
    named: dict[str, Any] = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
    }
    holder.tells("NotifyEvent", event(1, "hunter2", **named))

    assert "hunter2" not in str(holder.values)


def test_an_event_over_a_superseded_connection_happened_but_changes_no_value(
    holder: Holder,
) -> None:
    connection = holder.worker.station.connection
    assert connection is not None
    holder.log.opens("c2", protocol=connection.protocol)
    holder.tells("NotifyEvent", event(1), connection="c1")

    assert len(holder.of("station-events")) == 1
    assert holder.of("variables") == {}


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_security_events_are_listed(version: str) -> None:
    holder = Holder(version)
    told = {"type": "InvalidMessages", "timestamp": AT, "techInfo": "port 443"}
    holder.tells("SecurityEventNotification", told)
    holder.tells("SecurityEventNotification", told)
    holder.tells("SecurityEventNotification", {"type": "StartupOfTheDevice", "timestamp": AT})

    assert column(holder.of("security-events"), "type", "tech_info", "at") == [
        ("InvalidMessages", "port 443", AT),
        ("StartupOfTheDevice", None, AT),
    ]


def test_event_streams_open_tell_and_close() -> None:
    holder = Holder("2.1")
    stream = {"id": 1, "params": {"interval": 2, "values": 5}, "variableMonitoringId": 9}
    holder.tells("OpenPeriodicEventStream", {"constantStreamData": stream})
    values = [{"t": 0, "v": "1"}, {"t": 1.5, "v": "2"}]
    told = {"id": 1, "pending": 3, "basetime": AT, "data": values}
    holder.sends("NotifyPeriodicEventStream", told)
    adjusted = {"id": 1, "params": {"interval": 10}}
    holder.asked("AdjustPeriodicEventStream", adjusted, ACCEPTED)

    value = holder.one("event-streams")
    expected = {
        "stream_id": 1, "monitor_id": 9, "interval": 10, "values": 5, "last_value": "2",
        "last_at": "2026-11-23T10:00:01.500000Z", "pending": 3,
    }  # fmt: skip
    assert value == value | expected
    other = {"id": 2, "params": {}, "variableMonitoringId": 8}
    holder.asked("GetPeriodicEventStream", {}, {"constantStreamData": [other]})
    assert column(holder.of("event-streams"), "stream_id") == [2]
    holder.tells("ClosePeriodicEventStream", {"id": 2})
    assert holder.of("event-streams") == {}
    holder.assert_rebuilt()
