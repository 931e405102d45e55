"""The device model, as reports, answers and events tell it, and configuration keys of 1.6."""

from typing import Any

import msgspec
import pytest

from domain import holdings
from tests.domain.holding import Holder, column

CTRLR = {"name": "OCPPCommCtrlr"}


def variable(name: str, value: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "component": more.pop("component", CTRLR),
        "variable": {"name": name, **more.pop("of", {})},
        "variableAttribute": [{"value": value, **more.pop("attribute", {})}],
        **more,
    }


def part(number: int, *variables: Any, more: bool = False, request_id: int = 7) -> dict[str, Any]:
    told = {"requestId": request_id, "generatedAt": "2026-11-23T10:00:00Z", "seqNo": number}
    return {**told, "tbc": more, "reportData": list(variables)}


def full(holder: Holder, request_id: int = 7) -> None:
    asked = {"requestId": request_id, "reportBase": "FullInventory"}
    holder.asked("GetBaseReport", asked, {"status": "Accepted"})


@pytest.fixture(params=["2.0.1", "2.1"])
def holder(request: pytest.FixtureRequest) -> Holder:
    return Holder(request.param)


def names(holder: Holder) -> list[str]:
    return list(column(holder.of("variables"), "variable"))


def test_a_report_tells_variables_with_what_characterises_them(holder: Holder) -> None:
    traits = {"dataType": "integer", "unit": "s", "supportsMonitoring": False}
    component = {"name": "EVSE", "evse": {"id": 2, "connectorId": 1}}
    told = variable("HeartbeatInterval", "300", component=component, variableCharacteristics=traits)
    told["variableAttribute"][0] |= {"mutability": "ReadWrite", "type": "Target"}

    holder.tells("NotifyReport", part(0, told))

    value = holder.one("variables")
    expected = {
        "component": "EVSE", "evse_id": 2, "connector_id": 1, "variable": "HeartbeatInterval",
        "attribute": "Target", "value": "300", "mutability": "ReadWrite", "data_type": "integer",
        "unit": "s",
    }  # fmt: skip
    assert value == value | expected
    holder.assert_rebuilt()


