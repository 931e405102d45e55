"""`python -m tests.chaos [--seconds N] [--seed S]`, or `--check DIRECTORY` for evidence once more.

Exit code 1 if a promise was broken; then the evidence is left where it says.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from random import randrange

from tests.chaos.checking import Report, report_on
from tests.chaos.faults import KINDS
from tests.chaos.run import Chaos, wreak
from tests.kafka_broker import say


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long things break")
    parser.add_argument("--every", type=float, default=3, help="seconds from fault to fault")
    parser.add_argument("--longest", type=float, default=20, help="seconds that a fault may last")
    parser.add_argument("--seed", type=int, help="of the faults and the stations")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="these alone")
    parser.add_argument("--check", type=Path, metavar="DIRECTORY", help="of an earlier run")
    asked = parser.parse_args(arguments)
    if asked.check is not None:
        return _told(report_on(asked.check))
    chaos = Chaos(
        seed=randrange(10**6) if asked.seed is None else asked.seed,
        seconds=asked.seconds,
        every_s=asked.every,
        longest_s=asked.longest,
        kinds=asked.kind or (),
    )
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    say(f"seed {chaos.seed}, in {directory}")
    report = asyncio.run(wreak(chaos, directory, say))
    if report.is_clean:
        shutil.rmtree(directory)
    return _told(report)


def _told(report: Report) -> int:
    say(str(report))
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
