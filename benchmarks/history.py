"""A log with a history, written directly: the real owner, edge log and journal, without sockets.

What is told is what the load generator tells, read as the edge reads it, so every record is as if
it had come over the wire; only sockets, their writes and the waiting are left out. A million
records take well under a minute.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from benchmarks.frames import SESSION_WH, Minutes, Script
from domain.answering import Policy
from domain.log_filter import LogFilter
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.deployment import Layout, ensure_keys, read_key
from infra.edge_log import EdgeLog
from infra.journal_sqlite import SqliteJournal
from infra.recovery import fold_range, fold_registry
from infra.snapshots import SNAPSHOT_RECORDS, PartitionSnapshot, Snapshots, take
from ingress import rpc
from schemas.records import ConnectionOpened, MessageReceived, MessageSent

TENANT = "default"
PARTITION = 1
NODE = "0/history"
BETWEEN_CALLS_US = 1_000
"""By the clock that the records are stamped with."""

POLICY = Policy(accept_unknown_tokens=True, settle_us=0)
"""That of `up` on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    records: int
    calls: int
    sessions: int
    energy_wh: int
    seconds: float


@dataclass(slots=True)
class Teller:
    """One station: what it says, and the connection it says it on."""

    name: str
    script: Script
    connection: str
    number: int = 0


class History:
    """Use as `history = await History.open(data, stations)`, then `tell`, then `close`."""

    def __init__(self, journal: SqliteJournal, snapshots: Snapshots, id_key: bytes) -> None:
        self.journal = journal
        self.calls = 0
        self.now_us = 0
        self._snapshots = snapshots
        self._registry = Registry()
        self.owner = Owner(
            PARTITION,
            name=NODE,
            policy=POLICY,
            ids=TransactionIds(id_key),
            registry=self._registry,
            log_filter=LogFilter(),
        )
        self.log = EdgeLog(
            journal,
            self._registry,
            incarnation=f"history{journal.durable[PARTITION]:x}",
            deliver=self._delivered,
            now_us=lambda: self.now_us,
        )
        journal.on_durable(self.log.committed)
        self.tellers: list[Teller] = []
        self._waiting: dict[str, Teller] = {}
        self._answered = asyncio.Event()

    @classmethod
    async def open(cls, data: Path, stations: int) -> Self:
        """Open or make the journal of that data directory; its stations connect."""
        layout = Layout(data)
        ensure_keys(layout.secrets, is_new=not layout.has_journal)
        layout.journal.mkdir(parents=True, exist_ok=True)
        journal = await SqliteJournal.create_or_open(layout.journal, 1)
        snapshots = Snapshots(layout.journal / "snapshots.sqlite")
        history = cls(journal, snapshots, read_key(layout.secrets, "transaction-id"))
        await history._connect(stations)
        return history

    async def _connect(self, stations: int) -> None:
        now = datetime.now(UTC)  # noqa: TID251 - a process of its own.
        # The log's last day, so that what is told now is younger than all of it.
        self.now_us = int(now.timestamp() * 1e6) - 24 * 3_600_000_000
        await fold_registry(self.journal, self._registry)
        end = await self.journal.head(PARTITION)
        await fold_range(self.journal, PARTITION, 0, end, self.owner.fold)
        self.log.start([self.owner])
        self.log.claim(self.owner, self.now_us)
        run = f"h{end:x}"
        minutes = Minutes(now)
        for number in range(stations):
            name = f"H{run}-{number:05d}"
            self.tellers.append(Teller(name, Script(number, minutes, run), f"c{run}{number:x}"))
        async with asyncio.TaskGroup() as group:
            for teller in self.tellers:
                group.create_task(self.log.append(self._opened(teller)))

    def _opened(self, teller: Teller) -> ConnectionOpened:
        return ConnectionOpened(
            tenant=TENANT,
            station=teller.name,
            recorded_at=self.now_us,
            connection=teller.connection,
            protocol="1.6",
            node=NODE,
            remote="127.0.0.1:1",
            proof="none",
            registered=False,
        )

    async def tell(self, records: int) -> Written:
        """Tell the session mix until the partition holds at least that many records."""
        began = time.perf_counter()
        calls, sessions = self.calls, self._sessions()
        snapshot_at = records - SNAPSHOT_RECORDS
        while (end := self.journal.next_offset(PARTITION)) < records:
            if 0 < snapshot_at <= end:
                snapshot_at = 0
                self.snapshot()
            await self.round()
        return Written(
            records=self.journal.durable[PARTITION],
            calls=self.calls - calls,
            sessions=self._sessions() - sessions,
            energy_wh=(self._sessions() - sessions) * SESSION_WH,
            seconds=time.perf_counter() - began,
        )

    async def round(self) -> None:
        """Have each station tell one CALL; return when all are answered."""
        self._answered.clear()
        for teller in self.tellers:
            self.now_us += BETWEEN_CALLS_US
            self._waiting[teller.name] = teller
            self.log.post(*read(teller, self.now_us))
        self.calls += len(self.tellers)
        await self._answered.wait()

    async def close(self) -> None:
        await self.journal.close()
        self._snapshots.close()

    def _sessions(self) -> int:
        return sum(teller.script.sessions for teller in self.tellers)

    def _delivered(self, offset: int, sent: MessageSent) -> None:
        teller = self._waiting.pop(sent.station)
        teller.script.answered(sent.frame.encode())
        if not self._waiting:
            self._answered.set()

    def snapshot(self) -> None:
        # As the edge leaves one: a restart then folds at most SNAPSHOT_RECORDS, and here just them.
        owner = self.owner
        header = PartitionSnapshot(
            self.journal.id, owner.position, owner.log_filter.dump(), owner.next_counter
        )
        states = [take(station) for station in owner.stations.values()]
        self._snapshots.save(PARTITION, header, states)


def read(teller: Teller, now_us: int) -> tuple[MessageReceived, object]:
    """Return the record of the station's next CALL, and its payload, as ingress posts them."""
    text = unframed(teller.script.next_call()).decode()
    frame = rpc.read("1.6", text)
    return received(teller, text, frame, now_us), frame.payload


def received(teller: Teller, text: str, frame: rpc.Frame, now_us: int) -> MessageReceived:
    teller.number += 1
    return MessageReceived(
        tenant=TENANT,
        station=teller.name,
        recorded_at=now_us,
        connection=teller.connection,
        number=teller.number,
        frame=text,
        message_type=frame.message_type,
        message_id=frame.message_id,
        action=frame.action,
        error=frame.error,
        violations=frame.violations,
    )


def unframed(data: bytes) -> bytes:
    """Return what is inside a WebSocket frame of `benchmarks.frames`, whose mask is zero."""
    return data[8:] if data[1] & 0x7F == 126 else data[6:]


async def write(data: Path, *, records: int, stations: int) -> Written:
    """Add to the journal of a data directory until it holds that many records; nobody may use it.

    Leaves a snapshot that is as old as an edge's may be.
    """
    history = await History.open(data, stations)
    try:
        return await history.tell(records)
    finally:
        await history.close()
