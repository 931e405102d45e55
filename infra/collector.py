"""Python's cyclic garbage collector, set for processes on the path of a CALL or of its records."""

import gc

THRESHOLD = (50_000, 50, 100)
"""Nothing on these paths makes cycles; Python's default looks for them at every 40th CALL, and for
each 700 records that a projection reads."""


def calm_collector() -> None:
    """Look for cycles seldom, and never in what was imported."""
    gc.set_threshold(*THRESHOLD)
    gc.freeze()
