"""``plan(operation)``: a few statements, each naming its intermediate form. The work is in the modules it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.errors import PlanningFailed
from gateway.operation import Operation
from gateway.plan import QueryPlan
from gateway.planning.assemble import assemble
from gateway.planning.choices import Choices, Cost, Search
from gateway.planning.fetch_graph import FetchGraph
from gateway.planning.needs import Needs, fragile, of_operation
from gateway.planning.passes import Bundle, batch
from gateway.planning.passes.batch import depth
from gateway.planning.reach import Coverage, Reach
from gateway.planning.walk import Walk
from gateway.query_graph import QueryGraph, build
from gateway.supergraph import Supergraph

WALKS_MAX: Final = 200
"""Walks a search may take."""
WORK_MAX: Final = 2_000
"""Wants they may look at altogether, about ten microseconds each: what bounds the planning of a large operation."""

MakeWalk: TypeAlias = Callable[[QueryGraph, Coverage, Operation, Sequence[Needs], Choices], Walk]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came back with: the walk worth keeping, and how much was looked at to find it."""

    walk: Walk
    bundles: list[Bundle]
    cost: Cost
    walks: int
    work: int
    truncated: bool


class Planner:
    """Plans operations over one supergraph. Pure: the same operation always gives the same plan."""

    def __init__(self, supergraph: Supergraph) -> None:
        self.graph = build(supergraph)
        self.reach = Reach(self.graph)

    def plan(self, operation: Operation) -> QueryPlan:
        """The plan, or ``PlanningFailed`` when some field cannot be reached (then the supergraph was not satisfiable)."""
        found = self.search(operation)
        return assemble(self.graph, operation, found.bundles, truncated=found.truncated)

    def search(
        self, operation: Operation, make: MakeWalk = Walk, *, walks_max: int = WALKS_MAX, work_max: int = WORK_MAX
    ) -> Found:
        """The cheapest walk, or ``PlanningFailed``; walks are made by ``make``, so one may watch or steer them."""
        needs = [
            of_operation(operation.block(block), self.graph.supergraph) for block in range(len(operation.deferrals) + 1)
        ]
        operation.keys.fragile = fragile(needs, self.graph)
        coverage = Coverage(self.graph, self.reach)

        def walk(choices: Choices) -> tuple[Cost, tuple[Walk, list[Bundle], Cost]]:
            walked = make(self.graph, coverage, operation, needs, choices)
            fetches = walked.run()
            bundles = batch(fetches)
            # What comes first must not come later for the sake of what is deferred.
            first = depth([bundle for bundle in bundles if not bundle.block])
            cost = (first, depth(bundles), len(bundles), _size(fetches))
            return cost, (walked, bundles, cost)

        search = Search(walk, walks_max=walks_max, work_max=work_max)
        best = search.run()
        if best is None:
            raise PlanningFailed(f"No plan for this operation: {search.dead_end}")
        walked, bundles, cost = best
        return Found(
            walk=walked,
            bundles=bundles,
            cost=cost,
            walks=search.walks,
            work=search.work,
            truncated=search.truncated,
        )


def _size(fetches: FetchGraph) -> int:
    return sum(len(fields) for group in fetches.groups for fields in group.tree.fields.values())
