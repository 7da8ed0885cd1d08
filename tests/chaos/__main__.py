"""``make chaos``: prints the schedule and the report; exit 1 on any violation. ``CHAOS='--seed 5 --seconds 120'``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.runner import Plan, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long buyers come")
    parser.add_argument("--rate", type=float, default=7.0, help="visits a second; four in five are checkouts")
    parser.add_argument("--logs", type=Path, help="a folder to keep the databases and the logs of the processes in")
    asked = parser.parse_args()
    plan = Plan(seed=asked.seed, seconds=asked.seconds, per_second=asked.rate)
    with tempfile.TemporaryDirectory(prefix="galleria-chaos-") as folder:
        verdict = asyncio.run(run(plan, asked.logs or Path(folder), print))
    print("\n".join(["", *verdict.lines()]))
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
