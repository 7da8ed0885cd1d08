"""Normalising an operation."""

from __future__ import annotations

import pytest
from graphql import build_schema, parse

from gateway.errors import OperationUnknown
from gateway.operation import Field, Fragment, Operation, normalise
from gateway.plan import OperationKind

SCHEMA = build_schema("""
  type Query { pet(id: ID, tags: [String], by: By): Pet }
  type Mutation { feed: Int }
  type Pet { name: String  owner(first: Int): Pet }
  input By { b: Int  a: Int }
""")


def normal(text: str, name: str | None = None) -> Operation:
    return normalise(parse(text), name, SCHEMA)


def only_field(operation: Operation) -> Field:
    (field,) = operation.selections
    assert isinstance(field, Field)
    return field


def test_the_only_operation_needs_no_name() -> None:
    operation = normal("mutation M { feed }")
    assert (operation.kind, operation.name, operation.root_type) == (OperationKind.MUTATION, "M", "Mutation")


def test_one_of_several_operations_is_chosen_by_name() -> None:
    assert normal("query A { pet { name } } mutation B { feed }", "B").kind is OperationKind.MUTATION


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("query A { pet { name } } query B { pet { name } }", None),
        ("query A { pet { name } }", "B"),
        ("fragment F on Pet { name }", None),
        ("subscription { feed }", None),
    ],
)
def test_an_operation_that_cannot_be_told_is_unknown(text: str, name: str | None) -> None:
    with pytest.raises(OperationUnknown):
        normal(text, name)


def test_fragments_are_inlined_with_their_type_and_conditions() -> None:
    operation = normal("query ($a: Boolean!) { pet { ...F @include(if: $a) } } fragment F on Pet { name }")
    (fragment,) = only_field(operation).selections
    assert isinstance(fragment, Fragment)
    assert (fragment.on, fragment.conditions) == ("Pet", (("a", True),))
    assert [each.name for each in fragment.selections if isinstance(each, Field)] == ["name"]


def test_literal_conditions_are_decided() -> None:
    operation = normal(
        "{ pet { name @skip(if: true) ... @include(if: false) { name } owner @include(if: true) { name } } }"
    )
    (owner,) = only_field(operation).selections
    assert (owner.conditions, getattr(owner, "name", None)) == ((), "owner")


def test_arguments_have_one_spelling() -> None:
    first = only_field(normal('{ pet(tags: ["x"], id: """1""", by: {b: 1, a: 2}) { name } }'))
    second = only_field(normal('{ pet(by: {a: 2, b: 1}, id: "1", tags: ["x"]) { name } }'))
    assert first.arguments == second.arguments == 'by: {a: 2, b: 1}, id: "1", tags: ["x"]'


def test_each_argument_list_and_each_name_of_an_object_has_its_own_key() -> None:
    operation = normal(
        "{ pet { owner(first: 1) { name } other: owner(first: 2) { name } again: owner(first: 1) { name } } }"
    )
    keys = [(each.response_key, each.key) for each in only_field(operation).selections if isinstance(each, Field)]
    assert keys == [("owner", "owner"), ("other", "owner__2"), ("again", "owner__3")]


def test_a_leaf_under_two_names_is_one_key() -> None:
    operation = normal("{ pet { name called: name } }")
    keys = [(each.response_key, each.key) for each in only_field(operation).selections if isinstance(each, Field)]
    assert keys == [("name", "name"), ("called", "name")]


def test_variables_of_a_field_are_named_however_deep() -> None:
    operation = normal('query ($n: Int = 3, $t: String) { pet(by: {a: $n}, tags: ["x", $t]) { name } }')
    assert only_field(operation).variables == ("n", "t")
    assert [(each.name, each.type, each.default) for each in operation.variables] == [
        ("n", "Int", "3"),
        ("t", "String", None),
    ]
