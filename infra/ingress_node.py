"""One ingress node on Kafka: sockets, the way into the journal, and the deliveries for its slot.

A node that cannot write its own heartbeat is taken for lost by the owners, so it closes its sockets
before they do.
"""

import asyncio
import logging
import secrets as randomness
from collections.abc import Callable
from itertools import chain

from domain.registry import Registry
from infra import clock
from infra.batching_log import BatchingLog
from infra.directory import RegistryDirectory
from infra.kafka_dispatch import KafkaDispatch
from infra.recovery import fold_registry, follow_registry
from infra.watchdog import watch
from ingress.options import Options
from ingress.ports import Secrets
from ingress.server import Server
from schemas.deliveries import (
    CLOSE,
    Heartbeat,
    decode_frames,
    decode_heartbeat,
    encode,
    slot_of,
)
from schemas.journal import AppendUnknown, Journal, Reader, Unavailable

HEARTBEAT_S = 2.0
LISTEN_S = 2.5
"""Whoever lives is heard by then, and again as long after."""
SILENT_MAX_S = 10.0
"""Noticed within another heartbeat: before owners take the node for lost (`infra.node_watch`)."""

DELIVERIES_MAX = 5_000
TRY_AGAIN_LATER = 1013

_logger = logging.getLogger(__name__)


class SlotTaken(Exception):
    """Two processes were given the same slot: the second must not start."""


class IngressNode:
    def __init__(
        self,
        journal: Journal,
        deliveries: KafkaDispatch,
        nodes: KafkaDispatch,
        *,
        slot: int,
        options: Options,
        verifier: Callable[[str], str | None],
        secrets: Secrets,
    ) -> None:
        self.node = f"{slot}/{randomness.token_hex(6)}"
        self._slot = slot
        self._journal = journal
        self._deliveries = deliveries
        self._nodes = nodes
        self._registry = Registry()
        self._heard: float | None = None
        self._steps = {"deliveries are read": 0, "heartbeats are sent": 0}
        self._listening = "not yet"
        self.log = BatchingLog(journal, on_closed=self._close_where)
        self.server = Server(
            log=self.log,
            directory=RegistryDirectory(self._registry, verifier),
            secrets=secrets,
            now_us=clock.now_us,
            node=self.node,
            options=options,
        )

    async def run(
        self, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], object]
    ) -> None:
        """Serve until `stop` is set; `ready` is told the port.

        Raises (one of them, or a group of them):
            Unavailable: the log cannot be reached at the start.
            SlotTaken: another process lives in this slot; it was not disturbed.
            AppenderFailed: the producer is broken; a new process must take over.
            Stalled: deliveries or heartbeats stand still; the process is to be ended.
        """
        async with asyncio.TaskGroup() as starting:
            starting.create_task(self._require_free_slot())
            folding = starting.create_task(fold_registry(self._journal, self._registry))
        log_filter = folding.result()
        mail = await self._deliveries.tail(self._slot)
        try:
            # Owners know that an earlier life of this slot is over before we hold a connection.
            await self._announce()
            async with self.log, self.server, asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self._receive(mail)),
                    tasks.create_task(self._beat_on()),
                    tasks.create_task(follow_registry(self._journal, self._registry, log_filter)),
                    tasks.create_task(watch(lambda: self._steps)),
                ]
                ready(await self.server.listen(host, port))
                self._listening = "ok"
                await stop.wait()
                self._listening = "draining"
                await self.server.close()
                for task in running:
                    task.cancel()
        finally:
            await mail.close()

    def parts(self) -> dict[str, str]:
        """Return what this node consists of; each "ok", or what is wrong with it."""
        closed = self.log.closed_partitions()
        unheard_s = self.unheard_s()
        return {
            "listening": self._listening,
            "journal": f"not writable: partitions {closed}" if closed else "ok",
            "heartbeat": "ok" if unheard_s <= SILENT_MAX_S else f"not heard for {unheard_s:.0f} s",
        }

    def unheard_s(self) -> float:
        """Return how long ago the cluster last took our heartbeat; 0 before the first."""
        if self._heard is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._heard

    async def _receive(self, mail: Reader) -> None:
        deliver = self.server.deliver
        while True:
            self._steps["deliveries are read"] += 1
            try:
                entries = await mail.poll(records_max=DELIVERIES_MAX, timeout_s=5.0)
            except Unavailable as error:
                _logger.warning("deliveries cannot be read: %s", error)
                await asyncio.sleep(1.0)
                continue
            for sent in chain.from_iterable(decode_frames(entry.value) for entry in entries):
                if sent.node != self.node:
                    continue
                if sent.message_type == CLOSE:
                    self.server.close_replaced(sent.connection)
                else:
                    deliver(
                        sent.connection,
                        sent.offset,
                        sent.frame,
                        message_type=sent.message_type,
                        deadline_us=sent.deadline,
                        secrets=sent.secrets,
                        tenant=sent.tenant,
                        station=sent.station,
                    )

    async def _require_free_slot(self) -> None:
        """Listen before speaking: who is announced ends the connections of its slot's last life.

        Once proves nothing: what a process said before it died may come late.
        """
        now = asyncio.get_running_loop().time
        first: dict[str, float] = {}
        heartbeats = await self._nodes.tail(0)
        try:
            until = now() + LISTEN_S
            while (left_s := until - now()) > 0:
                for entry in await heartbeats.poll(records_max=1_000, timeout_s=left_s):
                    other = decode_heartbeat(entry.value).node
                    if slot_of(other) != self._slot:
                        continue
                    if other not in first:
                        first[other], until = now(), now() + LISTEN_S
                    elif now() - first[other] > HEARTBEAT_S / 2:
                        raise SlotTaken(
                            f"slot {self._slot}: another process lives in it ({other}); give each"
                            " ingress process a CHARGELEDGER_INGRESS_SLOT of its own"
                        )
        finally:
            await heartbeats.close()

    async def _announce(self) -> None:
        while True:
            try:
                await self._beat()
            except AppendUnknown as error:
                _logger.warning("nobody says whether we were heard: %s", error)
            else:
                return

    async def _beat(self) -> None:
        await self._nodes.send(0, [encode(Heartbeat(self.node))])

    async def _beat_on(self) -> None:
        loop = asyncio.get_running_loop()
        heard = self._heard = loop.time()
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._steps["heartbeats are sent"] += 1
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._beat()
            except (Unavailable, AppendUnknown, TimeoutError):
                is_heard = False
            else:
                is_heard = True
            now = loop.time()
            if now - heard > SILENT_MAX_S:
                # Also when this process only slept: owners may have ended its connections.
                _logger.critical("no heartbeat for %.0f s: closing sockets", now - heard)
                self.server.close_all(TRY_AGAIN_LATER, "this node was cut off")
            if is_heard:
                heard = self._heard = now

    def _close_where(self, wanted: Callable[[str, str], bool]) -> None:
        self.server.close_where(wanted, TRY_AGAIN_LATER, "the journal cannot be written")
