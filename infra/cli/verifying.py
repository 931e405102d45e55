"""`chargeledger verify`: whether the log, the CDRs and the series say the same."""

import asyncio
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from infra.cli.databases import beside, postgres_dsn
from infra.cli.journals import journal_to_read
from infra.cli.querying import ask_clickhouse
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from infra.settings import Settings
from infra.verifying import (
    FramesSeen,
    LogReport,
    compare_cdrs,
    compare_series,
    expected_at,
    read_log,
)
from projections.clickhouse_sink import NAME as SERIES
from projections.progress import find_progress
from projections.read_model import NAME as READ

LOOKS_MAX = 5
LOOK_AGAIN_S = 2.0
"""Beside running projections CDRs may be behind the position that is read after them."""

SHOWN_MAX = 100
_SESSIONS = (
    "SELECT tenant, toString(cdr_id) AS cdr_id, state, toString(energy_wh) AS energy_wh,"
    " toString(cdr_energy_wh) AS cdr_energy_wh, signed FROM session_energy"
)
_FRAMES = (
    "SELECT tenant, toString(countIf(offset < {position})) AS within,"
    " toString(countIf(offset >= {position})) AS ahead FROM messages FINAL GROUP BY tenant"
)

Positions = Mapping[int, int]


class _Views(NamedTuple):
    positions: Mapping[str, Positions]
    cdrs: list[Mapping[str, Any]]
    sessions: list[dict[str, Any]]
    frames: FramesSeen


def run_verify(data: Path, tenant: str | None) -> None:
    """Exit with 1 if anything differs. The log is read whole, whoever the tenant is."""
    settings = Settings(data=data)
    report = asyncio.run(_log(settings))
    wrong: list[str] = []
    for look in range(LOOKS_MAX):
        views = _views(settings, tenant)
        wrong = asyncio.run(_compared(settings, views, tenant))
        if not wrong or asyncio.run(_positions(settings)) == views.positions:
            break
        if look + 1 < LOOKS_MAX:
            asyncio.run(asyncio.sleep(LOOK_AGAIN_S))
    _show(report, views, [*report.wrong, *wrong])
    if report.wrong or wrong:
        sys.exit(1)


def _show(report: LogReport, views: _Views, wrong: list[str]) -> None:
    frames = views.frames
    ahead = [
        f"        {frames.ahead} frames are ahead of its position: the next start repeats them, and"
        " they count once"
    ][: bool(frames.ahead)]
    lines = [
        f"log     {report.records} records of {report.incarnations} appenders;"
        f" {report.not_counted} do not count, {report.gaps} numbers left out,"
        f" {report.unreadable} unreadable",
        f"CDRs    {len(views.cdrs)}, {_total(views.cdrs)} Wh",
        f"series  {len(views.sessions)} sessions, {frames.within + frames.ahead} frames",
        *ahead,
        *wrong[:SHOWN_MAX],
        f"NOT EQUAL: {len(wrong)} differences" if wrong else "equal",
    ]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _total(cdrs: list[Mapping[str, Any]]) -> Decimal:
    known = (row["energy_wh"] for row in cdrs if row["energy_wh"] is not None)
    return sum(map(Decimal, known), Decimal())


async def _log(settings: Settings) -> LogReport:
    async with journal_to_read(settings) as journal:
        return await read_log(journal)


async def _compared(settings: Settings, views: _Views, tenant: str | None) -> list[str]:
    async with journal_to_read(settings) as journal:
        at_read = await expected_at(journal, views.positions.get(READ, {}), tenant)
        at_series = await expected_at(journal, views.positions.get(SERIES, {}), tenant)
    return [
        *compare_cdrs(at_read, views.cdrs),
        *compare_series(at_series, views.sessions, views.frames),
    ]


async def _positions(settings: Settings) -> Mapping[str, Positions]:
    positions, _ = await _read_side(settings)
    return positions


def _views(settings: Settings, tenant: str | None) -> _Views:
    # One after the other: without a running `up` each has the directory for itself. The position of
    # the series before its rows, which are never behind it.
    positions, cdrs = asyncio.run(_read_side(settings))
    sessions = _rows(ask_clickhouse(_SESSIONS, "JSONEachRow", settings))
    position = _position(positions.get(SERIES, {}))
    counted = _rows(ask_clickhouse(_FRAMES.format(position=position), "JSONEachRow", settings))
    frames = [row for row in counted if tenant in {None, row["tenant"]}]
    return _Views(
        positions,
        [row for row in cdrs if tenant in {None, row["tenant"]}],
        [row for row in sessions if tenant in {None, row["tenant"]}],
        FramesSeen(
            within=sum(int(row["within"]) for row in frames),
            ahead=sum(int(row["ahead"]) for row in frames),
        ),
    )


def _position(positions: Positions) -> str:
    """Return the SQL of a row's partition's position."""
    cases = "".join(f"partition = {p}, {offset}, " for p, offset in sorted(positions.items()))
    return f"multiIf({cases}0)" if cases else "0"


async def _read_side(settings: Settings) -> tuple[Mapping[str, Positions], list[Mapping[str, Any]]]:
    with beside(settings) as running:
        async with postgres_dsn(settings, running) as dsn, Postgres(dsn) as database:
            store = PostgresReadStore(database)
            cdrs = list(await store.fetch("cdrs.verify", {}))
            progress = await find_progress(store)
    return {each.name: each.positions for each in progress}, cdrs


def _rows(body: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in body.splitlines()]
