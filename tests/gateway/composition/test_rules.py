"""One broken graph a rule: the published code, the coordinate, the subgraph, and what the message proposes."""

from __future__ import annotations

import pytest

from gateway.composition.overrides import label_is_valid
from gateway.errors import CompositionError
from tests.gateway.composition.building import codes, composed, composed_1, federation_2

ONE_SUBGRAPH = {
    "a key names a field that is not there": (
        "KEY_INVALID_FIELDS",
        'type Query { a: A } type A @key(fields: "nope") { id: ID }',
    ),
    "a key does not parse": ("KEY_INVALID_FIELDS", 'type Query { a: A } type A @key(fields: "id {") { id: ID }'),
    "a key is no string": ("KEY_INVALID_FIELDS_TYPE", "type Query { a: A } type A @key(fields: 4) { id: ID }"),
    "a key field takes arguments": (
        "KEY_FIELDS_HAS_ARGS",
        'type Query { a: A } type A @key(fields: "id") { id(x: Int): ID }',
    ),
    "a key selects an interface": (
        "KEY_FIELDS_SELECT_INVALID_TYPE",
        'type Query { a: A } interface I { x: ID } type B implements I { x: ID } type A @key(fields: "i { x }") { i: I }',
    ),
    "a key carries a directive": (
        "KEY_DIRECTIVE_IN_FIELDS_ARG",
        'type Query { a: A } type A @key(fields: "id @include(if: true)") { id: ID }',
    ),
    "a requirement is resolved here": (
        "REQUIRES_FIELDS_MISSING_EXTERNAL",
        'type Query { a: A } type A @key(fields: "id") { id: ID b: Int c: Int @requires(fields: "b") }',
    ),
    "a field requires itself": (
        "REQUIRES_FIELDS_MISSING_EXTERNAL",
        'type Query { a: A } type A @key(fields: "id") { id: ID c: Int @requires(fields: "c") }',
    ),
    "a provision names nothing known": (
        "PROVIDES_INVALID_FIELDS",
        'type Query { a: A @provides(fields: "z") } type A @key(fields: "id") { id: ID }',
    ),
    "a provision is of a leaf": ("PROVIDES_ON_NON_OBJECT_FIELD", 'type Query { a: Int @provides(fields: "z") }'),
    "a provision is resolved here anyway": (
        "PROVIDES_FIELDS_MISSING_EXTERNAL",
        'type Query { a: A @provides(fields: "b") } type A @key(fields: "id") { id: ID b: Int }',
    ),
    "an external field is used by nothing": (
        "EXTERNAL_UNUSED",
        'type Query { a: A } type A @key(fields: "id") { id: ID b: Int @external }',
    ),
    "an interface field is external": (
        "EXTERNAL_ON_INTERFACE",
        "type Query { a: I } interface J { x: ID } interface I implements J { x: ID @external } type A implements I & J { x: ID }",
    ),
    "an interface's key is not its implementation's": (
        "INTERFACE_KEY_NOT_ON_IMPLEMENTATION",
        'type Query { a: I } interface I @key(fields: "x") { x: ID } type A implements I { x: ID }',
    ),
    "an interface object has no key": (
        "INTERFACE_OBJECT_USAGE_ERROR",
        "type Query { a: I } type I @interfaceObject { x: ID }",
    ),
    "an interface field is shareable": (
        "INVALID_SHAREABLE_USAGE",
        "type Query { a: I } interface I { x: ID @shareable } type A implements I { x: ID }",
    ),
    "an interface asks for scopes": (
        "AUTH_REQUIREMENTS_APPLIED_ON_INTERFACE",
        'type Query { a: I } interface I @requiresScopes(scopes: [["s"]]) { x: ID } type A implements I { x: ID }',
    ),
    "an interface field has a cost": (
        "COST_APPLIED_TO_INTERFACE_FIELD",
        "type Query { a: I } interface I { x: ID @cost(weight: 3) } type A implements I { x: ID }",
    ),
    "a list size stands on no list": (
        "LIST_SIZE_APPLIED_TO_NON_LIST",
        "type Query { a: Int @listSize(assumedSize: 3) }",
    ),
    "a list size is negative": ("LIST_SIZE_INVALID_ASSUMED_SIZE", "type Query { a: [Int] @listSize(assumedSize: -3) }"),
    "a slicing argument is no Int": (
        "LIST_SIZE_INVALID_SLICING_ARGUMENT",
        'type Query { a(first: String): [Int] @listSize(slicingArguments: ["first"]) }',
    ),
    "a sized field is unknown": (
        "LIST_SIZE_INVALID_SIZED_FIELD",
        'type Query { a: A @listSize(sizedFields: ["bs"]) } type A { b: [Int] }',
    ),
    "a type is only extended": ("EXTENSION_WITH_NO_BASE", "type Query { a: A } extend type A { x: ID }"),
    "nothing can be asked": ("NO_QUERIES", "type A { x: ID }"),
    "a field overrides itself": ("OVERRIDE_FROM_SELF_ERROR", 'type Query { a: Int @override(from: "one") }'),
    "an interface field overrides": (
        "OVERRIDE_ON_INTERFACE",
        'type Query { a: I } interface I { x: ID @override(from: "two") } type A implements I { x: ID }',
    ),
    "the SDL does not parse": ("INVALID_GRAPHQL", "type Query {"),
    "a type is unknown": ("INVALID_GRAPHQL", "type Query { a: Nope }"),
    "a directive argument has the wrong type": ("INVALID_GRAPHQL", "type Query { a: Int @tag(name: 3) }"),
    "a default does not fit": ("INVALID_GRAPHQL", 'type Query { a(x: Int = "y"): Int }'),
    "the name Query means something else": (
        "ROOT_QUERY_USED",
        "schema { query: Root } type Root { a: Query } type Query { b: Int }",
    ),
    "a federation directive is redefined": (
        "DIRECTIVE_DEFINITION_INVALID",
        "directive @shareable(why: String) on OBJECT type Query { a: Int }",
    ),
    "a directive is composed that has no specification": (
        "DIRECTIVE_COMPOSITION_ERROR",
        'extend schema @composeDirective(name: "@mine") directive @mine on OBJECT type Query { a: Int }',
    ),
    "the query root is hidden": ("QUERY_ROOT_TYPE_INACCESSIBLE", "type Query @inaccessible { a: Int }"),
    "a visible field has a hidden type": (
        "REFERENCED_INACCESSIBLE",
        "type Query { a: A b: Int } type A @inaccessible { x: ID }",
    ),
    "a required argument is hidden": ("REQUIRED_INACCESSIBLE", "type Query { a(x: Int! @inaccessible): Int }"),
    "everything in a type is hidden": (
        "ONLY_INACCESSIBLE_CHILDREN",
        "type Query { a: A } type A { x: ID @inaccessible }",
    ),
    "a hidden field implements a visible one": (
        "IMPLEMENTED_BY_INACCESSIBLE",
        "type Query { a: I } interface I { x: ID y: ID } type A implements I { x: ID @inaccessible y: ID }",
    ),
    "a provision stands on an interface": (
        "PROVIDES_UNSUPPORTED_ON_INTERFACE",
        'type Query { a: I } interface I { b: B @provides(fields: "c") } type A implements I { b: B }'
        ' type B @key(fields: "id") { id: ID c: Int @external }',
    ),
    "a default uses a hidden value": (
        "DEFAULT_VALUE_USES_INACCESSIBLE",
        "type Query { a(e: E = B): Int } enum E { A B @inaccessible }",
    ),
}


