"""Inputs that are built once: which objects resolvers get, and that they are what the library would have built.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Any

import pytest
import strawberry

from subgraphs.chassis.graphql import GeoPointInput, Info, ServiceContext, build_schema
from subgraphs.chassis.identity import ANONYMOUS, Identity, RequestContext
from subgraphs.chassis.inputs import built_once
from subgraphs.chassis.loaders import Loaders

SEEN: list[Any] = []


@built_once
@strawberry.input
class Where:
    near: GeoPointInput | None
    within_km: float = 50.0
    names: list[str] | None = None


@strawberry.input
class Plain:
    near: GeoPointInput | None
    within_km: float = 50.0
    names: list[str] | None = None


@strawberry.type
class Item:
    @strawberry.field
    def found(self, info: Info, where: Where | None = None) -> bool:
        SEEN.append(where)
        return True

    @strawberry.field
    def plain(self, info: Info, where: Plain | None = None) -> bool:
        SEEN.append(where)
        return True


@strawberry.type
class Query:
    @strawberry.field
    def items(self) -> list[Item]:
        return [Item(), Item(), Item()]


SCHEMA = build_schema(Query)


async def run(document: str, where: dict[str, Any]) -> list[Any]:
    SEEN.clear()
    context = ServiceContext(Identity(ANONYMOUS, RequestContext(), "gateway"), None, Loaders(), "test")
    answer = await SCHEMA.execute(document, {"where": where}, context_value=context)
    assert answer.errors is None
    return list(SEEN)


async def test_one_variable_is_one_object_however_many_are_given_it() -> None:
    first, second, third = await run("query ($where: Where) { items { found(where: $where) } }", {"withinKm": 7.0})
    assert first is second is third
    assert first == Where(near=None, within_km=7.0)


async def test_where_a_context_outlives_its_operation_nothing_is_kept_for_the_next() -> None:
    document = "query ($where: Where) { items { found(where: $where) } }"
    context = ServiceContext(Identity(ANONYMOUS, RequestContext(), "gateway"), None, Loaders(remember=False), "test")
    where, seen = {"withinKm": 7.0}, []
    for _ in range(2):
        SEEN.clear()
        await SCHEMA.execute(document, {"where": where}, context_value=context)
        seen.append(SEEN[0])
    assert seen[0] == seen[1]
    assert seen[0] is not seen[1]


@pytest.mark.parametrize(
    "given",
    [{}, {"near": None}, {"near": {"lat": 1.5, "lng": 2}}, {"names": ["a"], "withinKm": 3}, {"names": None}],
)
async def test_it_is_what_the_library_builds(given: dict[str, Any]) -> None:
    own = await run("query ($where: Where) { items { found(where: $where) } }", given)
    library = await run("query ($where: Plain) { items { plain(where: $where) } }", given)
    assert vars(own[0]) == vars(library[0])
