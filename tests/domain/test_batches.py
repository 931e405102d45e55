"""Lists that a station takes only so many items of at a time: several CALLs, one command."""

from typing import Any

import pytest

from domain.batches import joined
from domain.commands import OPEN_FATES
from schemas.records import CALL, ConnectionClosed, DeliveryFailed
from tests.domain.log import SECOND, Log, Worker, parse, working
from tests.domain.test_command_effects import as_seen
from tests.domain.test_outbound import assert_folds_the_same, moves


def variable(name: str, instance: str = "", component: str = "DeviceDataCtrlr") -> dict[str, Any]:
    named = {"name": name, "instance": instance} if instance else {"name": name}
    return {"component": {"name": component}, "variable": named}


def taking(items_max: int, action: str = "GetVariables") -> tuple[Log, Worker]:
    """A station that has reported how many items it takes."""
    log, worker = working(protocol="2.0.1")
    log.calls(
        "NotifyReport",
        {
            "requestId": 1,
            "generatedAt": "2026-11-23T10:00:00Z",
            "seqNo": 0,
            "reportData": [
                {
                    **variable("ItemsPerMessage", action),
                    "variableAttribute": [{"value": str(items_max)}],
                }
            ],
        },
    )
    worker.settle()
    return log, worker


def asked(log: Log, worker: Worker, items: int) -> None:
    wanted = [variable(f"V{number}") for number in range(items)]
    log.requests("GetVariables", {"getVariableData": wanted})
    worker.settle()


def sent(worker: Worker) -> list[tuple[str, list[str]]]:
    """Message id and the variables' names of each CALL of ours."""
    frames = [parse(sent.frame) for _, sent in worker.dispatched if sent.message_type == CALL]
    return [
        (frame[1], [item["variable"]["name"] for item in frame[3]["getVariableData"]])
        for frame in frames
    ]


def answers(log: Log, worker: Worker) -> None:
    """The station answers what was sent last."""
    message_id, names = sent(worker)[-1]
    results = [
        {"attributeStatus": "Accepted", "attributeValue": f"of {name}", **variable(name)}
        for name in names
    ]
    log.says([3, message_id, {"getVariableResult": results}])
    worker.settle()


