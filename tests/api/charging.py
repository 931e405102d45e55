"""The records of stations that charge and are commanded, as ingress and an owner write them."""

import json
from typing import Any

import msgspec

from infra.clock import now_us
from schemas.cdr import cdr_id, digest
from schemas.partitions import partition_of
from schemas.records import (
    CALL,
    CALLRESULT,
    SEND,
    CdrReleased,
    CommandRequested,
    MessageReceived,
    MessageSent,
    PartitionClaimed,
    ProviderAsked,
    encode,
)
from tests.api.deployment import PARTITIONS, Deployment
from tests.domain.released import document


class Talk:
    """One connection of one station, and an owner that claimed its partition."""

    def __init__(
        self, deployment: Deployment, tenant: str, station: str, protocol: str = "1.6"
    ) -> None:
        self._deployment = deployment
        self._tenant, self._station = tenant, station
        self._connection = f"connection-of-{tenant}-{station}"
        self._protocol = protocol
        self._number = 0
        self._epoch = -1

    async def open(self) -> None:
        await self._deployment.connect(self._tenant, self._station, self._protocol)
        partition = partition_of(self._tenant, self._station, PARTITIONS)
        claim = PartitionClaimed(recorded_at=now_us(), owner="owner")
        journal = self._deployment.journal
        (self._epoch,) = await journal.append(
            partition, [encode(claim, f"claim of {self._connection}", 1)]
        )

    async def call(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """The station's CALL and our answer."""
        cause = await self._received(CALL, f"m{self._number}", payload, action)
        await self._sent(cause, "answer", CALLRESULT, f"m{self._number}", action, answer)

    async def call_forwarded(self, action: str, payload: dict[str, Any]) -> str:
        """The station's CALL, which waits for a provider; the id of that request."""
        cause = await self._received(CALL, f"m{self._number}", payload, action)
        await self._deployment.append(
            ProviderAsked(
                tenant=self._tenant,
                station=self._station,
                recorded_at=now_us(),
                cause=cause,
                purpose="ask-provider",
                epoch=self._epoch,
                expires_at=now_us() + 20_000_000,
            )
        )
        return f"{partition_of(self._tenant, self._station, PARTITIONS)}:{cause}"

    async def call_answered_unreadably(self) -> None:
        """No fold can read the answer: that record is set aside."""
        payload = {
            "connectorId": 1,
            "idTag": "T",
            "meterStart": 1,
            "timestamp": "2026-01-02T03:04:05Z",
        }
        cause = await self._received(CALL, f"m{self._number}", payload, "StartTransaction")
        await self._deployment.append(
            MessageSent(
                tenant=self._tenant,
                station=self._station,
                recorded_at=now_us(),
                cause=cause,
                purpose="answer",
                epoch=self._epoch,
                connection=self._connection,
                frame="[3",
                message_type=CALLRESULT,
                message_id="m",
                action="StartTransaction",
            )
        )

    async def start(self, transaction_id: int, id_tag: str) -> None:
        await self.call(
            "StartTransaction",
            {
                "connectorId": 1,
                "idTag": id_tag,
                "meterStart": 1_000,
                "timestamp": "2026-01-02T03:04:05Z",
            },
            {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}},
        )

    async def charge(self, transaction_id: int, id_tag: str, energy_wh: int) -> None:
        await self.start(transaction_id, id_tag)
        await self.call(
            "StopTransaction",
            {
                "transactionId": transaction_id,
                "meterStop": 1_000 + energy_wh,
                "timestamp": "2026-01-02T04:04:05Z",
            },
            {},
        )

    async def send(self, action: str, payload: dict[str, Any]) -> None:
        """The station's SEND, which nobody answers."""
        await self._received(SEND, f"s{self._number}", payload, action)

    async def ask(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        """A command of somebody, on its way, and the station's answer."""
        command = CommandRequested(
            tenant=self._tenant,
            station=self._station,
            recorded_at=now_us(),
            command_id=f"k{self._number}-of-{self._station}",
            action=action,
            payload=msgspec.Raw(json.dumps(payload).encode()),
            payload_digest="",
            expires_at=now_us() + 60_000_000,
            actor="somebody",
            version=self._protocol,
        )
        await self.dispatch(command, await self._deployment.append(command))
        await self.answer(command.command_id, answer)

    async def release(self, transaction_id: int, **changes: Any) -> str:
        """A release with a priced document; return the id of the CDR."""
        cdr = cdr_id(self._tenant, self._station, str(transaction_id))
        own = {"id": cdr, "station": self._station, "transaction_id": str(transaction_id)}
        body = msgspec.json.encode(document(**own, tenant=self._tenant, **changes))
        await self._deployment.append(
            CdrReleased(
                tenant=self._tenant,
                station=self._station,
                recorded_at=now_us(),
                cause=transaction_id,
                purpose="release",
                epoch=self._epoch,
                transaction_id=str(transaction_id),
                cdr_id=cdr,
                document=msgspec.Raw(body),
                sha256=digest(body),
            )
        )
        return cdr

    async def dispatch(self, command: CommandRequested, offset: int) -> None:
        payload = json.loads(bytes(command.payload))
        await self._sent(
            offset, "call", CALL, command.command_id, command.action, payload, command.command_id
        )

    async def answer(self, command_id: str, payload: dict[str, Any]) -> None:
        await self._received(CALLRESULT, command_id, payload, "")

    async def _received(
        self, message_type: int, message_id: str, payload: dict[str, Any], action: str
    ) -> int:
        self._number += 1
        middle = [action] if action else []
        return await self._deployment.append(
            MessageReceived(
                tenant=self._tenant,
                station=self._station,
                recorded_at=now_us(),
                connection=self._connection,
                number=self._number,
                frame=_frame(message_type, message_id, *middle, payload),
                message_type=message_type,
                message_id=message_id,
                action=action,
                protocol=self._protocol,
            )
        )

    async def _sent(
        self,
        cause: int,
        purpose: str,
        message_type: int,
        message_id: str,
        action: str,
        payload: dict[str, Any],
        command_id: str = "",
    ) -> None:
        middle = [action] if message_type == CALL else []
        await self._deployment.append(
            MessageSent(
                tenant=self._tenant,
                station=self._station,
                recorded_at=now_us(),
                cause=cause,
                purpose=purpose,
                epoch=self._epoch,
                connection=self._connection,
                frame=_frame(message_type, message_id, *middle, payload),
                message_type=message_type,
                message_id=message_id,
                action=action,
                command_id=command_id,
                deadline=now_us() + 30_000_000 if command_id else 0,
            )
        )


def _frame(*parts: Any) -> str:
    return json.dumps(parts, separators=(",", ":"))
