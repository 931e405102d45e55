"""Results of stations that break their schemas: they are answers all the same, and flagged."""

from typing import Any

import msgspec
import pytest

from domain.commands import Command, CommandMoved
from domain.conversation import fold
from domain.station import Station
from ingress import rpc
from schemas import tolerance
from schemas.records import CALL, MessageReceived
from tests.domain.holding import Holder
from tests.domain.log import KEY, Log, start, working


def moved(log: Log) -> Command:
    """The command as a view is told of it last."""
    station = Station(*KEY, 1)
    records = [(offset, log.read(offset)) for offset in range(len(log.values))]
    facts = [
        fact
        for offset, record in records
        if record.station == "CP1"
        for fact in fold(station, offset, record)
    ]
    return [fact.command for fact in facts if isinstance(fact, CommandMoved)][-1]


@pytest.mark.parametrize(
    ("version", "action", "answer", "oddity"),
    [
        ("1.6", "ClearCache", {"status": "Accepted"}, ""),
        ("1.6", "ClearCache", {"status": "Perhaps"}, "the answer breaks its schema: $.status: "),
        ("2.0.1", "ClearCache", {}, "the answer breaks its schema: $: "),
        ("2.1", "ClearCache", {"status": "Accepted", "x": 1}, "the answer breaks its schema: $: "),
        ("2.1", "ChangeConfiguration", {"odd": 1}, ""),
    ],
)
def test_it_settles_the_command_which_says_what_is_odd(
    version: str, action: str, answer: Any, oddity: str
) -> None:
    log, worker = working(protocol=version)
    log.requests(action, {})
    worker.settle()
    log.says([3, "k1", answer])
    worker.settle()

    command = moved(log)
    assert (command.fate, command.error_code) == ("answered", "")
    assert command.error_description.startswith(oddity)
    assert bool(command.error_description) == bool(oddity)
    assert [frame[0] for frame in worker.frames()] == [CALL]


def test_an_error_without_a_code_settles_it_as_an_error() -> None:
    log, worker = working()
    log.requests("ClearCache", {})
    worker.settle()
    log.says([4, "k1"], error="FormationViolation", violations=("$: not an error",))
    worker.settle()

    command = moved(log)
    assert (command.fate, command.answer, command.effect) == ("answered", None, -1)
    assert (command.error_code, command.error_description) == ("GenericError", "$: not an error")


def test_what_is_no_result_at_all_settles_it_too() -> None:
    log, worker = working()
    log.requests("ClearCache", {})
    worker.settle()
    log.says([3, "k1", 7], error="FormationViolation", violations=("$: not a result",))
    worker.settle()

    command = moved(log)
    assert (command.fate, command.answer) == ("answered", b"null")
    assert command.error_description == "$: not a result"


@pytest.mark.parametrize("behind", [[""], [{}], [None, []]])
def test_what_stands_behind_a_result_does_not_cost_its_content(behind: list[Any]) -> None:
    holder = Holder("1.6")
    result = {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "30"}]}
    flag = tolerance.LONG_RESULT.flag
    command_id = holder.ask("GetConfiguration", {})
    holder.log.says([3, command_id, result, *behind], violations=(flag,))
    holder.worker.settle()

    command = moved(holder.log)
    assert (command.fate, command.error_description) == ("answered", flag)
    assert command.answer is not None
    assert msgspec.json.decode(command.answer) == result
    assert command.effect >= 0
    assert holder.one("variables")["value"] == "30"
    holder.assert_rebuilt()


@pytest.mark.parametrize(
    "text",
    [
        '[3,"k1",{"configurationKey":[{"key":"A","readonly":false,"value":"30\x01"}]}]',
        '[3,"k1",{"configurationKey":[{"key":"A","readonly":false,"value":"30\\u0001"},]}]',
        '\ufeff[3,"k1",{"configurationKey":[{"key":"A","readonly":false,"value":"30\\u0001"}]}]',
    ],
)
def test_how_a_result_was_printed_does_not_cost_its_content(text: str) -> None:
    holder = Holder("1.6")
    holder.ask("GetConfiguration", {})
    frame = rpc.read("1.6", text)
    holder.log.append(
        MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=holder.log.now,
            connection="c1",
            number=1,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            error=frame.error,
            violations=frame.violations,
        )
    )
    holder.worker.settle()

    command = moved(holder.log)
    assert (command.fate, command.effect >= 0) == ("answered", True)
    assert command.error_description == tolerance.CONTROL_CHARACTERS.flag
    assert holder.one("variables")["value"] == "30\x01"
    holder.assert_rebuilt()


