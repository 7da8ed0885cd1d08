"""What the size of a schema costs: 100 to 5,000 types over five subgraphs, one operation of the same size. In this process.

Every type is an entity of two subgraphs with ten fields and a link to the next, so that composition has to prove ever more
reachable and the operation (ten entities in a row) is the same whatever else there is.
"""

from __future__ import annotations

import time
import tracemalloc

from gateway.composition import SubgraphSource, compose
from gateway.config import Limits
from gateway.operation import normalise
from gateway.pipeline.documents import read
from gateway.plan import fetch_count
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.benchmarks.meters import Latencies
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.site import Site

TYPES = (100, 500, 1_000, 5_000)
SUBGRAPHS = 5
FIELDS = 10
IN_A_ROW = 10
PLANNINGS = 10
LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])'


async def measure(site: Site) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    for count in TYPES:
        site.say(f"a schema of {count:,} types")
        rows.append((f"{count:,} types", *_measured(count)))
    table = Table(
        name="schema_size",
        title="The size of a schema",
        note=f"CPU milliseconds in one process that does nothing else; {SUBGRAPHS} subgraphs, {FIELDS} fields a type, the operation"
        f" asks for {IN_A_ROW} entities in a row. Loading is reading the supergraph and making its query graph; memory is what"
        f" Python allocates for that and keeps. {PLANNINGS} plannings, each by a planner that has planned nothing before.",
        columns=("schema", "compose ms", "load ms", "memory MB", "parse and validate ms", "fetches", "plan p50 ms"),
        rows=tuple(rows),
    )
    return (table,)


def _measured(count: int) -> tuple[Cell, ...]:
    began = time.thread_time()
    sdl = compose(_graph(count)).supergraph
    composing = (time.thread_time() - began) * 1000
    assert sdl is not None, "the graph does not compose"
    began = time.thread_time()
    Planner(Supergraph.parse(sdl))
    loading = (time.thread_time() - began) * 1000
    tracemalloc.start()
    kept = Planner(Supergraph.parse(sdl))
    memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    supergraph = kept.graph.supergraph
    text = _operation()
    # What graphql-core makes of a schema when it is first used is made once.
    read(text, supergraph.api_schema, Limits())
    began = time.thread_time()
    document = read(text, supergraph.api_schema, Limits())
    reading = (time.thread_time() - began) * 1000
    taken: list[float] = []
    for _ in range(PLANNINGS):
        planner = Planner(supergraph)
        began = time.thread_time()
        plan = planner.plan(normalise(document.tree, None, supergraph.api_schema))
        taken.append(time.thread_time() - began)
    return composing, loading, memory, reading, fetch_count(plan), Latencies.of(taken).p50


def _graph(count: int) -> list[SubgraphSource]:
    sdls = {number: [LINK] for number in range(SUBGRAPHS)}
    sdls[0].append("type Query { first: T0 }")
    for number in range(count):
        home, other = number % SUBGRAPHS, (number + 1) % SUBGRAPHS
        fields = " ".join(f"f{each}: String" for each in range(FIELDS))
        following = f"next: T{number + 1}" if number + 1 < count else ""
        sdls[home].append(f'type T{number} @key(fields: "id") {{ id: ID! {fields} {following} }}')
        sdls[other].append(f'type T{number} @key(fields: "id") {{ id: ID! extra: Int }}')
        if following and (number + 1) % SUBGRAPHS != home and (number + 2) % SUBGRAPHS != home:
            sdls[home].append(f'type T{number + 1} @key(fields: "id", resolvable: false) {{ id: ID! }}')
    return [SubgraphSource(f"s{number}", f"http://s{number}", "\n".join(lines)) for number, lines in sdls.items()]


def _operation() -> str:
    text = ""
    for _ in range(IN_A_ROW):
        text = f"{{ f0 f1 f2 extra next {text} }}" if text else "{ f0 f1 f2 extra }"
    return f"{{ first {text} }}"
