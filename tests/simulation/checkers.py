"""What a run left behind, held against what its stations know.

Nothing here knows what the workload did or what broke: only the stations' op-logs, the log, the
rows, and what passed over the wires. Rows are projected once more from the log and compared (P4).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from domain.log_filter import LogFilter
from infra.simulator.oplog import Outcome
from schemas.records import CanaryAnswered, CanaryAsked, MessageReceived, MessageSent, decode
from tests.e2e.checking import Told, Verdict, check, counted
from tests.e2e.checking_commands import wrong_fates
from tests.simulation.network import Process
from tests.simulation.operators import Operators
from tests.simulation.processes import projections_over
from tests.simulation.stations import MONEY
from tests.simulation.stores import Disk, Trouble
from tests.simulation.world import World

UNLOGGED_MAX = 200
"""Frames of one ingress process that were read and are in no log: what it holds in memory."""


@dataclass(slots=True)
class Findings:
    """Nothing in `wrong`, or a promise is broken. The rest says what the run was."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: int = 0
    sessions: int = 0
    records: int = 0
    provided: int = 0
    """Answers of a provider that reached their station."""
    log_digest: str = ""

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {self.answers} answers, {self.sessions} sessions"]
        return "\n  ".join([*lines, *self.wrong[:20], *self.faults])


async def examine(world: World, operators: Operators, seed: int) -> Findings:
    witness, entries = world.witness, world.entries()
    told = Told(witness.operations, witness.transactions)
    verdict = check(told, entries, world.disk.cdrs(), world.disk.series())
    findings = Findings(seed, [*world.failures, *verdict.findings])
    findings.answers, findings.sessions = verdict.answers, verdict.sessions
    findings.records = len(entries)
    findings.provided = sum("data" in answer for _, answer in _transfers(world))
    findings.wrong += [
        f"stuck_commands: {sentence}"
        for sentence in wrong_fates(witness.operations, entries, world.disk.commands())
    ]
    findings.wrong += _lost_commands(world, operators)
    findings.wrong += [f"duplicate_effects: a second answer: {each}" for each in witness.strays]
    findings.wrong += [f"lost_sessions: discarded: {each}" for each in witness.discarded]
    findings.wrong += [f"unanswered: {each}" for each in witness.unanswered]
    findings.wrong += [
        f"money_refused: {each.station} {each.action}: {each.answer}"
        for each in witness.operations
        if each.outcome is Outcome.REFUSED and each.action in MONEY
    ]
    findings.wrong += _waiting(world)
    findings.wrong += _unanswered_canaries(world)
    findings.wrong += _wrong_provided(world)
    findings.wrong += _wrong_status(world)
    findings.wrong += _wrong_frames(world)
    if world.unlogged_max > UNLOGGED_MAX:
        findings.wrong.append(f"unbounded: {world.unlogged_max} frames were read and not logged")
    findings.wrong += await _rebuilt_otherwise(world)
    return findings


def _waiting(world: World) -> list[str]:
    """By the views, a station or a canary waits for its owner though everything has healed."""
    return [
        f"unanswered: {name}: partition {partition} waits since {at}"
        for name, stored in world.disk.stored.items()
        for partition, at in stored.waiting.items()
    ]


def _unanswered_canaries(world: World) -> list[str]:
    filters: dict[int, LogFilter] = defaultdict(LogFilter)
    asked: dict[int, int] = {}
    for partition, offset, value in world.entries():
        record = decode(value)
        if not filters[partition].admit(offset, record):
            continue
        if isinstance(record, CanaryAsked):
            asked[partition] = offset
        elif isinstance(record, CanaryAnswered) and record.cause >= asked.get(partition, 0):
            asked.pop(partition, None)
    return [f"unanswered: the canary at {partition}:{at}" for partition, at in asked.items()]


def _lost_commands(world: World, operators: Operators) -> list[str]:
    """What the API accepted is known to the read model, once."""
    known = Counter(command.command_id for command in world.disk.commands())
    return [
        f"stuck_commands: {command_id} of {station} is in the read model {known[command_id]} times"
        for command_id, station in operators.requested.items()
        if known[command_id] != 1
    ]


def _transfers(world: World) -> Iterator[tuple[str, Any]]:
    """What stations asked of others, and the answer that they got."""
    for each in world.witness.operations:
        if each.action == "DataTransfer" and each.outcome is Outcome.ANSWERED:
            yield each.payload["data"], each.answer[0]


def _wrong_provided(world: World) -> list[str]:
    """A station gets the answer to what it asked, the first one given, or our refusal."""
    answers = [
        f"duplicate_effects: to {asked!r} the station was told {answer}"
        for asked, answer in _transfers(world)
        if answer not in ({"status": "Accepted", "data": asked}, {"status": "UnknownVendorId"})
    ]
    rows = world.disk.rows["provider_requests.write"].values()
    waiting = [row["request_id"] for row in rows if row["fate"] == "waiting"]
    return answers + [f"unanswered: {each} waits for a provider for ever" for each in waiting]


def _wrong_status(world: World) -> list[str]:
    """P3: what a superseded connection says late is not believed."""
    shown = world.disk.connector_status()
    return [
        f"order_violations: {station} told {status} last and is shown {shown.get(station)}"
        for station, status in world.witness.status.items()
        if shown.get(station) != status
    ]


def _wrong_frames(world: World) -> list[str]:
    """Of each frame that counts in the log there is one row, and no other."""
    frames = {
        (partition, offset)
        for partition, offset, record in counted(world.entries(), Verdict())
        if isinstance(record, MessageReceived | MessageSent)
    }
    rows = {(row["partition"], row["offset"]) for row in world.disk.rows["messages"].values()}
    return [
        f"duplicate_effects: a frame that does not count has a row: {at}"
        for at in sorted(rows - frames)
    ] + [f"acked_lost: a frame has no row: {at}" for at in sorted(frames - rows)]


async def _rebuilt_otherwise(world: World) -> list[str]:
    """P4: the same rows from the log alone, projected in one go by nobody who was disturbed."""
    disk, process = Disk(), Process("rebuild")
    journal = world.journal(process)
    heads = world.heads()
    for projection in projections_over(journal, disk, process, Trouble(), Random(0), heads):
        await projection.run()
    return [
        f"rebuilt_otherwise: {table}: {_difference(world.disk, disk, table)}"
        for table in sorted(world.disk.rows.keys() | disk.rows.keys())
        if world.disk.rows[table] != disk.rows[table]
    ]


def _difference(live: Disk, rebuilt: Disk, table: str) -> str:
    here, there = live.rows[table], rebuilt.rows[table]
    if here.keys() != there.keys():
        missing, more = sorted(there.keys() - here.keys()), sorted(here.keys() - there.keys())
        return f"{len(missing)} rows are missing {missing[:3]}, {len(more)} too many {more[:3]}"
    key = next(key for key in here if here[key] != there[key])
    pairs = {
        column: (here[key][column], there[key].get(column))
        for column in here[key]
        if here[key][column] != there[key].get(column)
    }
    return f"{key}: (live, rebuilt) {pairs}"
