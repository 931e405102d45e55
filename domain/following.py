"""What follows for a station's holdings from what it tells, answers and starts.

Over a superseded connection only what happened counts; how things are, it no longer says.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from domain import (
    charging_profiles,
    display_messages,
    energy_offers,
    reservations,
    security_profiles,
    station_tariffs,
)
from domain.commands import Command
from domain.facts import (
    Fact,
    StateChanged,
    StateTold,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.holdings import Change, Fold, Holdings, Telling, apply
from domain.state_table import ANSWERED, ASKED
from domain.station import Station
from schemas.frames import parse, reread
from schemas.records import CALL, MessageReceived, MessageSent, TimeoutElapsed

EXPIRED = "reservation-expired"
"""The purpose of the owner's timer."""


def told(station: Station, fact: StateTold) -> Fact:
    """The station has told it in a CALL or SEND of its own."""
    if fact.superseded and not fact.is_history:
        return fact
    telling = Telling(fact.request, fact.result, fact.answered, fact.recorded_at, _held(station))
    return _changed(station, fact.answered, fact, fact.fold(telling)) or fact


def asked(station: Station, offset: int, record: MessageSent) -> list[Fact]:
    """A CALL of ours is on its way."""
    connection = station.connection
    if connection is None or connection.id != record.connection:
        return []
    fold = ASKED[connection.protocol].get(record.action)
    if fold is None:
        return []
    request = reread(CALL, record.frame)
    return _followed(station, offset, record, fold, (request, {}), record.command_id)


def answered(
    station: Station,
    offset: int,
    record: MessageReceived,
    command: Command,
    sent: MessageSent | None,
    result: Any,
) -> list[Fact]:
    """The station has answered a CALL of a command with a result; `record` is that.

    `sent` is the CALL, if it is still at hand: it may be one of several of its command.
    """
    fold = ANSWERED[record.protocol].get(command.action)
    if fold is None or not station.is_newest(record.connection):
        return []
    request = parse(command.payload.decode()) if sent is None else reread(CALL, sent.frame)
    told = request, result
    return _followed(station, offset, record, fold, told, command.command_id, command.registry)


def expiry(station: Station, now: int, epoch: int) -> TimeoutElapsed | None:
    """Return the owner's record that the time of a reservation has passed, if it has."""
    held = station.held
    if held is None or held.due is None or held.due > now:
        return None
    passed = reservations.passed(held, now)
    if passed is None:
        return None
    reservation_id, made = passed
    return TimeoutElapsed(
        tenant=station.tenant,
        station=station.station,
        recorded_at=now,
        cause=made,
        purpose=EXPIRED,
        epoch=epoch,
        reservation_id=reservation_id,
    )


def expired(station: Station, offset: int, record: TimeoutElapsed) -> list[Fact]:
    """The time of a reservation has passed, as the owner's timer says."""
    fact = Fact(offset=offset, recorded_at=record.recorded_at)
    changes = reservations.expired(_held(station), record.reservation_id)
    changed = _changed(station, offset, fact, changes)
    return [changed] if changed is not None else []


def transactions_moved(station: Station, offset: int, facts: Iterable[Fact]) -> list[Fact]:
    """What follows from transactions that began or ended, for a station that holds anything."""
    held = station.held
    moved: list[Fact] = []
    if held is None:
        return moved
    for fact in facts:
        changed = _changed(station, offset, fact, _of_transaction(held, station, fact))
        if changed is not None:
            moved.append(changed)
    return moved


def _of_transaction(held: Holdings, station: Station, fact: Fact) -> Iterator[Change]:
    match fact:
        case TransactionStarted() if not fact.repeated:
            yield from _begun(held, fact.transaction_id, fact.evse_id, fact.reservation_id)
        case TransactionEventReported():
            transaction = station.transactions.known.get(fact.transaction_id)
            evse_id = fact.evse_id if transaction is None else transaction.evse_id
            if fact.event_type == "Started" or fact.reservation_id is not None:
                yield from _begun(held, fact.transaction_id, evse_id, fact.reservation_id)
            if fact.event_type == "Ended":
                yield from _ended(held, fact.transaction_id)
        case TransactionEnded() if not fact.repeated:
            yield from _ended(held, fact.transaction_id)
        case _:
            pass


def _begun(
    held: Holdings, transaction_id: str, evse_id: int | None, reservation_id: int | None
) -> Iterator[Change]:
    if reservation_id is not None:
        yield from reservations.used(held, reservation_id, transaction_id)
    yield from charging_profiles.transaction_started(held, transaction_id, evse_id)


def _ended(held: Holdings, transaction_id: str) -> Iterator[Change]:
    yield from charging_profiles.transaction_ended(held, transaction_id)
    yield from station_tariffs.transaction_ended(held, transaction_id)
    yield from energy_offers.transaction_ended(held, transaction_id)
    yield from display_messages.transaction_ended(held, transaction_id)


def _followed(
    station: Station,
    offset: int,
    record: MessageReceived | MessageSent,
    fold: Fold,
    told: tuple[Any, Any],
    command_id: str,
    registry: int = -1,
) -> list[Fact]:
    request, result = told
    if not isinstance(request, dict) or not isinstance(result, dict):
        return []
    telling = Telling(
        request, result, offset, record.recorded_at, _held(station), command_id, registry
    )
    fact = Fact(offset=offset, recorded_at=record.recorded_at)
    changed = _changed(station, offset, fact, fold(telling))
    return [changed] if changed is not None else []


def _held(station: Station) -> Holdings:
    return station.held if station.held is not None else Holdings()


def _changed(
    station: Station, offset: int, fact: Fact, changes: Iterable[Change]
) -> StateChanged | None:
    # All of them first: a fold reads what was, not what it is making.
    wanted = list(changes)
    if not wanted:
        return None
    if station.held is None:
        station.held = Holdings()
    wanted += security_profiles.noted(station.held, wanted, fact.recorded_at)
    made = apply(station.held, offset, wanted)
    return (
        StateChanged(
            offset=fact.offset,
            recorded_at=fact.recorded_at,
            superseded=fact.superseded,
            changes=made,
        )
        if made
        else None
    )
