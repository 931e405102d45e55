"""What a fact changes in the state of its station."""

from collections.abc import Callable
from typing import Any

from domain.cdr import releasable
from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    StationBooted,
    StationProgressed,
    TransactionEnded,
    TransactionStarted,
)
from domain.station import Connector, Station, answer_payload
from domain.transaction import Transaction, begin, evolve, succeed
from domain.transactions import start_key
from schemas.records import MessageSent

CONNECTORS_MAX = 256
"""Of a station; what more it tells of is in the log only. The largest sites have a few dozen."""


def take_effect(station: Station, fact: Fact, record: MessageSent) -> Fact:
    """Apply the fact; `record` is our answer. Return what was the case.

    That is the fact itself, or a `MessageOrphaned` in its place.
    """
    effect = _EFFECTS.get(type(fact))
    return effect(station, fact, record) if effect is not None else fact


def _transaction_started(station: Station, fact: TransactionStarted, record: MessageSent) -> Fact:
    book = station.transactions
    known = book.known.get(fact.transaction_id)
    if known is not None:
        _evolve(station, known, fact)
    elif not fact.repeated:
        for other in book.open_on(fact.evse_id):
            if not other.succeeded and (other.started_at or 0) <= (fact.started_at or 0):
                succeed(other, fact)
        transaction = begin(fact)
        transaction.start_answer = answer_payload(record)
        key = start_key(fact.evse_id, fact.id_token, fact.started_at, fact.meter_start_wh)
        book.add(key, transaction)
    return fact


def _meter_values_reported(station: Station, fact: MeterValuesReported, _: MessageSent) -> Fact:
    transaction = station.transactions.known.get(fact.transaction_id)
    if transaction is not None:
        _evolve(station, transaction, fact)
    return fact


def _evolve(station: Station, transaction: Transaction, fact: Fact) -> None:
    changed = evolve(transaction, fact)
    if transaction.released:
        if changed and transaction.document:
            station.transactions.correcting[transaction.transaction_id] = None
    elif transaction.is_ended and releasable(transaction):
        station.transactions.settling[transaction.transaction_id] = None


def _transaction_ended(station: Station, fact: TransactionEnded, record: MessageSent) -> Fact:
    transaction = station.transactions.known.get(fact.transaction_id)
    if transaction is not None:
        _evolve(station, transaction, fact)
        if not transaction.stop_answer:
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


def _status_reported(station: Station, fact: ConnectorStatusReported, _: MessageSent) -> Fact:
    before = station.connectors.get(fact.evse_id)
    is_known = before is not None or len(station.connectors) < CONNECTORS_MAX
    if is_known and not fact.superseded:
        station.connectors[fact.evse_id] = Connector(
            fact.connector_id,
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


def _booted(station: Station, fact: StationBooted, _: MessageSent) -> Fact:
    if not fact.superseded:
        station.identity = fact
    return fact


def _progressed(station: Station, fact: StationProgressed, _: MessageSent) -> Fact:
    if not fact.superseded:
        station.jobs[fact.job] = fact
    return fact


_EFFECTS: dict[type[Fact], Callable[[Station, Any, MessageSent], Fact]] = {
    StationBooted: _booted,
    ConnectorStatusReported: _status_reported,
    TransactionStarted: _transaction_started,
    MeterValuesReported: _meter_values_reported,
    TransactionEnded: _transaction_ended,
    StationProgressed: _progressed,
}
