"""A CALL that somebody else answers waits in the log: for the answer, its time, or the station."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.answering import Policy
from domain.conversation import fold
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.provider_requests import ProviderRequestMoved
from domain.providing import WAITING_MAX
from domain.registry import Registry
from domain.routes import ROUTES
from domain.station import Station, dump, load
from domain.transaction_ids import TransactionIds
from schemas.provided import PROVIDABLE
from schemas.records import (
    CALL,
    CALLERROR,
    ConnectionClosed,
    MessageSent,
    ProviderAnswered,
    ProviderAsked,
)
from tests import payload_strategies
from tests.domain.holding import values_of
from tests.domain.log import NOW, POLICY, SECOND, Log, Worker, working
from tests.domain.registering import Registrar

ACTION = "Get15118EVCertificate"
ASKED = {
    "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
    "action": "Install",
    "exiRequest": "gJgC",
}
GIVEN = {"status": "Accepted", "exiResponse": "gJgDAA=="}
REFUSED = {"status": "Failed", "exiResponse": ""}
WAIT_S = 20
PROVIDED = POLICY._replace(
    provided=frozenset.union(*PROVIDABLE.values()), provider_answer_us=WAIT_S * SECOND
)
HEARTBEAT_NOW = {"currentTime": "2026-11-23T10:00:00Z"}


def provided(protocol: str = "2.0.1", policy: Policy = PROVIDED) -> tuple[Log, Worker]:
    return working(policy, Registry(), protocol)


def gives(log: Log, call: int, payload: Any = GIVEN, actor: str = "pki") -> int:
    return log.append(
        ProviderAnswered(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            call=call,
            payload=msgspec.Raw(msgspec.json.encode(payload)),
            actor=actor,
        ),
        writer="api",
    )[0]


def closes(log: Log, connection: str = "c1") -> int:
    return log.append(
        ConnectionClosed(
            tenant="default",
            station="CP1",
            recorded_at=log.now,
            connection=connection,
            code=1006,
        )
    )[0]


def moves(log: Log) -> list[tuple[str, int, str]]:
    """What a view is told: fate, offset of the CALL, who answered."""
    station, log_filter = Station("default", "CP1", 1), LogFilter()
    found: list[tuple[str, int, str]] = []
    for offset in range(len(log.values)):
        record = log.read(offset)
        if not log_filter.admit(offset, record) or record.station != "CP1":
            continue
        found += [
            (fact.fate, fact.call.offset, fact.forwarded.actor)
            for fact in fold(station, offset, record)
            if isinstance(fact, ProviderRequestMoved)
        ]
    return found


def sent_in(log: Log) -> list[MessageSent]:
    """Our answers, whoever decided them."""
    records = (log.read(offset) for offset in range(len(log.values)))
    return [r for r in records if isinstance(r, MessageSent) and r.message_type != CALL]


def answers_in(log: Log) -> list[Any]:
    return [msgspec.json.decode(sent.frame)[2] for sent in sent_in(log)]


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


def test_a_station_has_few_calls_waiting() -> None:
    log, worker = provided()
    for number in range(WAITING_MAX + 2):
        log.calls(ACTION, ASKED, f"m{number}")
    worker.settle()

    assert [frame[1] for frame in worker.frames()] == [f"m{WAITING_MAX}", f"m{WAITING_MAX + 1}"]
    assert len(worker.station.open_calls) == WAITING_MAX


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


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize(
    ("version", "action"),
    [(version, action) for version, actions in PROVIDABLE.items() for action in sorted(actions)],
)
@given(data=st.data())
def test_whatever_a_provider_may_say_reaches_the_station_and_folds(
    version: str, action: str, data: st.DataObject
) -> None:
    log, worker = provided(version)
    asked = data.draw(payload_strategies.valid(version, action))
    said = data.draw(payload_strategies.valid_result(version, action))
    if action == "Authorize":
        asked = {**asked, "certificate": "MIIB"}
    call = log.calls(action, asked, "mine")
    worker.settle()
    gives(log, call, said)
    worker.settle()

    [sent] = sent_in(log)
    again = Worker(log, "again")
    again.read()
    assert msgspec.json.decode(sent.frame) == [3, "mine", msgspec.json.decode(
        msgspec.json.encode(said))]  # fmt: skip
    assert worker.owner.poisoned == {}
    assert dump(again.station) == dump(worker.station)


STEPS = st.lists(
    st.sampled_from(
        ["asks", "beats", "gives", "gives the first", "waits", "goes", "comes", "dies"]
    ),
    max_size=14,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_whatever_happens_each_call_is_answered_once_and_none_waits_for_ever(
    steps: list[str],
) -> None:
    log, worker = provided()
    calls: list[int] = []
    connection, number = "c1", 1
    for step in steps:
        match step:
            case "asks":
                calls.append(log.calls(ACTION, ASKED, connection=connection))
            case "beats":
                log.calls("Heartbeat", {}, connection=connection)
            case "gives" if calls:
                gives(log, calls[-1])
            case "gives the first" if calls:
                gives(log, calls[0], REFUSED, "another")
            case "waits":
                log.now += 7 * SECOND
            case "goes":
                closes(log, connection)
            case "comes":
                number += 1
                connection = f"c{number}"
                log.opens(connection, protocol="2.0.1")
            case "dies":
                worker = Worker(log, f"w{len(log.values)}", policy=PROVIDED)
                worker.claim()
            case _:
                pass
        worker.settle()
    log.now += WAIT_S * SECOND
    worker.settle()

    records = [log.read(offset) for offset in range(len(log.values))]
    asked = [record for record in records if isinstance(record, ProviderAsked)]
    answered = [sent.cause for sent in sent_in(log)]
    assert worker.station.open_calls == {}
    assert len(set(answered)) == len(answered)
    assert set(calls) <= set(answered)
    assert [fate for fate, *_ in moves(log)].count("waiting") == len(asked)
    assert len(moves(log)) == 2 * len(asked)
