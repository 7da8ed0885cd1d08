"""What came of the match, as tables: CPU of all workloads at a glance, beside whom we fall short, then each workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.results import Cell, Table
from tests.benchmarks.rivals.contenders import OURS
from tests.benchmarks.rivals.match import CONNECTIONS, SLICE_S, TURNS, Course, Running
from tests.benchmarks.rivals.world import Operation

Courses = Mapping[str, Sequence[Course]]
"""By operation."""

AIMS: Mapping[tuple[str, str], float] = {
    ("deep", "@apollo"): 1 / 13,
    ("deep", "--jit"): 1 / 13,
    ("deep", "Rust planner"): 1 / 5,
    ("deep", "grafbase"): 1.0,
    ("medium", "@apollo"): 1 / 5,
    ("medium", "--jit"): 1 / 6,
    ("medium", "Rust planner"): 1 / 5,
    ("medium", "grafbase"): 1.25,
    ("tiny", "@apollo"): 1 / 5,
    ("tiny", "--jit"): 1 / 8,
    ("tiny", "Rust planner"): 1 / 5,
    ("tiny", "grafbase"): 1.5,
    ("cold plan", "@apollo"): 1 / 2,
    ("cold plan", "--jit"): 1 / 2,
    ("cold plan", "Rust planner"): 1.5,
}
"""The most of another's CPU time that ours wants to use where nothing is shared, by operation and a part of the name."""
SHARED_AIMS: Mapping[tuple[str, str], float] = {("deep", "grafbase"): 1.0}


def glance(alone: Courses, shared: Courses, left_out: Sequence[str]) -> Table:
    """CPU of everybody for everything."""
    columns = [(name, courses) for name, courses in alone.items()]
    columns += [(f"{name}, shared", courses) for name, courses in shared.items()]
    names = list(dict.fromkeys(each.contender.name for _, courses in columns for each in courses))
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        found = [next((each for each in courses if each.contender.name == name), None) for _, courses in columns]
        rows.append((_shown(name), *(None if each is None or each.failure else each.cpu_ms for each in found)))
    return Table(
        name="rivals",
        title="CPU of the gateway per request, ms",
        note=f"Every gateway in front of the same four subgraphs, which remember their answers; {CONNECTIONS} connections."
        f" {TURNS} slices of {SLICE_S:.0f} s each, in turns; the figure is the median. Columns were measured one after the other: compare within one. User and system time of the gateway"
        " and of what it started. Nothing is shared between requests, except in the columns that say so: there, identical"
        f" requests under way to a subgraph are sent once. {' '.join(filter(None, left_out))}".rstrip(),
        columns=("gateway", *(name for name, _ in columns)),
        rows=tuple(rows),
    )


def ratios(alone: Courses, shared: Courses) -> Table:
    """Ours over each other's, and what it should be."""
    rows: list[tuple[Cell, ...]] = []
    for level, aims in ((alone, AIMS), (shared, SHARED_AIMS)):
        for name, courses in level.items():
            ours = next((each for each in courses if each.contender.name == OURS and each.failure is None), None)
            for other in courses:
                if ours is None or other.contender.name == OURS or other.failure is not None:
                    continue
                aim = next(
                    (aim for (of, part), aim in aims.items() if of == name and part in other.contender.name), None
                )
                ratio = ours.cpu_ratio(other)
                met = None if aim is None else "yes" if ratio <= aim else "no"
                rows.append((f"{name}{', shared' if level is shared else ''}", other.contender.name, ratio, aim, met))
    return Table(
        name="rivals_ratios",
        title="CPU of ours, as a part of another's",
        note="The median of the turns' ratios: below 1 ours uses less. The aim is the most it should be.",
        columns=("workload", "beside", "ratio", "aim", "met"),
        rows=tuple(rows),
    )


def workload(operation: Operation, courses: Sequence[Course], *, shares: bool, bytes_of_answer: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in courses:
        name = _shown(each.contender.name)
        if each.failure is not None:
            rows.append((f"{name}: not counted, {each.failure}", *[None] * 7))
            continue
        rows.append(
            (
                *(name, each.cpu_ms, each.fetches_alone, each.fetches, each.requests, each.per_second),
                *(each.latencies.p50, each.latencies.p99),
            )
        )
    return Table(
        name=f"rivals_{operation.name.replace(' ', '_')}{'_shared' if shares else ''}",
        title=f"{operation.name.capitalize()}{', identical requests under way shared' if shares else ''}",
        note=f"{operation.what.capitalize()}: {bytes_of_answer:,} bytes. Requests/s and times are those of the whole: the client"
        " and the subgraphs have one core, too.",
        columns=(
            *("gateway", "CPU ms", "fetches alone", "fetches under load", "requests", "requests/s", "p50 ms", "p99 ms"),
        ),
        rows=tuple(rows),
    )


def memory(running: Sequence[Running]) -> Table:
    rows = [
        (
            f"{_shown(each.contender.name)}{', shared' if each.contender.shares else ''}",
            each.resident_mb,
            each.resident_peak_mb,
        )
        for each in running
    ]
    return Table(
        name="rivals_memory",
        title="Memory",
        note="After all of the above, in the same processes. Those that share have answered the deep operation alone.",
        columns=("gateway", "RSS MB", "peak RSS MB"),
        rows=tuple(rows),
    )


def _shown(name: str) -> str:
    return f"**{name}**" if name == OURS else name
