"""Transactions of which no end was told: when they are closed without one, and who is asked first.

Only evidence closes (policy CLOSE): the next start on the EVSE, the station's own word that it knows
nothing of it any more, or that the station started anew and has not spoken of it for long. Status
and silence alone close nothing. A close is a record, is never an end, and is void once that comes.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from domain import commands
from domain.answering import Policy
from domain.commands import Command, CommandMoved
from domain.facts import Fact, TransactionConcluded
from domain.readings import read_text
from domain.station import Station
from domain.transaction import Transaction, close, interrupt
from schemas.records import (
    CommandRequested,
    OwnerRecord,
    TransactionAsked,
    TransactionClosed,
)

NEXT_START, BOOT, STATUS = "next-start", "grace-after-boot", "transaction-status"
ASKS = "GetTransactionStatus"
ONGOING, QUEUED, GONE = "ongoing", "queued", "gone"


def is_back(station: Station, at: int, *, has_booted: bool) -> None:
    """The station has connected again, or started anew: what ran before has to be shown to run."""
    book = station.transactions
    for transaction in book.known.values():
        if transaction.is_ended or not (has_booted or transaction.by_events):
            continue
        if has_booted:
            interrupt(transaction, at)
        transaction.silent_since, transaction.asked = at, False
        transaction.has_booted |= has_booted
        transaction.status_told = ""
        book.closing[transaction.transaction_id] = None


def is_running(station: Station, transaction: Transaction, at: int | None) -> None:
    """The station has told of it at this time of its clock."""
    if transaction.silent_since and at is not None and at >= transaction.silent_since:
        transaction.silent_since, transaction.has_booted = 0, False
        if not transaction.succeeded:
            station.transactions.closing.pop(transaction.transaction_id, None)


def dues(station: Station, policy: Policy) -> Iterator[int]:
    """Yield when each that may have to be closed is to be looked at."""
    for transaction in _open(station):
        for due, _ in _steps(transaction, policy):
            yield due


def decide(station: Station, now: int, epoch: int, policy: Policy) -> OwnerRecord | None:
    for transaction in _open(station):
        for due, step in _steps(transaction, policy):
            if due > now:
                continue
            if step != ASKS:
                return _close(station, transaction, step, now, epoch)
            if station.connection is not None:
                return _ask(station, transaction, now, epoch, policy)
    return None


def _open(station: Station) -> Iterator[Transaction]:
    book = station.transactions
    for transaction_id in book.closing:
        transaction = book.known.get(transaction_id)
        if transaction is not None and not transaction.is_ended and not transaction.is_closed:
            yield transaction


def _steps(t: Transaction, policy: Policy) -> Iterator[tuple[int, str]]:
    if t.succeeded:
        yield 0, NEXT_START
    elif t.status_told == GONE:
        yield 0, STATUS
    elif t.silent_since and not t.status_told:
        if t.by_events and not t.asked:
            yield t.silent_since + policy.ask_us, ASKS
        if t.has_booted:
            yield t.silent_since + policy.close_grace_us, BOOT


def _close(
    station: Station, transaction: Transaction, reason: str, now: int, epoch: int
) -> TransactionClosed:
    return TransactionClosed(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=station.offset,
        purpose=f"close {transaction.transaction_id}",
        epoch=epoch,
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
        payload=Raw(msgspec.json.encode({"transactionId": told_id})),
        expires_at=now + policy.ask_us,
    )


# Folding


def closed(station: Station, offset: int, record: TransactionClosed, _: Any) -> list[Fact]:
    book = station.transactions
    book.closing.pop(record.transaction_id, None)
    transaction = book.known.get(record.transaction_id)
    if transaction is None or transaction.is_ended or transaction.is_closed:
        return []
    close(transaction, offset, record.recorded_at, record.reason)
    return [
        TransactionConcluded(
            offset=offset,
            recorded_at=record.recorded_at,
            transaction_id=record.transaction_id,
            reason=record.reason,
        )
    ]


def asked(station: Station, offset: int, record: TransactionAsked, _: Any) -> list[Fact]:
    transaction = station.transactions.known.get(record.transaction_id)
    if transaction is not None:
        transaction.asked = True
    request = CommandRequested(
        tenant=record.tenant,
        station=record.station,
        recorded_at=record.recorded_at,
        command_id=record.command_id,
        action=ASKS,
        payload=record.payload,
        payload_digest="",
        expires_at=record.expires_at,
        actor="chargeledger",
        reason="the end of a transaction has not been told",
    )
    command = station.commands[record.command_id] = commands.request(offset, request)
    return [CommandMoved(offset=offset, recorded_at=record.recorded_at, command=command)]


def status_answered(station: Station, command: Command, answer: Any) -> None:
    """Take what the station answered to GetTransactionStatus, whoever asked."""
    asked_for = msgspec.json.decode(command.payload)
    told_id = read_text(asked_for.get("transactionId"), 255)[0] if asked_for else ""
    if not told_id or not isinstance(answer, dict):
        return
    book = station.transactions
    transaction = book.known.get(book.event_id(told_id, "", None))
    if transaction is None or transaction.is_ended:
        return
    if answer.get("messagesInQueue") is not False:
        transaction.status_told = QUEUED
    elif answer.get("ongoingIndicator") is not False:
        transaction.status_told = ONGOING
    else:
        transaction.status_told = GONE
        book.closing[transaction.transaction_id] = None