@pytest.mark.parametrize(("items_max", "items"), [(2, 5), (1, 3), (4, 4), (3, 2), (7, 5)])
def test_a_list_goes_out_in_as_many_calls_as_it_takes_in_order(items_max: int, items: int) -> None:
    log, worker = taking(items_max)
    asked(log, worker, items)
    calls = -(-items // items_max)
    for _ in range(calls):
        assert as_seen(log).fate == "dispatched"
        answers(log, worker)

    command = as_seen(log)
    assert len(sent(worker)) == calls
    assert [name for _, names in sent(worker) for name in names] == [f"V{n}" for n in range(items)]
    assert all(len(names) <= items_max for _, names in sent(worker))
    assert len({message_id for message_id, _ in sent(worker)}) == calls
    assert all(len(message_id) <= 36 for message_id, _ in sent(worker))
    assert command.fate == "answered"
    assert command.effect >= 0
    assert command.answer is not None
    told = parse(command.answer)["getVariableResult"]
    assert [each["attributeValue"] for each in told] == [f"of V{n}" for n in range(items)]
    assert worker.station.in_flight == ""
    assert_folds_the_same(log, worker)


def test_a_list_of_a_station_that_did_not_say_goes_out_whole() -> None:
    log, worker = working(protocol="2.0.1")
    asked(log, worker, 60)

    assert len(sent(worker)) == 1


def test_nothing_comes_between_the_calls_of_one_command() -> None:
    log, worker = taking(1)
    asked(log, worker, 2)
    log.requests("ClearCache", {}, "k2")
    answers(log, worker)
    answers(log, worker)

    actions = [sent.action for _, sent in worker.dispatched if sent.message_type == CALL]
    assert actions == ["GetVariables", "GetVariables", "ClearCache"]


def test_an_error_to_a_later_call_is_the_fate_and_what_was_told_before_is_kept() -> None:
    log, worker = taking(2)
    asked(log, worker, 5)
    answers(log, worker)
    log.says([4, sent(worker)[-1][0], "InternalError", "no", {}])
    worker.settle()

    command = as_seen(log)
    assert (command.fate, command.error_code) == ("answered", "InternalError")
    assert command.answer is not None
    assert len(parse(command.answer)["getVariableResult"]) == 2
    assert len(sent(worker)) == 2


def test_a_doubled_answer_counts_once() -> None:
    log, worker = taking(2)
    asked(log, worker, 4)
    first, names = sent(worker)[0]
    result = [{"attributeStatus": "Accepted", **variable(name)} for name in names]
    log.says([3, first, {"getVariableResult": result}])
    log.says([3, first, {"getVariableResult": result}])
    worker.settle()
    log.says([3, first, {"getVariableResult": result}])
    worker.settle()
    answers(log, worker)

    command = as_seen(log)
    assert command.answer is not None
    assert len(parse(command.answer)["getVariableResult"]) == 4
    assert not command.late


def ends(log: Log, worker: Worker, how: str) -> None:
    offset, last = worker.dispatched[-1]
    if how == "silent":
        log.now += 31 * SECOND
    elif how == "not written":
        log.append(
            DeliveryFailed(
                tenant="default",
                station="CP1",
                recorded_at=log.now,
                connection=last.connection,
                delivery=offset,
                reason="the connection is closing",
            )
        )
    else:
        log.append(
            ConnectionClosed(
                tenant="default",
                station="CP1",
                recorded_at=log.now,
                connection="c1",
                code=1006,
            )
        )
    worker.settle()


@pytest.mark.parametrize(
    ("how", "fate"), [("silent", "timed_out"), ("not written", "unknown"), ("closed", "unknown")]
)
def test_a_command_that_ends_between_its_calls_has_one_fate(how: str, fate: str) -> None:
    log, worker = taking(2)
    asked(log, worker, 5)
    answers(log, worker)
    ends(log, worker, how)
    log.opens("c2", protocol="2.0.1")
    worker.settle()

    settled = [each for each in moves(log) if each not in OPEN_FATES]
    assert settled == [fate]
    assert len(sent(worker)) == 2
    assert_folds_the_same(log, worker)


def test_a_first_call_that_was_not_written_is_sent_over_the_next_connection() -> None:
    log, worker = taking(2)
    asked(log, worker, 3)
    ends(log, worker, "not written")
    log.opens("c2", protocol="2.0.1")
    worker.settle()

    assert [names for _, names in sent(worker)] == [["V0", "V1"], ["V0", "V1"]]
    assert as_seen(log).fate == "dispatched"


def test_a_new_owner_goes_on_where_the_old_one_was() -> None:
    log, worker = taking(2)
    asked(log, worker, 5)
    answers(log, worker)
    other = Worker(log, "w2")
    other.claim()
    other.settle()
    answers(log, worker)
    other.settle()

    assert [names for _, names in sent(other)][-1:] == [["V4"]]


def test_keys_of_1_6_are_split_as_the_station_says() -> None:
    log, worker = working()
    log.requests("GetConfiguration", {"key": ["GetConfigurationMaxKeys"]}, "k0")
    worker.settle()
    key = {"key": "GetConfigurationMaxKeys", "readonly": True, "value": "2"}
    log.says([3, "k0", {"configurationKey": [key]}])
    worker.settle()
    log.requests("GetConfiguration", {"key": ["A", "B", "C"]})
    worker.settle()
    frame = parse(worker.dispatched[-1][1].frame)
    assert frame[3] == {"key": ["A", "B"]}
    log.says([3, "k1", {"unknownKey": ["A", "B"]}])
    worker.settle()
    frame = parse(worker.dispatched[-1][1].frame)
    log.says([3, frame[1], {"configurationKey": [], "unknownKey": ["C"]}])
    worker.settle()

    command = as_seen(log)
    assert frame[3] == {"key": ["C"]}
    assert command.answer is not None
    assert parse(command.answer) == {"configurationKey": [], "unknownKey": ["A", "B", "C"]}


def test_answers_are_joined_by_their_lists() -> None:
    assert joined(None, {"a": [1]}) == {"a": [1]}
    assert joined(b'{"a":[1],"s":1}', {"a": [2], "b": [3], "s": 2}) == {
        "a": [1, 2],
        "b": [3],
        "s": 2,
    }
    assert joined(b'{"a":[1]}', "odd") == "odd"
