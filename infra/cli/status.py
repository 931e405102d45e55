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
    cdrs = counts.cdrs_open + counts.cdrs_held + counts.cdrs_final
    held = f", {counts.cdrs_held} held" if counts.cdrs_held else ""
    return (
        f"stations {counts.stations_online} online of {counts.stations}"
        f" | sessions {counts.transactions_active} active"
        f" | CDRs {cdrs} ({counts.cdrs_final} final{held})"
        f" | {counts.energy_wh / 1000:.3f} kWh | lag {lag_s:.1f} s"
    )


async def _figures(store: PostgresReadStore, journal: Journal, lateness: Lateness) -> str:
    # The heads first: what is projected meanwhile makes the lag smaller, never negative.
    heads = {p: await journal.head(p) for p in range(journal.partitions + 1)}
    now_us = clock.now_us()
    lags = [lateness.seconds(each, heads, now_us) for each in await find_progress(store)]
    return line_of(await count(store), max(lags, default=0.0))
