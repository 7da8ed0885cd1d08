"""What is measured: the tuple is the table of contents, in the order of the run.

Takes   the running house.
Gives   tables; each subject is one module with one ``measure``.
Never   reads /proc or starts a process itself, nor keeps a figure whose request failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.benchmarks.results import Table
from tests.benchmarks.site import Site
from tests.benchmarks.workloads import entities, large_graphs, live, memory, planning, race, reads, start

WORKLOADS: tuple[tuple[str, Callable[[Site], Awaitable[tuple[Table, ...]]]], ...] = (
    ("start", start.measure),
    ("reads", reads.measure),
    ("entities", entities.measure),
    ("planning", planning.measure),
    ("large_graphs", large_graphs.measure),
    ("live", live.measure),
    ("race", race.measure),
    ("memory", memory.measure),
)
