"""Security profiles: which commands give one, which of them lower it, and a lower one is noted."""

from typing import Any

import pytest

from domain.security_profiles import LOWERED, is_lower, may_concern, profiles_in
from tests.domain.holding import Holder, column

SLOTS = {0: 1, 1: 3}


def variable(name: str, value: str, component: str = "SecurityCtrlr") -> dict[str, Any]:
    return {
        "component": {"name": component},
        "variable": {"name": name},
        "attributeValue": value,
    }


def variables(*items: Any) -> dict[str, Any]:
    return {"setVariableData": list(items)}


@pytest.mark.parametrize(
    ("action", "payload", "given"),
    [
        ("ChangeConfiguration", {"key": "SecurityProfile", "value": "1"}, [("value", 1)]),
        ("ChangeConfiguration", {"key": "securityprofile", "value": " 2"}, [("value", 2)]),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "1"}, []),
        (
            "SetVariables",
            variables(variable("A", "0"), variable("SecurityProfile", "2")),
            [("setVariableData.1.attributeValue", 2)],
        ),
        (
            "SetVariables",
            variables(variable("NetworkConfigurationPriority", "1,0, 7", "OCPPCommCtrlr")),
            [("setVariableData.0.attributeValue", 3), ("setVariableData.0.attributeValue", 1)],
        ),
        (
            "SetNetworkProfile",
            {"configurationSlot": 1, "connectionData": {"securityProfile": 1}},
            [("connectionData.securityProfile", 1)],
        ),
        ("Reset", {"type": "Immediate"}, []),
    ],
)
def test_what_gives_a_station_a_profile_is_found(
    action: str, payload: Any, given: list[tuple[str, int]]
) -> None:
    assert list(profiles_in(action, payload, SLOTS)) == given
    assert may_concern(action, payload) == bool(given)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("may_lower", [False, True])
def test_only_from_3_to_2_and_only_where_the_station_allows_it(
    version: str, may_lower: bool
) -> None:
    allowed = {
        (wanted, present)
        for present in range(4)
        for wanted in range(4)
        if not is_lower(wanted, present, version, may_lower=may_lower)
    }
    upwards = {(wanted, present) for present in range(4) for wanted in range(present, 4)}

    is_open = may_lower and version != "1.6"
    assert allowed == (upwards | {(2, 3)} if is_open else upwards)


def tells(holder: Holder, version: str, profile: str) -> None:
    if version == "1.6":
        key = {"key": "SecurityProfile", "readonly": False, "value": profile}
        holder.asked("GetConfiguration", {}, {"configurationKey": [key]})
        return
    name = variable("SecurityProfile", profile)
    del name["attributeValue"]
    data = [{**name, "variableAttribute": [{"value": profile, "mutability": "ReadOnly"}]}]
    report = {"requestId": 1, "generatedAt": "2026-11-23T10:00:00Z", "seqNo": 0}
    holder.tells("NotifyReport", {**report, "reportData": data})


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_lower_profile_that_a_station_tells_is_a_security_event(version: str) -> None:
    holder = Holder(version)
    for profile in ("1", "3", "3", "none", "99", "-1", "2"):
        tells(holder, version, profile)

    events = holder.of("security-events")
    assert column(events, "type", "tech_info") == [(LOWERED, "from 3 to 2")]
    holder.assert_rebuilt()


def test_another_component_s_variable_of_that_name_says_nothing_of_it() -> None:
    holder = Holder("2.0.1")
    tells(holder, "2.0.1", "3")
    name = {"component": {"name": "Other"}, "variable": {"name": "SecurityProfile"}}
    data = [{**name, "variableAttribute": [{"value": "1"}]}]
    report = {"requestId": 2, "generatedAt": "2026-11-23T10:00:00Z", "seqNo": 0}
    holder.tells("NotifyReport", {**report, "reportData": data})

    assert holder.of("security-events") == {}
