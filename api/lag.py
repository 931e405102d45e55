"""How far the projections are behind the journal."""

from collections.abc import Sequence

from msgspec import Struct

from api.ports import Ports
from projections.progress import find_progress, records_behind
from projections.times import microseconds


class Lag(Struct, frozen=True):
    name: str
    records: int
    seconds: float
    """Since the record projected last, while there are later ones; else 0."""
    poison: int


async def find_lag(ports: Ports) -> Sequence[Lag]:
    """Return the lag of each projection.

    Raises:
        StoreUnavailable, Unavailable
    """
    # The heads first: what is projected meanwhile makes the lag smaller, never negative.
    heads = await ports.log.heads()
    found = []
    for progress in await find_progress(ports.db):
        records = records_behind(progress, heads)
        age_us = ports.now_us() - microseconds(progress.recorded_at)
        seconds = max(0, age_us) / 1e6 if records else 0.0
        found.append(Lag(progress.name, records, seconds, progress.poison))
    return found