@pytest.mark.parametrize(("code", "sdl"), ONE_SUBGRAPH.values(), ids=list(ONE_SUBGRAPH))
def test_a_fault_of_one_subgraph_is_found(code: str, sdl: str) -> None:
    result = composed(one=sdl.replace("extend schema @compose", federation_2().strip() + " @compose"))
    assert codes(result) == [code]
    assert result.supergraph is None
    assert all(says_where(error) for error in result.errors)


def says_where(error: CompositionError) -> bool:
    """A message names its coordinate and its subgraph. GraphQL's own faults have a text of theirs; a lack is nowhere."""
    if error.published_code == "NO_QUERIES":
        return True
    told = error.published_code == "INVALID_GRAPHQL" or (error.coordinate or "?").lstrip("@") in error.message
    return told and bool(error.subgraphs)


ENTITY = 'type T @key(fields: "id") '

TWO_SUBGRAPHS = {
    "an external argument has another type": (
        "EXTERNAL_ARGUMENT_TYPE_MISMATCH",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x(a: Int): Int @external y: Int @requires(fields: "x(a: 1)") }}',
        f"{ENTITY} {{ id: ID x(a: String): Int }}",
    ),
    "an external argument has another default": (
        "EXTERNAL_ARGUMENT_DEFAULT_MISMATCH",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x(a: Int = 1): Int @external y: Int @requires(fields: "x(a: 1)") }}',
        f"{ENTITY} {{ id: ID x(a: Int = 2): Int }}",
    ),
    "a name is two kinds of type": ("TYPE_KIND_MISMATCH", "type Query { a: X } type X { i: ID }", "enum X { A }"),
    "types have nothing in common": (
        "FIELD_TYPE_MISMATCH",
        "type Query { a: X } type X @shareable { i: ID }",
        "type X @shareable { i: Int }",
    ),
    "argument types differ": (
        "FIELD_ARGUMENT_TYPE_MISMATCH",
        "type Query { a(x: Int): Int @shareable }",
        "type Query { a(x: String): Int @shareable }",
    ),
    "argument defaults differ": (
        "FIELD_ARGUMENT_DEFAULT_MISMATCH",
        "type Query { a(x: Int = 1): Int @shareable }",
        "type Query { a(x: Int = 2): Int @shareable }",
    ),
    "input defaults differ": (
        "INPUT_FIELD_DEFAULT_MISMATCH",
        "type Query { a(i: I): Int } input I { x: Int = 1 }",
        "type Query { b(i: I): Int } input I { x: Int = 2 }",
    ),
    "a required argument is unknown to one": (
        "REQUIRED_ARGUMENT_MISSING_IN_SOME_SUBGRAPH",
        "type Query { a(x: Int!): Int @shareable }",
        "type Query { a: Int @shareable }",
    ),
    "a required input field is unknown to one": (
        "REQUIRED_INPUT_FIELD_MISSING_IN_SOME_SUBGRAPH",
        "type Query { a(i: I): Int } input I { x: Int y: Int! }",
        "type Query { b(i: I): Int } input I { x: Int }",
    ),
    "an input type has nothing in common": (
        "EMPTY_MERGED_INPUT_TYPE",
        "type Query { a(i: I): Int } input I { x: Int }",
        "type Query { b(i: I): Int } input I { y: Int }",
    ),
    "an input enum has nothing in common": (
        "EMPTY_MERGED_ENUM_TYPE",
        "type Query { a(e: E): Int } enum E { A }",
        "type Query { b(e: E): Int } enum E { B }",
    ),
    "an enum goes both ways and differs": (
        "ENUM_VALUE_MISMATCH",
        "type Query { a(e: E): E } enum E { A B }",
        "type Query { b: E } enum E { A }",
    ),
    "a field is resolved twice without saying so": (
        "INVALID_FIELD_SHARING",
        f"type Query {{ t: T }} {ENTITY} {{ id: ID x: Int }}",
        f"{ENTITY} {{ id: ID x: Int @shareable }}",
    ),
    "a subscription has two sources": (
        "INVALID_FIELD_SHARING",
        "type Query { a: Int } type Subscription { s: Int @shareable }",
        "type Subscription { s: Int @shareable }",
    ),
    "an external field has no owner": (
        "EXTERNAL_MISSING_ON_BASE",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @external y: Int @requires(fields: "x") }}',
        f"{ENTITY} {{ id: ID }}",
    ),
    "an external field has another type than its owner says": (
        "EXTERNAL_TYPE_MISMATCH",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @external y: Int @requires(fields: "x") }}',
        f"{ENTITY} {{ id: ID x: String }}",
    ),
    "an external field lacks its owner's argument": (
        "EXTERNAL_ARGUMENT_MISSING",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @external y: Int @requires(fields: "x") }}',
        f"{ENTITY} {{ id: ID x(a: Int): Int }}",
    ),
    "an external field is tagged": (
        "MERGED_DIRECTIVE_APPLICATION_ON_EXTERNAL",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @external @tag(name: "t") y: Int @requires(fields: "x") }}',
        f"{ENTITY} {{ id: ID x: Int }}",
    ),
    "an overridden field requires others": (
        "OVERRIDE_COLLISION_WITH_ANOTHER_DIRECTIVE",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID z: Int y: Int @override(from: "two") }}',
        f'{ENTITY} {{ id: ID z: Int @external y: Int @requires(fields: "z") }}',
    ),
    "an implementation lacks a field of the merged interface": (
        "INTERFACE_FIELD_NO_IMPLEM",
        "type Query { a: I } interface I { x: ID } type A implements I { x: ID }",
        "type Query { b: I } interface I { x: ID y: ID } type B implements I { x: ID y: ID }",
    ),
    "an interface is resolved where an implementation is unknown": (
        "INTERFACE_KEY_MISSING_IMPLEMENTATION_TYPE",
        'type Query { a: I } interface I @key(fields: "x") { x: ID } type A implements I @key(fields: "x") { x: ID }',
        "type Query { b: I } interface I { x: ID } type B implements I { x: ID }",
    ),
    "an interface object stands beside an implementation": (
        "INTERFACE_OBJECT_USAGE_ERROR",
        'type Query { a: I } interface I @key(fields: "x") { x: ID } type A implements I @key(fields: "x") { x: ID }',
        'type I @interfaceObject @key(fields: "x") { x: ID y: ID } type A @key(fields: "x") { x: ID }',
    ),
    "a requirement leaks what is protected": (
        "MISSING_TRANSITIVE_AUTH_REQUIREMENTS",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @external y: Int @requires(fields: "x") }}',
        f"{ENTITY} {{ id: ID x: Int @authenticated }}",
    ),
    "a required argument was merged away": (
        "REQUIRES_INVALID_FIELDS",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x(a: Int): Int @external y: Int @requires(fields: "x(a: 1)") }}',
        f"{ENTITY} {{ id: ID x: Int }}",
    ),
    "shared fields never return the same type": (
        "SHAREABLE_HAS_MISMATCHED_RUNTIME_TYPES",
        "type Query { u: U @shareable } union U = A type A { x: ID }",
        "type Query { u: U @shareable } union U = B type B { x: ID }",
    ),
}


