"""The table of merge rules, seen in the API schema and in the supergraph."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import permutations

import pytest
from graphql import build_schema, validate_schema

from gateway.composition import compose
from tests.gateway.composition.building import api, composed, composed_1, federation_2, source, supergraph


def hints(one: str, two: str) -> set[str]:
    return {hint.code for hint in composed(one=one, two=two).hints}


def test_objects_and_interfaces_join_their_fields() -> None:
    text = api(
        composed(
            one='type Query { t: T } type T @key(fields: "id") { id: ID! a: Int }',
            two='type T @key(fields: "id") { id: ID! b: Int }',
        )
    )
    schema = build_schema(text)
    assert set(schema.type_map["T"].fields) == {"id", "a", "b"}  # type: ignore[attr-defined]


def test_unions_join_their_members() -> None:
    text = api(composed(one="type Query { u: U } union U = A type A { x: ID }", two="union U = B type B { x: ID }"))
    assert "union U = A | B" in text


ENUMS = {
    "answers only: all values": (
        "type Query { e: E } enum E { A B }",
        "type Query { f: E } enum E { B C }",
        {"A", "B", "C"},
    ),
    "inputs only: common values": (
        "type Query { e(x: E): Int } enum E { A B }",
        "type Query { f(x: E): Int } enum E { B C }",
        {"B"},
    ),
}


@pytest.mark.parametrize(("one", "two", "values"), ENUMS.values(), ids=list(ENUMS))
def test_enum_values_depend_on_how_the_enum_is_used(one: str, two: str, values: set[str]) -> None:
    schema = build_schema(api(composed(one=one, two=two)))
    assert set(schema.type_map["E"].values) == values  # type: ignore[attr-defined]


def test_input_objects_and_arguments_keep_what_all_know() -> None:
    result = composed(
        one="type Query { a(x: Int, i: I): Int @shareable } input I { p: Int q: Int }",
        two="type Query { a(i: I): Int @shareable } input I { p: Int }",
    )
    text = api(result)
    assert "a(i: I): Int" in text
    assert "q: Int" not in text
    assert {hint.code for hint in result.hints} >= {"INCONSISTENT_ARGUMENT_PRESENCE", "INCONSISTENT_INPUT_OBJECT_FIELD"}


def test_a_hidden_input_field_may_be_known_to_one_subgraph_only() -> None:
    result = composed(
        one="type Query { a(i: I): Int @shareable } input I { p: Int q: Int @inaccessible }",
        two="type Query { a(i: I): Int @shareable } input I { p: Int }",
    )
    assert "q: Int @join__field(graph: ONE) @inaccessible" in supergraph(result)
    assert "q: Int" not in api(result)


TYPES = {
    "nullable wins in answers": ("Int!", "Int", "a: Int"),
    "an interface wins over its member": ("A", "I", "a: I"),
    "lists relax element by element": ("[Int!]!", "[Int]", "a: [Int]"),
}


@pytest.mark.parametrize(("first", "second", "merged"), TYPES.values(), ids=list(TYPES))
def test_answers_take_the_widest_type(first: str, second: str, merged: str) -> None:
    shared = "interface I { x: ID } type A implements I @shareable { x: ID }"
    result = composed(
        one=f"type Query {{ a: {first} @shareable i: I }} {shared}",
        two=f"type Query {{ a: {second} @shareable }} {shared}",
    )
    assert f"  {merged}\n" in api(result)
    assert f'@join__field(graph: ONE, type: "{first}") @join__field(graph: TWO, type: "{second}")' in supergraph(result)


def test_inputs_take_the_narrowest_type() -> None:
    result = composed(one="type Query { a(x: Int): Int @shareable }", two="type Query { a(x: Int!): Int @shareable }")
    assert "a(x: Int!): Int" in api(result)


def test_a_default_in_some_subgraphs_is_no_default() -> None:
    one, two = "type Query { a(x: Int = 3): Int @shareable }", "type Query { a(x: Int): Int @shareable }"
    assert "a(x: Int): Int" in api(composed(one=one, two=two))
    assert "INCONSISTENT_DEFAULT_VALUE_PRESENCE" in hints(one, two)


def test_the_most_frequent_description_is_kept() -> None:
    sdl = 'type Query { "%s" a: Int @shareable }'
    result = composed(one=sdl % "rare", three=sdl % "usual", two=sdl % "usual")
    assert '"""usual"""' in api(result)


def test_executable_directives_must_be_defined_everywhere() -> None:
    one = "directive @fast on FIELD | QUERY directive @own on FIELD type Query { a: Int }"
    two = "directive @fast on FIELD type Query { b: Int }"
    text = api(composed(one=one, two=two))
    assert "directive @fast on FIELD" in text
    assert "@own" not in text


def test_fields_say_which_subgraphs_resolve_them_only_where_that_is_in_question() -> None:
    text = supergraph(
        composed(
            one='type Query { t: T } type T @key(fields: "id", resolvable: false) { id: ID! a: Int @shareable }',
            two='type T @key(fields: "id") @key(fields: "k") { id: ID! k: ID! a: Int @shareable }',
        )
    )
    assert '@join__type(graph: ONE, key: "id", resolvable: false)' in text
    assert "  a: Int\n" in text
    assert "  k: ID! @join__field(graph: TWO)\n" in text


def test_requires_and_provides_travel_with_their_field() -> None:
    text = supergraph(
        composed(
            one='type Query { t: T @provides(fields: "p") } type T @key(fields: "id")'
            ' { id: ID! p: Int @external w: Int @external s: Int @requires(fields: "w") }',
            two='type T @key(fields: "id") { id: ID! p: Int @shareable w: Int }',
        )
    )
    assert 't: T @join__field(graph: ONE, provides: "p")' in text
    assert 's: Int @join__field(graph: ONE, requires: "w")' in text
    assert "w: Int @join__field(graph: ONE, external: true) @join__field(graph: TWO)" in text


def test_an_overridden_field_leaves_its_old_subgraph() -> None:
    text = supergraph(
        composed(
            one='type Query { t: T } type T @key(fields: "id") { id: ID! a: Int }',
            two='type T @key(fields: "id") { id: ID! a: Int @override(from: "one") }',
        )
    )
    assert 'a: Int @join__field(graph: TWO, override: "one")\n' in text
    assert "join/v0.3" in text


def test_a_labelled_override_keeps_both_and_needs_the_newer_join_specification() -> None:
    text = supergraph(
        composed(
            one='type Query { t: T } type T @key(fields: "id") { id: ID! a: Int }',
            two='type T @key(fields: "id") { id: ID! a: Int @override(from: "one", label: "percent(5)") }',
        )
    )
    assert 'overrideLabel: "percent(5)"' in text
    assert '@join__field(graph: TWO, override: "one", overrideLabel: "percent(5)")' in text
    assert "join/v0.4" in text


def test_interface_objects_add_fields_to_every_implementation() -> None:
    result = composed(
        one='type Query { m: M } interface M @key(fields: "id") { id: ID! } type A implements M @key(fields: "id") { id: ID! }',
        two='type M @key(fields: "id") @interfaceObject { id: ID! stars: Int }',
    )
    text = supergraph(result)
    assert '@join__type(graph: TWO, key: "id", isInterfaceObject: true)' in text
    assert "  stars: Int @join__field\n" in text
    assert "stars: Int @join__field(graph: TWO)" in text


def test_directives_of_features_are_carried_and_linked() -> None:
    result = composed(
        one='type Query { a: Int @tag(name: "x") @authenticated @shareable secret: Int @inaccessible }',
        two='type Query { a: Int @tag(name: "y") @requiresScopes(scopes: [["p", "q"], ["r"]]) @shareable }',
    )
    text = supergraph(result)
    assert '@authenticated @requiresScopes(scopes: [["p", "q"], ["r"]]) @tag(name: "x") @tag(name: "y")' in text
    assert '@link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)' in text
    assert '@link(url: "https://specs.apollo.dev/tag/v0.3")' in text
    assert "secret" not in api(result)
    assert "@tag" not in api(result)


def test_scopes_of_two_subgraphs_are_joined_by_and() -> None:
    text = supergraph(
        composed(
            one='type Query { a: Int @shareable @requiresScopes(scopes: [["p"], ["q"]]) }',
            two='type Query { a: Int @shareable @requiresScopes(scopes: [["q"]]) }',
        )
    )
    assert '@requiresScopes(scopes: [["q"]])' in text


def test_an_interface_is_protected_as_its_implementations_are() -> None:
    text = supergraph(
        composed(
            one="type Query { i: I } interface I { x: ID } type A implements I @authenticated { x: ID @authenticated }"
        )
    )
    assert "interface I\n  @join__type(graph: ONE)\n  @authenticated\n{\n  x: ID @authenticated\n}" in text


def test_the_largest_cost_is_kept() -> None:
    text = supergraph(
        composed(
            one="type Query { a: Int @shareable @cost(weight: 2) }",
            two="type Query { a: Int @shareable @cost(weight: 7) }",
        )
    )
    assert "@cost(weight: 7)" in text


def test_a_composed_directive_reaches_the_supergraph_but_not_the_api() -> None:
    header = federation_2().strip() + ' @link(url: "https://house.test/upper/v1.2", import: ["@upper"])'
    result = composed(
        one=f'{header} @composeDirective(name: "@upper") directive @upper on FIELD_DEFINITION type Query {{ a: Int @upper }}'
    )
    text = supergraph(result)
    assert '@link(url: "https://house.test/upper/v1.2", import: ["@upper"])' in text
    assert "a: Int @upper" in text
    assert "directive @upper on FIELD_DEFINITION" in text
    assert "@upper" not in api(result)


def test_a_contextual_argument_leaves_the_api_and_needs_the_newest_join_specification() -> None:
    result = composed(
        one='type Query { p: P } type P @context(name: "shop") { x: ID! a: A }'
        ' type A @key(fields: "id") { id: ID! y(s: ID! @fromContext(field: "$shop { x }")): Int }'
    )
    text = supergraph(result)
    assert "join/v0.5" in text
    assert '{context: "one__shop", name: "s", type: "ID!", selection: "{ x }"}' in text
    assert '@context(name: "one__shop")' in text
    assert "  y: Int" in api(result)


def test_composed_directives_of_one_specification_share_its_link() -> None:
    header = federation_2().strip() + ' @link(url: "https://house.test/case/v1.2", import: ["@upper", "@lower"])'
    text = supergraph(
        composed(
            one=f'{header} @composeDirective(name: "@upper") @composeDirective(name: "@lower")'
            " directive @upper on FIELD_DEFINITION directive @lower on FIELD_DEFINITION type Query { a: Int @upper @lower }"
        )
    )
    assert '@link(url: "https://house.test/case/v1.2", import: ["@lower", "@upper"])' in text


def test_differences_that_are_settled_silently_are_hinted_at() -> None:
    found = hints(
        'type Query { "one" a: Int @shareable @cost(weight: 1) b: Int @shareable @deprecated(reason: "x") } enum E { A }',
        'type Query { "two" a: Int @shareable @cost(weight: 2) b: Int @shareable @deprecated(reason: "y") }',
    )
    assert found == {
        "INCONSISTENT_DESCRIPTION",
        "MERGED_NON_REPEATABLE_DIRECTIVE_ARGUMENTS",
        "INCONSISTENT_NON_REPEATABLE_DIRECTIVE_ARGUMENTS",
        "UNUSED_ENUM_TYPE",
    }


def test_names_of_imports_do_not_matter() -> None:
    plain = composed(one='type Query { t: T } type T @key(fields: "id") { id: ID! }')
    prefixed = composed(
        one='extend schema @link(url: "https://specs.apollo.dev/federation/v2.9") type Query { t: T }'
        ' type T @federation__key(fields: "id") { id: ID! }'
    )
    renamed = composed(
        one='extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [{name: "@key", as: "@k"}])'
        ' type Query { t: T } type T @k(fields: "id") { id: ID! }'
    )
    assert supergraph(plain) == supergraph(prefixed) == supergraph(renamed)


def test_spelling_does_not_matter() -> None:
    plain = composed(one='type Query { t: T } type T @key(fields: "id") { id: ID! x: Int }')
    spelled = composed(
        one="schema { query: Root } extend type Root { t: T _service: _Service! } type _Service { sdl: String } scalar _Any"
        ' type T @key(fields: "{ id }") { id: ID! } extend type T { x: Int }'
    )
    assert supergraph(plain) == supergraph(spelled)


def test_graph_names_are_unique_words() -> None:
    text = supergraph(
        composed(
            **{"my-shop": "type Query { a: Int }", "my_shop": "type Query { b: Int }", "2nd": "type Query { c: Int }"}
        )
    )
    for line in (
        'MY_SHOP @join__graph(name: "my-shop"',
        'MY_SHOP_1 @join__graph(name: "my_shop"',
        '_2ND @join__graph(name: "2nd"',
    ):
        assert line in text


HOUSE = {
    "one": 'type Query { t: T u: [U] } type T @key(fields: "id") { id: ID! "what it is" a: Int x: Int @external y: Int @requires(fields: "x") }'
    " union U = T | V type V @shareable { n: Int! }",
    "two": 'type Query { r: Int } type T @key(fields: "id") { id: ID! x: Int } enum E { B A } type V @shareable { n: Int }',
    "three": 'type T @key(fields: "id") { id: ID! e(d: E): Int } enum E { A B } type V @shareable { n: Int! }',
}


def test_the_order_of_subgraphs_does_not_matter() -> None:
    texts = {
        compose([source(name, federation_2() + HOUSE[name]) for name in order]).supergraph
        for order in permutations(HOUSE)
    }
    assert len(texts) == 1
    assert None not in texts


def test_the_same_subgraphs_are_the_same_bytes_in_every_process() -> None:
    program = (
        "import hashlib, sys\n"
        "from tests.gateway.composition.building import composed, supergraph\n"
        "from tests.gateway.composition.test_merge import HOUSE\n"
        "sys.stdout.write(hashlib.sha256(supergraph(composed(**HOUSE)).encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_both_outputs_are_valid_schemas() -> None:
    result = composed(**HOUSE)
    assert validate_schema(build_schema(supergraph(result))) == []
    assert validate_schema(build_schema(api(result))) == []


def test_federation_1_value_types_and_keys_are_shared_silently() -> None:
    result = composed_1(
        one='type Query { t: T m: M } type T @key(fields: "id") { id: ID! a: Int } type M { n: Int }',
        two='extend type T @key(fields: "id") { id: ID! @external a: Int @external b: M @requires(fields: "a") } type M { n: Int }',
    )
    text = supergraph(result)
    assert 'b: M @join__field(graph: TWO, requires: "a")' in text
    assert "extension: true" in text


def test_federation_1_forgets_unused_externals_and_idle_provisions() -> None:
    result = composed_1(
        one='type Query { t: T @provides(fields: "a") } type T @key(fields: "id") { id: ID! a: Int }',
        two='extend type T @key(fields: "id") { id: ID! @external a: Int @external b: Int }',
    )
    text = supergraph(result)
    assert 'provides: "' not in text
    assert "a: Int @join__field(graph: ONE)\n" in text
