"""A simulated station of 2.0.1 or 2.1 answers every action validly, by its state."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.outbound import OUTBOUND
from infra.simulator import commands_2
from infra.simulator.answers import Findings
from infra.simulator.call_lane import Witness
from infra.simulator.dialects import dialect
from infra.simulator.oplog import OpLog
from infra.simulator.reply import Answer, CallError
from infra.simulator.station import Station, StationOptions
from schemas import payloads
from tests import payload_strategies
from tests.infra.test_simulator_commands import NOW

ACTIONS = [(version, action) for version in ("2.0.1", "2.1") for action in OUTBOUND[version]]
ANSWERED = [each for each in ACTIONS if each[1] in commands_2.COMMANDS]
HEARTBEAT = {
    "component": {"name": "OCPPCommCtrlr"},
    "variable": {"name": "HeartbeatInterval"},
}


def station_of(version: str) -> Station:
    options = StationOptions(
        name="SIM-1", url="ws://localhost", password=None, answer_timeout_s=1, give_up_s=None
    )
    witness = Witness(oplog=OpLog(None, keep=False), findings=Findings(), wall=lambda: NOW)
    return Station(options, dialect(version), witness, Random(1))


def asked(station: Station, action: str, **payload: Any) -> Answer:
    return commands_2.answer(station, action, payload, version="2.0.1", valid=True)


@pytest.mark.parametrize(("version", "action"), ANSWERED)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_every_action_of_ours_is_answered_validly(
    version: str, action: str, data: st.DataObject
) -> None:
    station = station_of(version)
    for _ in range(2):
        payload = data.draw(payload_strategies.valid(version, action))
        answer = commands_2.answer(station, action, payload, version=version, valid=True)

        if not isinstance(answer.payload, CallError):
            assert payloads.violations(version, action, answer.payload, response=True) == ()


@pytest.mark.parametrize(("version", "action"), [each for each in ACTIONS if each not in ANSWERED])
def test_what_the_station_lacks_is_not_supported(version: str, action: str) -> None:
    answer = commands_2.answer(station_of(version), action, {}, version=version, valid=True)

    assert answer.payload == CallError("NotSupported", action)


def test_what_the_version_does_not_have_is_not_implemented() -> None:
    assert asked(station_of("2.0.1"), "RemoteStartTransaction").payload == CallError(
        "NotImplemented", "RemoteStartTransaction"
    )


def test_a_variable_that_was_set_is_got_and_others_say_why_not() -> None:
    station = station_of("2.0.1")
    wanted = [
        {**HEARTBEAT, "attributeValue": "77"},
        {**HEARTBEAT, "attributeValue": "soon"},
        {**HEARTBEAT, "variable": {"name": "NoSuch"}, "attributeValue": "1"},
        {**HEARTBEAT, "component": {"name": "NoSuch"}, "attributeValue": "1"},
    ]
    done = asked(station, "SetVariables", setVariableData=wanted).payload
    got = asked(station, "GetVariables", getVariableData=[HEARTBEAT]).payload

    assert isinstance(done, dict)
    assert isinstance(got, dict)
    assert [each["attributeStatus"] for each in done["setVariableResult"]] == [
        "Accepted", "Rejected", "UnknownVariable", "UnknownComponent",
    ]  # fmt: skip
    assert got["getVariableResult"][0]["attributeValue"] == "77"


def test_a_password_is_taken_and_never_told() -> None:
    station = station_of("2.1")
    name = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    wanted = [{**name, "attributeValue": "a-secret-of-sixteen"}]
    asked(station, "SetVariables", setVariableData=wanted)
    got = asked(station, "GetVariables", getVariableData=[name]).payload

    assert station.password == "a-secret-of-sixteen"
    assert isinstance(got, dict)
    assert got["getVariableResult"][0]["attributeStatus"] == "Rejected"
    assert "a-secret-of-sixteen" not in str(got)


def test_more_items_than_the_station_takes_are_refused() -> None:
    answer = asked(station_of("2.0.1"), "GetVariables", getVariableData=[HEARTBEAT] * 5)

    assert isinstance(answer.payload, CallError)
    assert answer.payload.code == "OccurrenceConstraintViolation"


def test_a_change_of_the_local_list_needs_a_newer_version() -> None:
    station = station_of("2.0.1")

    def sent(version: int, update: str) -> Any:
        entries = [{"idToken": {"idToken": f"T{version}", "type": "Central"}}]
        return asked(
            station, "SendLocalList", versionNumber=version, updateType=update,
            localAuthorizationList=entries,
        ).payload  # fmt: skip

    assert sent(3, "Full") == {"status": "Accepted"}
    assert sent(3, "Differential") == {"status": "VersionMismatch"}
    assert sent(4, "Differential") == {"status": "Accepted"}
    assert asked(station, "GetLocalListVersion").payload == {"versionNumber": 4}
