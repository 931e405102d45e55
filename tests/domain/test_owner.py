"""The rules of owning and deciding, each with the interleaving that breaks them."""

import pytest

from domain import command_lane
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.registry import Registry
from domain.station import dump, load
from domain.transaction_ids import TransactionIds
from schemas.records import (
    CdrReleased,
    ConnectionLost,
    DeliveryFailed,
    MessageSent,
    TimeoutElapsed,
)
from tests.domain.log import KEY, NOW, SECOND, Log, Worker, start, stop, working


def answers(log: Log) -> list[MessageSent]:
    records = [log.read(offset) for offset in range(len(log.values))]
    return [record for record in records if isinstance(record, MessageSent)]


def test_nothing_is_decided_before_the_claim_is_read_back() -> None:
    log = Log()
    worker = Worker(log)
    log.opens()
    log.calls("Heartbeat", {})
    worker.read()
    assert worker.decide() == []
    log.append(worker.owner.claim(NOW), writer="w1")
    assert worker.decide() == []
    worker.read()
    assert len(worker.decide()) == 1


def test_what_the_old_owner_appends_after_the_new_ones_claim_counts_for_nothing() -> None:
    log, old = working()
    log.calls("StartTransaction", start())
    old.read()
    decided = old.owner.decide(NOW)
    new = Worker(log, "w2")
    new.claim()
    log.append(*decided, writer="w1")
    new.settle()
    old.read()
    assert not old.owner.owns
    assert old.dispatched == []
    assert len(new.dispatched) == 1
    third = Worker(log, "w3")
    third.read()
    assert list(third.station.transactions.known) == list(new.station.transactions.known)
    assert str(new.frames()[0][2]["transactionId"]) in third.station.transactions.known


def test_an_owner_stops_deciding_when_it_reads_anothers_claim() -> None:
    log, old = working()
    Worker(log, "w2").claim()
    log.calls("Heartbeat", {})
    old.read()
    assert old.decide() == []


def test_a_retry_that_arrives_while_the_first_decision_is_in_flight_gets_the_first_answer() -> None:
    log, worker = working()
    log.calls("StartTransaction", start(), "a")
    worker.read()
    first = worker.owner.decide(NOW)
    log.calls("StartTransaction", start(), "b")
    worker.read()
    assert worker.decide() == []
    log.append(*first, writer="w1")
    worker.settle()
    one, other = worker.frames()
    assert (one[1], other[1]) == ("a", "b")
    assert one[2] == other[2]
    assert len(worker.station.transactions.known) == 1


def test_an_unknown_append_that_landed_twice_counts_once() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    worker.read()
    [offset] = worker.decide()
    log.append_again(offset)
    worker.settle()
    assert len(worker.dispatched) == 1
    assert len(answers(log)) == 2


def test_a_second_decision_of_the_same_cause_and_purpose_counts_for_nothing() -> None:
    log, worker = working()
    log.calls("Heartbeat", {})
    worker.read()
    [decided] = worker.owner.decide(NOW)
    log.append(decided, writer="w1")
    log.append(decided, writer="w1 after a broken producer")
    worker.settle()
    assert len(worker.dispatched) == 1


def test_a_new_owner_hands_over_again_what_a_dead_one_may_not_have_dispatched() -> None:
    log, dead = working()
    log.calls("Heartbeat", {}, "h1")
    dead.read()
    [offset] = dead.decide()
    new = Worker(log, "w2")
    new.claim()
    unconfirmed = new.owner.unconfirmed(NOW)
    assert [at for at, _ in unconfirmed] == [offset]
    log.calls("Heartbeat", {}, "h2")
    new.settle()
    assert offset not in [at for at, _ in new.owner.unconfirmed(NOW)]


def test_what_is_unconfirmed_on_a_closed_connection_is_not_handed_over() -> None:
    log, worker = working()
    log.calls("Heartbeat", {}, "h1")
    worker.settle()
    log.opens("c2")
    worker.settle()
    assert worker.owner.unconfirmed(NOW) == []


def test_a_call_whose_connection_is_gone_is_decided_all_the_same() -> None:
    log, worker = working()
    log.calls("StopTransaction", stop(77), connection="c1")
    log.opens("c2")
    worker.settle()
    assert [frame[0] for frame in worker.frames()] == [3]


def test_a_recovered_owner_decides_what_was_left_open() -> None:
    log, _ = working()
    log.calls("StartTransaction", start())
    recovered = Worker(log, "w2")
    recovered.claim()
    recovered.settle()
    assert len(recovered.frames()) == 1


