"""The embedded edge: ingress, owner and SQLite journal in one process and on one event loop.

It is the only writer of the journal; other processes append through `infra.append_socket`. When the
journal cannot be written, nothing is answered: the door is closed first (handshakes get 503), the
sockets are closed a little later (1013), the owners are thrown away, and once a canary is in the
log again they are folded anew and the door opens.
"""

import asyncio
import logging
import secrets as randomness
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra import clock
from infra.directory import RegistryDirectory
from infra.edge_log import EdgeLog
from infra.journal_sqlite import SWITCH_INTERVAL_S, SqliteJournal
from infra.recovery import fold_range, fold_registry, head_beyond, owner_from
from infra.set_aside import SetAsideAlarm
from infra.snapshot_keeping import keep
from infra.snapshots import SNAPSHOT_RECORDS, Snapshots
from infra.watchdog import watch
from ingress.options import Options
from ingress.ports import Secrets
from ingress.server import Server
from schemas.journal import Unavailable
from schemas.records import MessageSent, Record

TRY_AGAIN_LATER = 1013

HOLD_S = 3.0
"""How long sockets wait for a journal that failed, before they are closed."""

REOPEN_S = 0.5

TIMER_S = 0.25
"""The longest a due timer waits when no other deadline wakes the loop."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOptions:
    data: Path
    host: str = "127.0.0.1"
    port: int = 9000
    partitions: int = 1
    policy: Policy = field(default_factory=Policy)
    ingress: Options = field(default_factory=Options)
    id_key: bytes
    """Of the transaction ids; the same for the life of the deployment."""
    verifier: Callable[[str], str | None]
    """What is kept under a secret's id, from memory."""
    secrets: Secrets


