"""The lane of our CALLs to a station: every command gets one fate, and its effect is looked for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.answering import Policy
from domain.commands import OPEN_FATES, QUEUED_MAX, WATCHED_MAX, CommandMoved
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.station import FINISHED_MAX, Station
from schemas.records import CALL, ConnectionClosed, DeliveryFailed, MessageSent
from tests.domain.log import KEY, SECOND, Log, Worker, start, stop, working

ANSWER_TIMEOUT_S = Policy().answer_timeout_us // SECOND


def story(log: Log, command_id: str = "k1") -> list[str]:
    """What a view is told of a command: its fate, "late", "effect", at each move."""
    log_filter, station = LogFilter(), Station(*KEY, 1)
    told = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if not log_filter.admit(offset, record) or record.station != "CP1":
            continue
        for fact in fold(station, offset, record):
            if isinstance(fact, CommandMoved) and fact.command.command_id == command_id:
                command = fact.command
                notes = [command.fate, "late" * command.late, "effect" * (command.effect >= 0)]
                told.append(" ".join(note for note in notes if note))
    return told


def asked(action: str, payload: Any, **more: Any) -> tuple[Log, Worker]:
    """A station that has been sent the CALL of command k1."""
    log, worker = working()
    log.requests(action, payload, **more)
    worker.settle()
    return log, worker


def answers(log: Log, payload: Any, command_id: str = "k1", **more: Any) -> None:
    log.says([3, command_id, payload], **more)


def calls(worker: Worker) -> list[MessageSent]:
    return [sent for _, sent in worker.dispatched if sent.message_type == CALL]


def loses_connection(log: Log, connection: str = "c1") -> None:
    log.append(
        ConnectionClosed(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection=connection,
            code=1006,
        )
    )


def test_a_command_is_sent_under_its_own_id_and_answered() -> None:
    log, worker = asked("ClearCache", {})

    assert worker.frames()[-1] == [2, "k1", "ClearCache", {}]

    answers(log, {"status": "Accepted"})
    worker.settle()

    assert story(log) == ["requested", "dispatched", "answered effect"]
    assert worker.station.in_flight == ""


def test_an_answer_that_refuses_is_a_fate_without_effect() -> None:
    log, worker = asked("UnlockConnector", {"connectorId": 1})
    answers(log, {"status": "UnlockFailed"})
    worker.settle()

    assert story(log) == ["requested", "dispatched", "answered"]


def test_a_callerror_is_an_answer_too() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    log.says([4, "k1", "NotSupported", "no such thing", {}])
    worker.settle()
    log.calls("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    worker.settle()

    assert story(log) == ["requested", "dispatched", "answered"]


@pytest.mark.parametrize(
    ("action", "payload"),
    [("GetConfiguration", {}), ("Reset", {"type": "Soft"}), ("UnlockConnector", {})],
)
def test_an_answer_after_the_timeout_annotates_and_changes_no_fate(
    action: str, payload: Any
) -> None:
    log, worker = asked(action, payload)
    log.now += (ANSWER_TIMEOUT_S + 1) * SECOND
    worker.settle()
    answers(log, {"status": "Rejected"})
    worker.settle()

    assert story(log) == ["requested", "dispatched", "timed_out", "timed_out late"]
    assert "k1" not in worker.station.commands


def test_an_effect_may_still_be_seen_after_a_timeout_and_a_late_answer() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    log.now += (ANSWER_TIMEOUT_S + 1) * SECOND
    worker.settle()
    answers(log, {"status": "Accepted"})
    log.calls("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    worker.settle()

    assert story(log) == [
        "requested",
        "dispatched",
        "timed_out",
        "timed_out late",
        "timed_out late effect",
    ]


def test_an_answer_to_nothing_we_asked_disturbs_nothing() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    answers(log, {"status": "Accepted"}, "somebody-elses")
    log.says([4, "-1", "GenericError", "", {}])
    worker.settle()

    assert worker.fate("k1") == "dispatched"
    assert worker.station.in_flight == "k1"


def test_a_second_answer_leaves_the_fate() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    answers(log, {"status": "Accepted"})
    answers(log, {"status": "Rejected"})
    worker.settle()

    assert {fate.partition(" ")[0] for fate in story(log)[2:]} == {"answered"}


EFFECTS: dict[str, tuple[str, Any, str, Any, Any]] = {
    "a remote start": (
        "RemoteStartTransaction",
        {"idTag": "tag", "connectorId": 1},
        "StartTransaction",
        start(),
        start() | {"idTag": "OTHER"},
    ),
    "a remote start on any connector": (
        "RemoteStartTransaction",
        {"idTag": "TAG"},
        "StartTransaction",
        start() | {"connectorId": 2},
        start() | {"idTag": "OTHER"},
    ),
    "a remote start on one connector": (
        "RemoteStartTransaction",
        {"idTag": "TAG", "connectorId": 2},
        "StartTransaction",
        start() | {"connectorId": 2},
        start(),
    ),
    "a reset": (
        "Reset",
        {"type": "Hard"},
        "BootNotification",
        {"chargePointVendor": "V", "chargePointModel": "M"},
        {},
    ),
    "taking a connector out of service": (
        "ChangeAvailability",
        {"connectorId": 1, "type": "Inoperative"},
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Unavailable"},
        {"connectorId": 1, "errorCode": "NoError", "status": "Charging"},
    ),
    "taking a connector back into service": (
        "ChangeAvailability",
        {"connectorId": 1, "type": "Operative"},
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
        {"connectorId": 2, "errorCode": "NoError", "status": "Available"},
    ),
    "a trigger": (
        "TriggerMessage",
        {"requestedMessage": "MeterValues"},
        "MeterValues",
        {"connectorId": 1, "meterValue": []},
        None,
    ),
}


@pytest.mark.parametrize(
    ("action", "payload", "shown_by", "effect", "_"), EFFECTS.values(), ids=EFFECTS.keys()
)
def test_a_command_is_done_when_its_effect_is_seen(
    action: str, payload: Any, shown_by: str, effect: Any, _: Any
) -> None:
    log, worker = asked(action, payload)
    answers(log, {"status": "Accepted"})
    worker.settle()
    log.calls("Heartbeat", {})
    worker.settle()
    assert story(log)[-1] == "answered"

    at = log.calls(shown_by, effect)
    worker.settle()

    assert story(log)[-1] == "answered effect"
    assert story(log).count("answered effect") == 1
    assert "k1" not in worker.station.commands
    assert at < len(log.values)


@pytest.mark.parametrize(
    ("action", "payload", "shown_by", "other"),
    [
        (action, payload, shown_by, other)
        for action, payload, shown_by, _, other in EFFECTS.values()
        if other
    ],
    ids=[name for name, case in EFFECTS.items() if case[4]],
)
def test_what_somebody_else_did_is_not_the_effect(
    action: str, payload: Any, shown_by: str, other: Any
) -> None:
    log, worker = asked(action, payload)
    answers(log, {"status": "Accepted"})
    log.calls(shown_by, other)
    worker.settle()

    assert story(log)[-1] == "answered"


def test_a_remote_stop_is_done_when_that_transaction_ends() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    worker.settle()
    transaction_id = worker.frames()[-1][2]["transactionId"]
    log.requests("RemoteStopTransaction", {"transactionId": transaction_id})
    worker.settle()
    answers(log, {"status": "Accepted"})
    log.calls("StopTransaction", stop(transaction_id + 1))
    worker.settle()
    assert story(log)[-1] == "answered"

    log.calls("StopTransaction", stop(transaction_id))
    worker.settle()

    assert story(log)[-1] == "answered effect"


def test_what_was_told_before_the_command_was_sent_is_not_its_effect() -> None:
    log, worker = working()
    log.calls("StartTransaction", start())
    worker.settle()
    log.requests("RemoteStartTransaction", {"idTag": "TAG"})
    worker.settle()
    answers(log, {"status": "Accepted"})
    log.calls("StartTransaction", start())
    worker.settle()

    assert story(log)[-1] == "answered"


def test_a_command_that_the_station_refused_has_no_effect() -> None:
    log, worker = asked("RemoteStartTransaction", {"idTag": "TAG"})
    answers(log, {"status": "Rejected"})
    log.calls("StartTransaction", start())
    worker.settle()

    assert story(log)[-1] == "answered"


def test_an_effect_may_come_before_the_answer() -> None:
    log, worker = asked("RemoteStartTransaction", {"idTag": "TAG"})
    log.calls("StartTransaction", start())
    worker.settle()
    assert story(log)[-1] == "dispatched effect"

    answers(log, {"status": "Accepted"})
    worker.settle()

    assert story(log)[-1] == "answered effect"


def test_one_call_is_in_flight_and_the_others_follow_in_the_order_of_their_requests() -> None:
    log, worker = working()
    for number in range(4):
        log.requests("ClearCache", {}, f"k{number}")
    worker.settle()
    for number in range(4):
        assert [sent.command_id for sent in calls(worker)] == [f"k{n}" for n in range(number + 1)]
        answers(log, {"status": "Accepted"}, f"k{number}")
        worker.settle()

    assert [story(log, f"k{number}")[-1] for number in range(4)] == ["answered effect"] * 4


def test_the_queue_is_bounded_and_what_is_past_it_is_undeliverable_at_once() -> None:
    log, worker = working()
    for number in range(QUEUED_MAX + 1):
        log.requests("ClearCache", {}, f"k{number}")
    worker.settle()

    assert story(log, f"k{QUEUED_MAX}") == ["undeliverable"]
    assert story(log, f"k{QUEUED_MAX - 1}") == ["requested"]
    assert len([c for c in worker.station.commands.values() if c.is_open]) == QUEUED_MAX


def test_a_command_for_a_station_that_stays_away_expires_undeliverable() -> None:
    log, worker = working()
    loses_connection(log)
    log.requests("Reset", {"type": "Soft"}, expires_at=log.now + 10 * SECOND)
    worker.settle()
    assert worker.fate("k1") == "requested"

    log.now += 11 * SECOND
    worker.settle()
    log.opens("c2")
    worker.settle()

    assert story(log) == ["requested", "undeliverable"]
    assert calls(worker) == []


def test_a_command_waits_for_the_station_to_come_back() -> None:
    log, worker = working()
    loses_connection(log)
    log.requests("Reset", {"type": "Soft"})
    worker.settle()
    log.opens("c2")
    worker.settle()

    assert [sent.connection for sent in calls(worker)] == ["c2"]


def test_a_command_that_expires_in_the_queue_is_undeliverable() -> None:
    log, worker = working()
    log.requests("Reset", {"type": "Soft"}, "k1")
    log.requests("ClearCache", {}, "k2", expires_at=log.now + 5 * SECOND)
    worker.settle()
    log.now += 6 * SECOND
    worker.settle()

    assert story(log, "k2") == ["requested", "undeliverable"]
    assert worker.fate("k1") == "dispatched"


def test_an_answer_is_not_waited_for_past_the_commands_own_deadline() -> None:
    log, worker = working()
    log.requests("ClearCache", {}, expires_at=log.now + 3 * SECOND)
    worker.settle()
    log.now += 4 * SECOND
    worker.settle()

    assert story(log) == ["requested", "dispatched", "timed_out"]


@pytest.mark.parametrize("ending", ["superseded", "closed"])
def test_a_connection_that_ends_with_a_call_in_flight_makes_its_fate_unknown(ending: str) -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    if ending == "superseded":
        log.opens("c2")
    else:
        loses_connection(log)
    worker.settle()

    assert story(log)[-1] == "unknown"
    assert worker.station.in_flight == ""


def test_a_call_whose_fate_is_unknown_is_never_sent_again() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    for connection in ("c2", "c3"):
        log.opens(connection)
        worker.settle()

    assert len(calls(worker)) == 1


def test_the_end_of_a_superseded_connection_leaves_the_new_ones_call_alone() -> None:
    log, worker = working()
    log.opens("c2")
    log.requests("Reset", {"type": "Soft"})
    worker.settle()
    loses_connection(log, "c1")
    worker.settle()

    assert worker.fate("k1") == "dispatched"


def test_a_call_of_which_no_byte_was_written_is_queued_again_and_expires_undeliverable() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    [(offset, sent)] = worker.dispatched
    log.append(
        DeliveryFailed(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection=sent.connection,
            delivery=offset,
            reason="past its deadline",
        )
    )
    loses_connection(log)
    worker.settle()
    log.now += 61 * SECOND
    worker.settle()

    assert calls(worker) == [sent]
    assert story(log) == ["requested", "dispatched", "requested", "undeliverable"]


def test_a_command_requested_twice_under_one_id_is_one_command() -> None:
    log, worker = working()
    log.requests("Reset", {"type": "Soft"})
    log.requests("Reset", {"type": "Soft"})
    worker.settle()
    answers(log, {"status": "Accepted"})
    worker.settle()
    log.requests("Reset", {"type": "Soft"})
    worker.settle()

    assert len(calls(worker)) == 1
    assert story(log) == ["requested", "dispatched", "answered"]


def test_a_command_that_is_finished_and_forgotten_is_not_done_again() -> None:
    log, worker = asked("ClearCache", {})
    answers(log, {"status": "Accepted"})
    worker.settle()
    assert "k1" not in worker.station.commands

    log.requests("ClearCache", {})
    worker.settle()

    assert len(calls(worker)) == 1


def test_what_a_station_remembers_of_commands_is_bounded() -> None:
    log, worker = working()
    for number in range(FINISHED_MAX + WATCHED_MAX + 5):
        log.requests("TriggerMessage", {"requestedMessage": "MeterValues"}, f"k{number}")
        worker.settle()
        answers(log, {"status": "Accepted"}, f"k{number}")
        worker.settle()

    assert len(worker.station.commands) == WATCHED_MAX
    assert len(worker.station.finished) == FINISHED_MAX


class Walk:
    """A station, operators and owners that do whatever comes to their minds."""

    def __init__(self) -> None:
        self.log, self.worker = working()
        self.connection = 1
        self.requested = 0

    def request(self) -> None:
        self.requested += 1
        self.log.requests("Reset", {"type": "Soft"}, f"k{self.requested}")

    def answer(self) -> None:
        answers(self.log, {"status": "Accepted"}, self.worker.station.in_flight or "k1")

    def refuse(self) -> None:
        command_id = self.worker.station.in_flight or "k1"
        self.log.says([4, command_id, "InternalError", "", {}])

    def stray(self) -> None:
        answers(self.log, {}, "k2")

    def wait(self) -> None:
        self.log.now += 31 * SECOND

    def reconnect(self) -> None:
        self.connection += 1
        self.log.opens(f"c{self.connection}")

    def close(self) -> None:
        loses_connection(self.log, f"c{self.connection}")

    def boot(self) -> None:
        self.log.calls("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})

    def take_over(self) -> None:
        self.worker = Worker(self.log, f"w{len(self.log.values)}")
        self.worker.claim()


STEPS = [step for step in vars(Walk) if not step.startswith("_")]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=25))
def test_every_command_gets_exactly_one_fate(steps: list[str]) -> None:
    walk = Walk()
    for step in steps:
        getattr(walk, step)()
        walk.worker.settle()
    walk.log.now += 120 * SECOND
    walk.worker.settle()

    for number in range(1, walk.requested + 1):
        fates = [fate.partition(" ")[0] for fate in story(walk.log, f"k{number}")]
        settled = [fate for fate in fates if fate not in OPEN_FATES]
        assert len(set(settled)) == 1
        assert fates[-len(settled) :] == settled
    records = [walk.log.read(offset) for offset in range(len(walk.log.values))]
    sent = [r.command_id for r in records if isinstance(r, MessageSent) and r.command_id]
    assert len(sent) == len(set(sent))


def test_a_call_that_a_closing_connection_did_not_take_is_not_offered_to_it_again() -> None:
    log, worker = asked("Reset", {"type": "Soft"})
    for _ in range(5):
        offset, sent = worker.dispatched[-1]
        log.append(
            DeliveryFailed(
                tenant="default",
                station="CP1",
                recorded_at=log.now,
                connection=sent.connection,
                delivery=offset,
                reason="the connection is closing",
            )
        )
        worker.settle()
    assert len(calls(worker)) == 1
    log.opens("c2")
    worker.settle()
    assert [sent.connection for sent in calls(worker)] == ["c1", "c2"]
