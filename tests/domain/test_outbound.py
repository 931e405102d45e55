"""Every action that we may send, in every version: sent, answered and folded to one fate."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.commands import CommandMoved
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.outbound import OUTBOUND
from domain.station import Station, dump
from schemas.records import CALL, CommandUndeliverable
from tests import payload_strategies
from tests.domain.log import KEY, SECOND, Log, Worker, working

EVERY = [(version, action) for version, actions in OUTBOUND.items() for action in actions]
EXAMPLES = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def moves(log: Log) -> list[Any]:
    log_filter, station = LogFilter(), Station(*KEY, 1)
    told = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if log_filter.admit(offset, record) and record.station == "CP1":
            facts = fold(station, offset, record)
            told += [f.command.fate for f in facts if isinstance(f, CommandMoved)]
    return told


def assert_folds_the_same(log: Log, worker: Worker) -> None:
    assert worker.owner.poisoned == {}
    again = Worker(log, "again")
    again.read()
    assert dump(again.station) == dump(worker.station)


@pytest.mark.parametrize(("version", "action"), EVERY)
@EXAMPLES
@given(st.data())
def test_it_is_sent_as_asked_and_a_valid_result_settles_it(
    version: str, action: str, data: st.DataObject
) -> None:
    payload = data.draw(payload_strategies.valid(version, action))
    result = data.draw(payload_strategies.valid_result(version, action))
    log, worker = working(protocol=version)
    log.requests(action, payload)
    worker.settle()
    [sent] = [sent for _, sent in worker.dispatched if sent.message_type == CALL]
    assert msgspec.json.decode(sent.frame) == [2, "k1", action, payload]

    log.says([3, "k1", result])
    worker.settle()

    # A reservation that expired already is settled, and then its effect is seen.
    assert list(dict.fromkeys(moves(log))) == ["requested", "dispatched", "answered"]
    assert_folds_the_same(log, worker)


@pytest.mark.parametrize(("version", "action"), EVERY)
@EXAMPLES
@given(st.data())
def test_whatever_else_comes_it_has_one_fate(
    version: str, action: str, data: st.DataObject
) -> None:
    anything = st.sampled_from(
        ([3, "k1", {"status": 7}], [3, "k1", []], [4, "k1", "NotSupported", "", {}], [3, "x", {}])
    )
    log, worker = working(protocol=version)
    log.requests(action, data.draw(payload_strategies.valid(version, action)))
    worker.settle()
    for frame in data.draw(st.lists(anything, max_size=3)):
        log.says(frame)
    worker.settle()
    log.now += 61 * SECOND
    worker.settle()

    settled = [fate for fate in moves(log) if fate not in ("requested", "dispatched")]
    assert settled
    assert len(set(settled)) == 1
    assert_folds_the_same(log, worker)


@pytest.mark.parametrize(("version", "spoken"), [("1.6", "2.0.1"), ("2.0.1", "1.6")])
def test_a_command_of_another_version_is_never_sent(version: str, spoken: str) -> None:
    log, worker = working(protocol=spoken)
    log.requests("ClearCache", {}, "k1", version=version)
    log.requests("ClearCache", {}, "k2")
    worker.settle()

    assert [sent.command_id for _, sent in worker.dispatched if sent.command_id] == ["k2"]
    assert moves(log) == ["requested", "requested", "undeliverable", "dispatched"]
    assert_folds_the_same(log, worker)


def test_a_station_that_returns_with_another_version_is_not_asked_in_the_old_one() -> None:
    log, worker = working(protocol="1.6")
    log.opens("c2", protocol="2.0.1")
    log.opens("c3", protocol="1.6")
    log.requests("ClearCache", {}, version="2.0.1")
    worker.settle()

    assert moves(log) == ["requested", "undeliverable"]
    records = [log.read(offset) for offset in range(len(log.values))]
    [end] = [record for record in records if isinstance(record, CommandUndeliverable)]
    assert "1.6" in end.reason
    assert "2.0.1" in end.reason
