"""The transactions of one station: which there are, and which one a message means.

Identity is by meaning, never by message id, and without a time horizon. A start is the same as an
earlier one when connector, id token and time agree (the meter may have been read again). Released
transactions beyond the last few are kept packed, twelve bytes each: enough to know a start or a
stop again after years.
"""

from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import Struct

from domain.transaction import Transaction
from domain.transaction_ids import ID_MAX

KEPT_MAX = 8
"""Released transactions kept whole, so that a repeat gets the first answer to the letter.

Up to as many more wait to be archived together.
"""

MATCHED = "TXID_MINUS_ONE_MATCHED"
"""The flag of a transaction that was ended by a stop without an id."""

RECONSTRUCTED = "RECONSTRUCTED"
"""The flag of a transaction whose start is known from what its stop, without an id, told of it."""

UNSEEN_MAX = 16
"""Ids that were told of and never started here, kept in case their stop comes."""

REUSED = "~"
"""Between an id that a station (2.x) used again, and the second at which it did. No id has it."""

_DIGEST = 8
_ENTRY = _DIGEST + 4
_NEVER = -(2**63)


class NamelessStop(NamedTuple):
    """What a stop that names no transaction says of it."""

    meter_stop_wh: int | None
    ended_at: int | None
    id_token: str = ""
    group: str = ""
    """Of that token, as we answered."""
    meter_start_wh: Decimal | None = None
    """The register at the start, where it was told along."""


