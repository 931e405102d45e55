"""The series of meter values: one row per sampled value, and per register of a start or stop.

A row's identity is its place in the log, (partition, offset of the CALL, index); a sample that the
station sends again has another place and the same `sample_key`, which ClickHouse computes.
"""

from collections.abc import Iterable
from decimal import Decimal

from domain.facts import (
    MeterValuesReported,
    SampledValue,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.station import Station
from projections.clickhouse_ports import Add, Row, Table, storable

TABLE = Table(
    name="meter_values",
    columns=(
        ("tenant", "String"),
        ("station", "String"),
        ("evse", "Int64"),
        ("connector", "Int64"),
        ("transaction_id", "String"),
        ("at", "Nullable(DateTime64(6, 'UTC'))"),
        ("recorded_at", "DateTime64(6, 'UTC')"),
        ("measurand", "String"),
        ("phase", "String"),
        ("context", "String"),
        ("location", "String"),
        ("unit", "String"),
        ("number", "String"),
        ("raw", "String"),
        ("source", "String"),
        ("repeated", "Bool"),
        ("partition", "UInt16"),
        ("offset", "UInt64"),
        ("index", "UInt32"),
    ),
)
REGISTER = ("Energy.Active.Import.Register", "")
"""Measurand and phase of meterStart and meterStop."""

_BEGIN = ("Transaction.Begin", "register_start")
_END = ("Transaction.End", "register_stop")
"""Context and source of the registers of a start and a stop."""


def samples_reported(station: Station, fact: MeterValuesReported, add: Add) -> None:
    head = (
        station.tenant,
        station.station,
        fact.evse_id,
        fact.connector_id,
        fact.transaction_id,
    )
    tail = ("sample", False, station.partition, fact.offset)
    _samples(head, fact.recorded_at, fact.samples, tail, 0, add)


def transaction_started(station: Station, fact: TransactionStarted, add: Add) -> None:
    head = (
        station.tenant,
        station.station,
        fact.evse_id,
        fact.connector_id,
        fact.transaction_id,
    )
    tail = (fact.repeated, station.partition, fact.offset, 0)
    add(_register(head, fact.started_at, fact.recorded_at, _BEGIN, fact.meter_start_wh, tail))


def transaction_ended(station: Station, fact: TransactionEnded, add: Add) -> None:
    head = _head(station, fact.transaction_id)
    tail = (fact.repeated, station.partition, fact.offset)
    add(_register(head, fact.ended_at, fact.recorded_at, _END, fact.meter_stop_wh, (*tail, 0)))
    _samples(head, fact.recorded_at, fact.samples, ("transaction_data", *tail), 1, add)


def transaction_event(station: Station, fact: TransactionEventReported, add: Add) -> None:
    """The event's samples, and the registers of the transaction where this event told them."""
    head = _head(station, fact.transaction_id)
    tail = (False, station.partition, fact.offset)
    t = station.transactions.known.get(fact.transaction_id)
    index = 0
    if t is not None and t.start_told == fact.offset:
        add(_register(head, t.started_at, fact.recorded_at, _BEGIN, t.meter_start_wh, (*tail, 0)))
        index += 1
    if t is not None and t.stop_told == fact.offset:
        add(_register(head, t.ended_at, fact.recorded_at, _END, t.meter_stop_wh, (*tail, index)))
        index += 1
    _samples(head, fact.recorded_at, fact.samples, ("transaction_event", *tail), index, add)


def _head(station: Station, transaction_id: str) -> Row:
    transaction = station.transactions.known.get(transaction_id)
    place = (transaction.evse_id, transaction.connector_id) if transaction is not None else (0, 0)
    return (station.tenant, station.station, *place, transaction_id)


def _register(
    head: Row,
    at: int | None,
    recorded_at: int,
    kind: tuple[str, str],
    wh: int | Decimal | None,
    tail: Row,
) -> Row:
    context, source = kind
    number = "" if wh is None else str(wh)
    value = (context, "Outlet", "Wh", number, number, source)
    return (*head, storable(at), recorded_at, *REGISTER, *value, *tail)


def _samples(
    head: Row, recorded_at: int, samples: Iterable[SampledValue], tail: Row, index: int, add: Add
) -> None:
    for sample in samples:
        value = sample.value
        add(
            (
                *head,
                storable(sample.at),
                recorded_at,
                sample.measurand,
                sample.phase,
                sample.context,
                sample.location,
                sample.unit,
                "" if value is None else str(value),
                sample.raw,
                *tail,
                index,
            )
        )
        index += 1
