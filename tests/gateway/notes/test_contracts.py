"""A contract's rules, each with the smallest graph that shows it."""

from __future__ import annotations

import pytest
from graphql import print_schema

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.contracts import contract_schema, tags_of
from gateway.errors import ContractInvalid
from gateway.supergraph import Supergraph

LINK = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key", "@tag", "@inaccessible"])
"""


def graph(sdl: str, link: str = LINK) -> Supergraph:
    result = compose([SubgraphSource("one", "http://one.invalid/graphql", link + sdl)])
    assert result.supergraph is not None, result.errors
    return Supergraph.parse(result.supergraph)


def view(sdl: str, include: str = "", exclude: str = "", *, hide_unreachable: bool = False) -> dict[str, set[str]]:
    """Type → its visible fields, values or members."""
    cut = contract_schema(graph(sdl), frozenset(include.split()), frozenset(exclude.split()), hide_unreachable)
    found: dict[str, set[str]] = {}
    for name, of in cut.api_schema.type_map.items():
        if not name.startswith("__") and name not in ("Boolean", "String", "Int", "Float", "ID"):
            found[name] = set(getattr(of, "fields", None) or getattr(of, "values", None) or ()) or {
                each.name for each in getattr(of, "types", ())
            }
    return found


def refused(sdl: str, include: str = "", exclude: str = "", *, hide_unreachable: bool = False) -> list[tuple[str, str]]:
    with pytest.raises(ContractInvalid) as caught:
        view(sdl, include, exclude, hide_unreachable=hide_unreachable)
    return [(error.published_code, error.message) for error in caught.value.errors]


def test_what_carries_an_excluded_tag_is_hidden() -> None:
    sdl = 'type Query { a: Int, b: Int @tag(name: "x"), c(p: Int @tag(name: "x"), q: Int): Int }'
    cut = contract_schema(graph(sdl), exclude=frozenset({"x"}))
    assert print_schema(cut.api_schema) == "type Query {\n  a: Int\n  c(q: Int): Int\n}"


def test_the_excluded_tag_wins_over_the_included() -> None:
    sdl = 'type Query { a: Int @tag(name: "in") @tag(name: "out"), b: Int @tag(name: "in") }'
    assert view(sdl, "in", "out") == {"Query": {"b"}}


def test_with_included_tags_a_field_needs_one() -> None:
    sdl = 'type Query { a: Int @tag(name: "in"), b: Int, c: Int @tag(name: "other") }'
    assert view(sdl, "in") == {"Query": {"a"}}
    assert view(sdl, "in other") == {"Query": {"a", "c"}}


def test_the_fields_of_a_type_carry_its_tags() -> None:
    sdl = """
    type Query { t: T @tag(name: "in"), u: U @tag(name: "out") }
    type T @tag(name: "in") { a: Int, b: Int @tag(name: "out") }
    type U @tag(name: "out") { a: Int }
    """
    assert view(sdl, "in", "out") == {"Query": {"t"}, "T": {"a"}}


def test_a_type_stays_for_one_field_and_goes_with_the_last() -> None:
    sdl = """
    type Query { t: T @tag(name: "in"), u: U }
    type T { a: Int @tag(name: "in"), b: Int }
    type U { a: Int }
    """
    assert view(sdl, "in") == {"Query": {"t"}, "T": {"a"}}


def test_enums_inputs_and_scalars_nobody_tagged_are_not_filtered() -> None:
    sdl = """
    scalar S
    enum E { A B @tag(name: "other") }
    input I { s: S, hidden: Int @tag(name: "other") }
    type Query { f(i: I, p: Int, q: Int @tag(name: "other")): E @tag(name: "in") }
    """
    assert view(sdl, "in") == {"Query": {"f"}, "E": {"A"}, "I": {"s"}, "S": set()}


def test_members_need_an_included_tag_where_somebody_gave_one() -> None:
    sdl = """
    enum E { A @tag(name: "in") B }
    input I { a: Int @tag(name: "in"), b: Int }
    input J @tag(name: "in") { a: Int, b: Int }
    type Query { f(i: I, j: J): E @tag(name: "in") }
    """
    assert view(sdl, "in") == {"Query": {"f"}, "E": {"A"}, "I": {"a"}, "J": {"a", "b"}}


UNION = """
union U = A | B
union V @tag(name: "in") = A | B
union Other @tag(name: "other") = A | B
union Unused = A | B
type A @tag(name: "in") { a: Int }
type B { b: Int }
type Query { u: U @tag(name: "in") }
"""


def test_a_union_without_a_tag_stays_where_a_field_returns_it_with_the_members_that_stay() -> None:
    assert view(UNION, "in") == {"Query": {"u"}, "A": {"a"}, "U": {"A"}, "V": {"A"}}


def test_a_union_goes_with_its_last_member() -> None:
    sdl = """
    union U = A
    type A @tag(name: "out") { a: Int }
    type Query { u: U @tag(name: "out"), ok: Int }
    """
    assert view(sdl, exclude="out") == {"Query": {"ok"}}


def test_a_field_hidden_on_an_interface_is_hidden_in_what_implements_it() -> None:
    sdl = """
    interface I { a: Int, secret(p: Int @tag(name: "out")): Int, gone: Int @tag(name: "out") }
    type A implements I { a: Int, secret(p: Int): Int, gone: Int }
    type Query { a: A }
    """
    cut = contract_schema(graph(sdl), exclude=frozenset({"out"}))
    assert set(cut.api_schema.type_map["A"].fields) == {"a", "secret"}  # type: ignore[attr-defined]
    assert not cut.api_schema.type_map["A"].fields["secret"].args  # type: ignore[attr-defined]


def test_a_required_argument_hidden_on_an_interface_is_refused_where_it_stands() -> None:
    sdl = """
    interface I { f(p: Int! @tag(name: "out")): Int }
    type A implements I { f(p: Int!): Int }
    type Query { a: A }
    """
    found = dict(message.split(":)", 1) for _, message in refused(sdl, exclude="out"))
    assert set(found) == {'"A.f(p', '"I.f(p'}
    assert found['"A.f(p'].endswith('take "out" from what "A.f(p:)" implements.')


def test_a_hidden_interface_leaves_its_implementations_their_fields() -> None:
    sdl = """
    interface I @tag(name: "out") { a: Int }
    type A implements I { a: Int }
    type Query { a: A }
    """
    assert view(sdl, exclude="out") == {"Query": {"a"}, "A": {"a"}}


def test_a_field_hidden_while_its_interface_shows_it_is_refused() -> None:
    sdl = """
    interface I { a: Int, b: Int }
    type A implements I { a: Int @tag(name: "out"), b: Int }
    type Query { i: I }
    """
    ((code, message),) = refused(sdl, exclude="out")
    assert code == "IMPLEMENTED_BY_INACCESSIBLE"
    assert message == (
        '"A.a": is hidden, but implements the visible "I.a", because it carries the excluded tag "out": '
        'tag "I.a" with "out" too or take "out" from "A.a".'
    )


def test_what_is_required_must_stay() -> None:
    sdl = """
    input I { a: Int! @tag(name: "out"), b: Int! = 1 @tag(name: "out"), c: Int }
    type Query { f(i: I, p: Int! @tag(name: "out"), q: Int @tag(name: "out")): Int }
    """
    found = refused(sdl, exclude="out")
    assert [code for code, _ in found] == ["REQUIRED_INACCESSIBLE", "REQUIRED_INACCESSIBLE"]
    assert found[0][1] == (
        '"I.a": is hidden but required, so clients could never give it, because it carries the excluded tag "out": '
        'make it optional, give it a default or take "out" from "I.a".'
    )
    assert '"Query.f(p:)"' in found[1][1]


def test_every_fault_is_told_with_its_cause_and_the_way_out() -> None:
    sdl = """
    type T @tag(name: "out") { a: Int }
    input I @tag(name: "out") { a: Int }
    type Query { t: T, u: T, f(i: I): Int }
    """
    found = refused(sdl, exclude="out")
    assert [code for code, _ in found] == ["REFERENCED_INACCESSIBLE"] * 3
    assert [message.partition(":")[0] for _, message in found] == ['"Query.f(i', '"Query.t"', '"Query.u"']
    assert found[1][1] == (
        '"Query.t": is visible, but its type "T" is hidden, because it carries the excluded tag "out": '
        'tag "Query.t" with "out" too or take "out" from "T".'
    )


def test_an_included_field_whose_type_has_nothing_included_is_refused() -> None:
    ((code, message),) = refused('type Query { t: T @tag(name: "in") } type T { a: Int }', "in")
    assert code == "REFERENCED_INACCESSIBLE"
    assert 'because nothing in it is visible: hide "Query.t" too or tag something in "T" with "in".' in message


def test_a_default_must_not_use_what_is_hidden() -> None:
    sdl = """
    enum E { A B @tag(name: "out") }
    input I { e: [E] = [A, B] }
    type Query { f(e: E = B, i: I = {e: B}): Int }
    """
    assert [code for code, _ in refused(sdl, exclude="out")] == ["DEFAULT_VALUE_USES_INACCESSIBLE"] * 3


def test_a_view_needs_a_query() -> None:
    ((code, message),) = refused("type Query { a: Int }", "nobody")
    assert code == "QUERY_ROOT_TYPE_INACCESSIBLE"
    assert 'tag something in "Query" with "nobody"' in message


def test_a_mutation_without_fields_is_no_mutation() -> None:
    sdl = 'type Query { a: Int } type Mutation { b: Int @tag(name: "out") }'
    assert view(sdl, exclude="out") == {"Query": {"a"}}


def test_a_tag_is_included_or_excluded() -> None:
    ((code, _),) = refused("type Query { a: Int }", "x", "x")
    assert code == "INPUT_VALIDATION"


REACH = """
interface Node { id: ID, owner: Owner }
interface Wide { wide: Int }
type Owner { name: String }
type A implements Node & Wide { id: ID, owner: Owner, wide: Int }
type OtherWide implements Wide { wide: Int }
type Lonely { l: LonelyScalar }
scalar LonelyScalar
enum Order { UP DOWN }
input Filter { order: Order }
type Query { node(filter: Filter): Node, lonely: Lonely @tag(name: "out") }
"""


def test_what_nothing_visible_leads_to_is_hidden_on_request() -> None:
    assert "Lonely" in view(REACH, exclude="out")
    found = view(REACH, exclude="out", hide_unreachable=True)
    assert set(found) == {"Query", "Node", "A", "Wide", "Owner", "Filter", "Order"}


def test_what_is_inaccessible_stays_so() -> None:
    sdl = 'type Query { a: Int @inaccessible @tag(name: "in"), b: Int @tag(name: "in") }'
    assert view(sdl, "in") == {"Query": {"b"}}


def test_without_tags_a_view_is_the_whole() -> None:
    whole = graph(UNION)
    assert print_schema(contract_schema(whole).api_schema) == print_schema(whole.api_schema)


def test_a_renamed_tag_directive_is_the_same_directive() -> None:
    whole = graph(
        'type Query { a: Int @label(name: "out"), b: Int }',
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: [{name: "@tag", as: "@label"}])\n',
    )
    assert tags_of(whole) == {"out"}
    assert set(contract_schema(whole.sdl, exclude=frozenset({"out"})).api_schema.query_type.fields) == {"b"}  # type: ignore[union-attr]


def test_a_renamed_inaccessible_directive_hides_as_well() -> None:
    whole = graph(
        'type Query { a: Int @tag(name: "out"), b: Int, c: Int @hide }',
        'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",'
        ' import: ["@tag", {name: "@inaccessible", as: "@hide"}])\n',
    )
    assert set(whole.api_schema.query_type.fields) == {"a", "b"}  # type: ignore[union-attr]
    assert set(contract_schema(whole, exclude=frozenset({"out"})).api_schema.query_type.fields) == {"b"}  # type: ignore[union-attr]


def test_only_the_api_schema_is_narrowed() -> None:
    whole = graph('type Query { a: Int, b: Int @tag(name: "out") }')
    cut = contract_schema(whole, exclude=frozenset({"out"}))
    assert cut.fields is whole.fields
    assert cut.subgraphs is whole.subgraphs
