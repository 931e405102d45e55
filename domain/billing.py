"""When something is decided about CDRs: people's requests, due releases, corrections.

Pure but for one memory, of CDRs that a look has shown to be held: looking again would show the same
until more is told. A decision that needs more of the registry than is folded waits.
"""

from collections.abc import Callable, Iterator

from domain import releasing, telling_costs
from domain.answering import Policy
from domain.registry import Registry
from domain.releasing import Deciding
from domain.settling import settled_at
from domain.station import Station
from domain.transaction import Transaction
from schemas.records import OwnerRecord

Key = tuple[str, str]

HELD_MAX = 100_000
"""Held CDRs remembered; beyond it each is looked at once more."""

REGISTRY_WAIT_US = 1_000_000
"""An owner that took over may have folded less of the registry than the one before it."""


class Billing:
    def __init__(
        self, registry: Registry, policy: Policy, again: Callable[[int, Key], None]
    ) -> None:
        """`again`: ask for this station once more at that time."""
        self._registry = registry
        self._policy = policy
        self._again = again
        self._held: dict[tuple[str, str, str], int] = {}
        """Transactions that a look did not let go, and the revision looked at."""

    def dues(self, station: Station) -> Iterator[int]:
        """Yield when each of its CDRs is to be looked at."""
        for transaction in self._to_look_at(station):
            yield self._settled_at(station, transaction)
        yield from telling_costs.dues(station, self._registry.reference)

    def tells(self, station: Station) -> bool:
        """Whether a reading of this station may be a cost to tell."""
        return telling_costs.interval_us(station, self._registry.reference) is not None

    def requested(self, station: Station, now: int, epoch: int) -> OwnerRecord | None:
        """Return the decision of the request that waits the longest, if one does."""
        request = next(iter(station.cdr_requests.values()), None)
        if request is None:
            return None
        transaction = station.transactions.known.get(request.transaction_id)
        if transaction is not None and self._waits(station, transaction.registry, now):
            return None
        return releasing.decide_request(self._deciding(station, now, epoch), request)

    def settled(self, station: Station, now: int, epoch: int) -> OwnerRecord | None:
        """Release what has settled, or correct what was released and told otherwise since."""
        for t in self._to_look_at(station):
            if self._settled_at(station, t) > now:
                continue
            if self._waits(station, t.registry, now):
                continue
            decide = releasing.correct if t.released else releasing.release
            decided = decide(self._deciding(station, now, epoch), t)
            if decided is not None:
                return decided
            if len(self._held) >= HELD_MAX:
                self._held.clear()
            self._held[station.tenant, station.station, t.transaction_id] = t.revision
        return None

    def _to_look_at(self, station: Station) -> Iterator[Transaction]:
        book, held, key = station.transactions, self._held, (station.tenant, station.station)
        for transaction_id in (*book.settling, *book.correcting):
            transaction = book.known[transaction_id]
            if held.get((*key, transaction_id)) != transaction.revision:
                yield transaction

    def _settled_at(self, station: Station, t: Transaction) -> int:
        return settled_at(station, t.changed_at if t.released else t.end_received, self._policy)

    def told(self, station: Station, now: int, epoch: int, policy: Policy) -> OwnerRecord | None:
        """Return the CALL that tells a station what a running transaction owes, if one is due."""
        return telling_costs.tell(self._deciding(station, now, epoch), policy)

    def _waits(self, station: Station, position: int, now: int) -> bool:
        if position <= self._registry.position:
            return False
        self._again(now + REGISTRY_WAIT_US, (station.tenant, station.station))
        return True

    def _deciding(self, station: Station, now: int, epoch: int) -> Deciding:
        registry = self._registry
        return Deciding(station, registry.reference, registry.position, now, epoch)
