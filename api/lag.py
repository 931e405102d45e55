"""How far the projections are behind the journal."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from api.ports import Ports
from projections.progress import find_progress, records_behind


class Lag(Struct, frozen=True):
    name: str
    records: int
    seconds: float
    """See `projections.progress.Lateness`."""
    poison: int
    waiting_s: Mapping[int, float]
    """By partition: how long stations wait for its owner, who decided nothing meanwhile."""


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
        now = ports.now_us()
        seconds = ports.lateness.seconds(progress, heads, now)
        waiting_s = {p: max(0, now - at) / 1e6 for p, at in progress.waiting.items()}
        found.append(Lag(progress.name, records, seconds, progress.poison, waiting_s))
    return found
