"""A station's own record of what was said: the witness that crash tests compare the log with.

One line of the JSONL file per finished exchange and per change of a transaction. A line is in the
file when `note` returns, so killing the simulator loses no line of an exchange that had ended.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from infra.simulator.json_types import Json, Payload

TIMES = orjson.OPT_UTC_Z


class Outcome(StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"  # A CALLERROR.
    INTERRUPTED = "interrupted"  # The connection ended before an answer.
    MISSING = "missing"  # No answer in time although the connection lived.


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One CALL and its answer; `command` says that the central system was the one who called."""

    station: str
    connection: int
    command: bool
    message_id: str
    action: str
    payload: Json
    sent_at: datetime
    outcome: Outcome
    answer: Json = None
    answered_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TransactionRecord:
    """What a station knows of one of its transactions; it grows while the transaction runs."""

    station: str
    connector_id: int
    id_token: str
    started_at: datetime
    meter_start_wh: int
    reference: str
    id_token_type: str = ""
    remote_start_id: int | None = None
    # Given by us in 1.6, by the station in 2.x.
    transaction_id: int | str | None = None
    ended_at: datetime | None = None
    meter_stop_wh: int | None = None
    stop_reason: str | None = None
    start_acked: bool = False
    stop_acked: bool = False
    samples_sent: int = 0
    samples_acked: int = 0
    messages: int = 0

    @property
    def energy_wh(self) -> int | None:
        return None if self.meter_stop_wh is None else self.meter_stop_wh - self.meter_start_wh


class OpLog:
    """Of a whole fleet. Keeps everything in memory only when told so; counts always."""

    def __init__(self, path: Path | None, *, keep: bool) -> None:
        self._file = path.open("ab", buffering=0) if path else None
        self._keep = keep
        self.operations: list[Operation] = []
        self.transactions: list[TransactionRecord] = []
        self.answers_by_action: Counter[str] = Counter()
        self.commands_by_action: Counter[str] = Counter()
        self.outcomes: Counter[Outcome] = Counter()
        self.sessions = 0
        self.energy_wh = 0

    def note(self, operation: Operation) -> None:
        if operation.command:
            self.commands_by_action[operation.action] += 1
        else:
            self.outcomes[operation.outcome] += 1
            if operation.outcome is Outcome.ANSWERED:
                self.answers_by_action[operation.action] += 1
        if self._keep:
            self.operations.append(operation)
        self._write("operation", asdict(operation))

    def begin(self, transaction: TransactionRecord) -> None:
        if self._keep:
            self.transactions.append(transaction)
        self.note_transaction(transaction)

    def note_transaction(self, transaction: TransactionRecord) -> None:
        energy = {"energy_wh": transaction.energy_wh}
        self._write("transaction", asdict(transaction) | energy)

    def ended(self, transaction: TransactionRecord) -> None:
        self.sessions += 1
        self.energy_wh += transaction.energy_wh or 0
        self.note_transaction(transaction)

    def _write(self, kind: str, line: Payload) -> None:
        if self._file is not None:
            self._file.write(orjson.dumps({"kind": kind} | line, option=TIMES) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
