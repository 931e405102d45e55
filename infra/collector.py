"""Python's cyclic garbage collector, set for processes on the path of a CALL or of its records."""

import gc

THRESHOLD = (50_000, 50, 100)
"""Nothing on these paths makes cycles; Python's default looks for them at every 40th CALL, and for
each 700 records that a projection reads."""

READER_THRESHOLD = (5_000, 20, 50)
"""A process that only reads keeps less of what nobody needs in return for looking more often."""


def calm_collector(threshold: tuple[int, int, int] = THRESHOLD) -> None:
    """Look for cycles seldom, and never in what was imported."""
    gc.set_threshold(*threshold)
    gc.freeze()