def test_the_name_of_the_action_before_a_result_does_not_cost_its_content() -> None:
    holder = Holder("2.0.1")
    command_id = holder.ask("GetLocalListVersion", {})
    frame = [3, command_id, "GetLocalListVersion", {"versionNumber": 7}]
    holder.log.says(frame, violations=(tolerance.LONG_RESULT.flag,))
    holder.worker.settle()

    assert moved(holder.log).effect >= 0
    assert holder.one("local-list")["version"] == 7


@pytest.mark.parametrize(
    ("told", "code", "description"),
    [
        (["InternalError", None, None], "InternalError", ""),
        (["InternalError", "no", {}], "InternalError", "no"),
        (["InternalError"], "InternalError", ""),
        (["InternalError", 7, {}], "InternalError", "7"),
        (["", "no", {}], "GenericError", "no"),
    ],
)
def test_an_error_says_what_stands_in_it_and_nothing_for_what_does_not(
    told: list[Any], code: str, description: str
) -> None:
    log, worker = working()
    log.requests("ClearCache", {})
    worker.settle()
    log.says([4, "k1", *told])
    worker.settle()

    command = moved(log)
    assert (command.error_code, command.error_description) == (code, description)


ITEM = {"component": {"name": "C"}, "variable": {"name": "V"}}


@pytest.mark.parametrize(
    ("version", "action", "without", "having"),
    [
        ("1.6", "GetLocalListVersion", [{}, {"listVersion": None}], {"listVersion": 0}),
        ("1.6", "ClearCache", [{}, {"status": None}], {"status": "accepted"}),
        ("1.6", "GetInstalledCertificateIds", [{}], {"status": "NotFound"}),
        ("1.6", "GetCompositeSchedule", [{}], {"status": "Accepted"}),
        ("2.0.1", "GetLocalListVersion", [{}], {"versionNumber": "7"}),
        ("2.0.1", "GetTransactionStatus", [{}], {"messagesInQueue": False}),
        ("2.0.1", "SetChargingProfile", [{}], {"status": "Accepted"}),
        ("2.0.1", "SetDisplayMessage", [{}], {"status": "Accepted"}),
        ("2.0.1", "SetVariables",
         [{}, {"status": "Accepted"}, {"setVariableResult": []}, {"setVariableResult": 5},
          {"setVariableResult": [ITEM]},
          {"setVariableResult": [{**ITEM, "attributeStatus": "Accepted"}, 5]},
          {"setVariableResult": {**ITEM, "attributeStatus": "Rejected"}}],
         {"setVariableResult": {**ITEM, "attributeStatus": "Accepted"}}),
        ("2.0.1", "GetVariables", [{}, {"getVariableResult": [ITEM]}],
         {"getVariableResult": [{**ITEM, "attributeStatus": "Accepted", "attributeValue": "1"}]}),
        ("2.0.1", "SetVariableMonitoring", [{}],
         {"setMonitoringResult": [
             {**ITEM, "status": "Accepted", "type": "Delta", "severity": 5, "id": 1}]}),
        ("2.0.1", "ClearVariableMonitoring", [{}, {"clearMonitoringResult": [{"id": 1}]}],
         {"clearMonitoringResult": [{"id": 1, "status": "Accepted"}]}),
        ("2.0.1", "CostUpdated", [], {}),
        ("2.1", "ClearTariffs", [{}], {"clearTariffsResult": [{"status": "Accepted"}]}),
        ("2.1", "GetTariffs", [{}], {"status": "NoTariff"}),
        ("2.1", "GetPeriodicEventStream", [], {}),
    ],
)  # fmt: skip
def test_an_effect_is_seen_in_an_answer_that_has_it_and_in_no_other(
    version: str, action: str, without: list[Any], having: Any
) -> None:
    for answer, is_shown in [*((each, False) for each in without), (having, True)]:
        log, worker = working(protocol=version)
        log.requests(action, {})
        worker.settle()
        log.says([3, "k1", answer])
        worker.settle()

        command = moved(log)
        assert command.fate == "answered"
        assert (command.effect >= 0) is is_shown, answer
        assert worker.owner.poisoned == {}


def test_what_is_asked_without_a_report_is_done_only_where_the_answer_says_so() -> None:
    log, worker = working(protocol="2.0.1")
    log.requests("CustomerInformation", {"requestId": 1, "report": False, "clear": True})
    worker.settle()
    log.says([3, "k1", {}])
    worker.settle()
    assert moved(log).effect < 0


def test_a_start_that_was_answered_with_nothing_is_seen_when_it_happens() -> None:
    log, worker = working()
    log.requests("RemoteStartTransaction", {"idTag": "TAG"})
    worker.settle()
    log.says([3, "k1", {}])
    log.calls("StartTransaction", start())
    worker.settle()
    assert moved(log).effect >= 0
