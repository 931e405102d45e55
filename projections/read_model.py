"""The read model in Postgres: what each record changes, collected per key and written per batch.

Rows are upserted by key, so within a batch the last one counts; what must not depend on where a
batch ends (a CDR's content at its revision, events, orphans) is taken at the record itself, the
rest from the state at the end of the batch, where it is the same as after the last record.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from domain.cdr import cdr_of
from domain.cdr_requests import CdrDenied, CdrRequestMoved
from domain.commands import CommandMoved
from domain.facts import (
    CdrFixed,
    ConnectionChanged,
    ConnectorStatusReported,
    DoubtOverruled,
    Fact,
    MessageOrphaned,
    MeterValuesReported,
    ReservationConcluded,
    SettlementReported,
    SignaturesVerified,
    StateChanged,
    StationBooted,
    TariffChanged,
    TransactionConcluded,
    TransactionEnded,
    TransactionEventReported,
    TransactionStarted,
)
from domain.provider_requests import ProviderRequestMoved
from domain.reference import Reference
from domain.station import Station
from domain.transaction import Transaction
from projections import request_rows, rows, session_rows
from projections.collected import Collected, Written
from projections.doubts import doubt_row
from projections.events import pruned
from projections.ports import Progress, RowStore, Write
from projections.provider_rows import provider_request_row
from projections.rows_json import rows_json
from schemas.cdr import Cdr, cdr_id
from schemas.records import ConnectionOpened, Record

NAME = "read"
"""The key of its position; the queries' SQL knows it too."""

_OfTransaction = TransactionStarted | TransactionEnded | TransactionEventReported

_decode_cdr = msgspec.json.Decoder(Cdr).decode


class Batch(Struct, frozen=True):
    writes: Sequence[Write]
    progress: Progress


