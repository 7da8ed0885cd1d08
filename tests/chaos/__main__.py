"""``make chaos``: one run, told line by line; status 1 if an invariant does not hold."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same kills and faults")
    parser.add_argument("--seconds", type=float, default=120.0, help="of traffic")
    parser.add_argument("--rate", type=float, default=6.0, help="checkouts a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galleria-chaos-") as directory:
        report = asyncio.run(
            run(given.seed, given.seconds, given.rate, Path(directory), lambda line: print(line, flush=True))
        )
    print("\n".join(report.lines()))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
