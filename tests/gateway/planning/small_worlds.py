"""Opens the small supergraphs of ``worlds/`` (or any few subgraphs), composes them and plans operations over them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from graphql import parse, validate

from gateway.composition.compose import SubgraphSource, compose
from gateway.incremental import with_directives
from gateway.operation import Operation, normalise
from gateway.plan import QueryPlan
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from gateway.supergraph import Supergraph

HERE = Path(__file__).parent
WORLDS = tuple(sorted(path.stem for path in (HERE / "worlds").glob("*.graphql")))
LINK = """extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external",
  "@requires", "@provides", "@override", "@interfaceObject", "@inaccessible"])
"""


SubgraphTexts: TypeAlias = tuple[tuple[str, str], ...]
"""Name and SDL of each subgraph, without the link to federation."""


@lru_cache
def subgraphs_of(world: str) -> SubgraphTexts:
    text = (HERE / "worlds" / f"{world}.graphql").read_text()
    _, *parts = re.split(r"^# subgraph (\w+)$", text, flags=re.MULTILINE)
    return tuple(zip(parts[::2], parts[1::2], strict=True))


@lru_cache
def composed(subgraphs: SubgraphTexts) -> str:
    """The supergraph SDL of these subgraphs."""
    result = compose([SubgraphSource(name, f"http://{name}.invalid", LINK + sdl) for name, sdl in subgraphs])
    assert not result.errors, [str(error) for error in result.errors]
    assert result.supergraph is not None
    return result.supergraph


@lru_cache
def supergraph_over(subgraphs: SubgraphTexts) -> Supergraph:
    return Supergraph.parse(composed(subgraphs))


@lru_cache
def planner_over(subgraphs: SubgraphTexts) -> Planner:
    return Planner(supergraph_over(subgraphs))


def normalised_over(subgraphs: SubgraphTexts, text: str, name: str | None = None) -> Operation:
    """A valid client operation in normal form."""
    schema = with_directives(supergraph_over(subgraphs).api_schema)
    document = parse(text)
    assert validate(schema, document) == []
    return normalise(document, name, schema, deferred_max=20)


def planned_over(subgraphs: SubgraphTexts, text: str) -> QueryPlan:
    """The plan of an operation; a plan that ``verify`` finds fault with fails the test."""
    operation = normalised_over(subgraphs, text)
    plan = planner_over(subgraphs).plan(operation)
    assert verify(plan, operation, supergraph_over(subgraphs)) == []
    return plan


def sdl_of(world: str) -> str:
    """The composed supergraph SDL of one world."""
    return composed(subgraphs_of(world))


def supergraph_of(world: str) -> Supergraph:
    return supergraph_over(subgraphs_of(world))


def planner_of(world: str) -> Planner:
    return planner_over(subgraphs_of(world))


def normalised(world: str, text: str, name: str | None = None) -> Operation:
    return normalised_over(subgraphs_of(world), text, name)


def planned(world: str, text: str) -> QueryPlan:
    return planned_over(subgraphs_of(world), text)


def documents(plan: QueryPlan, subgraph: str) -> list[str]:
    """What the plan sends to a subgraph, in order."""
    fetches = [*([plan.subscription] if plan.subscription else []), *plan.fetches]
    return [fetch.document for fetch in fetches if fetch.subgraph == subgraph]
