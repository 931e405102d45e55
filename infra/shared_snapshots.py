"""Snapshots that other processes find, too: in a directory that all owners can reach.

Without it a process that takes over a partition for the first time folds its log from the start.
A state is a fold of the log, the same whoever folded it, so any owner's will do, and an old or a
missing one costs time only. Who can write there can change what is decided: guard it as the log.
"""

import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from domain.station import Station
from infra.snapshots import FOLD_VERSION, PartitionSnapshot, Row, Snapshots, StationSnapshot

SHARE_EVERY_S = 300.0
"""The whole partition is written each time: some 4 KB of a station."""

_logger = logging.getLogger(__name__)


class _Shared(Struct, array_like=True):
    position: int
    rows: list[Row]


class SharedSnapshots(Snapshots):
    """Blocking: call it in a thread."""

    def __init__(self, path: Path, shared: Path) -> None:
        super().__init__(path)
        self._shared = shared
        self._shared_at: dict[int, float] = {}

    def save(
        self, partition: int, header: PartitionSnapshot, stations: Iterable[StationSnapshot]
    ) -> None:
        super().save(partition, header, stations)
        now = time.monotonic()
        if now - self._shared_at.get(partition, -SHARE_EVERY_S) < SHARE_EVERY_S:
            return
        self._shared_at[partition] = now
        try:
            self._share(partition, header)
        except OSError as error:
            _logger.warning("no snapshot of partition %d is shared: %s", partition, error)

    def load(
        self, partition: int, journal_id: str
    ) -> tuple[PartitionSnapshot, list[Station]] | None:
        own = super().load(partition, journal_id)
        try:
            value = self._file(partition, journal_id).read_bytes()
            shared = msgspec.msgpack.decode(value, type=_Shared)
        except FileNotFoundError:
            return own
        except (OSError, msgspec.MsgspecError) as error:
            _logger.warning("the shared snapshot of partition %d: %s", partition, error)
            return own
        if own is not None and own[0].position >= shared.position:
            return own
        # What is saved later names only what has changed: all the rest has to be here as well.
        self.put(shared.rows)
        return super().load(partition, journal_id)

    def _share(self, partition: int, header: PartitionSnapshot) -> None:
        rows = self.rows(partition, header.journal_id)
        file = self._file(partition, header.journal_id)
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.write_bytes(msgspec.msgpack.encode(_Shared(header.position, rows)))
        new.replace(file)

    def _file(self, partition: int, journal_id: str) -> Path:
        return self._shared / f"{journal_id}-p{partition}-v{FOLD_VERSION}.snapshot"
