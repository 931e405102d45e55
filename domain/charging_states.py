"""Charging states that connectors tell (1.6 StatusNotification), and whose they are.

A state with a time belongs to the transaction that ran on its EVSE at that time, whichever of the
two is told first: a station that was offline tells its states at once and its transactions as the
queue allows. So a state is kept until the transaction that it fits has ended.
"""

from domain.clocks import reading_time
from domain.facts import ConnectorStatusReported
from domain.silence import is_running
from domain.station import Station, ToldState
from domain.transaction import Transaction, touch
from domain.transaction_messages import charging_state

CHARGING_STATES = ("Charging", "SuspendedEV", "SuspendedEVSE")

BEFORE_US = 60_000_000
"""A state told for so little before a start, when nothing ran there, is how that began: stations
cut times to seconds, and a vehicle is often suspended before its driver is known."""

KEPT_MAX = 128
"""Of an EVSE; the oldest told are given up first."""

EVSES_MAX = 256
"""Of a station, as many as it may have connectors: it may name any number."""


def told(station: Station, fact: ConnectorStatusReported) -> Transaction | None:
    """Take the state; return a transaction that had ended and whose CDR is another one by it."""
    if fact.status not in CHARGING_STATES or fact.evse_id <= 0:
        return None
    at = reading_time(fact.at, fact.recorded_at)
    told_state = ToldState(at, fact.status, fact.offset)
    if at == fact.at:
        _keep(station, fact.evse_id, told_state)
        transaction = _at(station, fact.evse_id, at)
    else:
        transaction = station.transactions.current_on(fact.evse_id)
    if transaction is None or transaction.by_events:
        return None
    is_new = _give(transaction, told_state)
    if not transaction.is_ended:
        is_running(station, transaction, fact.at)
    if not is_new or not (transaction.is_ended or transaction.is_closed):
        return None
    touch(transaction, fact.offset, fact.recorded_at)
    return transaction


def begun(station: Station, transaction: Transaction) -> None:
    """Give it the states that were told before it was."""
    for told_state in station.charging_states.get(transaction.evse_id, ()):
        if _at(station, transaction.evse_id, told_state.at) is transaction:
            _give(transaction, told_state)


def ended(station: Station, transaction: Transaction) -> None:
    """Forget what belongs to it and to no other."""
    kept = station.charging_states.get(transaction.evse_id)
    if kept:
        left = [
            each
            for each in kept
            if each.at < _began(transaction) - BEFORE_US
            or (each.at >= _began(transaction) and not _ran(transaction, each.at))
        ]
        if left:
            station.charging_states[transaction.evse_id] = left
        else:
            del station.charging_states[transaction.evse_id]


def _keep(station: Station, evse_id: int, told_state: ToldState) -> None:
    by_evse = station.charging_states
    if evse_id not in by_evse and len(by_evse) >= EVSES_MAX:
        return
    kept = by_evse.setdefault(evse_id, [])
    kept.append(told_state)
    del kept[:-KEPT_MAX]


def _give(transaction: Transaction, told_state: ToldState) -> bool:
    return charging_state(transaction, told_state.offset, told_state.at, told_state.state)


def _at(station: Station, evse_id: int, at: int) -> Transaction | None:
    """Return the transaction that ran there at that time, as far as is known: the latest begun.

    If none did, the next one that began there soon.
    """
    there = [
        transaction
        for transaction in station.transactions.known.values()
        if transaction.evse_id == evse_id and not (transaction.by_events or transaction.is_no_show)
    ]
    running = [transaction for transaction in there if _ran(transaction, at)]
    soon = [each for each in there if at < _began(each) <= at + BEFORE_US]
    return max(running, key=_began, default=min(soon, key=_began, default=None))


def _ran(transaction: Transaction, at: int) -> bool:
    if at < _began(transaction):
        return False
    if transaction.is_ended:
        return at < reading_time(transaction.ended_at, transaction.end_received)
    return transaction.successor_at is None or at < transaction.successor_at


def _began(transaction: Transaction) -> int:
    return reading_time(transaction.started_at, transaction.start_received)