@pytest.mark.parametrize(("code", "one", "two"), TWO_SUBGRAPHS.values(), ids=list(TWO_SUBGRAPHS))
def test_a_fault_between_two_subgraphs_is_found(code: str, one: str, two: str) -> None:
    result = composed(one=one, two=two)
    assert code in codes(result)
    assert all(says_where(error) for error in result.errors)


def test_a_requirement_cannot_stand_on_an_interface() -> None:
    result = composed(
        one='type Query { a: I } interface I { x: ID y: ID @requires(fields: "x") } type A implements I { x: ID y: ID }'
    )
    assert "REQUIRES_UNSUPPORTED_ON_INTERFACE" in codes(result)


def test_an_override_cannot_be_taken_from_one_that_overrides_too() -> None:
    result = composed(
        one=f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @override(from: "two") }}',
        two=f'{ENTITY} {{ id: ID x: Int @override(from: "one") }}',
    )
    assert "OVERRIDE_SOURCE_HAS_OVERRIDE" in codes(result)


def test_one_name_for_an_imported_directive_in_all_subgraphs() -> None:
    link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [{name: "@tag", as: "%s"}])'
    result = composed(
        one=link % "@label" + ' type Query { a: Int @label(name: "x") }',
        two=link % "@mark" + ' type Query { b: Int @mark(name: "x") }',
    )
    assert codes(result) == ["LINK_IMPORT_NAME_MISMATCH"]


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://specs.apollo.dev/federation/v9.0", "UNKNOWN_FEDERATION_LINK_VERSION"),
        ("https://specs.apollo.dev/federation/latest", "INVALID_LINK_IDENTIFIER"),
    ],
)
def test_a_link_that_cannot_be_followed_is_named(link: str, code: str) -> None:
    assert codes(composed(one=f'extend schema @link(url: "{link}") type Query {{ a: Int }}')) == [code]


