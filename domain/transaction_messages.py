"""A transaction as StartTransaction, MeterValues and StopTransaction tell it (OCPP 1.6).

What 2.x tells of one is in `transaction_events`; both keep readings and states alike.
"""

from bisect import bisect_left
from decimal import Decimal
from itertools import pairwise

from domain.clocks import reading_time
from domain.facts import (
    Fact,
    MeterValuesReported,
    OtherRegisters,
    Registers,
    SignedTexts,
    TransactionEnded,
    TransactionStarted,
)
from domain.signed_values import SignedValue, keep
from domain.transaction import Transaction, flag, mention, touch

READINGS_MAX = 3_000
"""Two days with one a minute. Beyond it every second one is left out, and they begin anew."""

INTERVALS_MAX = 3_000
STATES_MAX = 1_000
CONFLICTS_MAX = 8


def begin(fact: TransactionStarted) -> Transaction:
    transaction = Transaction(
        transaction_id=fact.transaction_id,
        evse_id=fact.evse_id,
        connector_id=fact.connector_id,
        id_token=fact.id_token,
        token_status=fact.token_status,
        started=fact.offset,
        start_answered=fact.answered,
        start_received=fact.recorded_at,
        started_at=fact.started_at,
        meter_start_wh=fact.meter_start_wh,
        changed=fact.offset,
        flags=[],
        registry=fact.registry,
        group=fact.group,
        reservation_id=fact.reservation_id,
    )
    flag(transaction, fact.flags)
    return transaction


def begin_unseen(fact: MeterValuesReported | TransactionEnded, transaction_id: str) -> Transaction:
    """Return a transaction of which no start came: what is told of it now is kept."""
    is_end = isinstance(fact, TransactionEnded)
    return Transaction(
        transaction_id=transaction_id,
        evse_id=fact.evse_id if isinstance(fact, MeterValuesReported) else 0,
        connector_id=fact.connector_id if isinstance(fact, MeterValuesReported) else 0,
        id_token=fact.id_token if isinstance(fact, TransactionEnded) else "",
        token_status=fact.token_status if isinstance(fact, TransactionEnded) else "",
        started=-1,
        start_answered=-1,
        start_received=fact.recorded_at,
        started_at=None,
        meter_start_wh=None,
        changed=fact.offset if is_end else -1,
        flags=[],
    )


def evolve(transaction: Transaction, fact: Fact) -> bool:
    """Apply what was said of this transaction; return whether its CDR is another one now.

    Of a released transaction it is what a correction would be made of; its CDR stays.
    """
    if isinstance(fact, MeterValuesReported):
        changed = flag(transaction, fact.flags)
        if fact.signed:
            changed |= read_signed(transaction, fact.offset, fact.signed)
        is_told = read_registers(transaction, fact.registers, fact.recorded_at)
        if fact.others:
            is_told |= read_others(transaction, fact.others, fact.recorded_at)
        if is_told and len(transaction.readings_told) < READINGS_MAX:
            transaction.readings_told.append(fact.offset)
        if transaction.is_ended or transaction.is_closed:
            # A late sample moves its bounds, contradicts its end, or splits its energy.
            changed = changed or is_told
    elif isinstance(fact, TransactionEnded):
        changed = _end(transaction, fact)
        changed |= mention(transaction, fact.offset)
    elif isinstance(fact, TransactionStarted):
        changed = _start_again(transaction, fact)
        changed |= mention(transaction, fact.offset)
    else:
        return False
    if changed:
        touch(transaction, fact.offset, fact.recorded_at)
    return changed


def _start_again(transaction: Transaction, fact: TransactionStarted) -> bool:
    told = fact.meter_start_wh
    if told == transaction.meter_start_wh:
        return flag(transaction, ("DUPLICATE_START",))
    return flag(transaction, ("CONFLICTING_START",)) | _contradict(
        transaction.conflicting_starts, told
    )


def _contradict(told_before: list[int], told: int | None) -> bool:
    if told is None or told in told_before or len(told_before) >= CONFLICTS_MAX:
        return False
    told_before.append(told)
    return True


