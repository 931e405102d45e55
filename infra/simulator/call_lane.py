"""A station's own CALLs: one in flight, its one answer judged and recorded (OCPP-J, 4.1.1)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from infra.simulator import frames
from infra.simulator.answers import Findings, answer_violation
from infra.simulator.json_types import Json, Payload
from infra.simulator.oplog import Operation, OpLog, Outcome, TransactionRecord
from infra.simulator.outbox import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What all stations of a fleet share: the record, the findings and the wall clock."""

    oplog: OpLog
    findings: Findings
    wall: Callable[[], datetime]


class CallLane:
    def __init__(
        self, station: str, witness: Witness, answer_timeout_s: float, version: str
    ) -> None:
        # Whether anything was answered since the owner last cleared it.
        self.answered = False
        self._station = station
        self._witness = witness
        self._answer_timeout_s = answer_timeout_s
        self._version = version
        self._in_flight: tuple[str, asyncio.Future[Json]] | None = None

    async def exchange(
        self, connection: ClientConnection, number: int, action: str, payload: Payload
    ) -> Payload | None:
        """Tell one CALL on the connection with that number; None is a CALLERROR.

        Without any answer this closes the connection and waits to be cancelled: whoever reads
        from the connection sees its end.
        """
        message_id = str(uuid4())
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._in_flight = (message_id, future)
        sent_at, outcome, frame = self._witness.wall(), Outcome.INTERRUPTED, None
        try:
            await connection.send(frames.call(message_id, action, payload))
            async with asyncio.timeout(self._answer_timeout_s):
                frame = await future
            outcome = Outcome.ANSWERED if frame[0] == frames.CALLRESULT else Outcome.REFUSED
        except TimeoutError:
            outcome = Outcome.MISSING
        except ConnectionClosed:
            pass
        finally:
            self._in_flight = None
            self._witness.oplog.note(
                Operation(
                    station=self._station,
                    connection=number,
                    command=False,
                    message_id=message_id,
                    action=action,
                    payload=payload,
                    sent_at=sent_at,
                    outcome=outcome,
                    answer=None if frame is None else frame[2:],
                    answered_at=None if frame is None else self._witness.wall(),
                )
            )
        if frame is None:
            await connection.close()
            await asyncio.Future()
        return self._judged(action, frame)

    def resolve(self, message_id: str, frame: Json) -> None:
        """An answer has come in."""
        if self._in_flight is None or self._in_flight[0] != message_id:
            sentence = f"an answer to {message_id}, which is not in flight"
            self._witness.findings.add(self._station, sentence)
        elif not self._in_flight[1].done():
            self._in_flight[1].set_result(frame)

    def _judged(self, action: str, frame: Json) -> Payload | None:
        self.answered = True
        findings = self._witness.findings
        if frame[0] == frames.CALLERROR:
            findings.add(self._station, f"{action} got a CALLERROR: {frame[2:]}")
            return None
        payload = frame[2]
        violation = answer_violation(action, payload, self._version)
        if violation is not None:
            findings.add(self._station, f"the answer to {action} is wrong: {violation}")
        return payload if isinstance(payload, dict) else {}


def acknowledged(
    message: Message, transaction: TransactionRecord, answer: Payload, witness: Witness
) -> None:
    """Write down what the answer to a transaction message means for its transaction."""
    match message.action:
        case "StartTransaction":
            witness.findings.given(transaction, answer)
            transaction.start_acked = True
            witness.oplog.note_transaction(transaction)
        case "StopTransaction" if not transaction.stop_acked:
            transaction.stop_acked = True
            witness.oplog.ended(transaction)
        case "MeterValues" if not message.repeat:
            transaction.samples_acked += 1
        case _:
            pass