def test_recovery_folds_the_same_state_as_live_work() -> None:
    log, worker = working()
    log.calls("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    log.calls("StartTransaction", start())
    worker.settle()
    log.calls("StopTransaction", stop(worker.frames()[-1][2]["transactionId"]))
    worker.settle()
    again = Worker(log, "w2")
    again.read()
    assert dump(again.station) == dump(worker.station)


def test_an_owner_from_a_snapshot_is_the_one_that_folded_everything() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    worker.settle()
    at, state, counter = worker.owner.position, dump(worker.station), worker.owner.next_counter
    filter_state = worker.owner.log_filter.dump()
    log.calls("StopTransaction", stop(worker.frames()[-1][2]["transactionId"]))
    worker.settle()
    restored = restore(worker.owner, at, state, counter, filter_state)
    for offset in range(at, len(log.values)):
        restored.fold(offset, log.read(offset))
    assert dump(restored.stations[KEY]) == dump(worker.station)
    assert restored.log_filter.dump() == worker.owner.log_filter.dump()
    assert restored.next_counter == worker.owner.next_counter


def restore(like: Owner, at: int, state: bytes, counter: int, filter_state: bytes) -> Owner:
    return Owner(
        1,
        name="w9",
        policy=like.policy,
        ids=TransactionIds(b"k" * 32),
        registry=Registry(),
        log_filter=LogFilter(filter_state),
        stations=[load(state)],
        position=at,
        next_counter=counter,
    )


def test_transaction_ids_are_not_given_again_after_a_take_over() -> None:
    log, worker = working()
    given = set()
    for number in range(5):
        log.calls("StartTransaction", start(at=f"2026-11-23T09:0{number}:00Z"))
        worker.settle()
        given.add(worker.frames()[-1][2]["transactionId"])
        worker = Worker(log, f"owner {number}")
        worker.claim()
    assert len(given) == 5


def test_a_dead_ingress_node_with_a_call_in_flight_makes_its_fate_unknown() -> None:
    log, worker = working()
    log.requests("Reset", {"type": "Soft"})
    worker.settle()
    assert worker.fate("k1") == "dispatched"
    lost = list(worker.owner.lost(lambda node: node == "0/a", NOW))
    assert [type(record) for record in lost] == [ConnectionLost]
    log.append(*lost, writer="w1")
    worker.settle()
    assert worker.station.connection is None
    assert worker.fate("k1") == "unknown"
    log.opens("c2", node="1/b")
    worker.settle()
    assert len([frame for frame in worker.frames() if frame[0] == 2]) == 1


def test_the_end_of_a_lost_connection_is_said_once_until_it_is_read_back() -> None:
    log, worker = working()
    (lost,) = worker.owner.lost(lambda node: node == "0/a", NOW)

    assert list(worker.owner.lost(lambda node: node == "0/a", NOW)) == []

    # A second one would not count and never be read back; the station would wait for ever.
    log.append(lost, writer="w1")
    log.opens("c2", node="1/b")
    log.calls("Heartbeat", {}, connection="c2")
    worker.settle()
    assert worker.frames()[-1][0] == 3


def test_a_call_that_was_not_written_is_sent_on_the_next_connection() -> None:
    log, worker = working()
    log.requests("Reset", {"type": "Soft"})
    worker.settle()
    [(offset, sent)] = worker.dispatched
    log.append(
        DeliveryFailed(
            tenant="default",
            station="CP1",
            recorded_at=NOW,
            connection=sent.connection,
            delivery=offset,
            reason="gone",
        )
    )
    log.opens("c2")
    worker.settle()
    assert [at.connection for _, at in worker.dispatched] == ["c1", "c2"]
    assert worker.fate("k1") == "dispatched"


def test_an_unanswered_call_times_out_at_its_deadline_and_frees_the_lane() -> None:
    log, worker = working()
    log.requests("ClearCache", {}, "k1")
    log.requests("ClearCache", {}, "k2")
    worker.settle()
    assert worker.station.in_flight == "k1"
    log.now += 31 * SECOND
    worker.settle()
    assert worker.station.in_flight == "k2"
    elapsed = [r for r in map(log.read, range(len(log.values))) if isinstance(r, TimeoutElapsed)]
    assert [record.command_id for record in elapsed] == ["k1"]


def test_a_cdr_is_released_at_once_when_nothing_has_to_settle() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    worker.settle()
    log.calls("StopTransaction", stop(worker.frames()[-1][2]["transactionId"]))
    worker.settle()
    assert [type(r) for r in map(log.read, range(len(log.values)))].count(CdrReleased) == 1


def test_a_cdr_waits_for_its_settle_window_across_a_take_over() -> None:
    policy = working()[1].owner.policy._replace(settle_us=900 * SECOND)
    log, worker = working(policy)
    log.calls("StartTransaction", start())
    worker.settle()
    log.calls("StopTransaction", stop(worker.frames()[-1][2]["transactionId"]))
    worker.settle()
    log.now += 899 * SECOND
    new = Worker(log, "w2", policy)
    new.claim()
    new.settle()
    assert not isinstance(log.read(len(log.values) - 1), CdrReleased)
    log.now += 2 * SECOND
    new.settle()
    assert isinstance(log.read(len(log.values) - 1), CdrReleased)


def test_a_call_that_the_edge_could_not_read_gets_its_error_and_recovers_the_same() -> None:
    log, worker = working()
    log.says([2, "a", "", {}], error="FormationViolation", violations=("$: not readable",))
    log.says([2, "", "Heartbeat", {}], error="FormationViolation")
    worker.settle()
    assert [frame[:3] for frame in worker.frames()] == [[4, "a", "FormationViolation"]]
    assert not worker.owner.poisoned
    again = Worker(log, "w2")
    again.claim()
    again.settle()
    assert not again.owner.poisoned
    assert dump(again.station) == dump(worker.station)


def test_a_record_that_cannot_be_folded_does_not_stop_the_timers_of_other_stations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = working()[1].owner.policy._replace(settle_us=900 * SECOND)
    log, worker = working(policy)
    log.requests("Reset", {"type": "Soft"}, expires_at=NOW + 10 * SECOND)
    log.opens("c9", station="CP9")
    log.calls("StartTransaction", start(), "s", connection="c9", station="CP9")

    def breaks(*_: object) -> None:
        raise ValueError("a fold that fails")

    with monkeypatch.context() as patched:
        patched.setattr(command_lane, "dispatched", breaks)
        worker.settle()
    assert list(worker.owner.poisoned) == [KEY]
    started = next(frame for frame in worker.frames() if frame[:2] == [3, "s"])
    told = stop(started[2]["transactionId"])
    log.calls("StopTransaction", told, connection="c9", station="CP9")
    worker.settle()
    log.now += 901 * SECOND
    worker.settle()
    assert isinstance(log.read(len(log.values) - 1), CdrReleased)
