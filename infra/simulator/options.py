"""What a simulation is asked to do, what it says while it runs, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from infra.simulator.oplog import Operation, TransactionRecord

ID_TOKENS = tuple(f"SIM{number:06d}" for number in range(1, 11))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationOptions:
    """`speed` is virtual seconds per real second; 0 and inf mean as fast as the server answers.

    Virtual time of a finite run ends about now, so that no station's clock is ahead of ours.
    An endless run goes at speed 1 until it is told to stop; with `sessions=0` its stations only
    answer commands. With `from_csv` the file says which sessions there are, `stations` over how
    many stations each outlet of the file is spread.
    """

    url: str
    protocol: str = "1.6"
    tenant: str | None = None
    stations: int = 1
    sessions: int = 1
    connectors: int = 2
    speed: float = inf
    from_csv: Path | None = None
    name_prefix: str = "SIM-"
    seed: int = 1
    id_tokens: tuple[str, ...] = ID_TOKENS
    password: str | None = None
    endless: bool = False
    # The share of sessions with a mishap: a fault, an offline period, or a message told twice.
    mishaps: float = 0.0
    oplog: Path | None = None
    # False keeps only the op-log's file and the counts, for runs without an end.
    keep_operations: bool = True
    answer_timeout_s: float = 30.0
    # How long a station may be without any answer before it gives up; None is never.
    give_up_s: float | None = 120.0
    # How long after a stop nobody may be answered before there is nothing to wait for; None waits
    # until all is told.
    silence_s: float | None = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    sessions: int
    # None in an endless run.
    sessions_expected: int | None
    energy_wh: int
    answers: int
    connected: int
    wrong: int
    # Why nobody is connected, once one has tried; empty while somebody is.
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """`sessions` and `energy_wh` count what the server has acknowledged to the end.

    `missing` counts CALLs that got no answer in time on a living connection, and transaction
    messages never answered at all; `interrupted` those whose connection ended first (not an
    error: they were told again).
    """

    sessions: int
    sessions_expected: int | None
    energy_wh: int
    answers_by_action: Mapping[str, int]
    commands_by_action: Mapping[str, int]
    # The first of them, as sentences; `wrong_count` has all.
    wrong: tuple[str, ...]
    wrong_count: int
    missing: int
    interrupted: int
    connections: int
    duration_s: float
    transactions: tuple[TransactionRecord, ...] = field(repr=False)
    operations: tuple[Operation, ...] = field(repr=False)

    @property
    def answers(self) -> int:
        return sum(self.answers_by_action.values())

    @property
    def ok(self) -> bool:
        complete = self.sessions_expected is None or self.sessions == self.sessions_expected
        return complete and self.wrong_count == 0 and self.missing == 0
