"""The long form of the laws: ``python -m tests.properties --worlds 1000 --operations 10``; ``make fuzz`` runs it.

Every world and every operation is a function of its number, so a difference can be looked at again with ``--from`` and
``--worlds 1``. Exit status: 0 no difference, 1 there was one; each is shrunk and written below ``--save``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

from gateway.execution.compiled.program import RUNS
from subgraphs.chassis.telemetry import configure_logging
from tests.properties.counterexample import Counterexample
from tests.properties.generator import federation
from tests.properties.law import Difference, Loaded, NotComposed, SubgraphTexts, bench
from tests.properties.operations import operation
from tests.properties.shrink import shrink
from tests.properties.world import WorldInvalid


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.properties", description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=1000, help="how many worlds (default 1000)")
    parser.add_argument("--operations", type=int, default=10, help="how many operations each (default 10)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the number of the first world (default 0)")
    parser.add_argument("--differences", type=int, default=3, help="stop after so many (default 3)")
    parser.add_argument("--save", type=Path, default=Path(".data/counterexamples"), help="where to write them")
    parser.add_argument("--whole", action="store_true", help="do not shrink")
    asked = parser.parse_args()
    configure_logging("json", "ERROR", "gateway")
    return asyncio.run(_run(asked))


async def _run(asked: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    differences = 0
    began = told = time.monotonic()
    async with bench() as at:
        for number in range(asked.first, asked.first + asked.worlds):
            subgraphs = federation(str(number))
            try:
                loaded = at.load(subgraphs)
            except NotComposed:
                counts["worlds that do not compose"] += 1
                continue
            counts["worlds"] += 1
            for turn in range(asked.operations):
                ask = operation(loaded.supergraph.api_schema, f"{number}/{turn}")
                if ask is None:
                    continue
                try:
                    found = await at.check(loaded, ask)
                except WorldInvalid:
                    counts["operations without data"] += 1
                    continue
                counts["cases"] += 1
                if found is not None:
                    differences += 1
                    smallest = subgraphs
                    if not asked.whole:
                        smallest, found = await shrink(at, subgraphs, found)
                    _save(asked.save / f"{number}-{turn}.txt", smallest, found, at.load(smallest))
                    loaded = at.load(subgraphs)
                    if differences >= asked.differences:
                        break
            if differences >= asked.differences:
                break
            if time.monotonic() - told > 10:
                told = time.monotonic()
                print(
                    f"world {number}: {counts['cases']} cases, {differences} differences", file=sys.stderr, flush=True
                )
    for outcome in ("whole", "astray", "broken"):
        counts[f"compiled runs {outcome}"] = int(RUNS.labels(outcome)._value.get())
    told_as = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{differences} differences; {told_as}; {time.monotonic() - began:.0f} s")
    return 1 if differences else 0


def _save(path: Path, subgraphs: SubgraphTexts, found: Difference, loaded: Loaded) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(Counterexample(f"{found.kind}", subgraphs, found.ask)))
    print(f"{path}\n{path.read_text()}\n{found}\n{loaded.plan_text(found.ask)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
