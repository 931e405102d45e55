"""P7: outages and take-overs make the deadlines of commands later by their length."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from domain.outages import PERIODS_MAX, Outages
from infra.snapshots import Snapshots, header_of
from schemas.records import CALL, MessageSent, TimeoutElapsed
from tests.domain.log import NOW, SECOND, Log, Worker, working

RESET = {"type": "Soft"}


def elapsed(log: Log) -> list[TimeoutElapsed]:
    records = [log.read(offset) for offset in range(len(log.values))]
    return [record for record in records if isinstance(record, TimeoutElapsed)]


def successor(log: Log, name: str) -> Worker:
    worker = Worker(log, name)
    worker.claim()
    worker.settle()
    return worker


def lone() -> tuple[Log, Worker]:
    """An owner, and a station that is not connected."""
    log = Log()
    return log, successor(log, "w1")


def test_a_command_that_waits_is_due_later_by_an_outage() -> None:
    log, worker = lone()
    log.requests("Reset", RESET, "k1", expires_at=NOW + 60 * SECOND)
    log.now = NOW + 10 * SECOND
    log.opens("c9", station="CP9")
    worker.settle()

    log.now = NOW + 600 * SECOND
    successor(log, "w2")
    assert elapsed(log) == []

    log.now = NOW + 649 * SECOND
    second = successor(log, "w3")
    assert elapsed(log) == []
    log.now = NOW + 710 * SECOND
    second.settle()
    assert [(each.command_id, each.purpose) for each in elapsed(log)] == [("k1", "command-expired")]


def test_it_is_sent_after_the_outage_with_what_is_left_of_its_time() -> None:
    log, worker = lone()
    log.requests("Reset", RESET, "k1", expires_at=NOW + 20 * SECOND)
    worker.settle()
    log.now = NOW + 600 * SECOND
    second = successor(log, "w2")
    log.opens()
    second.settle()

    (call,) = [sent for _, sent in second.dispatched if sent.message_type == CALL]
    assert call.deadline == NOW + 620 * SECOND


def test_an_answer_may_come_later_by_the_length_of_a_take_over() -> None:
    log, worker = working()
    log.requests("Reset", RESET, "k1", expires_at=NOW + 600 * SECOND)
    worker.settle()
    (call,) = [sent for _, sent in worker.dispatched if sent.message_type == CALL]
    assert call.deadline == NOW + 30 * SECOND
    log.now = NOW + 5 * SECOND
    log.calls("Heartbeat", {}, "h1")
    worker.settle()

    log.now = NOW + 10 * SECOND
    log.calls("Heartbeat", {}, "h2")
    log.now = NOW + 35 * SECOND
    second = successor(log, "w2")
    assert second.fate("k1") == "dispatched"
    log.now = NOW + 54 * SECOND
    second.settle()
    assert second.fate("k1") == "dispatched"
    log.now = NOW + 55 * SECOND
    second.settle()
    assert second.fate("k1") == "timed_out"


def test_what_was_due_before_the_outage_is_not_brought_back() -> None:
    outages = Outages()
    outages.last_at = 100
    outages.end(200)
    assert outages.extended(0, 90) == 90
    assert outages.extended(0, 150) == 250
    assert outages.extended(120, 150) == 230
    assert outages.extended(200, 250) == 250


def test_the_same_log_gives_the_same_deadlines_whoever_folds_it_and_when() -> None:
    log, worker = lone()
    log.requests("Reset", RESET, "k1", expires_at=NOW + 60 * SECOND)
    worker.settle()
    for number in range(2, 6):
        log.now += 30 * SECOND
        worker = successor(log, f"w{number}")
    again = Worker(log, "another")
    again.read()
    assert again.owner.outages == worker.owner.outages
    assert len(worker.owner.outages.periods) == 4


@given(
    claims=st.lists(st.integers(1, 1_000), max_size=PERIODS_MAX + 10),
    since=st.integers(0, 20_000),
    wait=st.integers(1, 1_000),
)
def test_nothing_is_due_earlier_nor_later_than_by_all_outages_since(
    claims: list[int], since: int, wait: int
) -> None:
    outages, now, total = Outages(last_at=1), 1, 0
    for length in claims:
        outages.end(now + length)
        now += length
        total += length
    due = outages.extended(since, since + wait)
    assert since + wait <= due <= since + wait + total
    assert due <= max(since + wait, now + wait)


def test_a_record_of_a_call_is_not_an_owners_sign_of_life_and_an_answer_is() -> None:
    log, worker = working()
    log.now = NOW + SECOND
    log.calls("Heartbeat", {}, "h1")
    worker.read()
    assert worker.owner.outages.waiting_at == NOW + SECOND
    worker.settle()
    assert worker.owner.outages.waiting_at == 0
    assert isinstance(log.read(len(log.values) - 1), MessageSent)


def test_an_owner_from_a_snapshot_knows_the_same_outages(tmp_path: Path) -> None:
    log, worker = lone()
    log.now += 30 * SECOND
    worker = successor(log, "w2")
    snapshots = Snapshots(tmp_path / "snapshots.sqlite")
    snapshots.save(1, header_of(worker.owner, "log"), [])

    loaded = snapshots.load(1, "log")

    assert loaded is not None
    assert loaded[0].outages == worker.owner.outages
    assert worker.owner.outages.periods