def test_an_import_must_exist_in_the_linked_version() -> None:
    assert codes(composed(one=federation_2("v2.0", ["@composeDirective"]) + "type Query { a: Int }")) == [
        "INVALID_LINK_DIRECTIVE_USAGE"
    ]


def test_keys_on_interfaces_need_a_version_that_knows_them() -> None:
    sdl = 'type Query { a: I } interface I @key(fields: "x") { x: ID } type A implements I @key(fields: "x") { x: ID }'
    assert codes(composed(one=federation_2("v2.2", ["@key"]) + sdl)) == ["KEY_UNSUPPORTED_ON_INTERFACE"]
    assert composed(one=federation_2("v2.3", ["@key"]) + sdl).ok


@pytest.mark.parametrize("label", ["beta", "v2:new-path/x.y", "percent(0)", "percent(12.5)", "percent(100)"])
def test_labels_that_say_when_to_override(label: str) -> None:
    assert label_is_valid(label)


@pytest.mark.parametrize(
    "label", ["", "1st", "percent(101)", "percent(-1)", "percent(1.123456789)", "with space", "per%cent"]
)
def test_labels_that_say_nothing(label: str) -> None:
    assert not label_is_valid(label)


def test_every_error_is_reported_not_only_the_first() -> None:
    result = composed(
        one='type Query { a: A } type A @key(fields: "nope") { id: ID x: Int @external }',
        two='type B @key(fields: "id id2") { id: ID }',
    )
    assert codes(result) == ["EXTERNAL_UNUSED", "KEY_INVALID_FIELDS"]
    assert {error.subgraphs for error in result.errors} == {("one",), ("two",)}


