"""Owners over the deployment's journal: they read, decide and append until nothing is left."""

import contextlib

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.clock import now_us
from schemas.records import OwnerRecord, PartitionClaimed, UnreadableRecord, decode, encode
from tests.api.deployment import PARTITIONS, Deployment

POLICY = Policy(accept_unknown_tokens=True, settle_us=0)


class Owners:
    def __init__(
        self, deployment: Deployment, name: str = "owner", policy: Policy = POLICY
    ) -> None:
        self._name = name
        self._journal = deployment.journal
        self._registry = Registry()
        self._positions = dict.fromkeys(range(PARTITIONS + 1), 0)
        self._sequence = 0
        self._owners = {
            partition: Owner(
                partition,
                name=f"{name}-{partition}",
                policy=policy,
                ids=TransactionIds(bytes([partition]) * 32),
                registry=self._registry,
            )
            for partition in range(1, PARTITIONS + 1)
        }

    async def settle(self) -> None:
        await self._read()
        for partition, owner in self._owners.items():
            if not owner.owns:
                await self._append(partition, owner.claim(now_us()))
        while True:
            await self._read()
            decided = [(p, o.decide(now_us())) for p, o in self._owners.items()]
            if not any(records for _, records in decided):
                return
            for partition, records in decided:
                for record in records:
                    await self._append(partition, record)

    async def _append(self, partition: int, record: OwnerRecord | PartitionClaimed) -> None:
        self._sequence += 1
        await self._journal.append(partition, [encode(record, self._name, self._sequence)])

    async def _read(self) -> None:
        reader = self._journal.reader(self._positions)
        entries = await reader.poll(records_max=100_000, timeout_s=0)
        await reader.close()
        for partition, offset, value in sorted(entries):
            self._positions[partition] = offset + 1
            with contextlib.suppress(UnreadableRecord):
                record = decode(value)
                if partition == 0:
                    self._registry.fold(offset, record)
                else:
                    self._owners[partition].fold(offset, record)
