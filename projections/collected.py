"""What the read model has collected since its last cut."""

from domain.commands import Command
from domain.station import Station
from domain.transaction import Transaction
from projections import request_rows, rows, session_rows
from projections.doubts import DoubtRow
from projections.owner_set_aside import OwnerSetAsideRows
from projections.registry_rows import RegistryRows
from projections.station_state import StateRows
from schemas.cdr import Cdr


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
