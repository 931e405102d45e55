"""What an owner says for its partition: that it decides, and what it has set aside."""

from typing import Any

import pytest

from domain.self_check import SelfCheck
from domain.set_aside import SetAside
from schemas.records import (
    CanaryAnswered,
    CanaryAsked,
    MessageSent,
    PartitionClaimed,
    RecordSetAside,
)
from tests.domain.log import KEY, NOW, POLICY, SECOND, Log, Worker, working


def of_kind(log: Log, kind: type[Any]) -> list[Any]:
    found = [log.read(offset) for offset in range(len(log.values))]
    return [record for record in found if isinstance(record, kind)]


def ask(log: Log) -> int:
    return log.append(CanaryAsked(recorded_at=log.now), writer="api")[0]


def test_a_canary_is_answered_once_and_touches_no_station() -> None:
    log, worker = working()
    before = dict(worker.owner.stations)

    asked = ask(log)
    worker.settle()
    worker.settle()

    (answered,) = of_kind(log, CanaryAnswered)
    assert (answered.cause, answered.epoch) == (asked, worker.owner.epoch)
    assert worker.owner.stations == before
    assert worker.frames() == []


def test_of_canaries_that_pile_up_the_latest_is_answered() -> None:
    log, worker = working()
    ask(log)
    latest = ask(log)

    worker.settle()

    assert [each.cause for each in of_kind(log, CanaryAnswered)] == [latest]
    again = ask(log)
    worker.settle()
    assert [each.cause for each in of_kind(log, CanaryAnswered)] == [latest, again]


def test_what_a_fenced_owner_did_not_answer_the_next_one_does() -> None:
    log, worker = working()
    asked = ask(log)
    worker.read()
    late = worker.owner.decide(log.now)
    successor = Worker(log, "w2")
    successor.claim()
    log.append(*late, writer="w1")

    successor.settle()

    counted = [each for each in of_kind(log, CanaryAnswered) if each.epoch == successor.owner.epoch]
    assert [each.cause for each in counted] == [asked]


def test_a_canary_is_answered_after_the_stations() -> None:
    log, worker = working()
    ask(log)
    log.calls("Heartbeat", {}, "h1")

    worker.settle()

    assert worker.frames()[0][:2] == [3, "h1"]
    kinds = [type(log.read(offset)) for offset in range(len(log.values))][-2:]
    assert kinds == [MessageSent, CanaryAnswered]


def test_a_take_over_begins_where_the_canary_was_not_answered() -> None:
    log, worker = working()
    log.now += 600 * SECOND
    ask(log)
    log.now += 60 * SECOND
    successor = Worker(log, "w2")
    successor.claim()

    began, ended = successor.owner.outages.periods[-1]

    assert (ended - began) / SECOND == 60
    worker.read()
    assert not worker.owner.owns


def breaks(*_: object) -> None:
    raise ValueError("a rule that fails")


def test_what_cannot_be_decided_is_pointed_at_in_the_log_once_and_again_after_a_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, worker = working()
    monkeypatch.setattr("domain.owner.routes.answer", breaks)
    cause = log.calls("Heartbeat", {}, "h1")
    worker.settle()
    log.opens("other", station="CP2")
    log.calls("Heartbeat", {}, "h2")
    worker.settle()

    (said,) = of_kind(log, RecordSetAside)
    assert (said.cause, said.of_tenant, said.of_station) == (cause, *KEY)
    assert said.reason == "ValueError: a rule that fails"
    assert (said.tenant, said.station) == ("", "")

    worker.claim()
    worker.settle()
    assert [each.cause for each in of_kind(log, RecordSetAside)] == [cause, cause]


def test_a_value_that_is_no_record_is_pointed_at_without_a_station() -> None:
    log, worker = working()
    worker.owner.pass_over(worker.owner.position, "not JSON")
    log.values.append(b"no record")

    worker.settle()

    (said,) = of_kind_but(log, RecordSetAside, b"no record")
    assert (said.of_tenant, said.of_station, said.reason) == ("", "", "not JSON")


def of_kind_but(log: Log, kind: type[Any], junk: bytes) -> list[Any]:
    found = [log.read(o) for o, value in enumerate(log.values) if value != junk]
    return [record for record in found if isinstance(record, kind)]


def test_the_first_pointer_to_a_torn_state_stays() -> None:
    check = SelfCheck({}, {}, POLICY.set_aside_max)
    check.set_aside(KEY, SetAside(7, "a decision", False))
    check.set_aside(KEY, SetAside(8, "a fold", True))
    check.set_aside(KEY, SetAside(9, "another fold", True))

    assert check.poisoned == {KEY: SetAside(8, "a fold", True)}


def test_no_more_are_pointed_at_than_may_be_set_aside() -> None:
    check = SelfCheck({}, dict.fromkeys(range(1_000), "not JSON"), 3)
    check.fold(1_000, PartitionClaimed(recorded_at=NOW, owner="w1"))

    said = []
    while (each := check.due(NOW, 1_000)) is not None:
        said.append(each.cause)

    assert said == [0, 1, 2]
    assert not check.owes
