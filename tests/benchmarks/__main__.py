"""``python -m tests.benchmarks``: the tables on the terminal, the figures in ``results/latest.json``. Under three minutes.

``--write-readme`` also writes the page; ``--only NAME`` (may be repeated) runs these workloads alone and keeps nothing.
Exits non-zero, and keeps nothing, when any request was not answered as it should be. ``--only rivals`` is a bench of its own,
of six minutes, with a part of the page and a chart.
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
from tests.benchmarks.results import Run, Table
from tests.benchmarks.rivals import chart
from tests.benchmarks.runner import run, run_rivals
from tests.benchmarks.workloads import WORKLOADS

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"
RIVALS = "rivals"
WIDTH = 160


def main() -> None:
    names = [*(name for name, _ in WORKLOADS), RIVALS]
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the house.")
    arguments.add_argument("--write-readme", action="store_true", help="write the page beside this program")
    arguments.add_argument("--only", action="append", choices=names, default=[], help="this workload alone")
    given = arguments.parse_args()
    rivals = given.only == [RIVALS]
    if RIVALS in given.only and not rivals:
        arguments.error("rivals is run by itself")
    if given.only and given.write_readme and not rivals:
        arguments.error("a page of some workloads is not written: leave out --only or --write-readme")
    # Where nobody looks, no column is cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    # The client should cost little: it shares a core with what is asked.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_run(given.only, console))
    console.print(report.conditions(found), highlight=False)
    console.print(f"The run took {found.seconds:.0f} s.")
    if given.only and not rivals:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / ("rivals.json" if rivals else "latest.json")).write_text(report.as_json(found))
    if given.write_readme:
        README.write_text(report.page(found, RIVALS if rivals else "house", README.read_text()))
        if rivals:
            (HERE / "rivals.svg").write_text(chart.drawn(next(table for table in found.tables if table.name == RIVALS)))


async def _run(only: list[str], console: Console) -> Run:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # Two redraws a second: the terminal is not to be part of what is measured.
    with Progress(*columns, console=console, refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        def done(table: Table) -> None:
            report.show(console, table)

        return await (run_rivals(say=say, done=done) if only == [RIVALS] else run(only, say=say, done=done))


if __name__ == "__main__":
    main()
