"""A CALL that somebody else answers waits in the log: for the answer, its time, or the station."""

from typing import Any

import msgspec
import pytest

from domain.conversation import UNSEEN_US
from domain.owner import Owner
from domain.registry import Registry
from domain.routes import ROUTES
from domain.station import OUTBOX_MAX, dump, load
from domain.transaction_ids import TransactionIds
from schemas.provided import PROVIDABLE
from schemas.records import (
    CALLERROR,
    TransactionClosed,
)
from tests.domain.holding import values_of
from tests.domain.log import NOW, POLICY, SECOND, Worker, working
from tests.domain.providing import (
    ACTION,
    ASKED,
    GIVEN,
    HEARTBEAT_NOW,
    PROVIDED,
    REFUSED,
    WAIT_S,
    answers_in,
    closes,
    gives,
    moves,
    provided,
    sent_in,
)
from tests.domain.registering import Registrar


@pytest.mark.parametrize("version", PROVIDABLE)
def test_what_a_provider_may_answer_is_something_that_stations_ask(version: str) -> None:
    assert PROVIDABLE[version] <= ROUTES[version].keys()


def test_the_station_is_told_what_the_provider_says_under_its_own_id() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED, "mine")
    worker.settle()
    before = worker.frames()
    gives(log, call)
    worker.settle()

    assert before == []
    assert worker.frames() == [[3, "mine", GIVEN]]
    assert moves(log) == [("waiting", call, ""), ("answered", call, "pki")]


def test_without_a_provider_the_call_is_refused_at_once() -> None:
    log, worker = provided(policy=POLICY)
    log.calls(ACTION, ASKED)
    worker.settle()

    assert [frame[2] for frame in worker.frames()] == [REFUSED]
    assert moves(log) == []


def test_everything_else_goes_on_meanwhile() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED, "slow")
    worker.settle()
    log.calls("Heartbeat", {}, "beat")
    log.requests("ClearCache", {})
    worker.settle()
    between = [(frame[0], frame[1]) for frame in worker.frames()]
    gives(log, call)
    worker.settle()

    assert between == [(3, "beat"), (2, "k1")]
    assert worker.frames()[-1] == [3, "slow", GIVEN]


def test_a_call_that_nobody_answers_in_time_is_refused() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    due = worker.owner.next_due()
    log.now += WAIT_S * SECOND - 1
    worker.settle()
    early = worker.frames()
    log.now += 1
    worker.settle()

    assert due == NOW + WAIT_S * SECOND
    assert early == []
    assert [frame[2] for frame in worker.frames()] == [REFUSED]
    assert moves(log) == [("waiting", call, ""), ("unanswered", call, "")]


def test_a_clock_that_is_set_back_does_not_make_it_wait_for_hours() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    log.now -= 3 * SECOND
    worker.settle()
    soon = worker.frames()
    log.now -= 3_600 * SECOND
    worker.settle()

    assert soon == []
    assert moves(log) == [("waiting", call, ""), ("unanswered", call, "")]


def test_a_call_of_a_node_whose_clock_is_ahead_waits_no_longer_than_others() -> None:
    log, worker = provided()
    log.now += 600 * SECOND
    log.calls(ACTION, ASKED)
    log.now -= 600 * SECOND
    worker.settle()

    assert worker.owner.next_due() == NOW + WAIT_S * SECOND


def test_a_call_that_an_owner_comes_to_late_is_refused() -> None:
    log, worker = provided()
    log.calls(ACTION, ASKED)
    log.now += WAIT_S * SECOND
    worker.settle()

    assert [frame[2] for frame in worker.frames()] == [REFUSED]
    assert moves(log) == []


@pytest.mark.parametrize("is_decided_between", [True, False])
@pytest.mark.parametrize("goes", ["closes", "comes again"])
def test_a_call_whose_station_has_gone_waits_no_longer(goes: str, is_decided_between: bool) -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    if goes == "closes":
        closes(log)
    else:
        log.opens("c2", protocol="2.0.1")
    if not is_decided_between:
        gives(log, call)
    worker.settle()
    gives(log, call)
    worker.settle()

    assert worker.station.open_calls == {}
    assert moves(log) == [("waiting", call, ""), ("unanswered", call, "")]
    assert answers_in(log) == [REFUSED]


def test_of_two_answers_the_first_counts_and_a_late_one_does_not() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    gives(log, call)
    gives(log, call, REFUSED, "another")
    worker.settle()
    gives(log, call, REFUSED, "late")
    worker.settle()

    assert [frame[2] for frame in worker.frames()] == [GIVEN]
    assert moves(log)[1:] == [("answered", call, "pki")]


