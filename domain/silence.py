"""What is folded of transactions of which no end was told, until it is or they are closed."""

from typing import Any

import msgspec

from domain import commands
from domain.commands import Command, CommandMoved
from domain.facts import Fact, TransactionConcluded
from domain.readings import read_text
from domain.station import Station
from domain.transaction import Transaction, close, interrupt
from schemas.records import CommandRequested, TransactionAsked, TransactionClosed

ASKS = "GetTransactionStatus"
ONGOING, QUEUED, GONE = "ongoing", "queued", "gone"
"""What a station answers to that: it runs, or more is to come of it, or neither."""


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
        version=record.version,
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
