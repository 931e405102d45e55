"""TransactionEventResponse.totalCost: what the transaction owes, with this event counted in. Pure.

At an `Updated` what it owes so far, unless that had waited in a queue (`offline`); at `Ended` what
its CDR says (2.0.1, I02, I03; 2.1 alike). Including taxes. Nothing is said at `Started`, where no
tariff prices it, and at an end that leaves a doubt about its CDR: an absent cost means no free
transaction, a wrong one would be believed.

The event is folded into a copy of its transaction by the code that will fold it for good. What that
costs does not grow with what the transaction keeps: only its lists are copied, of its readings
those are priced that are next to a moment or an amount at which the price may change, and the more
there are, the fewer updates are told a cost.
"""

from copy import copy

from msgspec.structs import replace

from domain import judging
from domain.answering import Context
from domain.cdr import cdr_of
from domain.facts import TransactionEventReported
from domain.ocpp2 import transaction_event, transaction_id_in
from domain.readings import read_integer, read_time
from domain.running import cost_so_far
from domain.station import Station
from domain.told import Told
from domain.transaction import Transaction
from domain.transaction_effects import cost_key
from domain.transaction_effects import transaction_event as take_effect
from domain.transactions import Transactions
from schemas.records import CALLRESULT, MessageSent

OFTEN_UP_TO = 500
"""Readings. With as many every second update is told a cost, with twice as many every third."""

_PRICED = ("Updated", "Ended")


def total_cost(c: Context, answer: str) -> str:
    """Return the number to tell, as JSON, or "" for none; `answer`: the payload without it.

    An event that is told again gets what it got first, if that is among the last that were told.
    """
    station, reference = c.station, c.registry.reference
    event_type = c.payload.get("eventType")
    if event_type not in _PRICED or not reference.has_tariffs(station.tenant, c.registry.position):
        return ""
    known = _known(c, event_type)
    seq_no = read_integer(c.payload.get("seqNo"))[0]
    if known is None or known.released or seq_no is None:
        return ""
    told = known.costs_answered.get(cost_key(seq_no, event_type))
    if told is not None or known.seq.has(seq_no):
        return told or ""
    if event_type == "Updated" and (c.payload.get("offline") is True or _waits(known, seq_no)):
        return ""
    alone, transaction = _with_event(c, known, answer)
    if event_type == "Ended":
        return _final(c, alone, transaction)
    found = cost_so_far(station.tenant, station.station, transaction, reference)
    return "" if found is None else str(found[1].incl_rounded)


def _waits(known: Transaction, seq_no: int) -> bool:
    # The next ones come soon: a price that depends on when energy flowed is made of all readings.
    return seq_no % (1 + len(known.readings) // OFTEN_UP_TO) != 0


def _known(c: Context, event_type: str) -> Transaction | None:
    book, at = c.station.transactions, read_time(c.payload.get("timestamp"))[0]
    return book.known.get(book.event_id(transaction_id_in(c.payload)[0], event_type, at))


def _final(c: Context, alone: Station, transaction: Transaction) -> str:
    if judging.next_unjudged(alone, c.registry) is not None:
        # What was signed is judged once it is over, and may be another figure.
        return ""
    cdr = cdr_of(alone.tenant, alone.station, alone.partition, transaction, c.registry.reference)
    return "" if cdr.holds or cdr.cost is None else cdr.cost.rounded[1]


def _with_event(c: Context, known: Transaction, answer: str) -> tuple[Station, Transaction]:
    """Return the station as it will be, with this transaction alone, and that."""
    twin = _twin(known)
    book = Transactions(
        known={twin.transaction_id: twin}, latest={twin.evse_id: twin.transaction_id}
    )
    alone = replace(c.station, transactions=book, held=None)
    sent = MessageSent(
        tenant=alone.tenant,
        station=alone.station,
        recorded_at=c.now,
        cause=alone.offset,
        purpose="answer",
        epoch=0,
        registry=c.registry.position,
        connection="",
        frame=f'[3,"",{answer}]',
        message_type=CALLRESULT,
        message_id="",
        action="TransactionEvent",
    )
    told = Told(
        offset=alone.offset,
        recorded_at=c.received_at,
        answered=alone.offset,
        superseded=c.is_superseded,
        payload=c.payload,
        answer=sent,
        transactions=c.station.transactions,
        frame="",
    )
    for fact in transaction_event(told):
        if isinstance(fact, TransactionEventReported):
            take_effect(alone, fact, None)
    return alone, twin


def _twin(t: Transaction) -> Transaction:
    """Return a copy that may change while the transaction does not."""
    own = {name: getattr(t, name) for name in t.__struct_fields__}
    lists = {name: copy(value) for name, value in own.items() if type(value) in (list, dict)}
    seq = replace(t.seq, ranges=[*t.seq.ranges], contents={**t.seq.contents})
    return replace(t, **lists, seq=seq)
