"""Snapshots of an owner's state, so that a restart folds the log's tail and not all of it.

Kept by `eventsourcing`'s SQLite recorder as stored events: the originator is a station (or the
partition), the version is the log's offset, the topic names the version of the fold. Only the
newest of each is kept. They are a convenience: lose the file and the log is folded from its start.
A snapshot of another fold version is not read.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteAggregateRecorder, SQLiteCursor, SQLiteDatastore
from msgspec import Struct

from domain.outages import Outages
from domain.owner import Owner
from domain.set_aside import SetAside
from domain.station import Station, dump, load
from schemas.partitions import key_of

FOLD_VERSION = 24
"""Raise it with every change of the shape or the meaning of `domain.station.Station`."""

SNAPSHOT_RECORDS = 20_000
"""Of a partition, from one to the next: what a restart folds at most, in two or three seconds."""

_STATION = f"station.v{FOLD_VERSION}"
_PARTITION = f"partition.v{FOLD_VERSION}"


class PartitionSnapshot(Struct):
    """Where folding goes on, and what of the partition is no station's."""

    journal_id: str
    position: int
    log_filter: bytes
    next_counter: int
    torn: list[tuple[str, str, SetAside]] = []
    """Tenant and station of each that is set aside because its fold stopped half-way."""
    unreadable: dict[int, str] = {}
    outages: Outages = msgspec.field(default_factory=Outages)
    canary: int = -1
    """The offset of the one that waits for its answer."""


class StationSnapshot(NamedTuple):
    key: str
    offset: int
    state: bytes


class _Recorder(SQLiteAggregateRecorder):
    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore, events_table_name="snapshots")
        self.insert_events_statement = "INSERT OR REPLACE INTO snapshots VALUES (?,?,?,?)"

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: object
    ) -> None:
        super()._insert_events(c, stored_events)
        c.executemany(
            "DELETE FROM snapshots WHERE originator_id=? AND originator_version<?",
            [(str(event.originator_id), event.originator_version) for event in stored_events],
        )

    def select_newest(self, topic: str, prefix: str) -> list[bytes]:
        return [state for *_, state in self.select_rows(topic, prefix)]

    def select_rows(self, topic: str, prefix: str) -> list[tuple[str, int, str, bytes]]:
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT originator_id, originator_version, state FROM snapshots"
                " WHERE topic=? AND originator_id>=?"
                " AND originator_id<? ORDER BY originator_id, originator_version",
                (topic, prefix, prefix + "\U0010ffff"),
            )
            return [
                (row["originator_id"], row["originator_version"], topic, bytes(row["state"]))
                for row in c.fetchall()
            ]


Row = tuple[str, int, str, bytes]
"""Of a partition or a station: whose, as of which offset, of which fold, the state."""


class Snapshots:
    """Blocking: call it in a thread."""

    def __init__(self, path: Path) -> None:
        self._recorder = _Recorder(SQLiteDatastore(str(path), originator_id_type="text"))
        self._recorder.create_table()

    def save(
        self, partition: int, header: PartitionSnapshot, stations: Iterable[StationSnapshot]
    ) -> None:
        """Keep all of it or nothing. Call it only when everything in it is durable in the log."""
        events = [
            StoredEvent(
                _of_partition(partition, header.journal_id),
                header.position,
                _PARTITION,
                msgspec.msgpack.encode(header),
            )
        ]
        of_stations = _of_stations(partition, header.journal_id)
        events += [
            StoredEvent(f"{of_stations}{key}", offset, _STATION, state)
            for key, offset, state in stations
        ]
        self._recorder.insert_events(events)

    def load(
        self, partition: int, journal_id: str
    ) -> tuple[PartitionSnapshot, list[Station]] | None:
        """Return the newest, or None if there is none for this log and this fold."""
        of_partition = _of_partition(partition, journal_id)
        headers = self._recorder.select_newest(_PARTITION, of_partition)
        if not headers:
            return None
        header = msgspec.msgpack.decode(headers[-1], type=PartitionSnapshot)
        states = self._recorder.select_newest(_STATION, _of_stations(partition, journal_id))
        return header, [load(state) for state in states]

    def rows(self, partition: int, journal_id: str) -> list[Row]:
        """Return all that is kept of the partition for this fold, for `put` elsewhere."""
        wanted = (
            (_PARTITION, _of_partition(partition, journal_id)),
            (_STATION, _of_stations(partition, journal_id)),
        )
        return [
            row for topic, prefix in wanted for row in self._recorder.select_rows(topic, prefix)
        ]

    def put(self, rows: Iterable[Row]) -> None:
        """Keep what another process kept: all of a partition."""
        self._recorder.insert_events([StoredEvent(*row) for row in rows])

    def close(self) -> None:
        self._recorder.datastore.close()


# Offsets of two logs do not compare, so their snapshots do not share originators.


def _of_partition(partition: int, journal_id: str) -> str:
    return f"p{partition}/{journal_id}/"


def _of_stations(partition: int, journal_id: str) -> str:
    return f"s{partition}/{journal_id}/"


def header_of(owner: Owner, journal_id: str) -> PartitionSnapshot:
    """Return what to keep with the states of the owner's stations."""
    return PartitionSnapshot(
        journal_id,
        owner.position,
        owner.log_filter.dump(),
        owner.next_counter,
        torn_of(owner),
        dict(owner.unreadable),
        Outages(owner.outages.last_at, owner.outages.waiting_at, list(owner.outages.periods)),
        owner.self_check.canary,
    )


def torn_of(owner: Owner) -> list[tuple[str, str, SetAside]]:
    return [(*key, each) for key, each in owner.poisoned.items() if each.is_torn]


def take(station: Station) -> StationSnapshot:
    key = key_of(station.tenant, station.station)
    return StationSnapshot(key, station.offset, dump(station))
