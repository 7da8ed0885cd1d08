"""What there is to do before the first request is answered: composing, loading, reading and planning. In this process."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from gateway.config import Limits
from gateway.operation import normalise
from gateway.pipeline.documents import read
from gateway.planning.planner import Planner
from gateway.supergraph import Supergraph
from tests.benchmarks.rivals.world import Operation

PLANNINGS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Milliseconds of CPU."""

    compose: float
    load: float
    """Reading the supergraph and making its query graph."""
    read: float
    plan: float
    """The median, each by a planner that has planned nothing before."""


def measured(operation: Operation) -> Costs:
    """To be asked before the operation's graph is composed for anything else: it is composed once."""
    began = time.thread_time()
    sdl = operation.graph.supergraph({})
    composed = time.thread_time()
    supergraph = Planner(Supergraph.parse(sdl)).graph.supergraph
    loaded = time.thread_time()
    # What graphql-core makes of a schema when it is first used is made once.
    read(operation.document, supergraph.api_schema, Limits())
    warm = time.thread_time()
    document = read(operation.document, supergraph.api_schema, Limits())
    reading = time.thread_time() - warm
    taken: list[float] = []
    for _ in range(PLANNINGS):
        planner = Planner(supergraph)
        began_to_plan = time.thread_time()
        planner.plan(normalise(document.tree, None, supergraph.api_schema))
        taken.append(time.thread_time() - began_to_plan)
    return Costs(
        compose=(composed - began) * 1000,
        load=(loaded - composed) * 1000,
        read=reading * 1000,
        plan=statistics.median(taken) * 1000,
    )