def test_a_full_report_replaces_what_was_known_once_it_is_whole(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    full(holder)
    holder.tells("NotifyReport", part(0, variable("A"), more=True))
    assert names(holder) == ["A", "Old"]

    holder.tells("NotifyReport", part(1, variable("B")))

    assert names(holder) == ["A", "B"]
    report = holder.of("reports")["variables/7"]
    assert (report["state"], report["parts"], report["whole"]) == ("complete", 2, True)
    holder.assert_rebuilt()


def test_parts_may_come_out_of_order_and_twice(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    full(holder)
    holder.tells("NotifyReport", part(2, variable("C")))
    holder.tells("NotifyReport", part(1, variable("B"), more=True))
    holder.tells("NotifyReport", part(1, variable("B"), more=True))
    assert names(holder) == ["B", "C", "Old"]

    holder.tells("NotifyReport", part(0, variable("A"), more=True))

    assert names(holder) == ["A", "B", "C"]


def test_parts_may_come_before_the_answer_to_the_request(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    asked = {"requestId": 7, "reportBase": "FullInventory"}
    command_id = holder.ask("GetBaseReport", asked)
    holder.tells("NotifyReport", part(0, variable("A")))
    holder.answers(command_id, {"status": "Accepted"})

    assert names(holder) == ["A"]
    assert holder.of("reports")["variables/7"]["state"] == "complete"


def test_a_report_with_a_part_missing_only_adds(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    full(holder)
    holder.tells("NotifyReport", part(0, variable("A"), more=True))
    holder.tells("NotifyReport", part(2, variable("C")))

    assert names(holder) == ["A", "C", "Old"]
    assert holder.of("reports")["variables/7"]["state"] == "receiving"


def test_a_report_that_is_numbered_from_one_is_whole_without_a_part_0(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    full(holder)
    holder.tells("NotifyReport", part(1, variable("A"), more=True))
    assert names(holder) == ["A", "Old"]

    holder.tells("NotifyReport", part(2, variable("B")))

    assert names(holder) == ["A", "B"]
    report = holder.of("reports")["variables/7"]
    assert (report["state"], report["parts"]) == ("complete", 2)
    holder.assert_rebuilt()


def test_a_part_0_that_comes_late_belongs_to_the_report(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    full(holder)
    for number, more in ((1, True), (0, True), (2, False)):
        holder.tells("NotifyReport", part(number, variable(f"V{number}"), more=more))
    assert names(holder) == ["V0", "V1", "V2"]

    full(holder, request_id=8)
    holder.tells("NotifyReport", part(1, variable("B"), request_id=8))
    holder.tells("NotifyReport", part(0, variable("A"), more=True, request_id=8))

    assert names(holder) == ["A", "B"]


def test_a_report_that_begins_in_its_middle_is_not_whole(holder: Holder) -> None:
    full(holder)
    holder.tells("NotifyReport", part(2, variable("C"), more=True))
    holder.tells("NotifyReport", part(3, variable("D")))

    assert holder.of("reports")["variables/7"]["state"] == "receiving"


@pytest.mark.parametrize(
    ("asked", "payload", "told", "key"),
    [
        ("GetMonitoringReport", {}, "NotifyMonitoringReport", "monitors/7"),
        (
            "CustomerInformation",
            {"report": True, "clear": False},
            "NotifyCustomerInformation",
            "customer-information/7",
        ),
    ],
)
def test_any_report_in_numbered_parts_may_be_numbered_from_one(
    holder: Holder, asked: str, payload: dict[str, Any], told: str, key: str
) -> None:
    holder.asked(asked, {"requestId": 7, **payload}, {"status": "Accepted"})
    for number, more in ((1, True), (2, False)):
        of = {"generatedAt": "2026-11-23T10:00:00Z", "seqNo": number, "tbc": more, "data": ""}
        holder.tells(told, {"requestId": 7, **of})

    assert holder.of("reports")[key]["state"] == "complete"


def test_a_report_of_some_of_it_replaces_nothing(holder: Holder) -> None:
    holder.tells("NotifyReport", part(0, variable("Old"), request_id=1))
    asked = {"requestId": 7, "reportBase": "ConfigurationInventory"}
    holder.asked("GetBaseReport", asked, {"status": "Accepted"})
    holder.tells("NotifyReport", part(0, variable("A")))

    assert names(holder) == ["A", "Old"]


def test_a_refused_report_says_so(holder: Holder) -> None:
    asked = {"requestId": 7, "reportBase": "SummaryInventory"}
    holder.asked("GetBaseReport", asked, {"status": "NotSupported"})
    assert holder.of("reports")["variables/7"]["state"] == "refused"

    holder.asked("GetReport", {"requestId": 8}, {"status": "EmptyResultSet"})
    assert holder.of("reports")["variables/8"]["state"] == "empty"


def test_values_that_were_got_and_set_count(holder: Holder) -> None:
    one, two = ({"component": CTRLR, "variable": {"name": name}} for name in ("A", "B"))
    three = {"component": CTRLR, "variable": {"name": "C"}}
    wanted = [{**each, "attributeValue": "5"} for each in (one, two, three)]
    statuses = ("Accepted", "RebootRequired", "Rejected")
    results = [
        {**each, "attributeStatus": status}
        for each, status in zip((one, two, three), statuses, strict=True)
    ]

    holder.asked("SetVariables", {"setVariableData": wanted}, {"setVariableResult": results[::-1]})

    found = holder.of("variables")
    assert column(found, "variable", "value", "value_after_reboot") == [
        ("A", "5", None),
        ("B", None, "5"),
    ]
    got = {**two, "attributeStatus": "Accepted", "attributeValue": "6"}
    unknown = {**one, "attributeStatus": "UnknownVariable"}
    holder.asked(
        "GetVariables",
        {"getVariableData": [two, one]},
        {"getVariableResult": [got, unknown]},
    )
    assert column(holder.of("variables"), "variable", "value", "value_after_reboot") == [
        ("B", "6", None)
    ]


def test_a_value_keeps_the_characteristics_that_a_report_told(holder: Holder) -> None:
    told = variable("A", "1", variableCharacteristics={"dataType": "integer", "unit": "s"})
    holder.tells("NotifyReport", part(0, told))
    name = {"component": CTRLR, "variable": {"name": "A"}}

    holder.asked(
        "SetVariables",
        {"setVariableData": [{**name, "attributeValue": "2"}]},
        {"setVariableResult": [{**name, "attributeStatus": "Accepted"}]},
    )

    assert (holder.one("variables")["value"], holder.one("variables")["unit"]) == ("2", "s")


@pytest.mark.parametrize("name", ["BasicAuthPassword", "basicauthpassword", "PrivateKey", "SimPin"])
def test_a_secret_is_kept_nowhere(holder: Holder, name: str) -> None:
    named = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": name}}
    told = variable(name, "hunter2-hunter2-", component={"name": "SecurityCtrlr"})
    holder.tells("NotifyReport", part(0, told))
    holder.asked(
        "SetVariables",
        {"setVariableData": [{**named, "attributeValue": "hunter2-hunter2-"}]},
        {"setVariableResult": [{**named, "attributeStatus": "Accepted"}]},
    )
    got = {**named, "attributeStatus": "Accepted", "attributeValue": "hunter2-hunter2-"}
    holder.asked("GetVariables", {"getVariableData": [named]}, {"getVariableResult": [got]})

    assert holder.one("variables")["is_secret"] is True
    assert "hunter2" not in str(holder.values)
    assert b"hunter2" not in msgspec.json.encode(holder.worker.station.held)


def test_what_can_only_be_written_is_a_secret(holder: Holder) -> None:
    told = variable("Token", "hunter2", attribute={"mutability": "WriteOnly"})
    holder.tells("NotifyReport", part(0, told))

    assert "value" not in holder.one("variables")


def test_what_one_message_may_hold_is_known(holder: Holder) -> None:
    data = {"component": {"name": "DeviceDataCtrlr"}}
    of = {"of": {"instance": "GetVariables"}}
    holder.tells("NotifyReport", part(0, variable("ItemsPerMessage", "20", **data, **of)))
    of = {"of": {"instance": "SetVariables"}}
    holder.tells("NotifyReport", part(1, variable("ItemsPerMessage", "none", **data, **of)))

    assert holder.worker.station.limit_of("ItemsPerMessageGetVariables") == 20
    assert holder.worker.station.limit_of("ItemsPerMessageSetVariables") is None


def test_a_station_that_makes_up_variables_fills_no_memory(holder: Holder) -> None:
    most = holdings.FACETS["variables"].items_max
    for number in range(0, most + 200, 100):
        told = [variable(f"V{number + each}", "x" * 2_500) for each in range(100)]
        holder.tells("NotifyReport", part(0, *told))

    assert len(holder.of("variables")) == most
    held = msgspec.json.encode(holder.worker.station.held)
    assert len(held) < 100_000


def test_a_superseded_connection_changes_no_value(holder: Holder) -> None:
    protocol = holder.worker.station.connection
    assert protocol is not None
    holder.tells("NotifyReport", part(0, variable("A", "new")))
    holder.log.opens("c2", protocol=protocol.protocol)

    holder.tells("NotifyReport", part(0, variable("A", "old")), connection="c1")

    assert holder.one("variables")["value"] == "new"
    assert holder.worker.frames()[-1][2] == {}


# OCPP 1.6


def test_configuration_keys_are_variables_without_a_component() -> None:
    holder = Holder()
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        {"key": "AuthorizationKey", "readonly": False, "value": "hunter2"},
        {"key": "GetConfigurationMaxKeys", "readonly": True, "value": "50"},
    ]

    holder.asked("GetConfiguration", {}, {"configurationKey": keys})

    found = holder.of("variables")
    assert column(found, "component", "variable", "value", "mutability") == [
        ("", "AuthorizationKey", None, "ReadWrite"),
        ("", "GetConfigurationMaxKeys", "50", "ReadOnly"),
        ("", "HeartbeatInterval", "300", "ReadWrite"),
        ("", "NumberOfConnectors", "2", "ReadOnly"),
    ]
    assert "hunter2" not in str(holder.values)
    assert holder.worker.station.limit_of("GetConfigurationMaxKeys") == 50
    holder.assert_rebuilt()


def test_a_changed_configuration_is_known_and_a_refused_one_is_not() -> None:
    holder = Holder()
    for key, status in (("A", "Accepted"), ("B", "RebootRequired"), ("C", "Rejected")):
        holder.asked("ChangeConfiguration", {"key": key, "value": "1"}, {"status": status})
    holder.asked(
        "ChangeConfiguration",
        {"key": "AuthorizationKey", "value": "x" * 20},
        {"status": "Accepted"},
    )

    assert column(holder.of("variables"), "variable", "value", "value_after_reboot") == [
        ("A", "1", None),
        ("AuthorizationKey", None, None),
        ("B", None, "1"),
    ]
    holder.asked("GetConfiguration", {"key": ["A"]}, {"unknownKey": ["A"]})
    assert column(holder.of("variables"), "variable") == ["AuthorizationKey", "B"]


def test_a_key_is_the_same_in_any_case_and_spelled_as_the_station_does() -> None:
    holder = Holder()
    key = {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
    holder.asked("GetConfiguration", {}, {"configurationKey": [key]})
    holder.asked(
        "ChangeConfiguration", {"key": "heartbeatinterval", "value": "60"}, {"status": "Accepted"}
    )
    assert column(holder.of("variables"), "variable", "value") == [("HeartbeatInterval", "60")]
    holder.asked(
        "GetConfiguration", {"key": ["HEARTBEATINTERVAL"]}, {"unknownKey": ["HEARTBEATINTERVAL"]}
    )
    assert holder.of("variables") == {}


def test_all_keys_of_a_station_replace_those_before() -> None:
    holder = Holder()
    holder.asked("ChangeConfiguration", {"key": "Gone", "value": "1"}, {"status": "Accepted"})
    keys = [{"key": "A", "readonly": False, "value": "1"}]
    holder.asked("GetConfiguration", {}, {"configurationKey": keys})

    assert column(holder.of("variables"), "variable") == ["A"]


def test_a_station_that_speaks_of_nothing_holds_nothing() -> None:
    holder = Holder()
    holder.tells("Heartbeat", {})
    holder.tells(
        "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    )
    holder.asked("Reset", {"type": "Soft"}, {"status": "Accepted"})

    assert holder.worker.station.held is None
