"""What an owner owes for its partition, not for a station: an answer to a canary, which shows that
it decides, and a pointer to each record that it has set aside."""

from collections.abc import Mapping

from domain.set_aside import SetAside
from schemas.records import (
    CanaryAnswered,
    CanaryAsked,
    OwnerRecord,
    PartitionClaimed,
    Record,
    RecordSetAside,
)


class SelfCheck:
    def __init__(
        self,
        poisoned: Mapping[tuple[str, str], SetAside],
        unreadable: Mapping[int, str],
        told_max: int,
    ) -> None:
        """`told_max`: how many are pointed at; with more nothing is decided any more."""
        self.poisoned = dict(poisoned)
        self.unreadable = dict(unreadable)
        self.canary = -1
        """The offset of the latest canary until it is answered: folded state, kept by snapshots."""
        self.owes = False
        """Ask `due`."""
        self._told_max = told_max
        self._answered = -1
        self._told: set[int] = set()

    def set_aside(self, key: tuple[str, str], found: SetAside) -> None:
        """Keep the first pointer to a torn state: what comes after cannot be folded either."""
        known = self.poisoned.get(key)
        if known is None or not known.is_torn:
            self.poisoned[key] = found
            self.owes = True

    def pass_over(self, offset: int, reason: str) -> None:
        self.unreadable[offset] = reason
        self.owes = True

    def fold(self, offset: int, record: Record) -> None:
        if isinstance(record, CanaryAsked):
            self.canary = offset
            self.owes = True
        elif isinstance(record, CanaryAnswered):
            self.canary = self.canary if record.cause < self.canary else -1
        elif isinstance(record, PartitionClaimed):
            # What was decided before and not read back does not count.
            self._answered = -1
            self._told.clear()
            self.owes = True

    def due(self, now: int, epoch: int) -> OwnerRecord | None:
        """Return the next record to append; None once there is none, until `owes` says so again."""
        if self.canary > self._answered:
            self._answered = self.canary
            return CanaryAnswered(recorded_at=now, cause=self.canary, purpose="canary", epoch=epoch)
        found = {each.offset: (*key, each.reason) for key, each in self.poisoned.items()}
        found |= {offset: ("", "", reason) for offset, reason in self.unreadable.items()}
        for offset, (tenant, station, reason) in sorted(found.items()):
            if offset not in self._told and len(self._told) < self._told_max:
                self._told.add(offset)
                return RecordSetAside(
                    recorded_at=now,
                    cause=offset,
                    purpose="set-aside",
                    epoch=epoch,
                    of_tenant=tenant,
                    of_station=station,
                    reason=reason,
                )
        self.owes = False
        return None
