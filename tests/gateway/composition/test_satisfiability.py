"""Every client path can be answered, or the error shows an operation that cannot, and names the missing link."""

from __future__ import annotations

from graphql import build_schema, parse, validate

from tests.gateway.composition.building import codes, composed

UNREACHABLE = {
    "one": 'type Query { t(id: ID!): T } type T @key(fields: "id") { id: ID! }',
    "two": 'type T @key(fields: "code") { code: String! price: Int }',
}


def test_a_field_without_a_way_to_it_is_reported_with_a_witness_that_is_a_valid_operation() -> None:
    result = composed(**UNREACHABLE)
    price = next(error for error in result.errors if error.coordinate == "T.price")
    assert price.published_code == "SATISFIABILITY_ERROR"
    witness = price.message[price.message.index("query {") : price.message.index("\n- ")]
    schema = build_schema("type Query { t(id: ID!): T } type T { id: ID! code: String! price: Int }")
    assert validate(schema, parse(witness)) == []
    assert "price" in witness


def test_the_error_names_the_missing_key_field_and_the_subgraphs_between() -> None:
    price = next(error for error in composed(**UNREACHABLE).errors if error.coordinate == "T.price")
    assert price.subgraphs == ("one", "two")
    assert '@key(fields: "code")' in price.message
    assert 'add "code" to "T" in "one"' in price.message


def test_a_type_without_a_key_cannot_be_entered() -> None:
    result = composed(one="type Query { t: T } type T { a: Int }", two="type T { b: Int }")
    (error,) = result.errors
    assert error.coordinate == "T.b"
    assert "no resolvable @key" in error.message


def test_every_unreachable_field_is_reported() -> None:
    result = composed(one="type Query { t: T } type T { a: Int }", two="type Query { s: T } type T { b: Int }")
    assert sorted(error.coordinate or "" for error in result.errors) == ["T.a", "T.b"]


def test_a_key_may_be_gathered_through_a_third_subgraph() -> None:
    assert composed(**UNREACHABLE, three='type T @key(fields: "id") @key(fields: "code") { id: ID! code: String! }').ok


def test_keys_that_need_each_other_open_nothing() -> None:
    result = composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! }',
        two='type T @key(fields: "a") { a: ID! @shareable b: ID! @shareable }',
        three='type T @key(fields: "b") { a: ID! @shareable b: ID! @shareable }',
    )
    assert codes(result) == ["SATISFIABILITY_ERROR"]


def test_a_key_marked_unresolvable_is_no_entrance() -> None:
    result = composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! }',
        two='type T @key(fields: "id", resolvable: false) { id: ID! b: Int }',
    )
    assert codes(result) == ["SATISFIABILITY_ERROR"]


def test_a_nested_key_is_gathered_field_by_field() -> None:
    assert composed(
        one='type Query { t: T } type T { o: O @shareable } type O @key(fields: "id") { id: ID! }',
        two='type O @key(fields: "id") { id: ID! k: ID! @shareable }',
        three='type T @key(fields: "o { k }") { o: O price: Int } type O @shareable { k: ID! }',
    ).ok


def test_a_requirement_out_of_reach_is_named() -> None:
    result = composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! w: Int @external s: Int @requires(fields: "w") }',
        two='type T @key(fields: "code") { code: ID! w: Int }',
    )
    requirement = next(error for error in result.errors if error.coordinate == "T.s")
    assert '@requires(fields: "w")' in requirement.message


def test_a_provided_field_needs_no_key_on_that_path_only() -> None:
    owner = 'type T @key(fields: "code") { code: ID! p: Int @shareable }'
    one = 'type Query { t: T @provides(fields: "p code") %s } type T { p: Int @external code: ID! @external id: ID }'
    assert composed(one=one % "", two=owner).ok
    result = composed(one=one % "other: T", two=owner)
    assert codes(result) == ["SATISFIABILITY_ERROR"]
    assert all("other" in error.message for error in result.errors)


def test_what_is_provided_of_one_member_leaves_the_others_their_keys() -> None:
    assert composed(
        one="""type Query { m: M @provides(fields: "... on B { t }") } union M = B | F
            type B @key(fields: "id") { id: ID! t: Int @external } type F @key(fields: "id") { id: ID! }""",
        two='type B @key(fields: "id") { id: ID! t: Int @shareable } type F @key(fields: "id") { id: ID! t: Int }',
    ).ok


def test_what_is_provided_of_an_interface_leaves_its_implementations_their_keys() -> None:
    assert composed(
        one="""type Query { m: M @provides(fields: "... on B { t }") } interface M { id: ID! }
            type B implements M @key(fields: "id") { id: ID! t: Int @external }
            type F implements M @key(fields: "id") { id: ID! }""",
        two='type B @key(fields: "id") { id: ID! t: Int @shareable } type F @key(fields: "id") { id: ID! t: Int }',
    ).ok


