"""A transaction as TransactionEvents tell it (OCPP 2.0.1, E; 2.1, E): how each event changes it.

The transaction is the same as in 1.6; only the telling differs. Events come at least once and in
any order, and each says only what it knows: where, who and the registers may stand in any of them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zlib import crc32

from domain.clocks import reading_time
from domain.facts import TransactionEventReported
from domain.readings import read_decimal, read_text, whole
from domain.seq_numbers import Seen
from domain.transaction import Transaction, flag, interrupt, mention, touch
from domain.transaction_messages import (
    CONFLICTS_MAX,
    READINGS_MAX,
    charging_state,
    read_others,
    read_registers,
    read_signed,
)

CURRENCY_LENGTH = 3

_STOPPING = frozenset({"StopAuthorized", "Deauthorized"})
"""Triggers with which a token that is presented ends the charging."""


def begin_by_event(fact: TransactionEventReported) -> Transaction:
    """Return the transaction that this event is the first to tell of, whatever its type."""
    transaction = Transaction(
        transaction_id=fact.transaction_id,
        evse_id=0,
        connector_id=0,
        id_token="",
        token_status="",
        started=-1,
        start_answered=-1,
        start_received=fact.recorded_at,
        started_at=None,
        meter_start_wh=None,
        changed=fact.offset,
        flags=[],
        by_events=True,
    )
    _apply(transaction, fact)
    mention(transaction, fact.offset)
    return transaction


def evolve_by_event(transaction: Transaction, fact: TransactionEventReported) -> bool:
    """Apply the event; return whether the CDR is another one now.

    Of a released transaction it is what a correction would be made of; its CDR stays.
    """
    changed = _apply(transaction, fact)
    changed |= mention(transaction, fact.offset)
    if changed:
        touch(transaction, fact.offset, fact.recorded_at)
    return changed


def answer_key(seq_no: int, id_token: str) -> str:
    """What an event with an id token is known again by, for its answer.

    Another token under the same number is another question: it gets no other token's answer.
    """
    return f"{seq_no}|{id_token.casefold()}"


def _apply(t: Transaction, fact: TransactionEventReported) -> bool:
    changed = flag(t, (*fact.flags, "OFFLINE") if fact.offline else fact.flags)
    if fact.seq_no is not None:
        seen = t.seq.take(fact.seq_no, _content(fact))
        if seen == "repeated":
            return changed | flag(t, ("DUPLICATE_EVENT",))
        changed |= _count(t, fact.seq_no, seen)
    changed |= _locate(t, fact) | _identify(t, fact) | _begin(t, fact) | _end(t, fact)
    return changed | _measure(t, fact)


def _count(t: Transaction, number: int, seen: Seen) -> bool:
    if seen == "conflicting":
        flag(t, ("SEQ_CONFLICT",))
    elif (t.seq.highest or 0) > number:
        flag(t, ("OUT_OF_ORDER",))
    # What was missing is not any more, or something is after the end.
    return t.is_ended or seen == "conflicting"


def _measure(t: Transaction, fact: TransactionEventReported) -> bool:
    changed = False
    if t.registry < 0:
        t.registry = fact.registry
    if fact.reservation_id is not None and t.reservation_id is None:
        t.reservation_id = fact.reservation_id
    if fact.cost_details is not None and fact.event_type == "Ended":
        # What an earlier event tells is the cost so far.
        t.station_cost, t.station_currency = _cost(fact.cost_details)
        changed = True
    is_over = t.is_ended or t.is_closed
    if fact.charging_state:
        at = reading_time(fact.at, fact.recorded_at)
        # Only once it is over does the state change what its CDR says.
        changed |= charging_state(t, fact.offset, at, fact.charging_state) and is_over
    if fact.trigger_reason == "TxResumed":
        interrupt(t, reading_time(fact.at, fact.recorded_at))
    if fact.signed:
        changed |= read_signed(t, fact.offset, fact.signed)
    is_told = read_registers(t, fact.registers, fact.recorded_at)
    if fact.others:
        is_told |= read_others(t, fact.others, fact.recorded_at)
    if is_told and len(t.readings_told) < READINGS_MAX:
        t.readings_told.append(fact.offset)
    return changed | (is_told and is_over)


def _content(fact: TransactionEventReported) -> int:
    said = (fact.event_type, fact.at, fact.trigger_reason, fact.charging_state, fact.id_token)
    return crc32(repr((said, fact.registers)).encode())


def _begin(t: Transaction, fact: TransactionEventReported) -> bool:
    changed = False
    if fact.event_type == "Started" and t.started < 0:
        t.started, t.start_answered = fact.offset, fact.answered
        t.start_received, t.started_at = fact.recorded_at, fact.at
        t.registry, t.seq.first = fact.registry, fact.seq_no
        changed = True
    if fact.begin is not None and t.meter_start_wh is None:
        t.meter_start_wh, t.start_told = whole(fact.begin[1]), fact.offset
        changed = True
    return changed


def _end(t: Transaction, fact: TransactionEventReported) -> bool:
    changed = False
    if fact.event_type == "Ended":
        if not t.is_ended:
            t.ended, t.end_answered = fact.offset, fact.answered
            t.end_received, t.ended_at = fact.recorded_at, fact.at
            t.stop_reason = fact.stopped_reason or t.stop_reason or "Local"
            t.seq.last = fact.seq_no
            if t.stop_reason == "PowerLoss":
                flag(t, ("POWER_LOSS",))
            changed = True
        elif fact.end is not None and t.meter_stop_wh is not None:
            other = int(fact.end[1])
            if fact.end[1] != t.meter_stop_wh and other not in t.conflicting_stops[:CONFLICTS_MAX]:
                t.conflicting_stops.append(other)
                changed |= flag(t, ("CONFLICTING_STOP",))
    elif fact.stopped_reason and not t.is_ended:
        t.stop_reason = fact.stopped_reason  # It may be told ahead (2.0.1 errata, 2.5.3).
    if fact.end is not None and t.meter_stop_wh is None:
        t.meter_stop_wh, t.stop_told = whole(fact.end[1]), fact.offset
        changed = True
    return changed


def _cost(
    details: Mapping[str, Any],
) -> tuple[tuple[Decimal | None, Decimal | None] | None, str]:
    """Return what the station says it costs, excluding and including tax, and in what currency.

    None: it could not say.
    """
    cost = details.get("totalCost")
    if details.get("failureToCalculate") is True or not isinstance(cost, dict):
        return None, ""
    total = cost.get("total")
    get = total.get if isinstance(total, dict) else {}.get
    told = read_decimal(get("exclTax")), read_decimal(get("inclTax"))
    currency = read_text(cost.get("currency"), CURRENCY_LENGTH)[0]
    return (None, "") if told == (None, None) else (told, currency)


def _locate(t: Transaction, fact: TransactionEventReported) -> bool:
    if t.evse_id > 0 or not fact.evse_id:
        return False
    t.evse_id, t.connector_id = fact.evse_id, fact.connector_id or 0
    return True


def _identify(t: Transaction, fact: TransactionEventReported) -> bool:
    """Take the token that is presented: the first that we accepted, else the first."""
    if not fact.token_status:
        return False
    is_stopping = fact.event_type == "Ended" or fact.trigger_reason in _STOPPING
    if is_stopping:
        t.stop_token, t.stop_group = fact.id_token, fact.group
    if t.token_status and (is_stopping or not _is_before(t, fact)):
        return is_stopping
    t.id_token, t.token_status, t.group = fact.id_token, fact.token_status, fact.group
    t.id_token_type = fact.id_token_type
    t.token_seq, t.authorized_at = fact.seq_no, fact.at
    return True


def _is_before(t: Transaction, fact: TransactionEventReported) -> bool:
    accepted, was = fact.token_status == "Accepted", t.token_status == "Accepted"
    if accepted != was:
        return accepted
    return None not in (t.token_seq, fact.seq_no) and (fact.seq_no or 0) < (t.token_seq or 0)
