"""`chargeledger scenario`: runs scenarios of a file and says where a CDR is not as expected."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from infra.cli.failures import Failed
from infra.scenarios import comparing, running
from infra.scenarios.comparing import Verdict


def run_scenarios(file: Path, only: str, *, as_json: bool) -> None:
    wrong = seen = skipped = 0
    for verdict in verdicts(file, only):
        seen += 1
        wrong += bool(verdict.differences)
        skipped += bool(verdict.not_compared)
        for line in [json.dumps(verdict._asdict())] if as_json else _told(verdict):
            sys.stdout.write(f"{line}\n")
    if not seen:
        raise Failed(f"{file}: no scenario" + (f" {only}" if only else ""))
    if not as_json:
        more = f"; {skipped} with fields that are not compared" if skipped else ""
        sys.stdout.write(f"{seen - wrong} of {seen} as they should be{more}\n")
    if wrong:
        raise typer.Exit(1)


def verdicts(file: Path, only: str = "") -> Iterator[Verdict]:
    header: Mapping[str, Any] = {}
    for scenario in read_scenarios(file):
        if scenario.get("kind") == "header":
            header = scenario
        elif not only or scenario.get("id") == only:
            yield verdict_of(scenario, header.get("tariffs", ()))


def verdict_of(scenario: Mapping[str, Any], tariffs: Sequence[Mapping[str, Any]]) -> Verdict:
    ran = asyncio.run(running.run(scenario, tariffs))
    return comparing.judge(scenario, ran, prices_energy=_prices_energy(scenario, tariffs))


def read_scenarios(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the header and each scenario. Raise `Failed` for a line that is no JSON object."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                scenario = json.loads(line)
            except ValueError as error:
                raise Failed(f"{file}:{number}: no JSON: {error}") from error
            if not isinstance(scenario, dict):
                raise Failed(f"{file}:{number}: no JSON object")
            yield scenario


def _prices_energy(scenario: Mapping[str, Any], tariffs: Sequence[Mapping[str, Any]]) -> bool:
    return any(
        component["type"] == "ENERGY"
        for tariff in tariffs
        if tariff["id"] == scenario.get("tariff_id")
        for element in tariff["elements"]
        for component in element["price_components"]
    )


def _told(verdict: Verdict) -> Iterator[str]:
    mark = "differs" if verdict.differences else "ok"
    yield f"{verdict.id}  {mark}  {verdict.title}"
    for cdr in verdict.cdrs:
        flags = ",".join(cdr["flags"]) or "-"
        yield (
            f"    {cdr['state']}  {cdr['cs']}/{cdr['evse_or_connector']}  {cdr['token']}"
            f"  {cdr['total_energy_wh']} Wh  {flags}"
        )
    for orphan in verdict.orphans:
        yield f"    orphan {orphan['cs']} {orphan['action']} {orphan['flag']}"
    for difference in verdict.differences:
        yield f"    ! {difference}"
    if verdict.not_compared:
        yield f"    not compared: {', '.join(verdict.not_compared)}"
