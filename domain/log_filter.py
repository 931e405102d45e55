"""The filter under every reader of the journal: which records count.

It drops, in this order: repeats (a sequence not above the last one of its incarnation), the fenced
(an owner's record whose epoch is not the latest claimed at that point of the log), and the second
decision of the same (cause, purpose). A dropped record has no effect on the rules after the one
that dropped it.

Both memories are bounded by counts of records, so that every reader that has read the same log
holds the same state, wherever it started. A repeat can only come from an append whose outcome was
unknown, at most one batch of an incarnation, and a decision of an earlier epoch is fenced: the
bounds are far above what can be in flight.
"""

from collections import OrderedDict, deque

import msgspec
from msgspec import Struct

from schemas.records import OwnerRecord, PartitionClaimed, Record

INCARNATIONS_MAX = 512
DECISIONS_MAX = 2_048


class FilterState(Struct, array_like=True):
    epoch: int = -1
    sequences: list[tuple[str, int]] = []
    decisions: list[tuple[int, str]] = []


class LogFilter:
    def __init__(self, state: bytes | None = None) -> None:
        saved = msgspec.msgpack.decode(state, type=FilterState) if state else FilterState()
        self.epoch = saved.epoch
        """The offset of the latest claim; -1 before the first."""
        self._sequences: OrderedDict[str, int] = OrderedDict(saved.sequences)
        self._order: deque[tuple[int, str]] = deque(
            (cause, purpose) for cause, purpose in saved.decisions
        )
        self._decisions = set(self._order)

    def admit(self, offset: int, record: Record) -> bool:
        """Say whether the record at this offset counts. Call it once per record, in log order."""
        sequences = self._sequences
        incarnation = record.incarnation
        last = sequences.get(incarnation, -1)
        if record.sequence <= last:
            return False
        sequences[incarnation] = record.sequence
        if last == -1:
            self._forget_incarnations()
        if isinstance(record, OwnerRecord):
            return self._admit_decision(record)
        if isinstance(record, PartitionClaimed):
            self._claimed(offset)
        return True

    def wrote(self, offset: int, record: Record, incarnation: str, sequence: int) -> None:
        """Take note of a record that the log's only writer, this process, has just put there.

        It counts: nobody else decides, and nothing that failed is written again. So the decision
        itself need not be remembered.
        """
        self._sequences[incarnation] = sequence
        if type(record) is PartitionClaimed:
            self._claimed(offset)

    def _claimed(self, offset: int) -> None:
        self.epoch = offset
        self._decisions.clear()
        self._order.clear()

    def _admit_decision(self, record: OwnerRecord) -> bool:
        if record.epoch != self.epoch:
            return False
        decisions = self._decisions
        key = (record.cause, record.purpose)
        if key in decisions:
            return False
        decisions.add(key)
        self._order.append(key)
        if len(decisions) > DECISIONS_MAX:
            decisions.discard(self._order.popleft())
        return True

    def _forget_incarnations(self) -> None:
        while len(self._sequences) > INCARNATIONS_MAX:
            self._sequences.popitem(last=False)

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(
            FilterState(self.epoch, list(self._sequences.items()), list(self._order))
        )
