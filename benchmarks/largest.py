"""The largest frames that stations send often: parsed, validated, folded, decided and answered.

One owner in memory, one frame after the other; CPU time of the thread, of the turns the median. The
ratio is to `orjson.loads` of the same bytes: what it costs to look at the frame at all.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson

from benchmarks.rows import Row
from domain.answering import Policy
from domain.owner import Owner
from domain.registry import Registry
from domain.transaction_ids import TransactionIds
from ingress import rpc
from schemas.records import CALLRESULT, ConnectionOpened, MessageReceived, Record, encode

TITLE = "The largest common frames: from the text to the encoded answer"
COMMAND = "python -m benchmarks largest"
TURNS = 9
FRAMES = 2_000
AT = "2026-11-23T10:00:00Z"
INCARNATION = "0123456789ab"


def run() -> list[Row]:
    return [_row(*each) for each in frames()]


def frames() -> list[tuple[str, str, str, Any]]:
    """Name, version, action and payload of each."""
    sampled_16 = [
        {
            "value": f"{100_000 + number}.5",
            "measurand": "Energy.Active.Import.Register" if number % 4 == 0 else "Current.Import",
            "unit": "Wh" if number % 4 == 0 else "A",
            "context": "Sample.Periodic",
            "location": "Outlet",
        }
        for number in range(40)
    ]
    values = [{"timestamp": AT, "sampledValue": sampled_16}]
    report = [
        {
            "component": {"name": "OCPPCommCtrlr", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": f"Variable{number}"},
            "variableAttribute": [{"type": "Actual", "value": str(number)}],
            "variableCharacteristics": {"dataType": "integer", "supportsMonitoring": False},
        }
        for number in range(50)
    ]
    sampled_2 = [
        {
            "value": 100_000.5 + number,
            "measurand": "Energy.Active.Import.Register" if number == 0 else "Current.Import",
            "unitOfMeasure": {"unit": "Wh" if number == 0 else "A", "multiplier": 0},
        }
        for number in range(8)
    ]
    event = {
        "eventType": "Updated",
        "timestamp": AT,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 7,
        "transactionInfo": {"transactionId": "6f9f4e0e-6d1e-4a3e-8f55-3f8f6b9d1c11"},
        "meterValue": [{"timestamp": AT, "sampledValue": sampled_2}],
    }
    notified = {"requestId": 1, "generatedAt": AT, "seqNo": 0, "reportData": report}
    metered = {"connectorId": 1, "meterValue": values}
    return [
        ("MeterValues of 1.6 with 40 sampled values", "1.6", "MeterValues", metered),
        ("NotifyReport with 50 variables", "2.0.1", "NotifyReport", notified),
        ("TransactionEvent with 8 sampled values", "2.0.1", "TransactionEvent", event),
    ]


def _row(name: str, version: str, action: str, payload: Any) -> Row:
    text = orjson.dumps([2, "3f8f6b9d-1c11-4a3e-8f55-6f9f4e0e6d1e", action, payload]).decode()
    path = _Path(version)
    whole = _median_us(lambda: path.answer(text))
    loads = _median_us(lambda: orjson.loads(text))
    return Row(
        name=f"{name}, {len(text):,} bytes",
        command=COMMAND,
        figure=f"{whole:.0f} µs",
        ratio=f"{whole / loads:.1f} times orjson.loads",
    )


def _median_us(do: Callable[[], object]) -> float:
    turns = []
    for _ in range(TURNS):
        began = time.thread_time()
        for _ in range(FRAMES):
            do()
        turns.append((time.thread_time() - began) * 1e6 / FRAMES)
    return statistics.median(turns)


class _Path:
    """What the edge does with a text, up to the commit, on a real owner."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._offset = 0
        policy = Policy(accept_unknown_tokens=True)
        ids = TransactionIds(bytes(32))
        self._owner = Owner(1, name="bench", policy=policy, ids=ids, registry=Registry())
        self._queue(self._owner.claim(0), None)
        self._queue(
            ConnectionOpened(
                tenant="default",
                station="CP1",
                recorded_at=0,
                connection="c1",
                protocol=version,
                node="0/a",
                remote="",
                proof="none",
                registered=True,
            ),
            None,
        )

    def answer(self, text: str) -> None:
        frame = rpc.read(self._version, text)
        record = MessageReceived(
            tenant="default",
            station="CP1",
            recorded_at=self._offset,
            connection="c1",
            number=self._offset,
            frame=text,
            message_type=frame.message_type,
            message_id=frame.message_id,
            action=frame.action,
            error=frame.error,
            violations=frame.violations,
            protocol=self._version,
        )
        self._queue(record, frame.payload)
        sent = self._owner.decide_next(self._offset)
        assert sent is not None
        assert getattr(sent, "message_type", 0) == CALLRESULT
        self._queue(sent, None)

    def _queue(self, record: Record, payload: Any) -> None:
        encode(record, INCARNATION, self._offset + 1)
        self._owner.fold_queued(self._offset, record, INCARNATION, self._offset + 1, payload)
        self._offset += 1
