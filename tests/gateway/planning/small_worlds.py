"""Opens the small supergraphs of ``worlds/`` (composed from their subgraphs) and plans operations over them."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

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


@lru_cache
def sdl_of(world: str) -> str:
    """The composed supergraph SDL of one world."""
    text = (HERE / "worlds" / f"{world}.graphql").read_text()
    _, *parts = re.split(r"^# subgraph (\w+)$", text, flags=re.MULTILINE)
    sources = [
        SubgraphSource(name, f"http://{name}.invalid", LINK + sdl)
        for name, sdl in zip(parts[::2], parts[1::2], strict=True)
    ]
    result = compose(sources)
    assert not result.errors, [str(error) for error in result.errors]
    assert result.supergraph is not None
    return result.supergraph


@lru_cache
def supergraph_of(world: str) -> Supergraph:
    return Supergraph.parse(sdl_of(world))


@lru_cache
def planner_of(world: str) -> Planner:
    return Planner(supergraph_of(world))


def normalised(world: str, text: str, name: str | None = None) -> Operation:
    """A valid client operation in normal form."""
    schema = with_directives(supergraph_of(world).api_schema)
    document = parse(text)
    assert validate(schema, document) == []
    return normalise(document, name, schema, deferred_max=20)


def planned(world: str, text: str) -> QueryPlan:
    """The plan of an operation; a plan that ``verify`` finds fault with fails the test."""
    operation = normalised(world, text)
    plan = planner_of(world).plan(operation)
    assert verify(plan, operation, supergraph_of(world)) == []
    return plan


def documents(plan: QueryPlan, subgraph: str) -> list[str]:
    """What the plan sends to a subgraph, in order."""
    fetches = [*([plan.subscription] if plan.subscription else []), *plan.fetches]
    return [fetch.document for fetch in fetches if fetch.subgraph == subgraph]
