"""Sessions told by TransactionEvents (2.0.1 and 2.1, E): to a CDR of the same shape as 1.6's."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from domain.answering import Policy
from domain.cdr import cdr_of
from domain.facts import TransactionEventReported
from domain.ocpp2 import transaction_event
from domain.registry import Registry
from domain.told import Told
from domain.transactions import Transactions
from schemas.cdr import Cdr
from schemas.records import CdrReleased, IdTokenPut
from tests.domain.events import TOKEN, ended, event, reading, started
from tests.domain.log import KEY, NOW, SECOND, Worker, parse, working

VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])


def fact_of(payload: dict[str, Any]) -> TransactionEventReported:
    [fact] = transaction_event(Told(5, NOW, 6, False, payload, None, Transactions(), ""))
    assert isinstance(fact, TransactionEventReported)
    return fact


def cdrs(worker: Worker) -> list[Cdr]:
    known = worker.station.transactions.known.values()
    return [cdr_of(*KEY, 1, transaction) for transaction in known]


def told(*events: dict[str, Any], version: str = "2.0.1", **how: Any) -> Worker:
    log, worker = working(protocol=version, **how)
    for each in events:
        log.calls("TransactionEvent", each)
        worker.settle()
    return worker


@VERSIONS
def test_a_session_of_events_becomes_a_final_cdr(version: str) -> None:
    sample = reading(5.5, at="2026-11-23T09:30:00Z", unitOfMeasure={"unit": "kWh"})
    updated = event("Updated", 1, "2026-11-23T09:30:00Z", meterValue=[sample])

    worker = told(started(), updated, ended(), version=version)

    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.energy_wh, cdr.flags) == ("FINAL", 8000, ("LATE_DELIVERY",))
    assert (cdr.transaction_id, cdr.id_token) == ("T-1", "TAG")
    assert (cdr.evse, cdr.connector, cdr.stop_reason) == (2, 1, "EVDisconnected")
    assert (cdr.started_at, cdr.ended_at) == ("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z")
    ends = {"start", "start_answer", "stop", "stop_answer", "meter_start", "meter_stop"}
    assert set(cdr.positions) == {*ends, "readings"}
    assert len(cdr.positions["readings"].split(",")) == 3
    assert isinstance(worker.log.read(len(worker.log.values) - 1), CdrReleased)


def test_the_place_the_token_and_the_registers_may_come_in_any_event() -> None:
    worker = told(
        event("Started", 0),
        event("Updated", 1, evse={"id": 3, "connectorId": 2}),
        event("Updated", 2, idToken=TOKEN, meterValue=[reading(70, "Transaction.Begin")]),
        event("Ended", 3, "2026-11-23T10:00:00Z", meterValue=[reading(95, "Transaction.End")]),
    )

    [cdr] = cdrs(worker)
    assert (cdr.evse, cdr.connector, cdr.id_token, cdr.energy_wh) == (3, 2, "TAG", 25)


def test_transactions_of_a_station_are_told_apart_by_its_own_ids() -> None:
    worker = told(started(), started(id="99999999999999999999"), ended())

    first, second = cdrs(worker)
    assert (first.transaction_id, first.state) == ("T-1", "FINAL")
    assert (second.transaction_id, second.state) == ("99999999999999999999", "OPEN")


def test_a_token_that_may_not_charge_holds_the_cdr() -> None:
    worker = told(started(), ended(), policy=Policy(settle_us=0))

    assert worker.frames()[0][2] == {"idTokenInfo": {"status": "Unknown"}}
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.flags) == ("HELD", ("LATE_DELIVERY", "SEQ_GAP", "TOKEN_NOT_ACCEPTED"))


def test_a_start_button_needs_no_token() -> None:
    button = {"idToken": "", "type": "NoAuthorization"}

    worker = told(started(idToken=button), ended(), policy=Policy(settle_us=0))

    assert worker.frames()[0][2] == {"idTokenInfo": {"status": "Accepted"}}
    [cdr] = cdrs(worker)
    assert (cdr.state, cdr.id_token) == ("FINAL", "")


def test_an_event_told_again_gets_the_first_answer_whatever_became_of_the_token() -> None:
    registry = Registry()
    token = IdTokenPut(tenant="default", recorded_at=NOW, actor="a", uid="TAG", group="G")
    registry.fold(0, token)
    log, worker = working(protocol="2.0.1", registry=registry)
    log.calls("TransactionEvent", started())
    worker.settle()
    registry.fold(1, replace(token, status="Blocked"))

    log.calls("TransactionEvent", started())
    log.calls("TransactionEvent", event("Updated", 1, idToken=TOKEN))
    worker.settle()

    first, again, later = [frame[2]["idTokenInfo"] for frame in worker.frames()]
    group = {"idToken": "G", "type": "Central"}
    assert first == again == {"status": "Accepted", "groupIdToken": group}
    assert later["status"] == "Blocked"
    assert len(cdrs(worker)) == 1


def test_another_token_under_the_same_number_gets_no_other_tokens_answer() -> None:
    registry = Registry()
    registry.fold(0, IdTokenPut(tenant="default", recorded_at=NOW, actor="a", uid="TAG"))
    stranger = {"idToken": "STRANGER", "type": "ISO14443"}

    worker = told(
        started(), started(idToken=stranger), policy=Policy(settle_us=0), registry=registry
    )

    statuses = [frame[2]["idTokenInfo"]["status"] for frame in worker.frames()]
    assert statuses == ["Accepted", "Unknown"]


def test_an_event_without_a_token_gets_an_empty_result() -> None:
    assert told(event("Updated", 1)).frames()[0][2] == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"seqNo": "0"},
        {"triggerReason": "Boredom"},
        {"eventType": "Begun"},
        {"timestamp": "yesterday"},
        {"idToken": None},
        {"unheard": 1},
        {"transactionInfo": {"transactionId": 7}},
        {"meterValue": []},
    ],
)
def test_an_event_that_names_its_transaction_is_never_refused(damage: dict[str, Any]) -> None:
    log, worker = working(protocol="2.0.1")
    payload = {**started(), **damage}
    log.calls("TransactionEvent", payload, error="FormatViolation", violations=("$: odd",))
    worker.settle()

    assert worker.frames()[0][0] == 3
    assert len(cdrs(worker)) == 1


@pytest.mark.parametrize("info", [None, {}, {"transactionId": ""}, {"transactionId": ["T"]}])
def test_an_event_of_no_transaction_and_no_register_gets_its_error(info: Any) -> None:
    log, worker = working(protocol="2.0.1")
    payload = {**started(meterValue=[]), "transactionInfo": info}
    log.calls("TransactionEvent", payload, error="TypeConstraintViolation")
    worker.settle()

    assert worker.frames()[0][:3] == [4, "m1", "TypeConstraintViolation"]
    assert cdrs(worker) == []


def test_a_fact_says_what_the_event_says() -> None:
    payload = started(
        info={"chargingState": "Charging", "remoteStartId": 4, "operationMode": "ChargingOnly"},
        offline=True,
        reservationId=9,
        costDetails={"totalCost": {"currency": "EUR"}},
    )

    fact = fact_of(payload)

    assert (fact.offset, fact.answered, fact.event_type, fact.seq_no) == (5, 6, "Started", 0)
    assert (fact.at, fact.trigger_reason) == (NOW - 3600 * SECOND, "CablePluggedIn")
    assert (fact.offline, fact.charging_state) == (True, "Charging")
    assert (fact.remote_start_id, fact.reservation_id) == (4, 9)
    assert (fact.operation_mode, fact.stopped_reason) == ("ChargingOnly", "")
    assert fact.cost_details == {"totalCost": {"currency": "EUR"}}
    assert (fact.id_token, fact.id_token_type) == ("TAG", "ISO14443")
    assert fact.begin == (NOW - 3600 * SECOND, Decimal(1000))
    assert fact.end is None
    assert [sample.context for sample in fact.samples] == ["Transaction.Begin"]


def test_a_later_event_says_nothing_of_what_it_leaves_out() -> None:
    fact = fact_of(event("Updated", 1))

    assert (fact.evse_id, fact.connector_id, fact.id_token, fact.registers) == (None, None, "", ())
    assert fact.token_status == ""


def test_a_released_transaction_is_not_changed_and_its_station_goes_on() -> None:
    events = []
    for number in range(40):
        events += [started(id=str(10**12 + number)), ended(id=str(10**12 + number))]

    worker = told(*events, ended(id=str(10**12)))

    assert worker.owner.poisoned == {}
    assert {cdr.energy_wh for cdr in cdrs(worker)} == {8000}
    assert parse(worker.dispatched[-1][1].frame)[2] == {}
