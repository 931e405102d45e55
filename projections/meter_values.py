"""The series of meter values: one row per sampled value, and per register of a start or stop.

A row's identity is its place in the log, (partition, offset of the CALL, index); a sample that the
station sends again has another place and the same `sample_key`, which ClickHouse computes.
"""

from collections.abc import Iterable

from domain.facts import MeterValuesReported, SampledValue, TransactionEnded, TransactionStarted
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
    tail = ("register_start", fact.repeated, station.partition, fact.offset, 0)
    number = "" if fact.meter_start_wh is None else str(fact.meter_start_wh)
    add(
        (
            *head,
            storable(fact.started_at),
            fact.recorded_at,
            *REGISTER,
            "Transaction.Begin",
            "Outlet",
            "Wh",
            number,
            number,
            *tail,
        )
    )


def transaction_ended(station: Station, fact: TransactionEnded, add: Add) -> None:
    transaction = station.transactions.known.get(fact.transaction_id)
    place = (transaction.evse_id, transaction.connector_id) if transaction is not None else (0, 0)
    head = (station.tenant, station.station, *place, fact.transaction_id)
    tail = (fact.repeated, station.partition, fact.offset)
    number = "" if fact.meter_stop_wh is None else str(fact.meter_stop_wh)
    add(
        (
            *head,
            storable(fact.ended_at),
            fact.recorded_at,
            *REGISTER,
            "Transaction.End",
            "Outlet",
            "Wh",
            number,
            number,
            "register_stop",
            *tail,
            0,
        )
    )
    _samples(head, fact.recorded_at, fact.samples, ("transaction_data", *tail), 1, add)


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
