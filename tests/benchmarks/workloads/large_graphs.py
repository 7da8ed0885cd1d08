"""Planning one operation of 200 fields while the graph grows from 2 to 64 subgraphs. In this process, by its CPU time.

The graphs are drawn from a fixed seed: ten entities in a ring, each field shared by up to half of the subgraphs, so that
there is something to choose at every step; the operation asks for all twenty fields of ten entities in a row.
"""

from __future__ import annotations

import time
import tracemalloc
from random import Random

from graphql import parse

from gateway.composition import SubgraphSource, compose
from gateway.operation import normalise
from gateway.plan import depth, fetch_count
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.benchmarks.meters import Latencies
from tests.benchmarks.results import Cell, Table
from tests.benchmarks.site import Site

SUBGRAPHS = (2, 4, 8, 16, 20, 32, 64)
ENTITIES = 10
FIELDS = 20
PLANNINGS = 10
LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])'


async def measure(site: Site) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    for count in SUBGRAPHS:
        site.say(f"planning over {count} subgraphs")
        rows.append((f"{count} subgraphs", *_measured(count)))
    table = Table(
        name="large_graphs",
        title="Cold plans of 200 fields as the graph grows",
        note=f"CPU milliseconds in one process that does nothing else; {ENTITIES} entities in a ring, {FIELDS} fields each, every"
        f" field shared by up to half of the subgraphs. {PLANNINGS} plannings, each by a planner that has planned nothing"
        " before. Cut short says that the search stopped at its budget: the plan is sound, a better one may exist.",
        columns=("graph", "fetches", "rounds", "p50 ms", "p99 ms", "peak MB", "cut short", "compose ms"),
        rows=tuple(rows),
    )
    return (table,)


def _measured(count: int) -> tuple[Cell, ...]:
    began = time.thread_time()
    sdl = compose(_graph(count)).supergraph
    composing = (time.thread_time() - began) * 1000
    assert sdl is not None, "the graph does not compose"
    supergraph = Supergraph.parse(sdl)
    document = parse(_operation())
    taken: list[float] = []
    for _ in range(PLANNINGS):
        planner = Planner(supergraph)
        began = time.thread_time()
        plan = planner.plan(normalise(document, None, supergraph.api_schema))
        taken.append(time.thread_time() - began)
    tracemalloc.start()
    Planner(supergraph).plan(normalise(document, None, supergraph.api_schema))
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    found = Latencies.of(taken)
    return fetch_count(plan), depth(plan), found.p50, found.p99, peak, "yes" if plan.truncated else "no", composing


def _graph(count: int) -> list[SubgraphSource]:
    random = Random(1)
    names = [f"s{number}" for number in range(count)]
    owners = {
        (entity, field): set(random.sample(names, max(1, int(count * 0.5 * random.random()))))
        for entity in range(ENTITIES)
        for field in range(FIELDS)
    }
    return [SubgraphSource(name, f"http://{name}", _subgraph(name, names, owners, random)) for name in names]


def _subgraph(name: str, names: list[str], owners: dict[tuple[int, int], set[str]], random: Random) -> str:
    parts = [LINK]
    roots = []
    for entity in range(ENTITIES):
        home = names[entity % len(names)] == name
        fields = [f"f{field}: String @shareable" for field in range(FIELDS) if name in owners[entity, field]]
        if home or random.random() < 0.3:
            fields.append(f"next: T{(entity + 1) % ENTITIES} @shareable")
        parts.append(f'type T{entity} @key(fields: "id") {{ id: ID! {" ".join(fields)} }}')
        if home:
            roots.append(f"t{entity}: T{entity}")
    parts.append(f"type Query {{ {' '.join(roots) or f'{name}: Int'} }}")
    return "\n".join(parts)


def _operation() -> str:
    leaves = " ".join(f"f{field}" for field in range(FIELDS))
    return f"{{ t0 {f'{{ {leaves} next ' * (ENTITIES - 1)}{{ {leaves} }}{' }' * (ENTITIES - 1)} }}"
