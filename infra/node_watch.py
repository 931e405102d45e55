"""Which ingress nodes are alive, by the heartbeats they publish. A hint; the log decides."""

import asyncio
import logging

from infra.kafka_dispatch import KafkaDispatch
from schemas.deliveries import decode_heartbeat, slot_of
from schemas.journal import Unavailable

LOST_AFTER_S = 15.0

_logger = logging.getLogger(__name__)


class NodeWatch:
    def __init__(self, nodes: KafkaDispatch) -> None:
        self._nodes = nodes
        self._since = asyncio.get_running_loop().time()
        self._heard: dict[str, float] = {}
        self._newest: dict[int, str] = {}

    async def run(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        heartbeats = await self._nodes.tail(0)
        try:
            while True:
                try:
                    entries = await heartbeats.poll(records_max=1_000, timeout_s=1.0)
                except Unavailable as error:
                    _logger.warning("heartbeats cannot be read: %s", error)
                    self._since = loop.time()
                    await asyncio.sleep(1.0)
                    continue
                for entry in entries:
                    node = decode_heartbeat(entry.value).node
                    self._heard[node] = loop.time()
                    self._newest[slot_of(node)] = node
        finally:
            await heartbeats.close()

    def is_lost(self, node: str) -> bool:
        """Whether the node fell silent, or its slot is another process' now.

        Nobody is lost before we have listened for long enough.
        """
        newest = self._newest.get(slot_of(node), node)
        if newest != node:
            return True
        heard = max(self._heard.get(node, self._since), self._since)
        return asyncio.get_running_loop().time() - heard > LOST_AFTER_S
