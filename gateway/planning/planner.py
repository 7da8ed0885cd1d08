"""``plan(operation)``: a few statements, each naming its intermediate form. The work is in the modules it calls."""

from __future__ import annotations

from typing import Final

from gateway.errors import PlanningFailed
from gateway.operation import Operation
from gateway.plan import QueryPlan
from gateway.planning.assemble import assemble
from gateway.planning.choices import Choices, Cost, Search
from gateway.planning.fetch_graph import FetchGraph
from gateway.planning.needs import of_operation
from gateway.planning.passes import Bundle, batch
from gateway.planning.passes.batch import depth
from gateway.planning.reach import Coverage, Reach
from gateway.planning.walk import Walk
from gateway.query_graph import build
from gateway.supergraph import Supergraph

WALKS_MAX: Final = 200
"""Walks a search may take."""
WORK_MAX: Final = 2_000
"""Wants they may look at altogether, about ten microseconds each: what bounds the planning of a large operation."""


class Planner:
    """Plans operations over one supergraph. Pure: the same operation always gives the same plan."""

    def __init__(self, supergraph: Supergraph) -> None:
        self.graph = build(supergraph)
        self.reach = Reach(self.graph)

    def plan(self, operation: Operation) -> QueryPlan:
        """The plan, or ``PlanningFailed`` when some field cannot be reached (then the supergraph was not satisfiable)."""
        needs = [
            of_operation(operation.block(block), self.graph.supergraph) for block in range(len(operation.deferrals) + 1)
        ]
        coverage = Coverage(self.graph, self.reach)

        def walk(choices: Choices) -> tuple[Cost, list[Bundle]]:
            fetches = Walk(self.graph, coverage, operation, needs, choices).run()
            bundles = batch(fetches)
            # What comes first must not come later for the sake of what is deferred.
            first = depth([bundle for bundle in bundles if not bundle.block])
            return (first, depth(bundles), len(bundles), _size(fetches)), bundles

        search = Search(walk, walks_max=WALKS_MAX, work_max=WORK_MAX)
        bundles = search.run()
        if bundles is None:
            raise PlanningFailed(f"No plan for this operation: {search.dead_end}")
        return assemble(self.graph, operation, bundles, truncated=search.truncated)


def _size(fetches: FetchGraph) -> int:
    return sum(len(fields) for group in fetches.groups for fields in group.tree.fields.values())