def test_an_answer_to_what_nobody_was_asked_about_changes_nothing() -> None:
    log, worker = provided()
    call = log.calls("Heartbeat", {}, "beat")
    gives(log, call)
    gives(log, 10_000)
    worker.settle()

    assert worker.frames() == [[3, "beat", HEARTBEAT_NOW]]
    assert worker.owner.poisoned == {}


def test_a_new_owner_goes_on_waiting_and_tells_the_answer_once() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    successor = Worker(log, "w2", policy=PROVIDED)
    successor.claim()
    successor.settle()
    waiting = successor.owner.next_due()
    gives(log, call)
    worker.settle()
    successor.settle()

    assert waiting == NOW + WAIT_S * SECOND
    assert answers_in(log) == [GIVEN]
    assert [frame[2] for frame in successor.frames()] == [GIVEN]


def test_an_owner_for_whom_nobody_provides_keeps_to_what_the_log_says() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    successor = Worker(log, "w2", policy=POLICY)
    successor.claim()
    successor.settle()
    gives(log, call)
    successor.settle()

    assert answers_in(log) == [GIVEN]


def test_what_waits_is_in_a_snapshot() -> None:
    log, worker = provided()
    log.calls(ACTION, ASKED)
    worker.settle()

    again = load(dump(worker.station))

    assert again == worker.station
    [call] = again.open_calls.values()
    assert call.forwarded is not None
    assert call.forwarded.expires_at == NOW + WAIT_S * SECOND


def test_an_owner_from_a_snapshot_refuses_in_time() -> None:
    log, worker = provided()
    log.calls(ACTION, ASKED)
    worker.settle()
    kept = load(dump(worker.station))
    successor = Worker(log, "w2", policy=PROVIDED)
    successor.owner = Owner(
        1,
        name="w2",
        policy=PROVIDED,
        ids=TransactionIds(b"k" * 32),
        registry=Registry(),
        stations=[kept],
        position=worker.owner.position,
    )
    successor.claim()
    successor.settle()
    log.now += WAIT_S * SECOND
    due = successor.owner.next_due()
    successor.settle()

    assert due == log.now
    assert answers_in(log) == [REFUSED]


def test_what_a_station_was_not_handed_is_handed_over_though_it_went_on() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED, "slow")
    worker.settle()
    gives(log, call)
    worker.read()
    worker.decide()
    log.calls("Heartbeat", {}, "beat")
    successor = Worker(log, "w2", policy=PROVIDED)
    successor.claim()
    handed = [sent.message_id for _, sent in successor.owner.unconfirmed(log.now)]
    log.opens("c2", protocol="2.0.1")
    successor.settle()

    assert handed == ["slow"]
    assert successor.station.unseen == ()


def test_a_long_conversation_with_a_provider_leaves_nothing_behind() -> None:
    log, worker = provided()
    for _ in range(3 * OUTBOX_MAX):
        call = log.calls(ACTION, ASKED)
        worker.settle()
        gives(log, call)
        worker.settle()

    full = len(worker.station.outbox), len(worker.station.unseen)
    log.now += UNSEEN_US + SECOND
    log.calls("Heartbeat", {})
    worker.settle()

    assert full == (OUTBOX_MAX, OUTBOX_MAX)
    assert len(worker.station.outbox) == 1  # The answer to the heartbeat.
    assert worker.station.unseen == ()


def test_a_command_under_way_is_kept_before_answers() -> None:
    log, worker = provided()
    log.requests("ClearCache", {})
    worker.settle()
    for _ in range(OUTBOX_MAX + 2):
        call = log.calls(ACTION, ASKED)
        worker.settle()
        gives(log, call)
        worker.settle()

    assert "ClearCache" in [sent.action for sent in worker.station.outbox.values()]
    assert len(worker.station.outbox) == OUTBOX_MAX


def test_timers_do_not_grow_with_what_a_waiting_station_says() -> None:
    log, worker = provided()
    log.calls(ACTION, ASKED)
    worker.settle()
    before = len(worker.owner._timers)  # noqa: SLF001
    for _ in range(50):
        log.calls("Heartbeat", {})
        worker.settle()

    assert len(worker.owner._timers) == before  # noqa: SLF001


