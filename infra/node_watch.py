"""Which ingress nodes are alive, by the heartbeats they publish. A hint; the log decides.

A silence counts only while this process hears itself: what it says goes the way the heartbeats go,
so a broker that is away, or a network that cuts off only us, makes nobody lost.
"""

import asyncio
import logging
import secrets as randomness

from infra.kafka_dispatch import KafkaDispatch
from schemas.deliveries import Heartbeat, decode_heartbeat, encode, slot_of
from schemas.journal import AppendUnknown, Reader, Unavailable

LOST_AFTER_S = 13.0
"""With a heartbeat every 2 s, and what it takes to look and to append: within 15 s of its end, and
after it has closed its sockets itself."""

ECHO_S = 0.5
DEAF_S = 3.0
"""Not to have heard oneself for so long: what others said meanwhile may have been lost as well."""

WATCHER_SLOT = -1

_logger = logging.getLogger(__name__)


class NodeWatch:
    def __init__(self, nodes: KafkaDispatch) -> None:
        self._nodes = nodes
        self._name = f"{WATCHER_SLOT}/{randomness.token_hex(6)}"
        self._since: float | None = None
        """Since when we hear ourselves without a break: nobody was silent before."""
        self._echo = 0.0
        self._heard: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        """When it was first asked about nodes that were not heard yet."""
        self._newest: dict[int, str] = {}
        self._superseded: set[str] = set()

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            Unavailable: the cluster cannot be reached.
        """
        heartbeats = await self._nodes.tail(0)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(heartbeats))
                group.create_task(self._speak())
        finally:
            await heartbeats.close()

    def is_lost(self, node: str) -> bool:
        """Whether the node fell silent, or another process was heard in its slot after it.

        Nobody is lost before we have listened for long enough, nor while we do not hear ourselves:
        a node that was never heard may just have come, one that fell silent may be back.
        """
        if node in self._superseded:
            return True
        deaf_s = asyncio.get_running_loop().time() - self._echo
        if self._since is None or deaf_s > DEAF_S:
            return False
        heard = self._heard.get(node)
        if heard is None:
            heard = self._asked.setdefault(node, self._echo)
        return self._echo - max(heard, self._since) > LOST_AFTER_S

    async def _listen(self, heartbeats: Reader) -> None:
        while True:
            try:
                entries = await heartbeats.poll(records_max=1_000, timeout_s=1.0)
            except Unavailable as error:
                _logger.warning("heartbeats cannot be read: %s", error)
                await asyncio.sleep(1.0)
                continue
            now = asyncio.get_running_loop().time()
            for entry in entries:
                self._hear(decode_heartbeat(entry.value).node, now)

    def _hear(self, node: str, now: float) -> None:
        if node == self._name:
            if self._since is None or now - self._echo > DEAF_S:
                self._since = now
            self._echo = now
            return
        slot = slot_of(node)
        if slot == WATCHER_SLOT:
            return
        if node in self._superseded:
            return
        if node not in self._heard:
            # A slot has one process at a time; the one heard first is the older one.
            older = self._newest.get(slot, "")
            if self._heard.pop(older, None) is not None:
                self._superseded.add(older)
            self._newest[slot] = node
        self._heard[node] = now

    async def _speak(self) -> None:
        while True:
            try:
                await self._nodes.send(0, [encode(Heartbeat(self._name))])
            except (Unavailable, AppendUnknown) as error:
                _logger.warning("heartbeats cannot be written: %s", error)
            await asyncio.sleep(ECHO_S)
