"""What a run found: tables of figures, the machine, when. Data; how it is shown is in ``report``.

``results/latest.json`` is the form of this module, so that a later run can be laid beside an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = str | float | None
"""A name or a figure; None is a figure that this row does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One subject. The first column names the row; the others say their unit last: ``p50 ms``."""

    name: str
    title: str
    note: str
    """How it was measured, in a sentence or two, for who reads the figures later."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), f"a row of {self.name} has not its columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole bench."""

    date: str
    machine: str
    cores: str
    """Who ran where."""
    seconds: float
    load_before: float
    """The system's load average of the minute before."""
    others_percent: float
    """How much of the machine's CPU time, while we measured, went to programs that are not ours."""
    tables: tuple[Table, ...]