def test_requirements_that_need_each_other_answer_nothing() -> None:
    result = composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! x: Int @requires(fields: "y") y: Int @external }',
        two='type T @key(fields: "id") { id: ID! y: Int @requires(fields: "x") x: Int @external }',
    )
    assert [error.coordinate for error in result.errors] == ["T.x", "T.y"]
    assert codes(result) == ["SATISFIABILITY_ERROR"]


def test_a_key_that_was_overridden_is_no_way_out_of_its_old_subgraph() -> None:
    new = 'type T @key(fields: "id") { id: ID! @override(from: "old") b: Int }'
    assert composed(old='type T @key(fields: "id") { id: ID! a: Int }', new=f"type Query {{ t: T }} {new}").ok
    result = composed(old='type Query { t: T } type T @key(fields: "id") { id: ID! a: Int }', new=new)
    assert sorted(error.coordinate or "" for error in result.errors) == ["T.b", "T.id"]


def test_recursion_ends() -> None:
    assert composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! next: T }',
        two='type T @key(fields: "id") { id: ID! up: T }',
    ).ok


def test_an_abstract_type_is_proved_for_each_concrete_one() -> None:
    result = composed(
        one="type Query { u: U } union U = A | B type A { x: ID } type B { y: ID }",
        two="type Query { z: Int } type B { hidden: ID }",
    )
    (error,) = result.errors
    assert error.coordinate == "B.hidden"
    assert "... on B" in error.message


def test_an_interface_object_must_find_out_what_it_is() -> None:
    interface = 'interface M @key(fields: "id"%s) { id: ID! } type A implements M @key(fields: "id") { id: ID! a: Int }'
    objects = 'type Query { m: M } type M @key(fields: "id") @interfaceObject { id: ID! stars: Int }'
    assert composed(one=interface % "", two=objects).ok
    result = composed(one=interface % ", resolvable: false", two=objects)
    assert codes(result) == ["SATISFIABILITY_ERROR"]
    assert "@interfaceObject" in result.errors[0].message


def test_a_mutation_must_be_answered_from_one_of_its_owners_alone() -> None:
    result = composed(
        one="type Query { q: Int } type Mutation { m: P @shareable } type P { a: Int }",
        two="type Mutation { m: P @shareable } type P { b: Int }",
    )
    assert codes(result) == ["SATISFIABILITY_ERROR"]
    assert all("mutation {" in error.message for error in result.errors)


def test_both_sides_of_a_labelled_override_are_proved() -> None:
    result = composed(
        one='type Query { t: T } type T @key(fields: "id") { id: ID! o: O } type O { a: Int @shareable }',
        two='type T @key(fields: "id") { id: ID! o: O @override(from: "one", label: "new") } type O { a: Int @shareable b: Int }',
    )
    assert codes(result) == ["SATISFIABILITY_ERROR"]
    assert result.errors[0].coordinate == "O.b"


def test_a_graph_of_a_thousand_types_in_a_row_is_no_recursion() -> None:
    chain = " ".join(f'type T{n} @key(fields: "id") {{ id: ID! next: T{n + 1} }}' for n in range(1200))
    stubs = " ".join(f'type T{n} @key(fields: "id") {{ id: ID! price: Int }}' for n in range(0, 1200, 100))
    result = composed(one=f"type Query {{ t: T0 }} {chain} type T1200 {{ id: ID! }}", two=stubs)
    assert codes(result) == []


CONTEXTUAL = """
    type Shop @key(fields: "id") {shop} {{ id: ID! currency: String! item: Item! }}
    type Item @key(fields: "id") {{ id: ID! price(in: String @fromContext(field: "$shop {{ currency }}")): Int }}
"""


def test_an_argument_from_a_context_needs_that_context_around_it() -> None:
    setting = CONTEXTUAL.format(shop='@context(name: "shop")')
    assert composed(one=f"type Query {{ shop: Shop }} {setting}").errors == ()
    result = composed(one=f"type Query {{ shop: Shop item: Item }} {setting}")
    (error,) = result.errors
    assert (error.published_code, error.coordinate) == ("SATISFIABILITY_ERROR", "Item.price")
    assert "item {" in error.message
    assert 'add @context(name: "shop")' in error.message


def test_the_value_of_a_context_must_be_within_reach() -> None:
    one = """
        type Query { shop: Shop }
        type Shop @context(name: "shop") { currency: String! @external item: Item! }
        type Item @key(fields: "id") { id: ID! price(in: String @fromContext(field: "$shop { currency }")): Int }
    """
    two = 'type Shop @key(fields: "code") { code: ID! currency: String! }'
    found = {error.coordinate for error in composed(one=one, two=two).errors}
    assert "Item.price" in found