def _end(transaction: Transaction, fact: TransactionEnded) -> bool:
    if fact.signed:
        read_signed(transaction, fact.offset, fact.signed)
    if transaction.is_ended:
        same = (fact.ended_at, fact.meter_stop_wh) == (
            transaction.ended_at,
            transaction.meter_stop_wh,
        )
        if same:
            return flag(transaction, ("DUPLICATE_STOP",))
        return flag(transaction, ("CONFLICTING_STOP",)) | _contradict(
            transaction.conflicting_stops, fact.meter_stop_wh
        )
    transaction.ended = fact.offset
    transaction.end_answered = fact.answered
    transaction.end_received = fact.recorded_at
    transaction.ended_at = fact.ended_at
    transaction.meter_stop_wh = fact.meter_stop_wh
    transaction.stop_reason = fact.reason
    transaction.stop_token = fact.id_token
    flag(transaction, fact.flags)
    if fact.reason == "PowerLoss":
        flag(transaction, ("POWER_LOSS",))
    transaction.stop_group = fact.group
    if transaction.registry < 0:
        transaction.registry = fact.registry
    read_registers(transaction, fact.registers, fact.recorded_at)
    read_others(transaction, fact.others, fact.recorded_at)
    return True


def charging_state(transaction: Transaction, offset: int, at: int, state: str) -> bool:
    """Put the state, told at this offset, in its place in time; return whether that is news."""
    is_new = _keep_state(transaction, at, state)
    if is_new and len(transaction.states_told) < STATES_MAX:
        transaction.states_told.append(offset)
    return is_new


def _keep_state(transaction: Transaction, at: int, state: str) -> bool:
    """Return whether it is another one than before it."""
    states = transaction.states
    if not states or (at, state) > states[-1]:
        states.append((at, state))
        is_new = len(states) < 2 or states[-2][1] != state
    else:
        place = bisect_left(states, (at, state))
        if states[place] == (at, state):
            return False
        states.insert(place, (at, state))
        is_new = True
    if len(states) > STATES_MAX:
        changes = [new for old, new in pairwise(states) if new[1] != old[1]]
        transaction.states = [states[0], *changes][: STATES_MAX - 1]
    return is_new


def read_registers(transaction: Transaction, registers: Registers, received: int) -> bool:
    """Take these readings; return whether they say anything new."""
    new = False
    for told_at, value in registers:
        at = reading_time(told_at, received)
        new |= _keep(transaction.readings, (at, value))
        if transaction.last_register_at is None or at >= transaction.last_register_at:
            transaction.last_register_wh = int(value)
            transaction.last_register_at = at
    return new


def read_others(transaction: Transaction, others: OtherRegisters, received: int) -> bool:
    """Take what stands beside the import register: intervals, and the export register."""
    new = False
    for kind, told_at, value in others:
        if kind == "begin":
            transaction.begin_wh = value if transaction.begin_wh is None else transaction.begin_wh
            continue
        if kind == "end":
            transaction.end_wh = value if transaction.end_wh is None else transaction.end_wh
            continue
        at = reading_time(told_at, received)
        if kind == "interval":
            kept = transaction.intervals
            if len(kept) < INTERVALS_MAX and (at, value) not in kept[-8:]:
                kept.append((at, value))
                new = True
        else:
            new |= _keep(transaction.exports, (at, value))
            del transaction.exports[1:-1]
    return new


def _keep(readings: list[tuple[int, Decimal]], reading: tuple[int, Decimal]) -> bool:
    """Put it in its place in time; return whether it was not there."""
    if not readings or reading > readings[-1]:
        readings.append(reading)
    else:
        place = bisect_left(readings, reading)
        if readings[place] == reading:
            return False
        readings.insert(place, reading)
    if len(readings) > READINGS_MAX:
        del readings[1:-1:2]
    return True


def read_signed(transaction: Transaction, offset: int, signed: SignedTexts) -> bool:
    """Keep what decides; return whether there is something new, which waits for its verdict."""
    new = (SignedValue(offset=offset, path=path, text=text) for path, text in signed)
    return keep(transaction.signed, new)
