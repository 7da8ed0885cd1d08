"""Requirements that meet other directives, and entities that come again: each with the plan or the refusal it has to have."""

from __future__ import annotations

from graphql import parse

from gateway.composition import SubgraphSource, compose
from gateway.operation import normalise
from gateway.plan import QueryPlan
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from gateway.supergraph import Supergraph

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9",'
    ' import: ["@key", "@external", "@requires", "@override", "@shareable"])\n'
)


def composed(**subgraphs: str) -> tuple[Supergraph | None, list[str]]:
    result = compose([SubgraphSource(name, f"http://{name}", LINK + sdl) for name, sdl in subgraphs.items()])
    codes = sorted({each.published_code for each in result.errors})
    return (Supergraph.parse(result.supergraph) if result.supergraph else None), codes


def plan(query: str, **subgraphs: str) -> QueryPlan:
    supergraph, codes = composed(**subgraphs)
    assert supergraph is not None, codes
    operation = normalise(parse(query), None, supergraph.api_schema)
    found = Planner(supergraph).plan(operation)
    assert verify(found, operation, supergraph) == []
    return found


def test_a_field_that_requires_itself_is_refused() -> None:
    _, codes = composed(a='type Query { t: T } type T @key(fields: "id") { id: ID! x: Int @requires(fields: "x") }')
    assert codes == ["REQUIRES_FIELDS_MISSING_EXTERNAL"]


def test_two_fields_that_require_each_other_over_a_border_cannot_be_had() -> None:
    _, codes = composed(
        a='type Query { t: T } type T @key(fields: "id") { id: ID! y: Int @external x: Int @requires(fields: "y") }',
        b='type T @key(fields: "id") { id: ID! x: Int @external y: Int @requires(fields: "x") }',
    )
    assert codes == ["SATISFIABILITY_ERROR"]


def test_a_field_may_move_to_where_it_requires_something() -> None:
    found = plan(
        "{ t { x } }",
        a='type Query { t: T } type T @key(fields: "id") { id: ID! x: Int }',
        b='type T @key(fields: "id") { id: ID! v: Int! @external x: Int @override(from: "a") @requires(fields: "v") }',
        c='type T @key(fields: "id") { id: ID! v: Int! }',
    )
    assert [each.subgraph for each in found.fetches] == ["a", "c", "b"]
    assert [each.name for each in found.fetches[2].entities[0].representations[0].fields] == ["id", "v"]


def test_a_field_that_requires_something_cannot_move_away() -> None:
    _, codes = composed(
        a='type Query { t: T } type T @key(fields: "id") { id: ID! v: Int! @external x: Int @requires(fields: "v") }',
        b='type T @key(fields: "id") { id: ID! x: Int @override(from: "a") }',
        c='type T @key(fields: "id") { id: ID! v: Int! }',
    )
    assert "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE" in codes


def test_a_required_field_that_moved_is_taken_from_where_it_is_now() -> None:
    found = plan(
        "{ t { x } }",
        a='type Query { t: T } type T @key(fields: "id") { id: ID! v: Int! @external x: Int @requires(fields: "v") }',
        b='type T @key(fields: "id") { id: ID! v: Int! }',
        c='type T @key(fields: "id") { id: ID! v: Int! @override(from: "b") }',
    )
    assert [each.subgraph for each in found.fetches] == ["a", "c", "a"]


def test_a_key_field_that_moved_away_leaves_no_way_out() -> None:
    _, codes = composed(
        a='type Query { t: T } type T @key(fields: "id") { id: ID! }',
        b='type T @key(fields: "id") { id: ID! @override(from: "a") x: Int }',
    )
    assert codes == ["SATISFIABILITY_ERROR"]


def test_a_key_field_that_moved_is_no_loss_where_another_key_leads_on() -> None:
    found = plan(
        "{ t { x } }",
        a='type Query { t: T } type T @key(fields: "id") @key(fields: "sku") { id: ID! sku: ID! }',
        b='type T @key(fields: "id") @key(fields: "sku") { id: ID! @override(from: "a") sku: ID! x: Int }',
    )
    assert [each.name for each in found.fetches[1].entities[0].representations[0].fields] == ["sku"]


def test_the_same_leaves_of_an_entity_wanted_in_two_rounds_are_known_to_recur() -> None:
    found = plan(
        "{ a { stock peer { p { stock } } } }",
        a='type Query { a: P } type P @key(fields: "id") { id: ID! }',
        b='type P @key(fields: "id") { id: ID! stock: Int }',
        c='type Q @key(fields: "id") { id: ID! p: P } type P @key(fields: "id", resolvable: false) { id: ID! }',
        d='type P @key(fields: "id") { id: ID! peer: Q } type Q @key(fields: "id", resolvable: false) { id: ID! }',
    )
    assert [each.entities[0].recurs for each in found.fetches if each.subgraph == "b"] == [0, 0]
    assert {each.entities[0].recurs for each in found.fetches if each.subgraph in ("c", "d")} == {None}
