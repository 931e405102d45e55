"""The embedded log on disk: one directory with one SQLite file (WAL, `synchronous=FULL`).

One row is one group commit: the values of all batches in it, as lines in the order in which they
were queued (`body`); whose they are (`runs`: partition, count, … as u32); and for each partition
the offset of the next record before this commit (`heads`: u64). So a commit touches the end of one
B-tree only, a partition's offsets have no gaps, and any offset is found by bisecting over `seq`,
which has no gaps either. A row with an empty `runs` is a canary and holds no records. The few
commits with records of the registry are marked and indexed, so that reading it alone does not read
the whole log.
"""

import fcntl
import os
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from infra.journal_identity import Identity, creation_record, identity_in, require
from schemas.journal import REGISTRY_PARTITION, Unavailable, WrongJournal

FILE_NAME = "journal.sqlite3"
LOCK_NAME = "journal.lock"
APPLICATION_ID = 0x43_4C_4A_31
"""Marks the file as ours: "CLJ1"."""

PAGE_BYTES = 8_192
CHECKPOINT_PAGES = 512
"""A checkpoint copies 4 MiB and takes about 5 ms of the committing thread; larger ones stall."""

BUSY_TIMEOUT_S = 5.0
"""Readers lock the file for microseconds only, and when they recover a dead writer's WAL."""

CREATE = """
CREATE TABLE commits (
    seq INTEGER PRIMARY KEY,
    registry INTEGER NOT NULL,
    heads BLOB NOT NULL,
    runs BLOB NOT NULL,
    body BLOB NOT NULL
)
"""
CREATE_INDEX = "CREATE INDEX commits_of_registry ON commits (registry) WHERE registry = 1"
INSERT = "INSERT INTO commits (seq, registry, heads, runs, body) VALUES (?, ?, ?, ?, ?)"
SELECT_LAST = "SELECT seq, heads, runs FROM commits ORDER BY seq DESC LIMIT 1"
SELECT_HEADS = "SELECT heads FROM commits WHERE seq = ?"
SELECT_FIRST_BODY = "SELECT body FROM commits WHERE seq = 1"
SELECT_LAST_SEQ = "SELECT max(seq) FROM commits"
SELECT_FROM = "SELECT seq, heads, runs, body FROM commits WHERE seq >= ? ORDER BY seq"
SELECT_REGISTRY_FROM = """
SELECT seq, heads, runs, body FROM commits WHERE registry = 1 AND seq >= ? ORDER BY seq
"""

Row = tuple[int, int, bytes, bytes, bytes]


class JournalInUse(Exception):
    """Another process is writing to this journal; only one may."""

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(f"{directory}: the journal is in use by process {pid or 'unknown'}")
        self.directory = directory
        self.pid = pid


def trouble(directory: Path, error: sqlite3.Error) -> Unavailable | WrongJournal:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return WrongJournal(f"{directory}: {FILE_NAME} is not a journal")
    return Unavailable(f"{directory}: {error}")


class Tail(NamedTuple):
    seq: int
    heads: list[int]


def lock(directory: Path) -> int:
    """Take the writer's lock; it ends when the returned descriptor is closed or the process dies.

    Raises:
        JournalInUse: somebody holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise JournalInUse(directory, pid) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def connect(directory: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open the file. A connection may be handed from thread to thread, but not shared.

    Raises:
        Unavailable: it cannot be opened.
    """
    uri = (directory / FILE_NAME).absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rwc")
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise trouble(directory, error) from error
    return connection


def prepare_for_writing(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def opened(
    directory: Path, partitions: int | None, expected_id: str | None
) -> tuple[sqlite3.Connection, Identity]:
    """Open to write, or to read when the number of partitions is not given.

    Raises:
        WrongJournal: it is no journal, or another one.
        Unavailable: there is none, or the disk is full or broken.
    """
    where = str(directory)
    connection = connect(directory, read_only=partitions is None)
    try:
        if partitions is not None:
            prepare_for_writing(connection)
        if not exists(connection):
            if partitions is None:
                raise Unavailable(f"{where}: there is no journal yet")
            create(connection, partitions)
        found = identity(connection, where=where)
        require(found, partitions=partitions, expected_id=expected_id, where=where)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise trouble(directory, error) from error
        raise
    return connection, found


def exists(connection: sqlite3.Connection) -> bool:
    """Tell whether the log was created; a creation that a crash cut short left nothing."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(tables)


def create(connection: sqlite3.Connection, partitions: int) -> None:
    first = row(1, [0] * (partitions + 1), [REGISTRY_PARTITION, 1], [creation_record(partitions)])
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(CREATE)
    connection.execute(CREATE_INDEX)
    connection.execute(INSERT, first)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")


def identity(connection: sqlite3.Connection, *, where: str) -> Identity:
    """Return what the log says it is.

    Raises:
        WrongJournal: the file is no journal of ours.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise WrongJournal(f"{where}: {FILE_NAME} is not a journal")
    (first,) = connection.execute(SELECT_FIRST_BODY).fetchone()
    return identity_in(first, where=where)


def tail(connection: sqlite3.Connection) -> Tail:
    seq, heads, runs = connection.execute(SELECT_LAST).fetchone()
    after = unpacked_heads(heads)
    for partition, count in unpacked_runs(runs):
        after[partition] += count
    return Tail(seq, after)


def last_seq(connection: sqlite3.Connection) -> int:
    (seq,) = connection.execute(SELECT_LAST_SEQ).fetchone()
    return int(seq)


def heads_before(connection: sqlite3.Connection, seq: int) -> list[int]:
    (heads,) = connection.execute(SELECT_HEADS, (seq,)).fetchone()
    return unpacked_heads(heads)


def seek(connection: sqlite3.Connection, partition: int, offset: int) -> int:
    """Return the latest commit before which the partition's head is not above the offset."""
    low, high = 1, last_seq(connection)
    while low < high:
        middle = (low + high + 1) // 2
        if heads_before(connection, middle)[partition] <= offset:
            low = middle
        else:
            high = middle - 1
    return low


def row(seq: int, heads: Sequence[int], runs: Sequence[int], batches: Sequence[bytes]) -> Row:
    return (
        seq,
        REGISTRY_PARTITION in runs[::2],
        struct.pack(f"<{len(heads)}Q", *heads),
        struct.pack(f"<{len(runs)}I", *runs),
        b"\n".join(batches),
    )


def unpacked_heads(packed: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(packed) // 8}Q", packed))


def unpacked_runs(packed: bytes) -> Iterator[tuple[int, ...]]:
    return struct.iter_unpack("<II", packed)
