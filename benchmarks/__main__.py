"""`python -m benchmarks [NAME…]`: run the named benchmarks, or all, and renew their tables.

Each benchmark is a module with a `TITLE` and `run() -> list[Row]`. Its table is printed and put
into the page in the place that is marked with its name; what else the page says stays.
"""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    burst,
    cdrs,
    flatness,
    growth,
    hotpath,
    idle,
    kafka,
    largest,
    memory,
    rebuild,
    sustained,
    takeover,
    throughput,
    workers,
)
from benchmarks.rows import Row, markdown, replaced

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BENCHMARKS: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "throughput": (throughput.TITLE, throughput.run),
    "burst": (burst.TITLE, burst.run),
    "kafka": (kafka.TITLE, kafka.run),
    "sustained": (sustained.TITLE, sustained.run),
    "memory": (memory.TITLE, memory.run),
    "rebuild": (rebuild.TITLE, rebuild.run),
    "hotpath": (hotpath.TITLE, hotpath.run),
    "cdrs": (cdrs.TITLE, cdrs.run),
    "largest": (largest.TITLE, largest.run),
    "flatness": (flatness.TITLE, flatness.run),
    "growth": (growth.TITLE, growth.run),
    "idle": (idle.TITLE, idle.run),
    "workers": (workers.TITLE, workers.run),
    "takeover": (takeover.TITLE, takeover.run),
}
FULL: dict[str, Callable[[], list[Row]]] = {"growth": growth.run_full}
"""Those that take longer than ten minutes at full size."""


def machine() -> str:
    """Return when and on what this is measured, and how busy it was with other things just now."""
    now = datetime.now(UTC)  # noqa: TID251 - a process of its own.
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores,"
        f" Python {platform.python_version()}, load average before: {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--full", action="store_true", help=f"full size of {', '.join(FULL)}")
    parser.add_argument("--dry", action="store_true", help="print only; leave the page alone")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    # What a benchmark has started ends with it, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for name in arguments.names or list(BENCHMARKS):
        title, run = BENCHMARKS[name]
        if arguments.full:
            run = FULL.get(name, run)
        conditions = machine()
        block = markdown(title, run(), conditions)
        print(block, flush=True)
        if not arguments.dry:
            page = arguments.page.read_text() if arguments.page.exists() else "# Performance\n"
            arguments.page.write_text(replaced(page, name, block))


if __name__ == "__main__":
    main()