class Transactions(Struct):
    known: dict[str, Transaction] = {}
    starts: dict[str, str] = {}
    """Start key → transaction id, of those in `known`."""
    settling: dict[str, None] = {}
    """Ids of those that have what a release needs, until they are released or rejected."""
    correcting: dict[str, None] = {}
    """Ids of released ones of which more was told since, until that made a correction."""
    corrected: dict[str, str] = {}
    """Transaction id → the CDR that stands now, of those that were corrected."""
    unseen: dict[str, Transaction] = {}
    """Ids in samples of which no start came."""
    reused: dict[str, list[str]] = {}
    """Id that a station used again → the ids under which those transactions are kept."""
    latest: dict[int, str] = {}
    """EVSE → the transaction that began there last."""
    closing: dict[str, None] = {}
    """Ids of those that may have to be closed without an end."""
    archive: bytearray = msgspec.field(default_factory=bytearray)
    """Of the others: digest of the start key, then the id, in order of archiving."""
    archived_until: int = _NEVER
    """The latest start in the archive: what began after it need not be looked for there."""

    def newest_given(self) -> int | None:
        """Return the id of the transaction known last, if we gave it (1.6)."""
        newest = next(reversed(self.known), "")
        if not newest.isdecimal() or not 0 < int(newest) <= ID_MAX:
            return None
        return None if self.known[newest].by_events else int(newest)

    def find_start(self, key: str, started_at: int | None) -> Transaction | str | None:
        """Return the transaction that this start began; its id only, if it is archived.

        Without a time a key is not for ever: it means a transaction only while that runs.
        """
        transaction_id = self.starts.get(key)
        if transaction_id is not None:
            known = self.known[transaction_id]
            return None if started_at is None and known.is_ended else known
        if not self._may_be_archived(started_at):
            return None
        position = self._find(_digest(key), 0)
        if position < 0:
            return None
        return str(int.from_bytes(self.archive[position + _DIGEST : position + _ENTRY], "big"))

    def is_known_start(self, transaction_id: str, started_at: int | None) -> bool:
        """Whether a start that got this id is one that was told before."""
        if transaction_id in self.known:
            return True
        return self._may_be_archived(started_at) and self.is_archived(transaction_id)

    def _may_be_archived(self, started_at: int | None) -> bool:
        # So that a new start costs no search among all that there ever were.
        return bool(self.archive) and started_at is not None and started_at <= self.archived_until

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

    def add_event(self, transaction: Transaction) -> None:
        """Take in a transaction that events tell of."""
        kept_as, told_id = transaction.transaction_id, transaction.told_id
        if kept_as != told_id:
            self.reused.setdefault(told_id, []).append(kept_as)
        self.add(f"event|{kept_as}", transaction)

    def event_id(self, told_id: str, event_type: str, at: int | None) -> str:
        """Return under which id the transaction is kept that an event (2.x) with this id means.

        A start at another time is another transaction; other events belong to the one that had
        begun by then.
        """
        newest = self.known.get(told_id)
        if newest is None and not self._is_event_archived(told_id):
            return told_id
        ids: list[str] = [told_id, *self.reused.get(told_id, ())]
        if event_type == "Started" and at is not None:
            for kept in reversed(ids):
                known = self.known.get(kept)
                if known is not None and (known.started < 0 or known.started_at in (None, at)):
                    return kept
            if newest is None and self._is_event_archived(f"{told_id}|{at}"):
                return told_id
            return f"{told_id}{REUSED}{at // 1_000_000}"
        for kept in reversed(ids):
            known = self.known.get(kept)
            if known is not None and (at is None or (known.started_at or at) <= at):
                return kept
        return ids[0]

    def _is_event_archived(self, key: str) -> bool:
        return bool(self.archive) and self._find(_digest(f"event|{key}"), 0) >= 0

    def is_over_for_good(self, transaction_id: str) -> bool:
        """Whether events of it change nothing any more: it was released long ago."""
        return transaction_id not in self.known and self._is_event_archived(transaction_id)

    def unseen_as(self, transaction_id: str, make: Callable[[], Transaction]) -> Transaction:
        known = self.unseen.get(transaction_id)
        if known is None:
            known = self.unseen[transaction_id] = make()
            if len(self.unseen) > UNSEEN_MAX:
                del self.unseen[next(iter(self.unseen))]
        return known

    def link(self, transaction: Transaction) -> list[Transaction]:
        """Put it between its neighbours on its EVSE; return those that it now follows or precedes.

        Each knows the register at the end of the one before it, once both are told.
        """
        evse_id, began = transaction.evse_id, began_at(transaction)
        latest = self.known.get(self.latest.get(evse_id, ""))
        if latest is None or began_at(latest) <= began:
            self.latest[evse_id] = transaction.transaction_id
        before = after = None
        before_began = after_began = 0
        for other in self.known.values():
            if other.evse_id != evse_id or other is transaction or other.is_no_show:
                continue
            other_began = began_at(other)
            if other_began <= began:
                if before is None or before_began <= other_began:
                    before, before_began = other, other_began
            elif after is None or other_began < after_began:
                after, after_began = other, other_began
        if before is not None:
            transaction.previous = before.transaction_id
            transaction.previous_stop_wh = before.meter_stop_wh
        if after is not None:
            after.previous = transaction.transaction_id
            after.previous_stop_wh = transaction.meter_stop_wh
        return [other for other in (before, after) if other is not None]

    def pass_on(self, transaction: Transaction) -> Transaction | None:
        """Tell the one after it on its EVSE the register at its end; return that one."""
        transaction_id = transaction.transaction_id
        for other in self.known.values():
            if other.previous == transaction_id:
                other.previous_stop_wh = transaction.meter_stop_wh
                return other
        return None

    def has_changed(self, offset: int) -> bool:
        """Whether the CALL at this offset changed what becomes of a CDR."""
        return any(transaction.changed == offset for transaction in self.known.values())

    def open_on(self, evse_id: int) -> list[Transaction]:
        return [
            transaction
            for transaction in self.known.values()
            if transaction.ended < 0 and transaction.evse_id == evse_id
        ]

    def current_on(self, evse_id: int, at: int | None = None) -> Transaction | None:
        """Return the one transaction that runs there; none after it began, if a stop was lost.

        With a time, it is the one that had begun and not ended by then, if that is one.
        """
        unended = self.open_on(evse_id)
        running = [transaction for transaction in unended if not transaction.succeeded] or unended
        if at is not None and not (len(running) == 1 and (running[0].started_at or at) <= at):
            ended = [
                t
                for t in self.known.values()
                if t.evse_id == evse_id
                and t.is_ended
                and not t.is_no_show
                and None not in (t.started_at, t.ended_at)
                and (t.started_at or 0) <= at <= (t.ended_at or 0)
            ]
            running = ended or running
        return running[0] if len(running) == 1 else None

    def ended_without_id(
        self, meter_stop_wh: int | None, ended_at: int | None
    ) -> Transaction | None:
        """Return the transaction that this stop, which has no id, has ended before."""
        for transaction in self.known.values():
            if (
                (MATCHED in transaction.flags or RECONSTRUCTED in transaction.flags)
                and transaction.meter_stop_wh == meter_stop_wh
                and transaction.ended_at == ended_at
            ):
                return transaction
        return None

    def candidates(self, stop: NamelessStop) -> list[Transaction]:
        """Return the open transactions that a stop without an id can mean.

        Of two on one EVSE it is the later one: the earlier one had ended when that began.
        """
        wh, at = stop.meter_stop_wh, stop.ended_at
        fitting = [
            transaction
            for transaction in self.known.values()
            if not transaction.is_ended
            and not transaction.by_events
            and (wh is None or wh < 0 or wh >= (transaction.meter_start_wh or 0))
            and (at is None or at >= (transaction.started_at or 0))
        ]
        if stop.meter_start_wh is not None:
            begun = stop.meter_start_wh
            fitting = [t for t in fitting if abs((t.meter_start_wh or 0) - begun) <= 1]
        if stop.id_token:
            token = stop.id_token.casefold()
            same = [t for t in fitting if t.id_token.casefold() == token]
            fitting = same or [t for t in fitting if _is_of_group(t, stop.group)]
        busy = {transaction.evse_id for transaction in fitting if not transaction.succeeded}
        fitting = [t for t in fitting if not (t.succeeded and t.evse_id in busy)]
        if len(fitting) > 1 and wh is not None:
            fitting = [t for t in fitting if not _has_passed(t, wh)] or fitting
        return fitting

    def _archive_oldest(self) -> None:
        # One that was released on a person's word waits for its true end.
        released = [t for t in self.known.values() if t.released and t.is_ended]
        if len(released) <= KEPT_MAX:
            return
        ids = {t.transaction_id for t in released[:-KEPT_MAX]}
        for key, transaction_id in list(self.starts.items()):
            if transaction_id in ids:
                self._archive(key, self.known[transaction_id])
                del self.starts[key]
        for transaction_id in ids:
            self.correcting.pop(transaction_id, None)
            del self.known[transaction_id]

    def _archive(self, key: str, transaction: Transaction) -> None:
        transaction_id, number = transaction.transaction_id, 0
        if transaction.by_events:
            self.archive += _digest(f"{key}|{transaction.started_at}") + number.to_bytes(4, "big")
        elif transaction_id.isdecimal():
            number = int(transaction_id)
            self.archived_until = max(self.archived_until, transaction.started_at or _NEVER)
        self.archive += _digest(key) + number.to_bytes(4, "big")

    def _find(self, needle: bytes, at: int) -> int:
        position = self.archive.find(needle)
        while position >= 0 and position % _ENTRY != at:
            position = self.archive.find(needle, position + 1)
        return position - at if position >= 0 else -1


def began_at(transaction: Transaction) -> int:
    at = transaction.started_at
    return transaction.start_received if at is None else at


def _has_passed(transaction: Transaction, wh: int) -> bool:
    """Whether its samples, in the base of its start, are beyond this register already."""
    last, start = transaction.last_register_wh, transaction.meter_start_wh
    return last is not None and last > wh and last >= (start or 0)


def _is_of_group(transaction: Transaction, group: str) -> bool:
    return group != "" and transaction.group.casefold() == group.casefold()


def start_key(
    evse_id: int, id_token: str, started_at: int | None, meter_start_wh: int | None
) -> str:
    # Starts that tell no time are told apart by their register.
    when = started_at if started_at is not None else f"{meter_start_wh} Wh"
    return f"{evse_id}|{id_token.casefold()}|{when}"


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_DIGEST).digest()
