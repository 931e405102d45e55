"""What the read model has collected since its last cut."""

from collections.abc import Sequence

from msgspec import Struct

from domain.commands import Command
from domain.station import Station
from domain.transaction import Transaction
from projections import request_rows, rows, session_rows
from projections.doubts import DoubtRow, UndoubtedRow
from projections.owner_set_aside import OwnerSetAsideRows
from projections.provider_rows import ProviderRequestRow
from projections.registry_rows import RegistryRows
from projections.station_state import StateRows
from schemas.cdr import Cdr

Written = tuple[str, Sequence[Struct]]
"""A statement of infra/sql, and its rows."""


class Collected:
    """Rows since the last cut, by key. What is mutable here is turned into rows by the cut."""

    def __init__(self) -> None:
        self.stations: dict[int, Station] = {}
        self.versions: dict[int, str] = {}
        self.registry = RegistryRows()
        self.set_aside = OwnerSetAsideRows()
        self.connectors: dict[tuple[int, int, int], Station] = {}
        self.opened: list[rows.OpenedRow] = []
        self.closed: dict[tuple[str, str, str], rows.ClosedRow] = {}
        self.transactions: dict[tuple[int, str], tuple[Station, Transaction, int]] = {}
        self.judged: dict[tuple[int, str], Cdr] = {}
        """Of these transactions the CDR, where it has just been made."""
        self.cdrs: dict[str, session_rows.CdrRow] = {}
        self.cdr_revisions: dict[tuple[str, int], session_rows.CdrRevisionRow] = {}
        self.commands: dict[tuple[str, str], tuple[Station, Command, int]] = {}
        self.cdr_requests: dict[tuple[str, str], request_rows.CdrRequestRow] = {}
        self.provider_requests: dict[tuple[int, int], ProviderRequestRow] = {}
        self.doubts: dict[str, DoubtRow] = {}
        """By CDR, what was told after its release and is in doubt."""
        self.undoubted: dict[str, None] = {}
        """CDRs of which nothing is in doubt any more."""
        self.state = StateRows()
        self.orphans: list[rows.OrphanRow] = []
        self.events: list[rows.EventRow] = []

    def doubted(self, row: DoubtRow) -> None:
        self.doubts.pop(row.id, None)
        self.undoubted.pop(row.id, None)
        if row.doubts:
            self.doubts[row.id] = row
        else:
            self.undoubted[row.id] = None

    def of_stations(self) -> list[Written]:
        told = [rows.station_told(s, self.versions.get(i, "")) for i, s in self.stations.items()]
        connectors = [
            rows.connector_row(station, evse, connector, station.connectors[evse, connector])
            for (_, evse, connector), station in self.connectors.items()
        ]
        return [
            ("stations.write_told", told),
            ("stations.write_connectors", connectors),
            ("stations.write_opened", self.opened),
            ("stations.write_closed", list(self.closed.values())),
        ]

    def of_cdrs(self) -> list[Written]:
        return [
            ("cdrs.count", [session_rows.cdr_count_row(row) for row in self.cdrs.values()]),
            ("cdrs.write", list(self.cdrs.values())),
            ("cdrs.write_revisions", list(self.cdr_revisions.values())),
            ("cdrs.write_requests", list(self.cdr_requests.values())),
            ("cdrs.clear_doubts", [UndoubtedRow(id) for id in self.undoubted]),
            ("cdrs.write_doubts", list(self.doubts.values())),
        ]
