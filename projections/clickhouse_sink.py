"""The projection into ClickHouse: what records say, as rows of four tables.

Rows are inserted first and the position is stored after; a crash in between repeats one batch, and
its rows have the same sorting keys as the first time, so they count once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from domain.cdr_requests import CdrDenied
from domain.facts import (
    CdrFixed,
    ConnectionChanged,
    ConnectorStatusReported,
    Fact,
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
from domain.reference import Reference
from domain.station import Station
from projections import connector_status, messages, meter_values, sessions
from projections.clickhouse_ports import Rows, Table, Tables
from projections.messages import Asked, Lookup, MessageRows
from projections.ports import Positions, Progress
from projections.run import Limits
from projections.sessions import SessionRows
from schemas.records import MessageReceived, MessageSent, Record

NAME = "clickhouse"
TABLES: tuple[Table, ...] = (
    messages.TABLE,
    meter_values.TABLE,
    connector_status.TABLE,
    sessions.TABLE,
)
LIMITS = Limits(batch_records=20_000, batch_s=0.35)
"""An insert costs some 10 ms however few its rows are, and its part is merged later."""


class Batch(Struct, frozen=True, kw_only=True):
    progress: Progress
    rows: Mapping[str, Rows]
    """By the name of the table."""
    lookups: Sequence[Lookup]


class ClickHouseSink:
    def __init__(
        self, tables: Tables, positions: Positions, *, name: str = NAME, suffix: str = ""
    ) -> None:
        """`suffix` is that of the tables' names in the database: a rebuild fills tables beside."""
        self.name = name
        self.reference = Reference()
        self._tables = tables
        self._positions = positions
        self._suffix = suffix
        self._messages = MessageRows()
        self._sessions = SessionRows(self.reference)
        self._values: Rows = []
        self._status: Rows = []
        self._meanings: dict[type[Fact], Callable[[Station, Any], None]] = {
            MeterValuesReported: self._meter_values,
            TransactionStarted: self._started,
            TransactionEnded: self._ended,
            TransactionEventReported: self._event_reported,
            SignaturesVerified: self._sessions.changed,
            SettlementReported: self._sessions.changed,
            TariffChanged: self._sessions.changed,
            TransactionConcluded: self._sessions.changed,
            CdrDenied: self._sessions.changed,
            ReservationConcluded: self._sessions.changed,
            CdrFixed: self._sessions.cdr_fixed,
            ConnectorStatusReported: self._status_reported,
            ConnectionChanged: self._connection_changed,
        }

    def apply(
        self,
        partition: int,
        offset: int,
        record: Record,
        facts: Sequence[Fact],
        station: Station | None,
    ) -> None:
        if isinstance(record, MessageReceived):
            self._messages.received(partition, offset, record, facts)
        elif isinstance(record, MessageSent):
            self._messages.sent(partition, offset, record, facts)
        if station is None:
            return
        for fact in facts:
            meaning = self._meanings.get(type(fact))
            if meaning is not None:
                meaning(station, fact)

    def cut(self, progress: Progress) -> Batch:
        frames, lookups = self._messages.cut()
        rows = {
            messages.TABLE.name: frames,
            meter_values.TABLE.name: self._values,
            connector_status.TABLE.name: self._status,
            sessions.TABLE.name: self._sessions.cut(),
        }
        self._values, self._status = [], []
        return Batch(progress=progress, rows=rows, lookups=lookups)

    async def write(self, batch: Batch) -> None:
        if batch.lookups:
            await self._look_up(batch)
        for table in TABLES:
            rows = batch.rows[table.name]
            if rows:
                await self._tables.insert(table, rows, name=table.name + self._suffix)
        await self._positions.save(batch.progress)

    async def _look_up(self, batch: Batch) -> None:
        lookups = batch.lookups
        found = await self._tables.fetch(
            "tables.calls",
            {
                "table": messages.TABLE.name + self._suffix,
                "tenants": sorted({each.tenant for each in lookups}),
                "stations": sorted({each.station for each in lookups}),
                "partitions": sorted({each.partition for each in lookups}),
                "offsets": sorted({each.call for each in lookups}),
            },
        )
        calls = {
            (row["partition"], row["offset"]): Asked(row["recorded_us"], row["version"])
            for row in found
        }
        messages.completed(batch.rows[messages.TABLE.name], lookups, calls)

    def _meter_values(self, station: Station, fact: MeterValuesReported) -> None:
        meter_values.samples_reported(station, fact, self._values.extend)
        if fact.transaction_id:
            self._sessions.changed(station, fact)

    def _started(self, station: Station, fact: TransactionStarted) -> None:
        meter_values.transaction_started(station, fact, self._values.extend)
        self._sessions.changed(station, fact)

    def _ended(self, station: Station, fact: TransactionEnded) -> None:
        meter_values.transaction_ended(station, fact, self._values.extend)
        self._sessions.changed(station, fact)

    def _event_reported(self, station: Station, fact: TransactionEventReported) -> None:
        meter_values.transaction_event(station, fact, self._values.extend)
        self._sessions.changed(station, fact)

    def _status_reported(self, station: Station, fact: ConnectorStatusReported) -> None:
        connector_status.status_reported(station, fact, self._status.extend)

    def _connection_changed(self, station: Station, fact: ConnectionChanged) -> None:
        connector_status.connection_changed(station, fact, self._status.extend)
