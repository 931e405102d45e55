"""A transaction as TransactionEvents tell it (OCPP 2.0.1, E; 2.1, E): how each event changes it.

The transaction is the same as in 1.6; only the telling differs. Events come at least once and in
any order, and each says only what it knows: where, who and the registers may stand in any of them.
"""

from domain.facts import TransactionEventReported
from domain.transaction import Transaction, charging_state, flag, read_registers, read_signed


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
    return transaction


def evolve_by_event(transaction: Transaction, fact: TransactionEventReported) -> bool:
    """Apply the event; return whether the CDR is another one now.

    Of a released transaction it is what a correction would be made of; its CDR stays.
    """
    changed = _apply(transaction, fact)
    if changed:
        transaction.revision += 1
        transaction.changed = fact.offset
        transaction.changed_at = fact.recorded_at
    return changed


def answer_key(seq_no: int, id_token: str) -> str:
    """What an event with an id token is known again by, for its answer.

    Another token under the same number is another question: it gets no other token's answer.
    """
    return f"{seq_no}|{id_token.casefold()}"


def _apply(t: Transaction, fact: TransactionEventReported) -> bool:
    changed = flag(t, fact.flags)
    changed |= _locate(t, fact)
    changed |= _identify(t, fact)
    if fact.event_type == "Started" and t.started < 0:
        t.started, t.start_answered = fact.offset, fact.answered
        t.start_received, t.started_at = fact.recorded_at, fact.at
        t.registry = fact.registry
        changed = True
    if fact.begin is not None and t.meter_start_wh is None:
        t.meter_start_wh, t.start_told = int(fact.begin[1]), fact.offset
        changed = True
    if fact.event_type == "Ended" and not t.is_ended:
        t.ended, t.end_answered = fact.offset, fact.answered
        t.end_received, t.ended_at = fact.recorded_at, fact.at
        t.stop_reason = fact.stopped_reason or "Local"
        changed = True
    if fact.end is not None and t.meter_stop_wh is None:
        t.meter_stop_wh, t.stop_told = int(fact.end[1]), fact.offset
        changed = True
    if t.registry < 0:
        t.registry = fact.registry
    if fact.reservation_id is not None and t.reservation_id is None:
        t.reservation_id = fact.reservation_id
    return _read(t, fact) or changed


def _read(t: Transaction, fact: TransactionEventReported) -> bool:
    """Take what was measured; only once it is over does that change what its CDR says."""
    changed = bool(fact.signed) and read_signed(t, fact.offset, fact.signed)
    is_timed = bool(fact.charging_state) and fact.at is not None
    if is_timed and charging_state(t, fact.at or 0, fact.charging_state):
        t.states_told.append(fact.offset)
        changed |= t.is_ended
    if read_registers(t, fact.registers):
        t.readings_told.append(fact.offset)
        changed |= t.is_ended or t.succeeded
    return changed


def _locate(t: Transaction, fact: TransactionEventReported) -> bool:
    if t.evse_id > 0 or not fact.evse_id:
        return False
    t.evse_id, t.connector_id = fact.evse_id, fact.connector_id or 0
    return True


def _identify(t: Transaction, fact: TransactionEventReported) -> bool:
    if not fact.token_status:
        return False
    if fact.event_type == "Ended":
        t.stop_token = fact.id_token
    if t.token_status:
        return False
    t.id_token, t.token_status, t.group = fact.id_token, fact.token_status, fact.group
    return True
