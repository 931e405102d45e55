"""Lists longer than a station takes at once: as many CALLs as it said, under one fate."""

from typing import Any

import pytest

from schemas import payloads
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


def test_a_list_of_variables_is_no_longer_than_the_bytes_that_a_message_may_have() -> None:
    holder = Holder("2.0.1")
    most = 300
    limit = reported("GetVariables", str(most))
    limit["reportData"][0]["variable"]["name"] = "BytesPerMessage"
    holder.tells("NotifyReport", limit)
    wanted = [named(n) for n in range(11)]
    wanted[4] = {"component": {"name": "C" * 50}, "variable": {"name": "V4", "instance": "I" * 250}}
    holder.ask("GetVariables", {"getVariableData": wanted})

    sent: list[Any] = []
    sizes, numbers = [], []
    while len(sent) < len(wanted):
        message_id, payload = last_call(holder)
        sizes.append(len(holder.worker.dispatched[-1][1].frame.encode()))
        sent += payload["getVariableData"]
        numbers.append(len(payload["getVariableData"]))
        got = [{**each, "attributeStatus": "Rejected"} for each in payload["getVariableData"]]
        holder.answers(message_id, {"getVariableResult": got})

    assert sent == wanted
    # What is too large by itself goes alone.
    assert [size for size in sizes if size > most] == [max(sizes)]
    assert numbers == [4, 1, 4, 2]
    holder.assert_rebuilt()


@pytest.mark.parametrize("most", [1, 2])
def test_a_question_without_a_list_is_asked_whole_whatever_the_station_takes(most: int) -> None:
    holder = Holder()
    keys = [
        {"key": key, "readonly": True, "value": str(most)}
        for key in ("GetConfigurationMaxKeys", "BytesPerMessageGetConfiguration")
    ]
    holder.asked("GetConfiguration", {}, {"configurationKey": keys})
    holder.ask("GetConfiguration", {})
    message_id, payload = last_call(holder)
    holder.answers(message_id, {"configurationKey": []})

    assert payload == {}
    holder.assert_rebuilt()


@pytest.mark.parametrize("room", range(-2, 3))
def test_a_list_that_fits_to_the_byte_goes_along_and_one_byte_less_does_not(room: int) -> None:
    holder = Holder("2.0.1")
    two = {"getVariableData": [named(0), named(1)]}
    holder.ask("GetVariables", two)
    message_id, _ = last_call(holder)
    size = len(holder.worker.dispatched[-1][1].frame.encode())
    holder.answers(message_id, {"getVariableResult": []})
    limit = reported("GetVariables", str(size + room))
    limit["reportData"][0]["variable"]["name"] = "BytesPerMessage"
    holder.tells("NotifyReport", limit)
    holder.ask("GetVariables", {"getVariableData": [named(n) for n in range(3)]})

    assert len(last_call(holder)[1]["getVariableData"]) == (2 if room >= 0 else 1)


def tokens_of(version: str, numbers: range) -> list[dict[str, Any]]:
    if version == "1.6":
        return [{"idTag": f"T{n}", "idTagInfo": {"status": "Accepted"}} for n in numbers]
    info = {"status": "Accepted"}
    return [
        {"idToken": {"idToken": f"T{n}", "type": "Central"}, "idTokenInfo": info} for n in numbers
    ]


def taking_tokens(version: str, most: int) -> Holder:
    holder = Holder(version)
    if version == "1.6":
        key = {"key": "SendLocalListMaxLength", "readonly": True, "value": str(most)}
        holder.asked("GetConfiguration", {}, {"configurationKey": [key]})
        return holder
    limit = reported("", str(most))
    limit["reportData"][0]["component"] = {"name": "LocalAuthListCtrlr"}
    del limit["reportData"][0]["variable"]["instance"]
    holder.tells("NotifyReport", limit)
    return holder


VERSIONS = pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])


def version_name(version: str) -> str:
    return "listVersion" if version == "1.6" else "versionNumber"


@VERSIONS
def test_a_long_local_list_is_a_whole_one_and_changes_each_with_its_version(version: str) -> None:
    holder, name = taking_tokens(version, 2), version_name(version)
    wanted = tokens_of(version, range(5))
    holder.ask("SendLocalList", {name: 7, "updateType": "Full", "localAuthorizationList": wanted})

    parts = []
    for _ in range(3):
        message_id, payload = last_call(holder)
        parts.append(payload)
        assert not payloads.violations(version, "SendLocalList", payload)
        holder.answers(message_id, {"status": "Accepted"})

    assert [(part["updateType"], part[name]) for part in parts] == [
        ("Full", 7), ("Differential", 8), ("Differential", 9),
    ]  # fmt: skip
    assert [each for part in parts for each in part["localAuthorizationList"]] == wanted
    assert column(holder.of("local-list"), "version", "tokens") == [(9, 5)]
    holder.assert_rebuilt()


@VERSIONS
def test_a_part_that_the_station_refuses_is_the_last(version: str) -> None:
    holder, name = taking_tokens(version, 1), version_name(version)
    wanted = tokens_of(version, range(3))
    holder.ask(
        "SendLocalList", {name: 7, "updateType": "Differential", "localAuthorizationList": wanted}
    )
    for status in ("Accepted", "VersionMismatch"):
        message_id, _ = last_call(holder)
        holder.answers(message_id, {"status": status})

    holder.worker.read()
    sent = [each for _, each in holder.worker.dispatched if each.action == "SendLocalList"]
    assert len(sent) == 2
    assert column(holder.of("local-list"), "version") == [7]
    assert holder.worker.station.in_flight == ""


@VERSIONS
def test_a_list_without_tokens_is_sent_as_it_is(version: str) -> None:
    holder, name = taking_tokens(version, 1), version_name(version)
    holder.ask("SendLocalList", {name: 7, "updateType": "Full"})
    message_id, payload = last_call(holder)
    holder.answers(message_id, {"status": "Accepted"})

    assert payload == {name: 7, "updateType": "Full"}
    assert column(holder.of("local-list"), "version", "tokens") == [(7, 0)]
