"""`chargeledger scenario`: runs the scenarios of a file and says where a CDR is not as expected."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from infra.cli.failures import Failed
from infra.scenario_file import Json, Scenario, ScenarioInvalid, read_scenarios
from infra.scenario_run import Ran, ScenarioRun, judge, told


def run_scenarios(file: Path, only: str, *, as_json: bool) -> None:
    try:
        given = read_scenarios(file)
    except ScenarioInvalid as error:
        raise Failed(str(error)) from error
    wanted = [each for each in given.scenarios if only in ("", each.id)]
    if not wanted:
        raise Failed(f"{file}: no scenario" + (f" {only}" if only else ""))
    wrong = 0
    for scenario in wanted:
        ran = asyncio.run(_run(scenario, given.tariffs))
        found = judge(scenario, ran)
        wrong += bool(found)
        shown = told(scenario, ran, found)
        for line in [json.dumps(shown)] if as_json else _lines(scenario, shown):
            sys.stdout.write(f"{line}\n")
    if not as_json:
        sys.stdout.write(f"{len(wanted) - wrong} of {len(wanted)} as they should be\n")
    if wrong:
        raise typer.Exit(1)


async def _run(scenario: Scenario, tariffs: Sequence[Json]) -> Ran:
    return await ScenarioRun(scenario, tariffs).run()


def _lines(scenario: Scenario, shown: Json) -> Iterator[str]:
    yield f"{'ok' if shown['ok'] else 'wrong':5}  {scenario.id:6}  {scenario.title}"
    for cdr in shown["cdrs"]:
        cost = cdr["cost"]["rounded"] if cdr["cost"] else "no price"
        energy = (
            "energy unknown" if cdr["total_energy_wh"] is None else f"{cdr['total_energy_wh']} Wh"
        )
        yield f"         {cdr['state']}: {energy}, {cost}, {', '.join(cdr['flags']) or 'no flags'}"
    for orphan in shown["orphans"]:
        yield f"         orphan: {orphan['action']}, {orphan['flag']}"
    for each in shown["differences"]:
        yield f"       ! {each}"
