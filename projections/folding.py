"""What one projection has folded of the log, and of it what is not cut into a batch yet."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from domain.conversation import fold
from domain.facts import Fact
from domain.log_filter import LogFilter
from domain.set_aside import reason_of
from domain.station import Station
from projections.ports import (
    Checkpoint,
    LastRecord,
    Poison,
    Progress,
    SavedState,
    Sink,
    StationKey,
    TooMuchPoison,
)
from projections.registry import RegistryFollower
from projections.same_log import last_record
from projections.states import FOLD_VERSION, StationStates
from schemas.journal import Entry
from schemas.records import CanaryAsked, OwnerRecord, Record, UnreadableRecord, decode

logger = logging.getLogger(__name__)


class Folding:
    """What is folded so far, and of it what is not cut into a batch yet."""

    def __init__(
        self,
        sink: Sink,
        states: StationStates,
        registry: RegistryFollower,
        *,
        positions: dict[int, int],
        written: dict[int, int],
        filters: dict[int, LogFilter],
        recorded_at: int,
        waiting: dict[int, int],
        last: Mapping[int, LastRecord],
        poison_left: int,
    ) -> None:
        """`poison_left`: how many records may still be set aside."""
        self.states = states
        self.positions = positions
        self.records = 0
        """Since the last cut, without those that were projected before."""
        self.unsaved = 0
        """Since the last checkpoint."""
        self.written_next = written
        self._sink = sink
        self._registry = registry
        self._filters = filters
        self._recorded_at = recorded_at
        self._waiting = waiting
        self._last = dict(last)
        self._newest: dict[int, Entry] = {}
        self._cut_at = dict(written)
        self._poison: list[Poison] = []
        self._poison_left = poison_left

    async def fold(self, entries: Sequence[Entry]) -> None:
        """Fold what was read.

        Raises:
            TooMuchPoison
        """
        admitted: list[tuple[int, int, Record, StationKey]] = []
        missing: dict[StationKey, int] = {}
        known = 0
        stations, filters, positions = self.states.by_key, self._filters, self.positions
        for partition, offset, value in entries:
            positions[partition] = offset + 1
            try:
                record = decode(value)
            except UnreadableRecord as error:
                self._set_aside(partition, offset, error, ("", ""))
                continue
            if filters[partition].admit(offset, record):
                key = (record.tenant, record.station)
                admitted.append((partition, offset, record, key))
                if isinstance(record, OwnerRecord) and record.registry > known:
                    known = record.registry
                if key not in stations and partition and key[1]:
                    missing[key] = partition
        if known > self._registry.reference.position:
            await self._registry.reach(known)
        while missing:
            await self.states.fetch(missing, missing.values())
            # Meanwhile the writer may have saved a checkpoint and let others of ours go.
            missing = {
                key: partition
                for partition, _, _, key in admitted
                if key not in stations and partition and key[1]
            }
        self._fold_admitted(admitted)
        self._count(entries)

    def _fold_admitted(self, admitted: list[tuple[int, int, Record, StationKey]]) -> None:
        stations, dirty = self.states.by_key, self.states.dirty
        written, apply = self.written_next, self._sink.apply
        waiting = self._waiting
        for partition, offset, record, key in admitted:
            try:
                station = stations[key] if partition and key[1] else None
                facts: Sequence[Fact] = ()
                if station is not None:
                    if offset <= station.offset:
                        continue
                    dirty.add(key)
                    facts = fold(station, offset, record)
                if offset >= written[partition]:
                    apply(partition, offset, record, facts, station)
                    _wait(waiting, partition, offset, record, station)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - folds are pure: it fails so every time.
                self._set_aside(partition, offset, error, key)
        if self.states.is_crowded:
            self.states.used({key for _, _, _, key in admitted if key in stations})
        if admitted:
            self._recorded_at = max(self._recorded_at, admitted[-1][2].recorded_at)

    def _count(self, entries: Sequence[Entry]) -> None:
        written, newest = self.written_next, self._newest
        self.unsaved += len(entries)
        for entry in entries:
            partition, offset, _ = entry
            if offset >= written[partition]:
                written[partition] = offset + 1
                newest[partition] = entry
                self.records += 1

    def _set_aside(self, partition: int, offset: int, error: Exception, key: StationKey) -> None:
        if offset < self.written_next[partition]:
            return
        name, reason = self._sink.name, reason_of(error)
        logger.error("record set aside: %s: %d:%d: %s", name, partition, offset, reason)
        if self._poison_left <= 0:
            raise TooMuchPoison(
                f"{name}: one record too many cannot be folded: {partition}:{offset}"
            )
        self._poison_left -= 1
        self._poison.append(Poison(partition, offset, reason, *key))

    def cut(self, journal_id: str, *, with_checkpoint: bool) -> tuple[Any, Progress]:
        checkpoint: Checkpoint | None = None
        states: Sequence[SavedState] = ()
        if with_checkpoint:
            filters = {p: log_filter.dump() for p, log_filter in self._filters.items()}
            checkpoint = Checkpoint(positions=dict(self.positions), filters=filters)
            states = self.states.dump_dirty()
            self.unsaved = 0
        self._last |= {p: last_record(entry) for p, entry in self._newest.items()}
        self._newest = {}
        progress = Progress(
            name=self._sink.name,
            journal_id=journal_id,
            fold_version=FOLD_VERSION,
            before=self._cut_at,
            positions=dict(self.written_next),
            recorded_at=self._recorded_at,
            waiting=dict(self._waiting),
            last=dict(self._last),
            checkpoint=checkpoint,
            states=states,
            poison=tuple(self._poison),
        )
        self._cut_at = dict(self.written_next)
        self._poison = []
        self.records = 0
        return self._sink.cut(progress), progress


def _wait(
    waiting: dict[int, int], partition: int, offset: int, record: Record, station: Station | None
) -> None:
    if isinstance(record, OwnerRecord):
        waiting.pop(partition, None)
    elif (station is not None and offset in station.open_calls) or type(record) is CanaryAsked:
        waiting.setdefault(partition, record.recorded_at)
