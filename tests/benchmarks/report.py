"""A run for people and for programs: the terminal's tables, the page, the JSON. Measures nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from rich.console import Console
from rich.table import Table as Drawn

from tests.benchmarks.results import Cell, Run, Table


def show(console: Console, table: Table) -> None:
    drawn = Drawn(title=table.title, title_justify="left", caption=table.note, caption_justify="left")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if _is_figure(table, number) else "left")
    for row in table.rows:
        drawn.add_row(*(text(cell).replace("**", "") for cell in row))
    console.print(drawn)


def text(cell: Cell) -> str:
    """Three digits that mean something; more would claim what a shared machine cannot tell."""
    match cell:
        case None:
            return ""
        case str() | int():
            return str(cell)
        case _ if abs(cell) >= 100:
            return f"{cell:.0f}"
        case _ if abs(cell) >= 10:
            return f"{cell:.1f}"
        case _:
            return f"{cell:.2f}"


def conditions(run: Run) -> str:
    shared = (
        "the machine was shared, so read ratios and no absolute claims"
        if run.others_percent >= 1
        else "nothing else of weight ran"
    )
    return (
        f"{run.date}, {run.machine}. {run.cores} Programs that are not ours took {text(run.others_percent)} % of the"
        f" machine's CPU time during the run (load average before it: {text(run.load_before)}): {shared}."
    )


_HEAD: Final = """\
# Measured

`make bench` starts a house of its own (database, five subgraphs and gateway, each a process; tiny seed), runs the
workloads of `workloads/` and prints the tables of the first part; `make bench-curves` lets the work grow around our gateway
and prints those of the second; `make bench-rivals` puts it beside others and prints those of the third. `python -m
tests.benchmarks --write-readme`, with `--only curves`, with `--only rivals` or without, writes its part of this page. Every
run writes its figures to `results/`. Every answer is checked: a failed request ends the bench without figures, but of a
gateway beside ours, which is named and not counted. Nothing here is a claim about another machine, or about this one on
another day: compare rows of one table with each other. The times of CPU are those of the named processes as the system
counts them.
"""
PARTS: Final = {"house": "## The house", "curves": "## As the work grows", "rivals": "## Beside other gateways"}
"""The parts of the page, each written by a run of its own, and their headings."""
_PICTURES: Final = {
    "curves": "What a request costs as entities, subgraphs, connections and types grow",
    "rivals": "CPU of the gateway per request",
}
"""What is to be seen on those that have one; the file is named for the part."""


def page(run: Run, part: str, before: str) -> str:
    """The whole of README.md with this part written anew; ``before`` is what it was, whose other parts stay."""
    kept = {name: _part(before, name) for name in PARTS}
    kept[part] = _lines(run, part)
    return _HEAD + "".join(f"\n{_mark(name)}\n{text}" for name, text in kept.items() if text)


def _part(before: str, name: str) -> str:
    rest = before.partition(f"{_mark(name)}\n")[2]
    return rest.partition("\n<!-- part")[0]


def _mark(name: str) -> str:
    return f"<!-- part: {name} -->"


def _lines(run: Run, part: str) -> str:
    lines = [PARTS[part], "", conditions(run), f"The run took {run.seconds:.0f} s."]
    if part in _PICTURES:
        lines += ["", f"![{_PICTURES[part]}]({part}.svg)"]
    for table in run.tables:
        lines += ["", f"### {table.title}", "", table.note, "", *_markdown(table)]
    return "\n".join(lines) + "\n"


def _markdown(table: Table) -> list[str]:
    rule = "|".join("---:" if _is_figure(table, number) else "---" for number in range(len(table.columns)))
    rows = ["| " + " | ".join(text(cell) for cell in row) + " |" for row in table.rows]
    return ["| " + " | ".join(table.columns) + " |", f"|{rule}|", *rows]


def _is_figure(table: Table, column: int) -> bool:
    return not any(isinstance(row[column], str) for row in table.rows)


def as_json(run: Run) -> str:
    """The run with each row as an object, names without emphasis, figures to the microsecond."""
    facts: dict[str, Any] = {
        field.name: getattr(run, field.name) for field in dataclasses.fields(run) if field.name != "tables"
    }
    facts["tables"] = [
        {
            "name": table.name,
            "title": table.title,
            "note": table.note,
            "rows": [
                {column: _plain(cell) for column, cell in zip(table.columns, row, strict=True) if cell is not None}
                for row in table.rows
            ],
        }
        for table in run.tables
    ]
    return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def _plain(cell: Cell) -> Cell:
    match cell:
        case str():
            return cell.replace("**", "")
        case float():
            return round(cell, 3)
        case _:
            return cell