def test_an_error_says_where_why_and_what_to_do() -> None:
    result = composed(
        one=f"type Query {{ t: T }} {ENTITY} {{ id: ID x: Int }}",
        two=f"{ENTITY} {{ id: ID x: Int @shareable }}",
    )
    (error,) = result.errors
    assert error.coordinate == "T.x"
    assert error.subgraphs == ("one", "two")
    assert 'not marked @shareable in "one"' in error.message


CONTEXTS = {
    "a context name has an underscore": (
        "CONTEXT_NAME_INVALID",
        'type Query { a: A } type A @context(name: "the_shop") { x: ID }',
    ),
    "nothing sets the context": (
        "CONTEXT_NOT_SET",
        'type Query { a: A } type A @key(fields: "id") { id: ID y(s: ID @fromContext(field: "$shop { x }")): Int }',
    ),
    "no context is named": (
        "NO_CONTEXT_IN_SELECTION",
        'type Query { a: A } type A @key(fields: "id") { id: ID y(s: ID @fromContext(field: "{ x }")): Int }',
    ),
    "a contextual field cannot be entered": (
        "CONTEXT_NO_RESOLVABLE_KEY",
        'type Query { a: P } type P @context(name: "shop") { x: ID a: A }'
        ' type A { y(s: ID @fromContext(field: "$shop { x }")): Int }',
    ),
    "a context selects what its setter lacks": (
        "CONTEXT_INVALID_SELECTION",
        'type Query { a: P } type P @context(name: "shop") { x: ID a: A }'
        ' type A @key(fields: "id") { id: ID y(s: ID @fromContext(field: "$shop { z }")): Int }',
    ),
}


@pytest.mark.parametrize(("code", "sdl"), CONTEXTS.values(), ids=list(CONTEXTS))
def test_a_context_that_cannot_be_used_is_found(code: str, sdl: str) -> None:
    assert codes(composed(one=sdl)) == [code]


def test_one_subgraph_cannot_ask_clients_for_what_another_takes_from_a_context() -> None:
    result = composed(
        one='type Query { p: P } type P @context(name: "shop") { x: ID a: A }'
        ' type A @key(fields: "id") { id: ID y(s: ID @fromContext(field: "$shop { x }")): Int @shareable }',
        two='type A @key(fields: "id") { id: ID y(s: ID!): Int @shareable }',
    )
    assert codes(result) == ["CONTEXTUAL_ARGUMENT_NOT_CONTEXTUAL_IN_ALL_SUBGRAPHS"]


