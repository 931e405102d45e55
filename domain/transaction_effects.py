"""What is told of a transaction, in the state of its station: of which one, and what follows."""

from msgspec.structs import replace

from domain import auth_methods, charging_states, reservations
from domain.cdr import may_be_released
from domain.facts import (
    ConnectorStatusReported,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    SettlementReported,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.meter_values_16 import ends_in
from domain.orphan_energy import AMBIGUOUS, UNKNOWN, orphan_detail
from domain.readings import read_time, whole
from domain.silence import is_running
from domain.station import Station, answer_payload
from domain.transaction import Transaction, flag, succeed, touch
from domain.transaction_events import answer_key, begin_by_event, evolve_by_event
from domain.transaction_messages import begin, begin_unseen, evolve
from domain.transactions import (
    MATCHED,
    RECONSTRUCTED,
    REUSED,
    NamelessStop,
    Transactions,
    began_at,
    start_key,
)
from schemas.records import MessageSent

Sent = MessageSent | None
"""Our answer; None to a SEND, which has none."""

EVENT_ANSWERS_MAX = 16
"""Of a transaction. A token is presented two or three times in one."""

COSTS_ANSWERED_MAX = 8
"""Of a transaction: a station repeats what it told last, before it goes on."""

_COST = '"totalCost":'
"""As `decisions2` writes it, at the end of the payload."""


def transaction_started(station: Station, fact: TransactionStarted, record: Sent) -> Fact:
    book = station.transactions
    known = book.known.get(fact.transaction_id)
    if known is not None:
        _evolve(station, known, fact)
    elif not fact.repeated:
        transaction = begin(fact)
        transaction.start_answer = answer_payload(record) if record is not None else ""
        transaction.start_is_live = _is_live(station, fact)
        key = start_key(fact.evse_id, fact.id_token, fact.started_at, fact.meter_start_wh)
        book.add(key, transaction)
        _take_place(station, transaction, fact)
        charging_states.begun(station, transaction)
        auth_methods.begun_16(station, transaction)
        if fact.reservation_id is not None:
            _reserve(station, transaction)
    return fact


def charging_state_told(station: Station, fact: ConnectorStatusReported) -> None:
    changed = charging_states.told(station, fact)
    if changed is not None:
        _settle(station, changed, changed=True)


def _take_place(station: Station, transaction: Transaction, fact: Fact) -> None:
    """It has begun on an EVSE: what ran there before is over, unless its end is still to come."""
    book = station.transactions
    if transaction.evse_id <= 0:
        return
    for other in book.link(transaction):
        if other.previous == transaction.transaction_id:
            touch(other, fact.offset, fact.recorded_at)
            _settle(station, other, changed=True)
            _is_followed(book, transaction, other, fact)
    began = began_at(transaction)
    for other in book.open_on(transaction.evse_id):
        if other is not transaction and began_at(other) <= began:
            _is_followed(book, other, transaction, fact)


def _is_followed(book: Transactions, first: Transaction, then: Transaction, fact: Fact) -> None:
    """`then` began on the EVSE of `first`: of several the one that began first counts."""
    if first.is_ended or (first.succeeded and (first.successor_at or 0) <= began_at(then)):
        return
    succeed(first, then, fact.offset)
    if first.is_closed:
        touch(first, fact.offset, fact.recorded_at)
    book.closing[first.transaction_id] = None


def _is_live(station: Station, fact: Fact) -> bool:
    return not (station.is_catching_up or fact.superseded)


def meter_values_reported(station: Station, fact: MeterValuesReported, _: Sent) -> Fact:
    book, transaction_id = station.transactions, fact.transaction_id
    transaction = book.known.get(transaction_id)
    if transaction is not None:
        _evolve(station, transaction, fact)
        if transaction.silent_since:
            is_running(station, transaction, max((at or 0 for at, _ in fact.registers), default=0))
    elif transaction_id and not book.is_archived(transaction_id):
        unseen = book.unseen_as(transaction_id, lambda: begin_unseen(fact, transaction_id))
        evolve(unseen, fact)
    return fact


def _evolve(station: Station, transaction: Transaction, fact: Fact) -> None:
    _settle(station, transaction, changed=evolve(transaction, fact))


def _settle(station: Station, transaction: Transaction, *, changed: bool) -> None:
    if transaction.released:
        if changed and transaction.document:
            station.transactions.correcting[transaction.transaction_id] = None
    elif may_be_released(transaction):
        station.transactions.settling[transaction.transaction_id] = None


def transaction_ended(station: Station, fact: TransactionEnded, record: Sent) -> Fact:
    book = station.transactions
    transaction = book.known.get(fact.transaction_id)
    if transaction is None and not fact.repeated:
        transaction = _without_start(book, fact)
        if transaction is None:
            return _orphaned(book, fact)
        fact = replace(fact, transaction_id=transaction.transaction_id)
    if transaction is None:
        return fact
    _finish(station, transaction, fact)
    if not transaction.stop_answer and record is not None:
        transaction.stop_answer = answer_payload(record)
    return fact


def _finish(station: Station, transaction: Transaction, fact: TransactionEnded) -> None:
    book, was_ended = station.transactions, transaction.is_ended
    if not was_ended:
        transaction.end_is_live = _is_live(station, fact)
        if MATCHED in fact.flags:
            # It did not know its id when it stopped: it had not been answered by then.
            transaction.start_is_live = False
    _evolve(station, transaction, fact)
    book.closing.pop(transaction.transaction_id, None)
    if not was_ended:
        charging_states.ended(station, transaction)
        _pass_on(station, transaction, fact)


def _pass_on(station: Station, transaction: Transaction, fact: Fact) -> None:
    after = station.transactions.pass_on(transaction)
    if after is not None:
        touch(after, fact.offset, fact.recorded_at)
        _settle(station, after, changed=True)


def _pass_back(station: Station, transaction: Transaction, fact: Fact) -> None:
    """Its register at the start bounds the one that it followed, whose end was not told."""
    for other in station.transactions.known.values():
        if other.succeeded and other.succeeded_by == transaction.started >= 0:
            other.successor_start_wh = transaction.meter_start_wh
            if other.is_closed:
                touch(other, fact.offset, fact.recorded_at)


def _without_start(book: Transactions, fact: TransactionEnded) -> Transaction | None:
    """Return the transaction that this stop ends, if it or its samples tell of one at all."""
    unseen = book.unseen.pop(fact.transaction_id, None)
    if unseen is not None:
        unseen.id_token, unseen.token_status = fact.id_token, fact.token_status
        unseen.group = fact.group
        book.add(f"unseen|{unseen.transaction_id}", unseen)
        return unseen
    begin, _ = ends_in(fact.samples)
    if int(fact.transaction_id) > 0 or begin is None or begin[0] is None:
        return None
    stop = NamelessStop(fact.meter_stop_wh, fact.ended_at, fact.id_token, fact.group, begin[1])
    if book.candidates(stop):
        return None
    made = begin_unseen(fact, f"stop{REUSED}{fact.offset}")
    made.started_at, made.meter_start_wh, made.group = begin[0], whole(begin[1]), fact.group
    made.start_is_live = False
    flag(made, (RECONSTRUCTED,))
    book.add(f"stop|{fact.offset}", made)
    return made


def _orphaned(book: Transactions, fact: TransactionEnded) -> MessageOrphaned:
    reason = UNKNOWN
    if int(fact.transaction_id) <= 0:
        stop = NamelessStop(fact.meter_stop_wh, fact.ended_at, fact.id_token, fact.group)
        if book.candidates(stop):
            reason = AMBIGUOUS
    return MessageOrphaned(
        offset=fact.offset,
        recorded_at=fact.recorded_at,
        superseded=fact.superseded,
        reason=reason,
        transaction_id=fact.transaction_id,
        detail=orphan_detail(fact, reason),
    )


def transaction_event(station: Station, fact: TransactionEventReported, record: Sent) -> Fact:
    book = station.transactions
    transaction = book.known.get(fact.transaction_id)
    if transaction is None:
        if book.is_over_for_good(fact.transaction_id):
            return fact
        transaction = begin_by_event(fact)
        is_live = _is_live(station, fact) and not fact.offline
        if fact.event_type == "Started":
            transaction.start_is_live = is_live
        if fact.event_type == "Ended":
            transaction.end_is_live = is_live
        book.add_event(transaction)
        auth_methods.told_by_event(
            station, transaction, fact, is_first=bool(transaction.token_status), is_live=is_live
        )
        _settle(station, transaction, changed=True)
        _place_event(station, transaction, fact, was=0)
    else:
        _event_evolves(station, transaction, fact)
    if record is not None and fact.seq_no is not None:
        if fact.token_status:
            _remember_answer(transaction, answer_key(fact.seq_no, fact.id_token), record)
        elif _COST in record.frame:
            _remember_cost(transaction, cost_key(fact.seq_no, fact.event_type), record)
    return fact


def cost_key(seq_no: int, event_type: str) -> str:
    """What an event is known again by, for the cost that it was answered."""
    return f"{seq_no}|{event_type}"


def _event_evolves(
    station: Station, transaction: Transaction, fact: TransactionEventReported
) -> None:
    was_evse, was_started, was_ended = (
        transaction.evse_id,
        transaction.started >= 0,
        transaction.is_ended,
    )
    presented = transaction.token_status, transaction.token_seq
    # What comes behind its successors has waited somewhere.
    is_overtaken = fact.seq_no is not None and (transaction.seq.highest or 0) > fact.seq_no
    is_live = _is_live(station, fact) and not fact.offline and not is_overtaken
    was_begun_at = transaction.meter_start_wh
    changed = evolve_by_event(transaction, fact)
    if was_begun_at is None and transaction.meter_start_wh is not None:
        _pass_back(station, transaction, fact)
    if transaction.is_ended and not was_ended:
        transaction.end_is_live = is_live
        station.transactions.closing.pop(transaction.transaction_id, None)
        _pass_on(station, transaction, fact)
    if transaction.started >= 0 and not was_started:
        transaction.start_is_live = is_live
        was_evse = 0
    if transaction.silent_since:
        is_running(station, transaction, fact.at)
    is_first = presented != (transaction.token_status, transaction.token_seq)
    auth_methods.told_by_event(station, transaction, fact, is_first=is_first, is_live=is_live)
    _place_event(station, transaction, fact, was=was_evse)
    _settle(station, transaction, changed=changed)


def _place_event(
    station: Station, transaction: Transaction, fact: TransactionEventReported, *, was: int
) -> None:
    if was <= 0 < transaction.evse_id:
        _take_place(station, transaction, fact)
    if fact.reservation_id is not None and transaction.reserved_at is None:
        _reserve(station, transaction)


def settlement(station: Station, fact: SettlementReported, _: Sent) -> Fact:
    book = station.transactions
    transaction = book.known.get(book.event_id(fact.transaction_id, "", None))
    if transaction is None or transaction.settled == fact.amount:
        return fact
    transaction.settled = fact.amount
    touch(transaction, fact.offset, fact.recorded_at)
    _settle(station, transaction, changed=True)
    return replace(fact, transaction_id=transaction.transaction_id)


def _remember_answer(transaction: Transaction, key: str, record: MessageSent) -> None:
    answers = transaction.event_answers
    if key not in answers and len(answers) < EVENT_ANSWERS_MAX:
        answers[key] = answer_payload(record)


def _remember_cost(transaction: Transaction, key: str, record: MessageSent) -> None:
    costs = transaction.costs_answered
    if key not in costs:
        costs[key] = answer_payload(record).partition(_COST)[2].rstrip("}")
        if len(costs) > COSTS_ANSWERED_MAX:
            del costs[next(iter(costs))]


def _reserve(station: Station, transaction: Transaction) -> None:
    """It began with a reservation: from when on was that, and had it run out by then?"""
    if station.held is None or transaction.reservation_id is None:
        return
    known = reservations.find(station.held, transaction.reservation_id)
    if known is None:
        return
    reserved, expires = (read_time(known.get(name))[0] for name in ("reserved_at", "expires_at"))
    began = transaction.started_at or transaction.start_received
    if reserved is not None and reserved <= began:
        transaction.reserved_at = reserved
        transaction.reserved_until = began if expires is None else min(expires, began)
        transaction.reserved_told = int(known.get(reservations.MADE, -1))