def test_a_transaction_is_closed_though_a_call_waits() -> None:
    log, worker = provided()
    started = {
        "eventType": "Started",
        "timestamp": "2026-11-23T10:00:00Z",
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T"},
    }
    log.calls("TransactionEvent", started)
    worker.settle()
    log.opens("c2", protocol="2.0.1")
    worker.settle()
    log.calls("Heartbeat", {}, connection="c2")
    log.now += PROVIDED.ask_us + 60 * SECOND
    worker.settle()
    asked = worker.frames()[-1]
    log.calls(ACTION, ASKED, connection="c2")
    worker.settle()
    log.says([3, asked[1], {"ongoingIndicator": False, "messagesInQueue": False}], connection="c2")
    worker.settle()

    assert asked[2] == "GetTransactionStatus"
    closed = [log.read(offset) for offset in range(len(log.values))]
    assert any(isinstance(record, TransactionClosed) for record in closed)


def test_what_was_given_before_the_station_went_is_not_taken_for_told() -> None:
    log, worker = provided()
    call = log.calls(ACTION, ASKED)
    worker.settle()
    gives(log, call)
    closes(log)
    worker.settle()

    assert moves(log)[1:] == [("unanswered", call, "pki")]
    assert answers_in(log) == [REFUSED]


def test_secrets_of_an_answer_are_named_where_it_is_sent() -> None:
    log, worker = provided()
    call = log.calls("DataTransfer", {"vendorId": "V"})
    worker.settle()
    payload = {"status": "Accepted", "data": {"apnPassword": "secret:abc"}}
    gives(log, call, payload, secrets=("abc",))
    worker.settle()

    [sent] = sent_in(log)
    assert sent.secrets == ("abc",)
    assert msgspec.json.decode(sent.frame)[2] == payload


@pytest.mark.parametrize(
    ("for_all", "attribute", "waits"),
    [
        ([], None, False),
        ([ACTION], None, True),
        ([], ACTION, True),
        ([], f"GetCertificateStatus, {ACTION}", True),
        ([ACTION], "none", False),
        ([ACTION], "", False),
        ([ACTION], "DataTransfer", False),
        ([ACTION], "everything", True),
        ([ACTION], 3, True),
    ],
)
def test_the_registration_says_what_is_provided_for_a_station(
    for_all: list[str], attribute: Any, waits: bool
) -> None:
    registrar = Registrar()
    registrar.station("CP1", provided=attribute)
    policy = POLICY._replace(provided=frozenset(for_all))
    log, worker = working(policy, registrar.registry, "2.0.1")
    log.calls(ACTION, ASKED)
    log.calls("Heartbeat", {})
    worker.settle()

    assert len(worker.station.open_calls) == waits


@pytest.mark.parametrize("member", ["certificate", "iso15118CertificateHashData"])
def test_an_authorize_is_a_providers_business_where_a_contract_certificate_is_presented(
    member: str,
) -> None:
    log, worker = provided()
    token = {"idToken": {"idToken": "NL-TST-C1", "type": "eMAID"}}
    log.calls("Authorize", token, "plain")
    call = log.calls("Authorize", {**token, member: "a certificate"}, "contract")
    worker.settle()
    before = [frame[1] for frame in worker.frames()]
    valid = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
    gives(log, call, valid)
    worker.settle()

    assert before == ["plain"]
    assert worker.frames()[1] == [3, "contract", valid]


def test_what_breaks_its_schema_is_no_providers_business() -> None:
    log, worker = provided()
    log.calls(ACTION, {}, error="OccurrenceConstraintViolation", violations=("$: missing",))
    worker.settle()

    assert [frame[0] for frame in worker.frames()] == [CALLERROR]
    assert moves(log) == []


def test_a_station_that_is_not_accepted_asks_nobody() -> None:
    registrar = Registrar()
    registrar.station("CP1", boot_policy="Pending")
    log, worker = working(PROVIDED, registrar.registry, "2.0.1")
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
    log.calls("BootNotification", boot)
    log.calls(ACTION, ASKED)
    worker.settle()

    assert [frame[0] for frame in worker.frames()] == [3, CALLERROR]
    assert worker.frames()[1][2] == "SecurityError"


def test_a_providers_answer_is_the_one_that_state_is_taken_from() -> None:
    log, worker = provided("2.1")
    call = log.calls("VatNumberValidation", {"vatNumber": "NL123"})
    worker.settle()
    before = values_of(log)
    company = {"name": "ACME", "address1": "Street 1", "city": "Delft", "country": "NL"}
    gives(log, call, {"status": "Accepted", "vatNumber": "NL123", "company": company})
    worker.settle()

    [check] = values_of(log)["vat-checks"].values()
    assert "vat-checks" not in before
    assert check["answer"] == "Accepted"