class ReadModel:
    """The sink of the read model (`projections.ports.Sink`)."""

    name = NAME

    def __init__(
        self,
        store: RowStore,
        events_from: Mapping[int, int] | None = None,
        on_revision: Callable[[session_rows.CdrRevisionRow], None] | None = None,
    ) -> None:
        """`events_from`: of a rebuild, the oldest events worth writing by partition.

        `on_revision` is told of each revision of a CDR, as it is made.
        """
        self.reference = Reference()
        self._store = store
        self._events_from = events_from or {}
        self._on_revision = on_revision
        self._new = Collected()
        self._cdr_index = 0
        self._event_index = 0

    def apply(
        self,
        partition: int,
        offset: int,
        record: Record,
        facts: Sequence[Fact],
        station: Station | None,
    ) -> None:
        if station is None:
            self._new.registry.apply(offset, record)
            self._new.set_aside.apply(partition, record)
            return
        # By identity: the collection holds the station, so its id is not reused.
        self._new.stations[id(station)] = station
        if facts:
            self._cdr_index = self._event_index = 0
            for fact in facts:
                handler = self._HANDLERS.get(type(fact))
                if handler is not None:
                    handler(self, station, offset, fact, record)

    # What each fact changes

    def _connection(
        self, station: Station, offset: int, fact: ConnectionChanged, record: Record
    ) -> None:
        new = self._new
        if isinstance(record, ConnectionOpened):
            new.opened.append(rows.opened_row(station.partition, offset, record))
            new.versions[id(station)] = record.protocol
            self._event(station, offset, fact, "station-connected", fact.connection, {})
            return
        key = (station.tenant, station.station, fact.connection)
        row = rows.ClosedRow(*key, fact.recorded_at, fact.reason, fact.superseded, offset)
        new.closed.setdefault(key, row)
        if not fact.superseded:
            detail = {"reason": fact.reason}
            self._event(station, offset, fact, "station-disconnected", fact.connection, detail)

    def _booted(self, station: Station, offset: int, fact: StationBooted, _: Record) -> None:
        detail = {
            "vendor": fact.vendor,
            "model": fact.model,
            "firmware": fact.firmware_version,
            "status": fact.status,
        }
        for transaction in station.transactions.known.values():
            if not transaction.is_ended:  # What runs was interrupted.
                self._transaction(station, offset, transaction)
        self._event(station, offset, fact, "station-booted", station.station, detail)

    def _status(
        self, station: Station, offset: int, fact: ConnectorStatusReported, _: Record
    ) -> None:
        if fact.superseded or fact.outdated:
            return
        self._new.connectors[id(station), fact.evse_id, fact.connector_id] = station
        subject = f"{fact.evse_id}/{fact.connector_id}"
        detail = {"status": fact.status, "error_code": fact.error_code}
        for transaction in station.transactions.open_on(fact.evse_id):
            # In 1.6 it is the charging state of what runs there: its price goes by it.
            self._transaction(station, offset, transaction)
        self._event(station, offset, fact, "connector-status", subject, detail)

    def _started(self, station: Station, offset: int, fact: TransactionStarted, _: Record) -> None:
        self._changed_with(station, offset, fact)
        if not fact.repeated:
            self._start(station, offset, fact, fact.evse_id, fact.id_token)

    def _changed_with(self, station: Station, offset: int, fact: Fact, but: str = "") -> None:
        # Its neighbours on the EVSE know the register where one ended and the next began.
        for transaction in station.transactions.known.values():
            if transaction.is_no_show:
                continue
            if transaction.changed == fact.offset and transaction.transaction_id != but:
                self._transaction(station, offset, transaction)
                self._cdr_changed(station, offset, fact, transaction)
            elif transaction.succeeded_told == fact.offset:
                self._transaction(station, offset, transaction)

    def _sampled(self, station: Station, offset: int, fact: MeterValuesReported, _: Record) -> None:
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is not None:
            self._transaction(station, offset, transaction)
            if transaction.changed == fact.offset:
                self._cdr_changed(station, offset, fact, transaction)

    def _ended(self, station: Station, offset: int, fact: TransactionEnded, _: Record) -> None:
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is None or transaction.changed != fact.offset:
            return
        self._transaction(station, offset, transaction)
        self._cdr_changed(station, offset, fact, transaction)
        if not fact.repeated:
            self._changed_with(station, offset, fact, but=fact.transaction_id)
            self._end(station, offset, fact, fact.reason)

    def _event_reported(
        self, station: Station, offset: int, fact: TransactionEventReported, _: Record
    ) -> None:
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is None:
            return
        self._transaction(station, offset, transaction)
        if transaction.changed != fact.offset:
            return
        self._cdr_changed(station, offset, fact, transaction)
        self._changed_with(station, offset, fact, but=fact.transaction_id)
        if transaction.started == fact.offset:
            self._start(station, offset, fact, transaction.evse_id, transaction.id_token)
        if transaction.ended == fact.offset:
            self._end(station, offset, fact, transaction.stop_reason or "")

    def _start(
        self, station: Station, offset: int, fact: _OfTransaction, evse_id: int, id_token: str
    ) -> None:
        subject = cdr_id(station.tenant, station.station, fact.transaction_id)
        detail = {"transaction_id": fact.transaction_id, "evse": evse_id, "id_token": id_token}
        self._event(station, offset, fact, "transaction-started", subject, detail)

    def _end(self, station: Station, offset: int, fact: _OfTransaction, reason: str) -> None:
        subject = cdr_id(station.tenant, station.station, fact.transaction_id)
        detail = {"transaction_id": fact.transaction_id, "reason": reason}
        self._event(station, offset, fact, "transaction-ended", subject, detail)

    def _transaction(self, station: Station, offset: int, transaction: Transaction) -> None:
        if transaction.is_no_show:
            return
        key = (id(station), transaction.transaction_id)
        self._new.transactions[key] = (station, transaction, offset)
        self._new.judged.pop(key, None)

    def _cdr_changed(
        self, station: Station, offset: int, fact: Fact, transaction: Transaction
    ) -> None:
        if transaction.released:
            # What is told after a release is for a correction, or for a person.
            if transaction.document:
                self._new.doubted(
                    doubt_row(station, transaction, self.reference, offset, fact.recorded_at)
                )
            return
        cdr = cdr_of(
            station.tenant, station.station, station.partition, transaction, self.reference
        )
        self._new.judged[id(station), transaction.transaction_id] = cdr
        self._cdr(station, offset, fact, cdr, None)

    def _verified(self, station: Station, offset: int, fact: SignaturesVerified, _: Record) -> None:
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is not None and transaction.changed == fact.offset:
            self._transaction(station, offset, transaction)
            self._cdr_changed(station, offset, fact, transaction)

    def _fixed(self, station: Station, offset: int, fact: CdrFixed, _: Record) -> None:
        cdr = _decode_cdr(fact.document)
        if cdr.credit_reference_id is not None:
            self._new.doubts.pop(cdr.credit_reference_id, None)
            self._new.undoubted[cdr.credit_reference_id] = None
        self._cdr(station, offset, fact, cdr, fact.document)
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is not None and not transaction.is_ended:
            self._transaction(station, offset, transaction)

    def _cdr(
        self, station: Station, offset: int, fact: Fact, cdr: Cdr, document: bytes | None
    ) -> None:
        row = session_rows.cdr_row(cdr, document, station.partition, offset, self._cdr_index)
        self._cdr_index += 1
        revision = session_rows.cdr_revision_row(row, fact.recorded_at)
        # A released document is what it was released as, also where a later version counts on.
        kept = self._new.cdr_revisions.setdefault((row.id, cdr.revision), revision)
        if revision.state == "FINAL" != kept.state:
            self._new.cdr_revisions[row.id, cdr.revision] = revision
        if self._on_revision is not None:
            self._on_revision(revision)
        known = self._new.cdrs.get(row.id)
        if known is None or known.state != "FINAL":
            self._new.cdrs[row.id] = row
        detail = {"state": cdr.state, "revision": cdr.revision, "energy_wh": cdr.energy_wh}
        self._event(station, offset, fact, "cdr-changed", row.id, detail)

    def _command(self, station: Station, offset: int, fact: CommandMoved, _: Record) -> None:
        command = fact.command
        self._new.commands[station.tenant, command.command_id] = (station, command, offset)
        detail = {"action": command.action, "fate": command.fate, "effect": command.effect >= 0}
        self._event(station, offset, fact, "command-moved", command.command_id, detail)

    def _changed_otherwise(
        self,
        station: Station,
        offset: int,
        fact: CdrDenied
        | DoubtOverruled
        | ReservationConcluded
        | SettlementReported
        | TariffChanged
        | TransactionConcluded,
        _: Record,
    ) -> None:
        transaction = station.transactions.known.get(fact.transaction_id)
        if transaction is not None:
            self._transaction(station, offset, transaction)
            self._cdr_changed(station, offset, fact, transaction)

    def _requested(self, station: Station, offset: int, fact: CdrRequestMoved, _: Record) -> None:
        request = fact.request
        row = request_rows.cdr_request_row(station, offset, fact)
        self._new.cdr_requests[station.tenant, request.request_id] = row
        detail = {"action": request.action, "fate": request.fate, "cdr_id": request.cdr_id}
        self._event(station, offset, fact, "cdr-request-moved", request.request_id, detail)

    def _provided(
        self, station: Station, offset: int, fact: ProviderRequestMoved, _: Record
    ) -> None:
        row = provider_request_row(station, offset, fact)
        self._new.provider_requests[row.partition, row.call_offset] = row
        detail = {"action": row.action, "fate": row.fate}
        self._event(station, offset, fact, "provider-request-moved", row.request_id, detail)

    def _state(self, station: Station, offset: int, fact: StateChanged, _: Record) -> None:
        self._new.state.changed(station, offset, fact)

    def _orphaned(self, station: Station, offset: int, fact: MessageOrphaned, _: Record) -> None:
        orphans = self._new.orphans
        orphans.append(rows.orphan_row(station, fact, offset, self._event_index))
        detail = {"reason": fact.reason}
        self._event(station, offset, fact, "message-orphaned", fact.transaction_id, detail)

    def _event(
        self,
        station: Station,
        offset: int,
        fact: Fact,
        kind: str,
        subject: str,
        detail: dict[str, Any],
    ) -> None:
        index = self._event_index
        self._event_index += 1
        if offset >= self._events_from.get(station.partition, 0):
            self._new.events.append(
                rows.EventRow(
                    station.tenant,
                    station.partition,
                    offset,
                    index,
                    kind,
                    station.station,
                    subject,
                    fact.recorded_at,
                    detail,
                )
            )

    _HANDLERS: ClassVar[dict[type[Fact], Callable[..., None]]] = {
        ConnectionChanged: _connection,
        StationBooted: _booted,
        ConnectorStatusReported: _status,
        TransactionStarted: _started,
        MeterValuesReported: _sampled,
        TransactionEnded: _ended,
        TransactionEventReported: _event_reported,
        CdrFixed: _fixed,
        SignaturesVerified: _verified,
        TransactionConcluded: _changed_otherwise,
        SettlementReported: _changed_otherwise,
        CdrDenied: _changed_otherwise,
        DoubtOverruled: _changed_otherwise,
        ReservationConcluded: _changed_otherwise,
        TariffChanged: _changed_otherwise,
        CdrRequestMoved: _requested,
        CommandMoved: _command,
        ProviderRequestMoved: _provided,
        StateChanged: _state,
        MessageOrphaned: _orphaned,
    }

    # Batches

    def cut(self, progress: Progress) -> Batch:
        new, self._new = self._new, Collected()
        written: list[Written] = [
            *new.registry.written(),
            *new.of_stations(),
            (
                "transactions.write",
                [
                    session_rows.transaction_row(*touched, self.reference, new.judged.get(key))
                    for key, touched in new.transactions.items()
                ],
            ),
            ("transactions.write_costs", self._running_costs(new)),
            *new.of_cdrs(),
            ("provider_requests.write", list(new.provider_requests.values())),
            ("commands.write", [rows.command_row(*moved) for moved in new.commands.values()]),
            *new.state.written(),
            *new.set_aside.written(),
            ("orphans.write", new.orphans),
            ("events.write", new.events),
        ]
        writes = [Write(name, {"rows": rows_json(found)}) for name, found in written if found]
        writes.append(pruned(progress))
        return Batch(writes, progress)

    def _running_costs(self, new: Collected) -> list[session_rows.RunningCostRow]:
        made = (
            session_rows.running_cost_row(*touched, self.reference)
            for touched in new.transactions.values()
        )
        return [row for row in made if row is not None]

    async def write(self, batch: Batch) -> None:
        await self._store.write(batch.writes, batch.progress)
