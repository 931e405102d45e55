"""`python -m tests.simulation --seeds N [--from S]`, or `--seed S` for one again."""

import argparse
import sys
from random import randrange

from tests.simulation.run import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument(
        "--from", dest="first", type=int, help="the first; without it, others every time"
    )
    parser.add_argument("--seed", type=int, help="this one alone")
    asked = parser.parse_args()
    first = randrange(10**9) if asked.first is None else asked.first
    seeds = [asked.seed] if asked.seed is not None else range(first, first + asked.seeds)
    failed = []
    for seed in seeds:
        findings = simulate(seed)
        if findings.wrong or asked.seed is not None:
            sys.stdout.write(f"{findings}\n")
        if findings.wrong:
            failed.append(seed)
    sys.stdout.write(f"{len(seeds)} seeds from {seeds[0]}, failed: {failed or 'none'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
