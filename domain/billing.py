"""When something is decided about CDRs: people's requests, due releases, corrections.

Pure but for one memory, of CDRs whose price a look has shown to hold them: looking again would show
the same until more is told. A decision that needs more of the registry than is folded waits.
"""

from collections.abc import Callable, Iterator

from domain import releasing, telling_costs
from domain.answering import Policy
from domain.registry import Registry
from domain.releasing import Deciding
from domain.settling import settled_at
from domain.station import Station
from schemas.records import OwnerRecord

Key = tuple[str, str]

JUDGED_MAX = 100_000
"""Held CDRs looked at; beyond it each is looked at once more."""

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
        self._judged: dict[tuple[str, str, str], int] = {}
        """Transactions that a look at their price did not let go, and the revision looked at."""

    def dues(self, station: Station) -> Iterator[int]:
        """Yield when each of its CDRs is to be looked at."""
        book = station.transactions
        for transaction_id in book.settling:
            yield settled_at(station, book.known[transaction_id].end_received, self._policy)
        for transaction_id in book.correcting:
            yield settled_at(station, book.known[transaction_id].changed_at, self._policy)
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
        book = station.transactions
        for transaction_id in (*book.settling, *book.correcting):
            t = book.known[transaction_id]
            at = t.changed_at if t.released else t.end_received
            judged = (station.tenant, station.station, transaction_id)
            if self._judged.get(judged) == t.revision:
                continue
            if settled_at(station, at, self._policy) > now:
                continue
            if self._waits(station, t.registry, now):
                continue
            decide = releasing.correct if t.released else releasing.release
            decided = decide(self._deciding(station, now, epoch), t)
            if decided is not None:
                return decided
            if len(self._judged) >= JUDGED_MAX:
                self._judged.clear()
            self._judged[judged] = t.revision
        return None

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
