"""Asks along each curve, and makes tables of what it cost. What is said of how it grows is computed from these tables."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.curves import cold, graphs
from tests.benchmarks.growth import LINEAR_MISS_MAX, MISS_MAX, Growth, growth, power
from tests.benchmarks.pinning import Cores
from tests.benchmarks.report import text
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.rivals.contenders import contenders
from tests.benchmarks.rivals.match import Course, Field, Running, in_the_field
from tests.benchmarks.rivals.questions import Line, Question, WrongAnswer
from tests.benchmarks.rivals.world import OPERATIONS, REVIEWS, Graph, Operation, products

ENTITIES = (10, 100, 1_000, 10_000)
SUBGRAPHS = (2, 4, 8, 16, 32, 64)
CONNECTIONS = (1, 10, 100, 1_000)
TYPES = (100, 500, 1_000, 5_000)
FEW = 4
"""Connections where something else grows."""
SLICE_S = 1.5
AFTER_MS = 5
"""How long the subgraphs let a request wait where connections grow: so long they are all under way."""
TINY = next(operation for operation in OPERATIONS if operation.name == "tiny")

Say = Callable[[str], None]


async def measure(division: Cores, directory: Path, *, say: Say, done: Callable[[Table], None]) -> tuple[Table, ...]:
    """Each table is ``done`` as soon as it is there. Raises WrongAnswer."""
    found: list[Table] = []
    for curve in (entities, subgraphs, connections, types):
        place = directory / curve.__name__
        place.mkdir()
        found.append(await curve(division, place, say))
        done(found[-1])
    summary = grown(found)
    done(summary)
    return (summary, *found)


async def entities(division: Cores, directory: Path, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    async with _ours(division, directory, say) as ours:
        for count in ENTITIES:
            course = await ours.asked(products(count), FEW)
            each = course.cpu_ms * 1000 / count
            rows.append(
                (count, course.fetches_alone, course.cpu_ms, each, *_pace(course), ours.running.resident_peak_mb)
            )
    return Table(
        name="entities",
        title="Entities per response",
        note="Products of one list whose stock and shipping estimate another subgraph knows, which for the estimate is sent"
        f" price and weight. {FEW} connections; no more than 500 entities in one fetch.",
        columns=("entities", "fetches", "CPU ms", "CPU µs an entity", "requests/s", "p50 ms", "p99 ms", "peak RSS MB"),
        rows=tuple(rows),
    )


async def subgraphs(division: Cores, directory: Path, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for count in SUBGRAPHS:
        operation = graphs.page(count)
        plan_ms = cold.measured(operation).plan
        async with _ours(division, directory / str(count), say, operation.graph) as ours:
            first_ms = await ours.first_ms(operation)
            course = await ours.asked(operation, FEW)
            each, ready_s = course.cpu_ms * 1000 / count, ours.running.ready_s
            rows.append((count, course.fetches_alone, course.cpu_ms, each, plan_ms, first_ms, ready_s, *_pace(course)))
    return Table(
        name="subgraphs",
        title="Subgraphs in one request",
        note="A page with one entity, and of it a field from each of so many subgraphs: one fetch leads to it, one more to each,"
        f" all at once. {FEW} connections. Planning is done by planners that have planned nothing before, in another process, and"
        " told in CPU. The first request is the first of all with this document: read, planned, connections"
        " opened; wall time. Ready is from nothing to an answer to something smaller.",
        columns=(
            "subgraphs",
            "fetches",
            "CPU ms",
            "CPU µs a subgraph",
            "plan ms",
            "first request ms",
            "ready s",
            *_PACE,
        ),
        rows=tuple(rows),
    )


async def connections(division: Cores, directory: Path, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    slow = replace(REVIEWS, served_by=(*REVIEWS.served_by, "--after-ms", str(AFTER_MS)))
    async with _ours(division, directory, say, slow, TINY) as ours:
        for count in CONNECTIONS:
            course = await ours.asked(TINY, count)
            rows.append((count, course.cpu_ms, *_pace(course), ours.running.resident_mb, ours.running.resident_peak_mb))
    return Table(
        name="connections",
        title="Connections",
        note="One field of one product, asked over so many connections that stay open, each with one request under way. The"
        f" subgraph lets every request wait {AFTER_MS} ms. Client and subgraph share a core, and bound the requests/s.",
        columns=("connections", "CPU ms", *_PACE, "RSS MB", "peak RSS MB"),
        rows=tuple(rows),
    )


async def types(division: Cores, directory: Path, say: Say) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for count in TYPES:
        say(f"composing, loading and planning {count:,} types")
        operation = graphs.row(count)
        costs = cold.measured(operation)
        async with _ours(division, directory / str(count), say, operation.graph) as ours:
            idle_mb, ready_s = ours.running.resident_mb, ours.running.ready_s
            first_ms = await ours.first_ms(operation)
            course = await ours.asked(operation, FEW)
            before = (costs.compose, costs.load, costs.read, costs.plan)
            rows.append((count, *before, ready_s, idle_mb, first_ms, course.cpu_ms))
    return Table(
        name="types",
        title="Types in the schema",
        note=f"Entities of {graphs.SUBGRAPHS_OF_TYPES} subgraphs, each of two of them, {graphs.FIELDS} fields a type; the operation"
        f" asks for {graphs.IN_A_ROW + 1} in a row, each behind the one before. Composing, loading (the supergraph and its query graph), reading and"
        " planning in one process that does nothing else, CPU; the rest as a gateway that serves it. Idle RSS is that of a gateway"
        f" that has answered one small request; a request's CPU is over {FEW} connections.",
        columns=(
            *("types", "compose ms", "load ms", "parse and validate ms", "plan ms"),
            *("ready s", "idle RSS MB", "first request ms", "CPU ms"),
        ),
        rows=tuple(rows),
    )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is said of one column."""

    table: str
    column: str
    scale: float
    """From the column's unit to ``unit``."""
    unit: str
    """Of one more."""
    one: str


