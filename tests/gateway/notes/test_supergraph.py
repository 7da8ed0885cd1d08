"""Reading a supergraph SDL."""

from __future__ import annotations

import pytest
from graphql import GraphQLObjectType, print_schema

from gateway.errors import SupergraphInvalid
from gateway.plan import OperationKind
from gateway.supergraph import Supergraph

HEAD = """
schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) {
  query: Query
}
directive @join__type(graph: join__Graph!, key: String, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | SCALAR
directive @authenticated on FIELD_DEFINITION | OBJECT
directive @shout(loud: Boolean) on FIELD
scalar join__FieldSet
enum join__Graph { A @join__graph(name: "a", url: "http://a.invalid") B @join__graph(name: "b", url: "http://b.invalid") }
"""
BODY = """
type Query @join__type(graph: A) @join__type(graph: B) {
  tree: Tree @join__field(graph: A)
  found: [Found!]! @join__field(graph: B)
}
type Tree implements Plant
  @join__implements(graph: A, interface: "Plant")
  @join__type(graph: A, key: "id") @join__type(graph: B, key: "id", resolvable: false) @authenticated {
  id: ID!
  age: Int @join__field(graph: A) @join__field(graph: B, external: true)
  secret: Int @inaccessible @join__field(graph: A)
  wood: String @join__field(graph: B, requires: "age") @requiresScopes(scopes: [["wood:read", "x"], ["admin"]])
  height: Float @join__field(graph: B, override: "a") @join__field(graph: A, usedOverridden: true)
  shade: Int @join__field
}
interface Plant @join__type(graph: A) @join__type(graph: B, key: "id", isInterfaceObject: true) {
  id: ID!
  shade: Int @join__field(graph: B)
}
union Found @join__type(graph: A) @join__type(graph: B) @join__unionMember(graph: B, member: "Tree") = Tree
enum Kind @join__type(graph: A) { OAK  HIDDEN @inaccessible }
"""


@pytest.fixture(scope="module")
def supergraph() -> Supergraph:
    return Supergraph.parse(HEAD + BODY)


def test_subgraphs_are_known_by_name_and_address(supergraph: Supergraph) -> None:
    assert [(each.name, each.url) for each in supergraph.subgraphs.values()] == [
        ("a", "http://a.invalid"),
        ("b", "http://b.invalid"),
    ]
    assert supergraph.subgraphs["a"].roots == {OperationKind.QUERY: "Query"}


def test_a_field_without_join_field_is_everywhere_its_type_is(supergraph: Supergraph) -> None:
    assert supergraph.owners("Tree", "id") == ("a", "b")


def test_external_and_overridden_fields_are_not_owned(supergraph: Supergraph) -> None:
    assert supergraph.owners("Tree", "age") == ("a",)
    assert supergraph.owners("Tree", "height") == ("b",)


def test_an_interface_object_owns_its_fields_of_the_implementations(supergraph: Supergraph) -> None:
    assert supergraph.owners("Tree", "shade") == ("b",)


def test_keys_say_whether_they_resolve(supergraph: Supergraph) -> None:
    assert [key.resolvable for key in supergraph.subgraphs["a"].types["Tree"].keys] == [True]
    assert [key.resolvable for key in supergraph.subgraphs["b"].types["Tree"].keys] == [False]


def test_members_are_those_of_the_subgraph(supergraph: Supergraph) -> None:
    assert supergraph.subgraphs["b"].possible["Found"] == ("Tree",)
    assert supergraph.subgraphs["a"].possible["Found"] == ()
    assert supergraph.subgraphs["a"].possible["Plant"] == ("Tree",)


def test_authorization_is_indexed_by_coordinate(supergraph: Supergraph) -> None:
    assert supergraph.authenticated == {"Tree"}
    assert supergraph.required_scopes == {"Tree.wood": (("wood:read", "x"), ("admin",))}


def test_the_api_schema_has_no_machinery_and_nothing_inaccessible(supergraph: Supergraph) -> None:
    printed = print_schema(supergraph.api_schema)
    assert not any(word in printed for word in ("join__", "secret", "HIDDEN", "authenticated", "requiresScopes"))
    assert "directive @shout" in printed
    tree = supergraph.api_schema.type_map["Tree"]
    assert isinstance(tree, GraphQLObjectType)
    assert list(tree.fields) == ["id", "age", "wood", "height", "shade"]


@pytest.mark.parametrize(
    ("sdl", "message"),
    [
        ("type Query {", "does not parse"),
        ("type Query { a: Int }", "no @link to the join specification"),
        (HEAD.replace("join/v0.3", "join/v0.1") + BODY, "v0.1 is not supported"),
        (HEAD.replace("enum join__Graph {", "enum other {") + BODY, "join__Graph"),
        (HEAD.replace('B @join__graph(name: "b", url: "http://b.invalid")', "B") + BODY, "carries no @join__graph"),
        (HEAD + BODY.replace("type Query", "type Other"), "root type Query is not defined"),
        (HEAD + BODY.replace('requires: "age"', 'requires: "age {"'), "not a field set"),
        (HEAD + BODY.replace("tree: Tree", "tree: Absent"), "API schema"),
    ],
)
def test_what_is_no_supergraph_is_refused_with_a_reason(sdl: str, message: str) -> None:
    with pytest.raises(SupergraphInvalid, match=message):
        Supergraph.parse(sdl)