def test_an_executable_directive_takes_the_same_arguments_everywhere() -> None:
    result = composed(
        one="directive @fast(by: Int) on FIELD type Query { a: Int }",
        two="directive @fast(by: String) on FIELD type Query { b: Int }",
    )
    assert codes(result) == ["FIELD_ARGUMENT_TYPE_MISMATCH"]


def test_faults_of_one_subgraph_are_reported_though_another_cannot_be_read() -> None:
    result = composed(one="type Query {", two='type A @key(fields: "nope") { id: ID }')
    assert codes(result) == ["INVALID_GRAPHQL", "KEY_INVALID_FIELDS"]


def test_reserved_and_repeated_names_are_refused() -> None:
    assert codes(composed(_="type Query { a: Int }")) == ["INVALID_SUBGRAPH_NAME"]


def test_federation_1_extensions_need_a_definition_elsewhere() -> None:
    extension = 'type T @extends @key(fields: "id") { id: ID @external x: Int }'
    assert codes(composed_1(one="type Query { t: T } " + extension)) == ["EXTENSION_WITH_NO_BASE"]
    assert composed_1(one="type Query { t: T } " + extension, two='type T @key(fields: "id") { id: ID }').ok


def price_of_an_interface_object(field: str, external: str) -> list[str]:
    """``price`` comes from an interface object; one subgraph that knows the implementation requires it."""
    result = composed(
        one='type Query { i: I } interface I @key(fields: "id") { id: ID! } type A implements I @key(fields: "id") { id: ID! }',
        two=f'type I @key(fields: "id") @interfaceObject {{ id: ID! {field} }}',
        three=f'type A @key(fields: "id") {{ id: ID! {external} @external n: Int @requires(fields: "price") }}',
    )
    return [f"{error.published_code} {error.coordinate}" for error in result.errors]


def test_a_field_of_an_interface_object_may_be_required_of_an_implementation() -> None:
    assert price_of_an_interface_object("price: Int", "price: Int") == []


@pytest.mark.parametrize(
    ("field", "external"), [("price(in: ID): Int", "price(in: ID): Int"), ("price: Int", "price: String")]
)
def test_an_external_field_of_an_interface_object_must_implement_the_interface(field: str, external: str) -> None:
    assert price_of_an_interface_object(field, external) == ["INVALID_GRAPHQL A.price"]


def test_a_faulty_key_of_an_implementation_is_one_fault_and_not_two() -> None:
    result = composed(
        one='type Query { i: I } interface I @key(fields: "id") { id: ID! }'
        ' type A implements I @key(fields: "nope") { id: ID! }'
    )
    assert codes(result) == ["KEY_INVALID_FIELDS"]


def test_a_printed_definition_of_key_may_take_a_list_of_field_sets() -> None:
    printed = "directive @key(fields: [String!]!, resolvable: Boolean = true) repeatable on OBJECT | INTERFACE\n"
    assert codes(composed(one=printed + 'type Query { a: A } type A @key(fields: "id") { id: ID! }')) == []


