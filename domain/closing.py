"""Transactions of which no end was told: when they are closed without one, and who is asked first.

Only evidence closes (policy CLOSE): the next start on the EVSE, once that is settled, the station's
own word that it knows nothing of it any more, or that the station started anew and has not spoken
of it for long. Status and silence alone close nothing. A close is a record, no end, and void once
that is told.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from domain.answering import Policy
from domain.settling import settled_at
from domain.silence import ASKS, GONE
from domain.station import Station
from domain.transaction import Transaction
from schemas.records import OwnerRecord, TransactionAsked, TransactionClosed

NEXT_START, BOOT, STATUS = "next-start", "grace-after-boot", "transaction-status"


def dues(station: Station, policy: Policy) -> Iterator[int]:
    """Yield when each that may have to be closed is to be looked at."""
    for transaction in _open(station):
        for due, _ in _steps(station, transaction, policy):
            yield due


def decide(
    station: Station, now: int, known: tuple[int, int], policy: Policy
) -> OwnerRecord | None:
    """`known`: the epoch, and how much of the registry the owner has folded."""
    for transaction in _open(station):
        for due, step in _steps(station, transaction, policy):
            if due > now:
                continue
            if step != ASKS:
                return _close(station, transaction, step, now, known)
            if station.connection is not None:
                return _ask(station, transaction, now, known[0], policy)
    return None


def _open(station: Station) -> Iterator[Transaction]:
    book = station.transactions
    for transaction_id in book.closing:
        transaction = book.known.get(transaction_id)
        if transaction is not None and not transaction.is_ended and not transaction.is_closed:
            yield transaction


def _steps(station: Station, t: Transaction, policy: Policy) -> Iterator[tuple[int, str]]:
    if t.succeeded:
        # Its stop may stand in a queue behind the start that shows that it is over.
        yield settled_at(station, t.successor_told, policy), NEXT_START
    elif t.status_told == GONE:
        yield 0, STATUS
    elif t.silent_since and not t.status_told:
        if t.by_events and not t.asked:
            yield t.silent_since + policy.ask_us, ASKS
        if t.has_booted:
            yield t.silent_since + policy.close_grace_us, BOOT


def _close(
    station: Station, transaction: Transaction, reason: str, now: int, known: tuple[int, int]
) -> TransactionClosed:
    return TransactionClosed(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=station.offset,
        purpose=f"close {transaction.transaction_id}",
        epoch=known[0],
        registry=known[1],
        transaction_id=transaction.transaction_id,
        reason=reason,
    )


def _ask(
    station: Station, transaction: Transaction, now: int, epoch: int, policy: Policy
) -> TransactionAsked:
    told_id = transaction.told_id
    return TransactionAsked(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=station.offset,
        purpose=f"ask {transaction.transaction_id}",
        epoch=epoch,
        transaction_id=transaction.transaction_id,
        command_id=f"status-{station.offset}",
        version=station.connection.protocol if station.connection is not None else "2.0.1",
        payload=Raw(msgspec.json.encode({"transactionId": told_id})),
        expires_at=now + policy.ask_us,
    )
