"""The log, the views and the station's record of one session, for checkers to be tried on."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from infra.simulator.oplog import Operation, Outcome, TransactionRecord
from schemas.cdr import Cdr
from schemas.journal import Entry
from schemas.records import (
    CALL,
    CALLRESULT,
    CdrReleased,
    ConnectionOpened,
    MessageReceived,
    MessageSent,
    PartitionClaimed,
    Record,
    encode,
)
from tests.e2e.checking import SessionEnergy, Told, check

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OF_STATION: dict[str, Any] = {"tenant": "default", "station": "S", "recorded_at": 1}
START = {"connectorId": 2, "idTag": "T", "meterStart": 100, "timestamp": "2026-05-04T12:00:00Z"}
STOP = {"transactionId": 7, "meterStop": 350, "timestamp": "2026-05-04T13:00:00Z"}
STARTED = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}


def received(number: int, message_id: str, action: str, payload: Any) -> MessageReceived:
    return MessageReceived(
        **OF_STATION,
        connection="c",
        number=number,
        frame=json.dumps([CALL, message_id, action, payload]),
        message_type=CALL,
        message_id=message_id,
        action=action,
    )


def sent(cause: int, message_id: str, action: str, payload: Any) -> MessageSent:
    return MessageSent(
        **OF_STATION,
        cause=cause,
        purpose="answer",
        epoch=0,
        connection="c",
        frame=json.dumps([CALLRESULT, message_id, payload]),
        message_type=CALLRESULT,
        message_id=message_id,
        action=action,
    )


def told(
    message_id: str, action: str, payload: Any, answer: Any, *, command: bool = False
) -> Operation:
    return Operation(
        station="S",
        connection=1,
        command=command,
        message_id=message_id,
        action=action,
        payload=payload,
        sent_at=AT,
        outcome=Outcome.ANSWERED,
        answer=[answer],
    )


@dataclass(slots=True)
class World:
    """One session of 250 Wh, as it should be; tests spoil it."""

    records: list[Record]
    operations: list[Operation]
    transaction: TransactionRecord
    cdrs: list[Cdr]
    series: list[SessionEnergy]

    def entries(self) -> list[Entry]:
        return [
            Entry(1, offset, encode(record, f"writer-{offset}", 1))
            for offset, record in enumerate(self.records)
        ]

    def counters(self) -> tuple[int, int, int, int]:
        told = Told(self.operations, [self.transaction])
        return check(told, self.entries(), self.cdrs, self.series).counters


def one_session() -> World:
    return World(
        records=[
            PartitionClaimed(recorded_at=1, owner="o"),
            ConnectionOpened(
                **OF_STATION,
                connection="c",
                protocol="1.6",
                node="0/1",
                remote="192.0.2.1",
                proof="none",
                registered=False,
            ),
            received(1, "m1", "StartTransaction", START),
            sent(2, "m1", "StartTransaction", STARTED),
            received(2, "m2", "StopTransaction", STOP),
            sent(4, "m2", "StopTransaction", {}),
            CdrReleased(
                **OF_STATION,
                cause=4,
                purpose="cdr",
                epoch=0,
                transaction_id="7",
                cdr_id="x",
                document=Raw(b"{}"),
                sha256="",
            ),
        ],
        operations=[
            told("m1", "StartTransaction", START, STARTED),
            told("m2", "StopTransaction", STOP, {}),
        ],
        transaction=TransactionRecord(
            station="S",
            connector_id=2,
            id_token="T",
            started_at=AT,
            meter_start_wh=100,
            reference="",
            transaction_id=7,
            ended_at=AT,
            meter_stop_wh=350,
            start_acked=True,
            stop_acked=True,
        ),
        cdrs=[cdr_of_the_session()],
        series=[SessionEnergy("S", "7", 250)],
    )


def cdr_of_the_session() -> Cdr:
    return msgspec.convert(
        {
            "id": "x",
            "revision": 2,
            "state": "FINAL",
            "tenant": "default",
            "station": "S",
            "evse": 2,
            "connector": 1,
            "transaction_id": "7",
            "id_token": "T",
            "started_at": "2026-05-04T12:00:00Z",
            "ended_at": "2026-05-04T13:00:00Z",
            "meter_start_wh": 100,
            "meter_stop_wh": 350,
            "energy_wh": 250,
            "energy_bounds_wh": None,
            "stop_reason": "Local",
            "flags": (),
            "positions": {},
        },
        Cdr,
    )