FITTED = (
    Fitted("entities", "CPU ms", 1000, "µs", "an entity"),
    Fitted("subgraphs", "CPU ms", 1000, "µs", "a subgraph"),
    Fitted("subgraphs", "plan ms", 1000, "µs", "a subgraph"),
    Fitted("connections", "CPU ms", 1000, "µs", "a connection"),
    Fitted("connections", "peak RSS MB", 1000, "KB", "a connection"),
    Fitted("types", "compose ms", 1, "ms", "a type"),
    Fitted("types", "load ms", 1, "ms", "a type"),
    Fitted("types", "plan ms", 1000, "µs", "a type"),
    Fitted("types", "idle RSS MB", 1000, "KB", "a type"),
    Fitted("types", "CPU ms", 1000, "µs", "a type"),
)


def grown(tables: Sequence[Table]) -> Table:
    by_name = {table.name: table for table in tables}
    rows: list[tuple[Cell, ...]] = []
    for each in FITTED:
        table = by_name[each.table]
        found = growth(points(table, each.column))
        exponent = power(points(table, each.column)).exponent if found.exponent and found.lawful else None
        rows.append((f"{table.title}: {each.column}", _said(found, each, table), found.miss * 100, exponent))
    return Table(
        name="growth",
        title="How it grows",
        note="A fixed cost and a power, fitted to the points below, both by relative error. A column whose dearest point is less"
        f" than a third above its cheapest does not grow; one of which a line misses no point by more than {LINEAR_MISS_MAX:.0%} is"
        f" linear; where a point is missed by more than {MISS_MAX:.0%}, no law is named. The best exponent is the one of the nearest"
        " power, also where a line is near enough.",
        columns=("what", "how it grows", "worst miss %", "best exponent"),
        rows=tuple(rows),
    )


def points(table: Table, column: str) -> list[tuple[float, float]]:
    """A column beside the first one, which says of how many."""
    at = table.columns.index(column)
    return [(row[0], row[at]) for row in table.rows if isinstance(row[0], int) and isinstance(row[at], int | float)]  # type: ignore[misc]


def _said(found: Growth, of: Fitted, table: Table) -> str:
    if not found.lawful:
        costs = [cost for _, cost in points(table, of.column)]
        return f"by no simple law: between {text(min(costs))} and {text(max(costs))} {of.column.rpartition(' ')[2]}"
    each, fixed = f"{text(found.each * of.scale)} {of.unit}", f"{text(found.fixed * of.scale)} {of.unit}"
    if found.exponent == 0:
        return f"does not: {fixed}"
    if found.exponent == 1:
        return f"linear: {fixed}, and {each} {of.one}"
    how = "less than linear" if found.exponent < 1 else "more than linear"
    return f"{how}: {fixed}, and {each} · n^{found.exponent:.2f}"


_PACE = ("requests/s", "p50 ms", "p99 ms")


def _pace(course: Course) -> tuple[float, float, float]:
    return course.per_second, course.latencies.p50, course.latencies.p99


class _Ours:
    """Our gateway in front of one graph."""

    def __init__(self, field: Field, running: Running) -> None:
        self._field = field
        self.running = running

    async def asked(self, operation: Operation, connections: int) -> Course:
        """Over and over. Raises WrongAnswer."""
        (course,) = await self._field.compare(operation, shares=False, connections=connections, slice_s=SLICE_S)
        if course.failure is not None:
            raise WrongAnswer(f"{operation.name}, {connections} connections: {course.failure}")
        return course

    async def first_ms(self, operation: Operation) -> float:
        """Once, by the clock: the system counts CPU in steps too large for one request."""
        question, line = Question(operation, await operation.answer()), Line(self.running.port)
        body, number = question.next()
        began = time.perf_counter()
        reply = await line.post(body)
        taken = time.perf_counter() - began
        line.close()
        question.check(reply, number)
        return taken * 1000


@asynccontextmanager
async def _ours(
    division: Cores, directory: Path, say: Say, graph: Graph = REVIEWS, first: Operation | None = None
) -> AsyncIterator[_Ours]:
    first = first or (TINY if graph is REVIEWS else graphs.first(graph))
    # Of ours there are two; this one shares nothing between requests.
    async with in_the_field(contenders()[:1], division, directory, say=say, graph=graph, first=first) as field:
        for why in field.failed.values():
            raise WrongAnswer(why)
        yield _Ours(field, field.running[0])
