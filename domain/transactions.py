"""The transactions of one station: which there are, and which one a message means.

Identity is by meaning, never by message id, and without a time horizon. A start is the same as an
earlier one when connector, id token and time agree (the meter may have been read again). Released
transactions beyond the last few are kept packed, twelve bytes each: enough to know a start or a
stop again after years.
"""

from hashlib import blake2b

import msgspec
from msgspec import Struct

from domain.transaction import Transaction, shed

KEPT_MAX = 8
"""Released transactions kept whole, so that a repeat gets the first answer to the letter.

Up to as many more wait to be archived together.
"""

MATCHED = "TXID_MINUS_ONE_MATCHED"
"""The flag of a transaction that was ended by a stop without an id."""

_DIGEST = 8
_ENTRY = _DIGEST + 4
_NEVER = -(2**63)


class Transactions(Struct):
    known: dict[str, Transaction] = {}
    starts: dict[str, str] = {}
    """Start key → transaction id, of those in `known`."""
    settling: dict[str, None] = {}
    """Ids of those that ended with nothing to hold them, until they are released."""
    correcting: dict[str, None] = {}
    """Ids of released ones of which more was told since, until that made a correction."""
    corrected: dict[str, str] = {}
    """Transaction id → the CDR that stands now, of those that were corrected."""
    archive: bytearray = msgspec.field(default_factory=bytearray)
    """Of the others: digest of the start key, then the id, in order of archiving."""
    archived_until: int = _NEVER
    """The latest start in the archive: what began after it need not be looked for there."""

    def find_start(self, key: str, started_at: int | None) -> Transaction | str | None:
        """Return the transaction that this start began; its id only, if it is archived.

        Without a time a key is not for ever: it means a transaction only while that runs.
        """
        transaction_id = self.starts.get(key)
        if transaction_id is not None:
            known = self.known[transaction_id]
            return None if started_at is None and known.is_ended else known
        if started_at is None or not self.archive or started_at > self.archived_until:
            return None
        position = self._find(_digest(key), 0)
        if position < 0:
            return None
        return str(int.from_bytes(self.archive[position + _DIGEST : position + _ENTRY], "big"))

    def is_archived(self, transaction_id: str) -> bool:
        if not self.archive or not transaction_id.isdecimal():
            return False
        number = int(transaction_id)
        return number < 2**32 and self._find(number.to_bytes(4, "big"), _DIGEST) >= 0

    def add(self, key: str, transaction: Transaction) -> None:
        older = self.starts.get(key)
        if older is not None:
            self.starts[f"{key}|{older}"] = older
        self.known[transaction.transaction_id] = transaction
        self.starts[key] = transaction.transaction_id
        if len(self.known) > 2 * KEPT_MAX:
            self._archive_oldest()

    def has_changed(self, offset: int) -> bool:
        """Whether the CALL at this offset changed what becomes of a CDR."""
        return any(transaction.changed == offset for transaction in self.known.values())

    def open_on(self, evse_id: int) -> list[Transaction]:
        return [
            transaction
            for transaction in self.known.values()
            if transaction.evse_id == evse_id and not transaction.is_ended
        ]

    def current_on(self, evse_id: int) -> Transaction | None:
        """Return the one transaction that runs there; none after it began, if a stop was lost."""
        unended = self.open_on(evse_id)
        running = [transaction for transaction in unended if not transaction.succeeded] or unended
        return running[0] if len(running) == 1 else None

    def ended_without_id(
        self, meter_stop_wh: int | None, ended_at: int | None
    ) -> Transaction | None:
        """Return the transaction that this stop, which has no id, has ended before."""
        for transaction in self.known.values():
            if (
                MATCHED in transaction.flags
                and transaction.meter_stop_wh == meter_stop_wh
                and transaction.ended_at == ended_at
            ):
                return transaction
        return None

    def only_candidate(self, meter_stop_wh: int | None, ended_at: int | None) -> Transaction | None:
        """Return the one open transaction that a stop without an id can mean, if it is one.

        Of two on one EVSE it is the later one: the earlier one had ended when that began.
        """
        fitting = [
            transaction
            for transaction in self.known.values()
            if not transaction.is_ended
            and (meter_stop_wh is None or meter_stop_wh >= (transaction.meter_start_wh or 0))
            and (ended_at is None or ended_at >= (transaction.started_at or 0))
        ]
        busy = {transaction.evse_id for transaction in fitting if not transaction.succeeded}
        fitting = [t for t in fitting if not (t.succeeded and t.evse_id in busy)]
        return fitting[0] if len(fitting) == 1 else None

    def _archive_oldest(self) -> None:
        # One that was released on a person's word waits for its true end.
        released = [t for t in self.known.values() if t.released and t.is_ended]
        if len(released) <= KEPT_MAX:
            return
        ids = {t.transaction_id for t in released[:-KEPT_MAX] if not t.by_events}
        for transaction in released[:-KEPT_MAX]:
            if transaction.by_events and transaction.document:
                shed(transaction)
                self.correcting.pop(transaction.transaction_id, None)
        for key, transaction_id in list(self.starts.items()):
            if transaction_id in ids:
                self.archive += _digest(key) + int(transaction_id).to_bytes(4, "big")
                started_at = self.known[transaction_id].started_at
                self.archived_until = max(self.archived_until, started_at or _NEVER)
                self.correcting.pop(transaction_id, None)
                del self.starts[key], self.known[transaction_id]

    def _find(self, needle: bytes, at: int) -> int:
        position = self.archive.find(needle)
        while position >= 0 and position % _ENTRY != at:
            position = self.archive.find(needle, position + 1)
        return position - at if position >= 0 else -1


def start_key(
    evse_id: int, id_token: str, started_at: int | None, meter_start_wh: int | None
) -> str:
    # Starts that tell no time are told apart by their register.
    when = started_at if started_at is not None else f"{meter_start_wh} Wh"
    return f"{evse_id}|{id_token.casefold()}|{when}"


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_DIGEST).digest()
