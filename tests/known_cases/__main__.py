"""``python -m tests.known_cases DIR``: how often ours and the known answers agree, and the cases where they do not."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.known_cases.cases import tallies

if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("Name the folder of the cases: python -m tests.known_cases DIR")
    for tally in tallies(Path(sys.argv[1])):
        print(tally)
        for difference in tally.differences:
            print("   ", difference[:200])
