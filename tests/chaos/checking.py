"""The offline checker: what stations, operators and administrators were told, held against what is.

It reads the evidence of a run and nothing else.
"""

from pathlib import Path
from typing import NamedTuple

from infra.simulator.oplog import Outcome
from tests.chaos.evidence import Evidence, read
from tests.e2e.checking import check
from tests.e2e.checking_commands import wrong_fates

MONEY = ("StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent")


class Report(NamedTuple):
    """All `counters` are 0, or a promise is broken."""

    counters: dict[str, int]
    findings: list[str]
    answers: int
    sessions: int
    records: int

    @property
    def is_clean(self) -> bool:
        return self.answers > 0 and not any(self.counters.values())

    def __str__(self) -> str:
        lines = [f"{name} {count}" for name, count in self.counters.items()]
        looked = f"{self.answers} answers, {self.sessions} sessions, {self.records} records"
        return "\n".join([*lines, f"of {looked}", *self.findings])


def report_on(directory: Path) -> Report:
    return judged(read(directory))


def judged(evidence: Evidence) -> Report:
    told, views = evidence.told, evidence.views
    verdict = check(told, evidence.entries, views.cdrs, views.series)
    stuck = wrong_fates(told.operations, evidence.entries, views.commands)
    drift = [
        f"{each.name} is shown as {each.shown}, and is {' or '.join(each.right)}"
        for each in views.registry
        if each.shown not in each.right
    ]
    untold = [
        f"{each.station} {each.reference} was never acknowledged"
        for each in told.transactions
        if not (each.start_acked and each.stop_acked)
    ]
    refused = [
        f"{each.station} {each.action}: {each.answer}"
        for each in told.operations
        if each.outcome is Outcome.REFUSED and not each.command and each.action in MONEY
    ]
    found = {
        "stuck_commands": stuck,
        "registry_drift": drift,
        "unacknowledged": untold,
        "money_refused": refused,
    }
    return Report(
        counters={
            "acked_lost": verdict.acked_lost,
            "duplicate_effects": verdict.duplicate_effects,
            "order_violations": verdict.order_violations,
            "wh_delta": verdict.wh_delta,
            **{name: len(sentences) for name, sentences in found.items()},
        },
        findings=[
            *verdict.findings,
            *(f"{name}: {each}" for name, sentences in found.items() for each in sentences[:20]),
        ],
        answers=verdict.answers,
        sessions=verdict.sessions,
        records=len(evidence.entries),
    )
