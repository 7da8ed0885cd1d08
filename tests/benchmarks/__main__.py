"""``python -m tests.benchmarks``: the tables on the terminal, the figures in ``results/latest.json``. Under three minutes.

``--write-readme`` also writes the page; ``--only NAME`` (may be repeated) runs these workloads alone and keeps nothing.
Exits non-zero, and keeps nothing, when any request was not answered as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.benchmarks import report
from tests.benchmarks.results import Run, Table
from tests.benchmarks.runner import run
from tests.benchmarks.workloads import WORKLOADS

HERE = Path(__file__).parent
README = HERE / "README.md"
LATEST = HERE / "results" / "latest.json"


def main() -> None:
    names = [name for name, _ in WORKLOADS]
    arguments = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure the house.")
    arguments.add_argument("--write-readme", action="store_true", help="write the page beside this program")
    arguments.add_argument("--only", action="append", choices=names, default=[], help="this workload alone")
    given = arguments.parse_args()
    if given.only and given.write_readme:
        arguments.error("a page of some workloads is not written: leave out --only or --write-readme")
    console = Console(highlight=False)
    found = asyncio.run(_run(given.only, console))
    console.print(report.conditions(found), highlight=False)
    console.print(f"The run took {found.seconds:.0f} s.")
    if given.only:
        return
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(report.as_json(found))
    if given.write_readme:
        README.write_text(report.page(found))


async def _run(only: list[str], console: Console) -> Run:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # Two redraws a second: the terminal is not to be part of what is measured.
    with Progress(*columns, console=console, refresh_per_second=2, transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        def done(table: Table) -> None:
            report.show(console, table)

        return await run(only, say=say, done=done)


if __name__ == "__main__":
    main()
