"""Reservations that nobody used: each is owed by itself, without a transaction and without energy.

A reservation that expired (OCPI, RESERVATION_EXPIRES) is kept beside the transactions, as the time
from its acceptance to its end, and settles as they do. One that was cancelled, or that the station
removed, is owed by nobody. A transaction that names it, told late, means that it was used after
all: then nothing is owed for the wait alone. If its own token charged there meanwhile and the
station named no reservation, a person must look at it.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from domain import reservations
from domain.auth_methods import COMMAND
from domain.facts import (
    Fact,
    ReservationConcluded,
    StateChanged,
    TransactionEventReported,
    TransactionStarted,
)
from domain.members import Value
from domain.readings import read_time
from domain.reserved_time import EXPIRED, UNCLEAR, USED
from domain.station import Station
from domain.transaction import Transaction, flag, mention, touch
from domain.transactions import REUSED


def concluded(station: Station, told: Iterable[Fact]) -> list[Fact]:
    """Return what follows for reservations that expired from what was told."""
    found: list[Fact] = []
    for fact in told:
        for changed in _concluded(station, fact):
            found.append(
                ReservationConcluded(
                    offset=fact.offset,
                    recorded_at=fact.recorded_at,
                    transaction_id=changed.transaction_id,
                )
            )
            _settle(station, changed)
    return found


def _concluded(station: Station, fact: Fact) -> Iterator[Transaction]:
    if isinstance(fact, StateChanged):
        for change in fact.changes:
            if change.facet == reservations.FACET and change.value is not None:
                changed = _moved(station, fact, change.value)
                if changed is not None:
                    yield changed
    elif isinstance(fact, TransactionStarted | TransactionEventReported):
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is not None and transaction.reservation_id is None:
            yield from _doubted(station, fact, transaction)


def _moved(station: Station, fact: Fact, value: Value) -> Transaction | None:
    state, known = value.get("state"), station.transactions.known
    if state == "expired":
        return _expired(station, fact, value)
    no_show = known.get(_name(value)) if state == "used" else None
    if no_show is None or not flag(no_show, (USED,)):
        return None
    mention(no_show, fact.offset)
    touch(no_show, fact.offset, fact.recorded_at)
    return no_show


def _expired(station: Station, fact: Fact, value: Value) -> Transaction | None:
    reserved, expires = (read_time(value.get(name))[0] for name in ("reserved_at", "expires_at"))
    registry = value.get(reservations.REGISTRY)
    name = _name(value)
    if reserved is None or not isinstance(registry, int) or name in station.transactions.known:
        return None
    until = fact.recorded_at if expires is None else min(expires, fact.recorded_at)
    if registry < 0 or until <= reserved:
        return None
    no_show = Transaction(
        transaction_id=name,
        is_no_show=True,
        evse_id=value.get("evse_id") or 0,
        connector_id=0,
        id_token=str(value.get("id_token") or ""),
        id_token_type=str(value.get("id_token_type") or ""),
        token_status="Accepted",
        auth_method=COMMAND,
        started=int(value.get(reservations.MADE, -1)),
        reserved_told=int(value.get(reservations.MADE, -1)),
        start_answered=-1,
        start_received=reserved,
        started_at=reserved,
        meter_start_wh=None,
        ended=fact.offset,
        end_received=fact.recorded_at,
        ended_at=until,
        reserved_at=reserved,
        reserved_until=until,
        reservation_id=value.get("reservation_id"),
        group=str(value.get("group") or ""),
        registry=registry,
        changed=fact.offset,
        changed_at=fact.recorded_at,
        flags=[EXPIRED],
    )
    for other in station.transactions.known.values():
        if _meets(no_show, other):
            flag(no_show, (UNCLEAR,))
            mention(no_show, other.started)
    station.transactions.add(f"reservation|{name}", no_show)
    return no_show


def _doubted(station: Station, fact: Fact, transaction: Transaction) -> Iterator[Transaction]:
    for no_show in station.transactions.known.values():
        if no_show.is_no_show and _meets(no_show, transaction) and flag(no_show, (UNCLEAR,)):
            mention(no_show, fact.offset)
            touch(no_show, fact.offset, fact.recorded_at)
            yield no_show


def _meets(no_show: Transaction, other: Transaction) -> bool:
    """Whether who had reserved charged there meanwhile, and the station named no reservation."""
    if other.is_no_show or other.reservation_id is not None:
        return False
    if no_show.evse_id > 0 and other.evse_id != no_show.evse_id:
        return False
    began = other.started_at or other.start_received
    if not (no_show.reserved_at or 0) <= began <= (no_show.reserved_until or 0):
        return False
    same = other.id_token.casefold() == no_show.id_token.casefold()
    return same or bool(other.group and other.group.casefold() == no_show.group.casefold())


def _settle(station: Station, no_show: Transaction) -> None:
    book = station.transactions
    if not no_show.released:
        book.settling[no_show.transaction_id] = None
    elif no_show.document:
        book.correcting[no_show.transaction_id] = None


def _name(value: Any) -> str:
    """Return the id under which it is kept: ids of reservations are used again."""
    reserved = read_time(value.get("reserved_at"))[0] or 0
    return f"reservation-{value.get('reservation_id')}{REUSED}{reserved // 1_000_000}"
