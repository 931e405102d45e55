"""Lists longer than a station takes at once: as many CALLs as it said, under one fate."""

from typing import Any

from tests.domain.holding import Holder, column
from tests.domain.log import parse

CTRLR = {"name": "DeviceDataCtrlr"}


def reported(instance: str, value: str) -> dict[str, Any]:
    item = {
        "component": CTRLR,
        "variable": {"name": "ItemsPerMessage", "instance": instance},
        "variableAttribute": [{"value": value}],
    }
    return {"requestId": 1, "generatedAt": "2026-11-23T10:00:00Z", "seqNo": 0, "reportData": [item]}


def named(number: int) -> dict[str, Any]:
    return {"component": {"name": "C"}, "variable": {"name": f"V{number}"}}


def last_call(holder: Holder) -> tuple[str, Any]:
    holder.worker.read()
    frame = parse(holder.worker.dispatched[-1][1].frame)
    return frame[1], frame[3]


def test_a_long_list_of_variables_goes_in_several_calls() -> None:
    holder = Holder("2.0.1")
    holder.tells("NotifyReport", reported("GetVariables", "2"))
    command_id = holder.ask("GetVariables", {"getVariableData": [named(n) for n in range(5)]})

    sizes = []
    for _ in range(3):
        message_id, payload = last_call(holder)
        asked = payload["getVariableData"]
        sizes.append(len(asked))
        got = [{**each, "attributeStatus": "Accepted", "attributeValue": "x"} for each in asked]
        holder.answers(message_id, {"getVariableResult": got})

    assert sizes == [2, 2, 1]
    command = holder.worker.station.commands.get(command_id)
    assert command is None or command.fate == "answered"
    found = [each for each in holder.of("variables").values() if each["component"] == "C"]
    assert [(each["variable"], each["value"]) for each in found] == [
        (f"V{n}", "x") for n in range(5)
    ]
    holder.assert_rebuilt()


def test_what_is_set_in_several_calls_is_known_call_by_call() -> None:
    holder = Holder("2.0.1")
    holder.tells("NotifyReport", reported("SetVariables", "1"))
    wanted = [{**named(n), "attributeValue": str(n)} for n in range(2)]
    holder.ask("SetVariables", {"setVariableData": wanted})
    message_id, _ = last_call(holder)
    holder.answers(message_id, {"setVariableResult": [{**named(0), "attributeStatus": "Accepted"}]})

    values = [each["value"] for each in holder.of("variables").values() if each["component"] == "C"]
    assert values == ["0"]


def test_monitors_that_are_set_in_several_calls_have_their_own_ids() -> None:
    holder = Holder("2.1")
    holder.tells("NotifyReport", reported("SetVariableMonitoring", "1"))
    wanted = [{**named(n), "value": n, "type": "Delta", "severity": 1} for n in range(3)]
    holder.ask("SetVariableMonitoring", {"setMonitoringData": wanted})
    for number in range(3):
        message_id, payload = last_call(holder)
        [asked] = payload["setMonitoringData"]
        result = {**asked, "id": 10 + number, "status": "Accepted"}
        holder.answers(message_id, {"setMonitoringResult": [result]})

    assert column(holder.of("monitors"), "monitor_id", "variable") == [
        (10, "V0"),
        (11, "V1"),
        (12, "V2"),
    ]


def test_configuration_keys_of_16_go_in_several_calls() -> None:
    holder = Holder()
    key = {"key": "GetConfigurationMaxKeys", "readonly": True, "value": "1"}
    holder.asked("GetConfiguration", {}, {"configurationKey": [key]})
    holder.ask("GetConfiguration", {"key": ["A", "B"]})
    for name in ("A", "B"):
        message_id, payload = last_call(holder)
        assert payload == {"key": [name]}
        told = {"key": name, "readonly": False, "value": "1"}
        holder.answers(message_id, {"configurationKey": [told]})

    assert column(holder.of("variables"), "variable") == ["A", "B", "GetConfigurationMaxKeys"]
