"""The figures of `up`'s status line: stations, sessions, CDRs, kWh, lag."""

import asyncio
from collections.abc import Callable

from infra import clock
from infra.deployment import Layout
from infra.journal_sqlite import SqliteJournal
from infra.postgres import Postgres
from infra.read_store import PostgresReadStore
from projections.ports import StoreUnavailable
from projections.progress import Counts, Lateness, count, find_progress
from schemas.journal import Journal, Unavailable

EVERY_S = 1.0
LAG_S_WITH_TENTHS = 100
KWH_WITH_WH = 1_000
"""A newcomer sees the first Wh come in."""

FOUR_DIGITS, FIVE_DIGITS = 9_999, 99_999


async def follow_status(layout: Layout, dsn: str, show: Callable[[str, float], None]) -> None:
    """Show the figures once a second until cancelled. `show` gets the loop's time as well."""
    loop = asyncio.get_running_loop()
    journal = await SqliteJournal.open_read_only(layout.journal)
    async with Postgres(dsn, connections_max=1) as database:
        store = PostgresReadStore(database)
        lateness = Lateness()
        while True:
            try:
                show(await _figures(store, journal, lateness), loop.time())
            except (StoreUnavailable, Unavailable) as error:
                show(f"no figures now: {error}", loop.time())
            await asyncio.sleep(EVERY_S)


def line_of(counts: Counts, lag_s: float) -> str:
    """Return what a terminal of 80 columns has room for, the most telling first."""
    cdrs = counts.cdrs_open + counts.cdrs_held + counts.cdrs_final
    held = f" ({_short(counts.cdrs_held)} held)" if counts.cdrs_held else ""
    figures = [
        f"lag {lag_s:.1f}s" if lag_s < LAG_S_WITH_TENTHS else f"lag {lag_s:.0f}s",
        f"stations {_short(counts.stations_online)}/{_short(counts.stations)}",
        f"sessions {_short(counts.transactions_active)}",
        f"CDRs {_short(cdrs, FIVE_DIGITS)}{held}",
        _energy(counts.energy_wh),
    ]
    return "  ".join(figures)


def _short(number: int, exact_to: int = FOUR_DIGITS) -> str:
    if number <= exact_to:
        return str(number)
    thousands = number // 1_000
    return f"{thousands}k" if thousands <= FOUR_DIGITS else f"{thousands // 1_000}M"


def _energy(energy_wh: int) -> str:
    kwh = energy_wh / 1_000
    if kwh < KWH_WITH_WH:
        return f"{kwh:.3f} kWh"
    if kwh < FOUR_DIGITS:
        return f"{kwh:.1f} kWh"
    return f"{_short(round(kwh / 1_000), FIVE_DIGITS)} MWh"


async def _figures(store: PostgresReadStore, journal: Journal, lateness: Lateness) -> str:
    # The heads first: what is projected meanwhile makes the lag smaller, never negative.
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    now_us = clock.now_us()
    lags = [lateness.seconds(each, heads, now_us) for each in await find_progress(store)]
    return line_of(await count(store), max(lags, default=0.0))
