"""What a fact changes in the state of its station."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from domain.cdr import releasable
from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    StateTold,
    StationBooted,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.following import told
from domain.station import Connector, Station, answer_payload
from domain.transaction import Transaction, begin, charging_state, evolve, succeed
from domain.transaction_events import answer_key, begin_by_event, evolve_by_event
from domain.transactions import start_key
from schemas.records import MessageSent

Sent = MessageSent | None
"""Our answer; None to a SEND, which has none."""

EVENT_ANSWERS_MAX = 16
"""Of a transaction. A token is presented two or three times in one."""

CONNECTORS_MAX = 256
"""Of a station; what more it tells of is in the log only. The largest sites have a few dozen."""


_CHARGING_STATES = ("Charging", "SuspendedEV", "SuspendedEVSE")
REPLAYED_AFTER_US = 2 * 3_600_000_000
"""A status so late was queued. Less is a clock that was set, or told in another zone."""

CLOCK_UNSET_US = 30 * 86_400_000_000
"""More than that no station queues a status: its clock was not set when it told."""


def take_effect(station: Station, fact: Fact, record: Sent) -> Fact:
    """Apply the fact; `record` is our answer, if one was due. Return what was the case.

    That is the fact itself, or a `MessageOrphaned` in its place.
    """
    effect = _EFFECTS.get(type(fact))
    return effect(station, fact, record) if effect is not None else fact


def _transaction_started(station: Station, fact: TransactionStarted, record: Sent) -> Fact:
    book = station.transactions
    known = book.known.get(fact.transaction_id)
    if known is not None:
        _evolve(station, known, fact)
    elif not fact.repeated:
        for other in book.open_on(fact.evse_id):
            if not other.succeeded and (other.started_at or 0) <= (fact.started_at or 0):
                succeed(other, fact)
        transaction = begin(fact)
        transaction.start_answer = answer_payload(record) if record is not None else ""
        key = start_key(fact.evse_id, fact.id_token, fact.started_at, fact.meter_start_wh)
        book.add(key, transaction)
    return fact


def _meter_values_reported(station: Station, fact: MeterValuesReported, _: Sent) -> Fact:
    transaction = station.transactions.known.get(fact.transaction_id)
    if transaction is not None:
        _evolve(station, transaction, fact)
    return fact


def _evolve(station: Station, transaction: Transaction, fact: Fact) -> None:
    _settle(station, transaction, changed=evolve(transaction, fact))


def _settle(station: Station, transaction: Transaction, *, changed: bool) -> None:
    if transaction.released:
        if changed and transaction.document:
            station.transactions.correcting[transaction.transaction_id] = None
    elif transaction.is_ended and releasable(transaction):
        station.transactions.settling[transaction.transaction_id] = None


def _transaction_ended(station: Station, fact: TransactionEnded, record: Sent) -> Fact:
    transaction = station.transactions.known.get(fact.transaction_id)
    if transaction is not None:
        _evolve(station, transaction, fact)
        if not transaction.stop_answer and record is not None:
            transaction.stop_answer = answer_payload(record)
        return fact
    if fact.repeated:
        return fact
    unknown = int(fact.transaction_id) > 0
    return MessageOrphaned(
        offset=fact.offset,
        recorded_at=fact.recorded_at,
        superseded=fact.superseded,
        reason="STOP_UNKNOWN_TX" if unknown else "TXID_MINUS_ONE_AMBIGUOUS",
        transaction_id=fact.transaction_id,
    )


def _transaction_event(station: Station, fact: TransactionEventReported, record: Sent) -> Fact:
    book = station.transactions
    transaction = book.known.get(fact.transaction_id)
    if transaction is None:
        transaction = begin_by_event(fact)
        book.add(f"event|{fact.transaction_id}", transaction)
        _settle(station, transaction, changed=True)
    else:
        _settle(station, transaction, changed=evolve_by_event(transaction, fact))
    if record is not None and fact.token_status and fact.seq_no is not None:
        _remember_answer(transaction, answer_key(fact.seq_no, fact.id_token), record)
    return fact


def _remember_answer(transaction: Transaction, key: str, record: MessageSent) -> None:
    answers = transaction.event_answers
    if key not in answers and len(answers) < EVENT_ANSWERS_MAX:
        answers[key] = answer_payload(record)


def _status_reported(station: Station, fact: ConnectorStatusReported, _: Sent) -> Fact:
    _charging_state(station, fact)
    place = fact.evse_id, fact.connector_id
    before = station.connectors.get(place)
    is_known = before is not None or len(station.connectors) < CONNECTORS_MAX
    if before is not None and _is_outdated(fact, before):
        return replace(fact, outdated=True)
    if is_known and not fact.superseded:
        station.connectors[place] = Connector(
            fact.status,
            fact.error_code,
            fact.detail,
            fact.at,
            fact.recorded_at,
            fact.offset,
            before.since
            if before is not None and before.status == fact.status
            else fact.at or fact.recorded_at,
        )
    return fact


def _charging_state(station: Station, fact: ConnectorStatusReported) -> None:
    """In 1.6 the status of the connector is the charging state of what runs there."""
    if fact.status in _CHARGING_STATES and fact.evse_id > 0:
        transaction = station.transactions.current_on(fact.evse_id)
        if transaction is not None and not transaction.by_events:
            at = fact.at if fact.at is not None else fact.recorded_at
            if charging_state(transaction, at, fact.status):
                transaction.states_told.append(fact.offset)


def _is_outdated(fact: ConnectorStatusReported, before: Connector) -> bool:
    if fact.at is None or before.at is None or fact.at >= before.at:
        return False
    if before.at > before.recorded_at + REPLAYED_AFTER_US:
        return False  # The clock that said so was ahead.
    return REPLAYED_AFTER_US < fact.recorded_at - fact.at < CLOCK_UNSET_US


def _booted(station: Station, fact: StationBooted, _: Sent) -> Fact:
    if not fact.superseded:
        station.identity = fact
        station.boot_status = fact.status
    return fact


def _state_told(station: Station, fact: StateTold, _: Sent) -> Fact:
    return told(station, fact)


_EFFECTS: dict[type[Fact], Callable[[Station, Any, Sent], Fact]] = {
    StationBooted: _booted,
    ConnectorStatusReported: _status_reported,
    TransactionStarted: _transaction_started,
    MeterValuesReported: _meter_values_reported,
    TransactionEnded: _transaction_ended,
    TransactionEventReported: _transaction_event,
    StateTold: _state_told,
}
