"""``python -m tests.benchmarks``: the tables on the terminal, the figures in ``results/latest.json``. Under three minutes.

``--write-readme`` also writes the page; ``--only NAME`` (may be repeated) runs these workloads alone and keeps nothing.
Exits non-zero, and keeps nothing, when any request was not answered as it should be. ``--only rivals`` and ``--only curves``
are benches of their own, of six minutes and of five, each with a part of the page and a chart.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.benchmarks import report
from tests.benchmarks.curves.chart import drawn as curves_drawn
from tests.benchmarks.results import Run, Table
from tests.benchmarks.rivals.chart import drawn as rivals_drawn
from tests.benchmarks.runner import run, run_curves, run_rivals
from tests.benchmarks.workloads import WORKLOADS

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"
ALONE = {"rivals": run_rivals, "curves": run_curves}
"""Benches that are run by themselves."""
WIDTH = 160


def main() -> None:
    names = [*(name for name, _ in WORKLOADS), *ALONE]
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the house.")
    arguments.add_argument("--write-readme", action="store_true", help="write the page beside this program")
    arguments.add_argument("--only", action="append", choices=names, default=[], help="this workload alone")
    given = arguments.parse_args()
    alone = given.only[0] if given.only in ([name] for name in ALONE) else None
    if alone is None and not ALONE.keys().isdisjoint(given.only):
        arguments.error(f"each of {', '.join(ALONE)} is run by itself")
    if given.only and given.write_readme and alone is None:
        arguments.error("a page of some workloads is not written: leave out --only or --write-readme")
    # Where nobody looks, no column is cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    # The client should cost little: it shares a core with what is asked.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_run(given.only, console))
    console.print(report.conditions(found), highlight=False)
    console.print(f"The run took {found.seconds:.0f} s.")
    if given.only and alone is None:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{alone or 'latest'}.json").write_text(report.as_json(found))
    if given.write_readme:
        README.write_text(report.page(found, alone or "house", README.read_text()))
        if alone == "rivals":
            glance = next(table for table in found.tables if table.name == alone)
            (HERE / "rivals.svg").write_text(rivals_drawn(glance))
        elif alone == "curves":
            (HERE / "curves.svg").write_text(curves_drawn(found.tables))


async def _run(only: list[str], console: Console) -> Run:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # Two redraws a second: the terminal is not to be part of what is measured.
    with Progress(*columns, console=console, refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        def done(table: Table) -> None:
            report.show(console, table)

        if only and only[0] in ALONE:
            return await ALONE[only[0]](say=say, done=done)
        return await run(only, say=say, done=done)


if __name__ == "__main__":
    main()
