"""Composing the five subgraphs, and planning each named operation with nothing remembered. In this process, by its CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from gateway.composition import SubgraphSource, compose
from gateway.config import Limits
from gateway.operation import normalise
from gateway.pipeline.documents import read
from gateway.plan import depth, fetch_count
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.benchmarks.meters import Latencies
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.site import SCHEMA, Site

COMPOSITIONS = 5
PLANNINGS = 20

T = TypeVar("T")


async def measure(site: Site) -> tuple[Table, ...]:
    sdl, composing = _timed(COMPOSITIONS, _compose)
    planner, reading = _timed(COMPOSITIONS, lambda: Planner(Supergraph.parse(sdl)))
    supergraph = planner.graph.supergraph
    rows: list[tuple[Cell, ...]] = [
        ("compose the five subgraphs", None, None, *_percentiles(composing), None, None),
        ("read the supergraph, make its query graph", None, None, *_percentiles(reading), None, None),
    ]
    everything: list[float] = []
    everything_read: list[float] = []
    for file in sorted((SCHEMA / "operations").rglob("*.graphql")):
        site.say(f"planning {file.stem}")
        text = file.read_text()
        document, validating = _timed(PLANNINGS, lambda text=text: read(text, supergraph.api_schema, Limits()))  # type: ignore[misc]
        operation = document.operations[0]
        taken: list[float] = []
        for _ in range(PLANNINGS):
            # A planner remembers what it learned of the graph; a new one is as cold as a gateway that just started.
            planner = Planner(supergraph)
            name = operation.name.value if operation.name else None
            began = time.thread_time()
            plan = planner.plan(normalise(document.tree, name, supergraph.api_schema))
            taken.append(time.thread_time() - began)
        everything += taken
        everything_read += validating
        shape = (fetch_count(plan), depth(plan))
        path = file.relative_to(SCHEMA / "operations").with_suffix("").as_posix()
        rows.append((path, *shape, *_percentiles(taken), *_percentiles(validating)))
    rows.insert(2, ("**all operations**", None, None, *_percentiles(everything), *_percentiles(everything_read)))
    table = Table(
        name="planning",
        title="Composition and cold plans",
        note=f"CPU milliseconds in one process that does nothing else. Each operation of `schema/operations` is planned"
        f" {PLANNINGS} times by a planner that has planned nothing before, so p99 of a single one is its"
        " slowest. All fields are planned; who may not see some of them has fewer fetches. A gateway parses, validates and"
        " plans a document once and then remembers it.",
        columns=(
            *("what", "fetches", "rounds", "p50 ms", "p99 ms"),
            *("parse and validate, p50 ms", "parse and validate, p99 ms"),
        ),
        rows=tuple(rows),
    )
    return (table,)


def _compose() -> str:
    sources = [
        SubgraphSource(file.stem, f"http://127.0.0.1/{file.stem}", file.read_text())
        for file in sorted((SCHEMA / "subgraphs").glob("*.graphql"))
    ]
    assert len(sources) == 5
    supergraph = compose(sources).supergraph
    assert supergraph is not None, "the subgraphs do not compose"
    return supergraph


def _timed(times: int, work: Callable[[], T]) -> tuple[T, list[float]]:
    """The last result, and the CPU seconds of each time."""
    taken: list[float] = []
    for _ in range(times):
        began = time.thread_time()
        found = work()
        taken.append(time.thread_time() - began)
    return found, taken


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    found = Latencies.of(seconds)
    return found.p50, found.p99
