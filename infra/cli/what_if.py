"""`chargeledger what-if`: history by another tariff or meter rule, and the difference."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from domain.meter_rules import CURRENT, METER_RULES
from domain.readings import read_time
from domain.reference import Reference
from domain.tariff_reading import TariffInvalid, read_tariff
from infra.cli.bars import progress_bar
from infra.cli.failures import Failed
from infra.cli.journals import journal_to_read
from infra.settings import Settings
from infra.what_if import replay_into
from projections.what_if import OtherTariff, WhatIf, lines, total

_COLUMNS = {
    "station": "station",
    "sessions": "sessions",
    "held": "held",
    "energy_wh": "Wh",
    "energy_would_be_wh": "Wh would be",
    "currency": "",
    "billed": "billed",
    "would_be": "would be",
    "difference": "difference",
}
TOTAL = "(all)"
WIDTH = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfWish:
    tariff: Path | None
    start: str
    end: str
    meter_rule: int | None
    tenant: str
    as_json: bool


def run_what_if(wish: WhatIfWish, data: Path) -> None:
    rule = CURRENT if wish.meter_rule is None else METER_RULES.get(wish.meter_rule)
    if rule is None:
        known = ", ".join(map(str, METER_RULES))
        raise Failed(f"there is no meter rule {wish.meter_rule}; there are {known}")
    if wish.tariff is None and wish.meter_rule is None:
        raise Failed("say what is to be otherwise: --tariff or --meter-rule")
    start, end = _time(wish.start, "--from"), _time(wish.end, "--to")
    if start is not None and end is not None and end <= start:
        raise Failed("--from is not before --to: there is nothing between them")
    reference = _reference(wish)
    scratch = WhatIf(
        wish.tenant,
        reference,
        rule=rule,
        start=start,
        end=end,
    )
    asyncio.run(_replay(scratch, reference, Settings(data=data)))
    stations = scratch.compared()
    rows = [line for name, each in stations.items() for line in lines(name, each)]
    if wish.as_json:
        whole = list(lines(TOTAL, total(stations.values())))
        sys.stdout.write("".join(json.dumps(row) + "\n" for row in [*rows, *whole]))
        return
    _show(rows, list(lines(TOTAL, total(stations.values()))))


def _reference(wish: WhatIfWish) -> Reference:
    if wish.tariff is None:
        return Reference()
    document = wish.tariff.read_bytes()
    try:
        tariff = read_tariff(document)
    except (TariffInvalid, UnicodeDecodeError) as error:
        raise Failed(f"{wish.tariff}: {error}") from error
    return OtherTariff(wish.tenant, tariff, document.strip())


async def _replay(scratch: WhatIf, reference: Reference, settings: Settings) -> None:
    with progress_bar("replaying") as bars:
        task = bars.add_task("", total=None)
        async with journal_to_read(settings) as journal:
            await replay_into(
                journal,
                scratch,
                reference,
                lambda done, all_: bars.update(task, completed=done, total=all_),
            )


def _show(rows: Sequence[dict[str, Any]], whole: Sequence[dict[str, Any]]) -> None:
    table = Table()
    for name in _COLUMNS.values():
        table.add_column(name, justify="left" if name in ("station", "") else "right")
    for row in rows:
        table.add_row(*(str(row[name]) for name in _COLUMNS))
    table.add_section()
    for row in whole:
        table.add_row(*(str(row[name]) for name in _COLUMNS), style="bold")
    # Figures whole, also where that is wider than the screen.
    Console(width=max(Console().width, WIDTH)).print(table)


def _time(text: str, option: str) -> int | None:
    if not text:
        return None
    at = read_time(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)[0]
    if at is None:
        raise Failed(f"{option}: {text!r} is no date and no time of RFC 3339")
    return at
