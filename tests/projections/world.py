"""A journal in memory with real owners over its partitions: what projections are tested on."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from infra.journal_memory import MemoryJournal
from schemas.partitions import partition_of
from schemas.records import (
    CommandRequested,
    ConnectionClosed,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    Record,
    StationRegistered,
    UnreadableRecord,
    decode,
    encode,
)

NOW = 1_795_428_000_000_000
"""2026-11-23T10:00:00Z."""

SECOND = 1_000_000
TENANT = "default"


class World:
    def __init__(self, partitions: int = 2, settle_us: int = 0) -> None:
        self.journal = MemoryJournal(partitions)
        self.now = NOW
        self.values: dict[int, list[bytes]] = {p: [] for p in range(partitions + 1)}
        self.connections: dict[tuple[str, str], str] = {}
        self._sequences: dict[tuple[str, int], int] = {}
        self._numbers: dict[str, int] = {}
        self._folded: dict[int, int] = dict.fromkeys(range(1, partitions + 1), 0)
        policy = Policy(accept_unknown_tokens=True, settle_us=settle_us)
        self.owners = {
            p: Owner(
                p,
                name=f"owner-{p}",
                policy=policy,
                ids=TransactionIds(bytes([p]) * 32),
                registry=Registry(),
            )
            for p in self._folded
        }

    async def start(self) -> "World":
        for partition, owner in self.owners.items():
            await self.append(partition, owner.claim(self.now), writer=owner.name)
        await self.settle()
        return self

    async def append(self, partition: int, *records: Record, writer: str = "ingress") -> list[int]:
        values = []
        for record in records:
            key = (writer, partition)
            sequence = self._sequences[key] = self._sequences.get(key, 0) + 1
            values.append(encode(record, writer, sequence))
        return await self.append_values(partition, values)

    async def register(self, *records: Record) -> None:
        """Append to the registry; the owners have it at once."""
        for record, offset in zip(
            records, await self.append(0, *records, writer="api"), strict=True
        ):
            for owner in self.owners.values():
                owner.registry.fold(offset, record)

    async def append_values(self, partition: int, values: Sequence[bytes]) -> list[int]:
        if not values:
            return []
        self.values[partition].extend(values)
        return list(await self.journal.append(partition, values))

    async def settle(self) -> None:
        """Let the owners read and decide until there is nothing left to do."""
        for partition, owner in self.owners.items():
            while True:
                for offset in range(self._folded[partition], len(self.values[partition])):
                    with contextlib.suppress(UnreadableRecord):
                        owner.fold(offset, decode(self.values[partition][offset]))
                self._folded[partition] = len(self.values[partition])
                decided = owner.decide(self.now)
                if not decided:
                    break
                await self.append(partition, *decided, writer=owner.name)

    async def registers(self, station: str, tenant: str = TENANT, **attributes: Any) -> None:
        """Register a station, for the log and for the owners who follow it."""
        record = StationRegistered(
            tenant=tenant,
            station=station,
            recorded_at=self.now,
            actor="somebody",
            attributes=attributes,
        )
        offset = (await self.append(0, record, writer="api"))[0]
        for owner in self.owners.values():
            owner.registry.fold(offset, record)
        await self.settle()

    def partition(self, station: str, tenant: str = TENANT) -> int:
        return partition_of(tenant, station, self.journal.partitions)

    async def opens(
        self, station: str, tenant: str = TENANT, connection: str = "", **more: Any
    ) -> str:
        number = self._numbers["connections"] = self._numbers.get("connections", 0) + 1
        connection = connection or f"{station}-c{number}"
        self.connections[tenant, station] = connection
        fields: dict[str, Any] = {"user_agent": "", "protocol": "1.6", **more}
        await self.append(
            self.partition(station, tenant),
            ConnectionOpened(
                tenant=tenant,
                station=station,
                recorded_at=self.now,
                connection=connection,
                node="0/a",
                remote="127.0.0.1:1",
                proof="none",
                registered=True,
                **fields,
            ),
        )
        return connection

    async def closes(self, station: str, connection: str, reason: str = "bye") -> None:
        await self.append(
            self.partition(station),
            ConnectionClosed(
                tenant=TENANT,
                station=station,
                recorded_at=self.now,
                connection=connection,
                code=1000,
                reason=reason,
            ),
        )

    async def says(
        self, station: str, frame: Sequence[Any], tenant: str = TENANT, protocol: str = "1.6"
    ) -> int:
        connection = self.connections[tenant, station]
        number = self._numbers[connection] = self._numbers.get(connection, 0) + 1
        self.now += SECOND
        record = MessageReceived(
            tenant=tenant,
            station=station,
            recorded_at=self.now,
            connection=connection,
            number=number,
            frame=msgspec.json.encode(frame).decode(),
            message_type=frame[0],
            message_id=frame[1],
            action=frame[2] if frame[0] == 2 else "",
            protocol=protocol,
        )
        return (await self.append(self.partition(station, tenant), record))[0]

    async def calls(
        self,
        station: str,
        action: str,
        payload: Any,
        tenant: str = TENANT,
        protocol: str = "1.6",
    ) -> dict[str, Any]:
        """Send a CALL, let the owner answer, return the payload of the answer."""
        number = self._numbers["calls"] = self._numbers.get("calls", 0) + 1
        offset = await self.says(station, [2, f"m{number}", action, payload], tenant, protocol)
        await self.settle()
        for value in self.values[self.partition(station, tenant)][offset + 1 :]:
            record = decode(value)
            if isinstance(record, MessageSent) and record.cause == offset:
                answer = msgspec.json.decode(record.frame)
                return dict(answer[2]) if answer[0] == 3 else {}
        raise AssertionError("not answered")

    async def requests(
        self, station: str, action: str, payload: Any, command_id: str, version: str = "1.6"
    ) -> None:
        await self.append(
            self.partition(station),
            CommandRequested(
                tenant=TENANT,
                station=station,
                recorded_at=self.now,
                command_id=command_id,
                action=action,
                payload=msgspec.Raw(msgspec.json.encode(payload)),
                payload_digest="d",
                actor="somebody",
                idempotency_key="k",
                expires_at=self.now + 60 * SECOND,
                version=version,
            ),
            writer="api",
        )
        await self.settle()

    async def starts(
        self, station: str, meter: int = 1000, tenant: str = TENANT, **more: Any
    ) -> int:
        payload = {
            "connectorId": 1,
            "idTag": "TAG",
            "meterStart": meter,
            "timestamp": iso(self.now),
            **more,
        }
        return int(
            (await self.calls(station, "StartTransaction", payload, tenant))["transactionId"]
        )

    async def samples(self, station: str, transaction_id: int, register: int) -> None:
        values = [{"timestamp": iso(self.now), "sampledValue": [{"value": str(register)}]}]
        payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": values}
        await self.calls(station, "MeterValues", payload)

    async def stops(
        self,
        station: str,
        transaction_id: int,
        meter: int = 9000,
        tenant: str = TENANT,
        **more: Any,
    ) -> None:
        payload = {
            "transactionId": transaction_id,
            "meterStop": meter,
            "timestamp": iso(self.now),
            **more,
        }
        await self.calls(station, "StopTransaction", payload, tenant)

    async def session(self, station: str, meter: int = 1000, energy: int = 8000) -> int:
        transaction_id = await self.starts(station, meter)
        await self.samples(station, transaction_id, meter + energy // 2)
        await self.stops(station, transaction_id, meter + energy)
        return transaction_id


def iso(microseconds: int) -> str:

    return datetime.fromtimestamp(microseconds // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
