"""A log of one partition in a list, and owners over it: for driving interleavings by hand."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.station import Station
from domain.transaction_ids import TransactionIds
from schemas.records import (
    CALL,
    SEND,
    AnyRecord,
    CommandRequested,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    Record,
    decode,
    encode,
)

NOW = 1_795_428_000_000_000
"""2026-11-23T10:00:00Z."""

SECOND = 1_000_000
KEY = ("default", "CP1")
POLICY = Policy(accept_unknown_tokens=True, settle_us=0)

parse = msgspec.json.Decoder(float_hook=Decimal).decode


class Log:
    """Appends encoded records and hands them out decoded, as every reader gets them."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.now = NOW
        self._sequences: dict[str, int] = {}
        self._number = 0
        self._protocols: dict[str, str] = {}

    def append(self, *records: Record, writer: str = "ingress") -> list[int]:
        offsets = []
        for record in records:
            sequence = self._sequences[writer] = self._sequences.get(writer, 0) + 1
            offsets.append(len(self.values))
            self.values.append(encode(record, writer, sequence))
        return offsets

    def append_again(self, offset: int) -> int:
        """An append whose outcome was unknown, retried: the same value under the same record id."""
        self.values.append(self.values[offset])
        return len(self.values) - 1

    def read(self, offset: int) -> AnyRecord:
        return decode(self.values[offset])

    def opens(
        self,
        connection: str = "c1",
        node: str = "0/a",
        station: str = "CP1",
        protocol: str = "1.6",
    ) -> int:
        self._protocols[connection] = protocol
        return self.append(
            ConnectionOpened(
                tenant="default",
                station=station,
                recorded_at=self.now,
                connection=connection,
                protocol=protocol,
                node=node,
                remote="127.0.0.1:1",
                proof="none",
                registered=True,
            )
        )[0]

    def says(
        self,
        frame: Sequence[Any],
        connection: str = "c1",
        station: str = "CP1",
        **read: Any,
    ) -> int:
        """The station sends a frame; `read` overrides what the edge made of it."""
        self._number += 1
        return self.append(
            MessageReceived(
                tenant="default",
                station=station,
                recorded_at=self.now,
                connection=connection,
                number=self._number,
                frame=msgspec.json.encode(frame).decode(),
                message_type=frame[0],
                message_id=frame[1],
                action=frame[2] if frame[0] in (CALL, SEND) else "",
                protocol=self._protocols.get(connection, "1.6"),
                **read,
            )
        )[0]

    def calls(self, action: str, payload: Any, message_id: str = "", **more: Any) -> int:
        return self.says([2, message_id or f"m{self._number + 1}", action, payload], **more)

    def requests(self, action: str, payload: Any, command_id: str = "k1", **more: Any) -> int:
        version = next(reversed(self._protocols.values()), "1.6")
        fields: dict[str, Any] = {
            "expires_at": self.now + 60 * SECOND,
            "version": version,
            **more,
        }
        return self.append(
            CommandRequested(
                tenant="default",
                station="CP1",
                recorded_at=self.now,
                command_id=command_id,
                action=action,
                payload=msgspec.Raw(msgspec.json.encode(payload)),
                payload_digest="",
                actor="somebody",
                **fields,
            ),
            writer="api",
        )[0]


class Worker:
    """An owner's shell: reads the log at its own pace and appends what is decided."""

    def __init__(
        self, log: Log, name: str = "w1", policy: Policy = POLICY, registry: Registry | None = None
    ) -> None:
        self.log = log
        self.name = name
        self.owner = Owner(
            1,
            name=name,
            policy=policy,
            ids=TransactionIds(b"k" * 32),
            registry=registry or Registry(),
        )
        self.dispatched: list[tuple[int, MessageSent]] = []

    def read(self, to: int | None = None) -> None:
        end = len(self.log.values) if to is None else to
        while self.owner.position < end:
            offset = self.owner.position
            record = self.log.read(offset)
            counts = self.owner.fold(offset, record)
            if counts and isinstance(record, MessageSent) and record.epoch == self.owner.epoch:
                self.dispatched.append((offset, record))

    def claim(self) -> None:
        self.read()
        self.log.append(self.owner.claim(self.log.now), writer=self.name)
        self.read()

    def decide(self) -> list[int]:
        return self.log.append(*self.owner.decide(self.log.now), writer=self.name)

    def settle(self) -> None:
        """Read and decide until there is nothing left to do."""
        self.read()
        while self.decide():
            self.read()

    @property
    def station(self) -> Station:
        return self.owner.stations[KEY]

    def fate(self, command_id: str) -> str:
        return self.station.commands[command_id].fate

    def frames(self) -> list[Any]:
        """What was dispatched, parsed, in order."""
        return [parse(sent.frame) for _, sent in self.dispatched]


def working(
    policy: Policy = POLICY, registry: Registry | None = None, protocol: str = "1.6"
) -> tuple[Log, Worker]:
    """A claimed owner and a connected station."""
    log = Log()
    worker = Worker(log, policy=policy, registry=registry)
    worker.claim()
    log.opens(protocol=protocol)
    worker.settle()
    return log, worker


def start(meter_start: int = 1000, at: str = "2026-11-23T09:00:00Z", **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "TAG", "meterStart": meter_start, "timestamp": at, **more}


def stop(
    transaction_id: int, meter_stop: int = 9000, at: str = "2026-11-23T10:00:00Z", **more: Any
) -> dict[str, Any]:
    return {
        "transactionId": transaction_id,
        "meterStop": meter_stop,
        "timestamp": at,
        "idTag": "TAG",
        **more,
    }
