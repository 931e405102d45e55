"""Sessions as their CDRs say, for analysts: the latest revision of each transaction counts.

A released CDR is the document in the log, never a fold of today. Between two cuts a transaction may
change many times; only what it is at the cut becomes a row.
"""

import msgspec

from domain.cdr import cdr_of
from domain.cdr_requests import CdrDenied
from domain.facts import (
    CdrFixed,
    MeterValuesReported,
    ReservationConcluded,
    SettlementReported,
    SignaturesVerified,
    TariffChanged,
    TransactionConcluded,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.readings import read_time
from domain.reference import Reference
from domain.station import Station
from domain.transaction import Transaction
from projections.clickhouse_ports import Row, Rows, Table, storable
from schemas.cdr import Cdr

TABLE = Table(
    name="sessions",
    columns=(
        ("tenant", "String"),
        ("station", "String"),
        ("transaction_id", "String"),
        ("cdr_id", "String"),
        ("revision", "UInt32"),
        ("state", "Enum8('OPEN' = 1, 'HELD' = 2, 'FINAL' = 3, 'REJECTED' = 4)"),
        ("evse", "Int64"),
        ("connector", "Int64"),
        ("id_token", "String"),
        ("started_at", "Nullable(DateTime64(6, 'UTC'))"),
        ("ended_at", "Nullable(DateTime64(6, 'UTC'))"),
        ("meter_start_wh", "Nullable(Int64)"),
        ("meter_stop_wh", "Nullable(Int64)"),
        ("energy_wh", "Nullable(Decimal(38, 9))"),
        ("signed", "Bool"),
        ("stop_reason", "String"),
        ("flags", "Array(String)"),
        ("partition", "UInt16"),
        ("offset", "UInt64"),
    ),
)
_decode = msgspec.json.Decoder(Cdr).decode
_Key = tuple[str, str, str]
OfTransaction = (
    CdrDenied
    | MeterValuesReported
    | ReservationConcluded
    | SettlementReported
    | SignaturesVerified
    | TariffChanged
    | TransactionConcluded
    | TransactionEnded
    | TransactionEventReported
    | TransactionStarted
)
"""What may make a transaction's CDR another one before it is released."""


class SessionRows:
    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._changed: dict[_Key, Station] = {}
        self._fixed: dict[_Key, Row] = {}

    def changed(self, station: Station, fact: OfTransaction) -> None:
        """A fact was told of a transaction; a start or an end may change its neighbours, too."""
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is None:
            return
        if transaction.changed == fact.offset:
            self._mark(station, transaction)
        if fact.offset in (transaction.started, transaction.ended):
            for other in station.transactions.known.values():
                if other.changed == fact.offset:
                    self._mark(station, other)

    def _mark(self, station: Station, transaction: Transaction) -> None:
        self._changed[station.tenant, station.station, transaction.transaction_id] = station

    def cdr_fixed(self, station: Station, fact: CdrFixed) -> None:
        """A credit is no session: what stands is the replacement that comes with it."""
        key = (station.tenant, station.station, fact.transaction_id)
        cdr = _decode(fact.document)
        if cdr.credit:
            return
        self._fixed[key] = _row(cdr, station.partition, fact.offset)
        self._changed.pop(key, None)

    def cut(self) -> Rows:
        rows: Rows = []
        for row in self._fixed.values():
            rows.extend(row)
        for (tenant, name, transaction_id), station in self._changed.items():
            transaction = station.transactions.known.get(transaction_id)
            if transaction is not None and not transaction.released:
                cdr = cdr_of(tenant, name, station.partition, transaction, self._reference)
                rows.extend(_row(cdr, station.partition, transaction.changed))
        self._changed.clear()
        self._fixed.clear()
        return rows


def _row(cdr: Cdr, partition: int, offset: int) -> Row:
    return (
        cdr.tenant,
        cdr.station,
        cdr.transaction_id,
        cdr.id,
        cdr.revision,
        cdr.state,
        cdr.evse,
        cdr.connector,
        cdr.id_token,
        storable(read_time(cdr.started_at)[0]),
        storable(read_time(cdr.ended_at)[0]),
        cdr.meter_start_wh,
        cdr.meter_stop_wh,
        None if cdr.energy_wh is None else str(cdr.energy_wh),
        cdr.signed is not None and cdr.signed.is_energy,
        cdr.stop_reason or "",
        cdr.flags,
        partition,
        offset,
    )