class Edge:
    """Use as `async with edge(options) as running`, then `await running.run(stop)`."""

    def __init__(self, options: EdgeOptions, journal: SqliteJournal, snapshots: Snapshots) -> None:
        self.options = options
        self.journal = journal
        self.port = 0
        self._snapshots = snapshots
        self._incarnation = randomness.token_hex(6)
        self._registry = Registry()
        self._failed = asyncio.Event()
        self._snapped: dict[int, int] = {}
        self._alarms: dict[int, SetAsideAlarm] = {}
        self._timer_steps = 0
        self.log = EdgeLog(
            journal,
            self._registry,
            incarnation=self._incarnation,
            deliver=self._deliver,
            now_us=clock.now_us,
        )
        self.server = Server(
            log=self.log,
            directory=RegistryDirectory(
                self._registry, options.verifier, lambda: self.log.accepts("", "")
            ),
            secrets=options.secrets,
            now_us=clock.now_us,
            node=self.node,
            options=options.ingress,
        )
        journal.on_durable(self.log.committed)
        journal.on_failure(self._on_failure)

    @property
    def node(self) -> str:
        return f"0/{self._incarnation}"

    async def recover(self) -> None:
        """Fold the log, claim every partition and end the connections of earlier lives."""
        self._registry.clear()
        await fold_registry(self.journal, self._registry)
        owners = [await self._folded(p) for p in range(1, self.journal.partitions + 1)]
        self.log.start(owners)
        now = clock.now_us()
        for owner in owners:
            self.log.claim(owner, now)
            self.log.end_connections(owner, lambda node: node != self.node, now)

    async def _folded(self, partition: int) -> Owner:
        owner = await asyncio.to_thread(
            owner_from,
            self._snapshots,
            partition,
            self.journal.id,
            name=self.node,
            policy=self.options.policy,
            ids=TransactionIds(self.options.id_key, partition - 1, self.journal.partitions),
            registry=self._registry,
        )
        end = await head_beyond(self.journal, owner)
        self._snapped[partition] = owner.position
        await fold_range(
            self.journal, partition, owner.position, end, _fold(owner), owner.pass_over
        )
        self._alarms[partition] = SetAsideAlarm(self.options.policy.set_aside_max)
        self._alarms[partition].look(owner)
        return owner

    async def run(
        self, stop: asyncio.Event, ready: Callable[[int], object] = lambda port: None
    ) -> None:
        """Serve until `stop` is set; then close every connection and commit what is queued.

        `ready` is told the port once stations can connect.

        Raises:
            TooManySetAside, in a group: nothing is decided any more until a person has looked.
            Exception, in a group: what was folded could not be queued; a new process must fold.
        """
        self.port = await self.server.listen(self.options.host, self.options.port)
        ready(self.port)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._watch_timers()),
                tasks.create_task(self._watch_snapshots()),
                tasks.create_task(self._watch_failure()),
                tasks.create_task(watch(lambda: {"timers": self._timer_steps})),
            ]
            await stop.wait()
            for task in running:
                task.cancel()

    def _deliver(self, offset: int, sent: MessageSent) -> None:
        self.server.deliver(
            sent.connection,
            offset,
            sent.frame,
            message_type=sent.message_type,
            deadline_us=sent.deadline,
            secrets=sent.secrets,
            tenant=sent.tenant,
            station=sent.station,
        )

    async def _watch_timers(self) -> None:
        while True:
            self._timer_steps += 1
            if self.log.broken is not None:
                raise self.log.broken
            due = self.log.elapse(clock.now_us())
            for owner in self.log.owners:
                self._alarms[owner.partition].look(owner)
            wait_s = TIMER_S if due is None else (due - clock.now_us()) / 1e6
            await asyncio.sleep(min(max(wait_s, 0.001), TIMER_S))

    # The journal failed.

    def _on_failure(self, error: Exception) -> None:
        _logger.error("the journal cannot be written: %s", error)
        self.log.fail(error)
        self._failed.set()

    async def _watch_failure(self) -> None:
        while True:
            await self._failed.wait()
            await asyncio.sleep(HOLD_S)
            self.server.close_all(TRY_AGAIN_LATER, "the journal cannot be written")
            while True:
                try:
                    await self.journal.reopen()
                    self._failed.clear()
                    await self.recover()
                except Unavailable as error:
                    _logger.warning("the journal is still closed: %s", error)
                    # Who came in between may have said what was thrown away again.
                    self.server.close_all(TRY_AGAIN_LATER, "the journal cannot be written")
                    await asyncio.sleep(REOPEN_S)
                else:
                    _logger.info("the journal is open again")
                    break

    # Snapshots.

    async def _watch_snapshots(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for owner in self.log.owners:
                behind = owner.position - self._snapped.get(owner.partition, 0)
                if behind >= SNAPSHOT_RECORDS and not self._failed.is_set():
                    await self.snapshot(owner)

    async def snapshot(self, owner: Owner) -> None:
        """Keep the owner's state, unless the journal fails or the owner is another one by then."""
        snapped = owner.position

        async def is_durable(position: int) -> bool:
            while self.journal.durable[owner.partition] < position:
                if self._failed.is_set() or owner not in self.log.owners:
                    return False
                await asyncio.sleep(0.005)
            return True

        if await keep(owner, self._snapshots, self.journal.id, is_durable):
            self._snapped[owner.partition] = snapped


def _fold(owner: Owner) -> Callable[[int, Record], object]:
    return owner.fold


@asynccontextmanager
async def edge(options: EdgeOptions) -> AsyncIterator[Edge]:
    """Open the journal of the data directory, recover from it, and close it all in the end.

    Raises:
        JournalInUse, WrongJournal, Unavailable: as the journal says.
        TooManySetAside: this version cannot fold what is in the log.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    options.data.mkdir(parents=True, exist_ok=True)
    journal = await SqliteJournal.create_or_open(options.data, options.partitions)
    snapshots = Snapshots(options.data / "snapshots.sqlite")
    running = Edge(options, journal, snapshots)
    try:
        async with running.server:
            await running.recover()
            yield running
        for owner in running.log.owners:
            await running.snapshot(owner)
    finally:
        running.log.work_off()
        await journal.close()
        snapshots.close()
