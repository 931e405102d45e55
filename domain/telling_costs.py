"""CostUpdated: what a transaction owes so far, told to the station that runs it (OCPP 2.x, I02).

Where the station's registration has the attribute `cost_updates_s`, and no oftener than that. The
figure is the CDR's own pricing up to the last reading, including taxes. It is a CALL of ours like
any other: one is in flight at a time, operators' commands go first, and nothing is told twice.
"""

from collections.abc import Iterator
from uuid import UUID, uuid5

from domain.admission import REJECTED
from domain.answering import Policy, json_text
from domain.reference import Reference
from domain.releasing import Deciding
from domain.running import cost_so_far
from domain.station import Station
from domain.transaction import Transaction
from schemas.attributes import COST_UPDATES_S
from schemas.records import CALL, VERSION_16, MessageSent

INTERVAL_MIN_S = 10
"""More often than a display is read costs a station's radio more than it is worth."""

ACTION = "CostUpdated"
_NAMESPACE = UUID("5d0f2f8e-8f0a-5c55-9b3e-2c7c5a0d6b12")


def interval_us(station: Station, reference: Reference) -> int | None:
    """Return how often this station is told; None: it is not."""
    connection = station.connection
    if connection is None or connection.protocol == VERSION_16:
        return None
    told = reference.attributes_at(station.tenant, station.station, reference.position)
    wanted = told.get(COST_UPDATES_S)
    if type(wanted) is not int or wanted <= 0:
        return None
    return max(wanted, INTERVAL_MIN_S) * 1_000_000


def dues(station: Station, reference: Reference) -> Iterator[int]:
    """Yield when each running transaction may be told of again."""
    interval = interval_us(station, reference)
    if interval is not None:
        for transaction in _running(station):
            yield transaction.cost_told_at + interval


def tell(d: Deciding, policy: Policy) -> MessageSent | None:
    """Return the next CALL that tells a cost, if one is due and nothing else is to be sent."""
    station = d.station
    interval = interval_us(station, d.reference)
    if interval is None or station.boot_status == REJECTED:
        return None
    if station.in_flight or any(c.is_open for c in station.commands.values()):
        return None
    for transaction in _running(station):
        if transaction.cost_told_at + interval > d.now or transaction.registry > d.registry:
            continue
        found = cost_so_far(station.tenant, station.station, transaction, d.reference)
        if found is not None and str(found[1].incl_rounded) != transaction.cost_told:
            return _call(d, policy, transaction, str(found[1].incl_rounded))
    return None


def _running(station: Station) -> Iterator[Transaction]:
    for transaction in station.transactions.known.values():
        if transaction.by_events and not (transaction.is_ended or transaction.released):
            yield transaction


def _call(d: Deciding, policy: Policy, transaction: Transaction, cost: str) -> MessageSent:
    station = d.station
    assert station.connection is not None
    name = f"{station.tenant}/{station.station}/{transaction.transaction_id}/{station.offset}"
    command_id = str(uuid5(_NAMESPACE, name))
    payload = f'{{"totalCost":{cost},"transactionId":{json_text(transaction.transaction_id)}}}'
    return MessageSent(
        tenant=station.tenant,
        station=station.station,
        recorded_at=d.now,
        cause=station.offset,
        purpose="cost",
        epoch=d.epoch,
        registry=d.registry,
        connection=station.connection.id,
        frame=f'[2,"{command_id}","{ACTION}",{payload}]',
        message_type=CALL,
        message_id=command_id,
        action=ACTION,
        command_id=command_id,
        deadline=d.now + policy.answer_timeout_us,
    )