HINTS = {
    "a field is nullable in one of them": (
        "INCONSISTENT_BUT_COMPATIBLE_FIELD_TYPE",
        f"type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @shareable }}",
        f"{ENTITY} {{ id: ID x: Int! @shareable }}",
    ),
    "an argument is required in one of them": (
        "INCONSISTENT_BUT_COMPATIBLE_ARGUMENT_TYPE",
        "type Query { a(x: Int): Int @shareable }",
        "type Query { a(x: Int!): Int @shareable }",
    ),
    "an optional argument is unknown to one": (
        "INCONSISTENT_ARGUMENT_PRESENCE",
        "type Query { a(x: Int): Int @shareable }",
        "type Query { a: Int @shareable }",
    ),
    "a default stands in one of them": (
        "INCONSISTENT_DEFAULT_VALUE_PRESENCE",
        "type Query { a(x: Int = 1): Int @shareable }",
        "type Query { a(x: Int): Int @shareable }",
    ),
    "an entity is none in one of them": (
        "INCONSISTENT_ENTITY",
        f"type Query {{ t: T }} {ENTITY} {{ id: ID @shareable }}",
        "type Query { s: T } type T { id: ID @shareable }",
    ),
    "a value type lacks a field": (
        "INCONSISTENT_OBJECT_VALUE_TYPE_FIELD",
        "type Query { v: V @shareable } type V @shareable { x: ID y: ID }",
        "type Query { v: V @shareable } type V @shareable { x: ID }",
    ),
    "an interface lacks a field": (
        "INCONSISTENT_INTERFACE_VALUE_TYPE_FIELD",
        "type Query { a: A } interface I { x: ID y: ID } type A implements I @shareable { x: ID y: ID }",
        "type Query { b: A } interface I { x: ID } type A implements I @shareable { x: ID y: ID }",
    ),
    "an input lacks a field": (
        "INCONSISTENT_INPUT_OBJECT_FIELD",
        "type Query { a(i: I): Int @shareable } input I { x: ID y: ID }",
        "type Query { a(i: I): Int @shareable } input I { x: ID }",
    ),
    "a union lacks a member": (
        "INCONSISTENT_UNION_MEMBER",
        "type Query { u: U } union U = A | B type A @shareable { x: ID } type B { x: ID }",
        "type Query { v: U } union U = A type A @shareable { x: ID }",
    ),
    "an enum of inputs lacks a value": (
        "INCONSISTENT_ENUM_VALUE_FOR_INPUT_ENUM",
        "type Query { a(e: E): Int @shareable } enum E { X Y }",
        "type Query { a(e: E): Int @shareable } enum E { X }",
    ),
    "an enum of answers lacks a value": (
        "INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM",
        "type Query { a: E } enum E { X Y }",
        "type Query { b: E } enum E { X }",
    ),
    "an enum is used by nothing": ("UNUSED_ENUM_TYPE", "type Query { a: Int } enum E { X Y }", "type Query { b: Int }"),
    "two descriptions differ": (
        "INCONSISTENT_DESCRIPTION",
        'type Query { "this" a: Int @shareable }',
        'type Query { "that" a: Int @shareable }',
    ),
    "an executable directive is known to one": (
        "INCONSISTENT_EXECUTABLE_DIRECTIVE_PRESENCE",
        "directive @mine on FIELD type Query { a: Int }",
        "type Query { b: Int }",
    ),
    "an executable directive has no place in common": (
        "NO_EXECUTABLE_DIRECTIVE_INTERSECTION",
        "directive @mine on FIELD type Query { a: Int }",
        "directive @mine on QUERY type Query { b: Int }",
    ),
    "what is overridden stands there still": (
        "OVERRIDDEN_FIELD_CAN_BE_REMOVED",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @override(from: "two") }}',
        f"{ENTITY} {{ id: ID x: Int }}",
    ),
    "nothing is left to override": (
        "OVERRIDE_DIRECTIVE_CAN_BE_REMOVED",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @override(from: "two") }}',
        f"{ENTITY} {{ id: ID y: Int }}",
    ),
    "an override goes on by a label": (
        "OVERRIDE_MIGRATION_IN_PROGRESS",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @override(from: "two", label: "half") }}',
        f"{ENTITY} {{ id: ID x: Int }}",
    ),
    "an override is from nobody": (
        "FROM_SUBGRAPH_DOES_NOT_EXIST",
        f'type Query {{ t: T }} {ENTITY} {{ id: ID x: Int @override(from: "too") }}',
        f"{ENTITY} {{ id: ID y: Int }}",
    ),
    "a shared field may be other types here and there": (
        "INCONSISTENT_RUNTIME_TYPES_FOR_SHAREABLE_RETURN",
        "type Query { u: U @shareable } union U = A | B type A @shareable { x: ID } type B @shareable { x: ID }",
        "type Query { u: U @shareable } union U = A type A @shareable { x: ID }",
    ),
}


@pytest.mark.parametrize(("code", "one", "two"), HINTS.values(), ids=list(HINTS))
def test_what_composes_but_should_be_looked_at_is_hinted_at(code: str, one: str, two: str) -> None:
    result = composed(one=one, two=two)
    assert result.errors == ()
    hint = next(hint for hint in result.hints if hint.code == code)
    assert hint.coordinate is not None
    assert hint.coordinate.lstrip("@") in hint.message
