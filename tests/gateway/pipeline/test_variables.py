"""Variables are checked as GraphQL says and handed on as they came."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import OperationDefinitionNode, build_schema, parse

from gateway.errors import VariableInvalid
from gateway.pipeline.quick_parsing import parse_quickly
from gateway.pipeline.variables import Declared, coerce

SCHEMA = build_schema(
    """
    enum Colour { RED BLUE }
    input Filter { colour: Colour = RED, size: Int! }
    scalar Anything
    type Query { a(colour: Colour, ids: [ID!], filter: Filter, any: Anything, on: Boolean, factor: Float): Int }
    """
)


def run(definitions: str, given: dict[str, Any]) -> dict[str, Any]:
    text = f"query({definitions}) {{ a }}"
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return coerce(SCHEMA, operation.variable_definitions or (), given, errors_max=20)


def test_values_keep_the_form_they_came_in() -> None:
    given = {"c": "BLUE", "i": 7, "f": {"size": 1}, "x": {"deep": [1]}}
    assert run("$c: Colour, $i: [ID!], $f: Filter, $x: Anything", given) == given


def test_absent_stays_absent_and_null_stays_null() -> None:
    assert run("$c: Colour, $i: [ID!]", {"i": None}) == {"i": None}


def test_defaults_are_filled_in_as_json() -> None:
    assert run("$c: Colour = BLUE, $f: Filter = {size: 2, colour: RED}, $on: Boolean = true", {}) == {
        "c": "BLUE",
        "f": {"size": 2, "colour": "RED"},
        "on": True,
    }


def test_null_is_not_replaced_by_a_default() -> None:
    assert run("$c: Colour = BLUE", {"c": None}) == {"c": None}


def test_what_the_operation_does_not_declare_is_left_behind() -> None:
    assert run("$c: Colour", {"c": "RED", "other": 1}) == {"c": "RED"}


def test_every_wrong_variable_is_told() -> None:
    with pytest.raises(VariableInvalid) as caught:
        run("$c: Colour, $f: Filter, $n: Int!", {"c": "GREEN", "f": {"colour": "RED"}})
    told = " ".join(error["message"] for error in caught.value.extensions["errors"])
    assert all(name in told for name in ("$c", "$f", "$n"))


@pytest.mark.parametrize(
    ("definitions", "given"),
    [
        ("$a: ID!", {"a": "x"}),
        ("$a: ID!", {"a": 7}),
        ("$a: ID!", {"a": True}),
        ("$a: ID!", {}),
        ("$a: ID!", {"a": None}),
        ("$a: ID", {"a": None}),
        ("$a: ID", {"b": 1}),
        ('$a: ID! = "d"', {}),
        ('$a: ID! = "d"', {"a": None}),
        ("$a: Int = 5, $b: Int = null", {}),
        ("$a: Int", {"a": 2**31 - 1}),
        ("$a: Int", {"a": -(2**31)}),
        ("$a: Int", {"a": 2**31}),
        ("$a: Int", {"a": 1.0}),
        ("$a: Int", {"a": 1.5}),
        ("$a: Int", {"a": True}),
        ("$a: Int", {"a": "1"}),
        ("$a: Float", {"a": 1}),
        ("$a: Float", {"a": 2**70}),
        ("$a: Float", {"a": 1.5}),
        ("$a: Float", {"a": float("inf")}),
        ("$a: Float", {"a": False}),
        ("$a: Boolean!", {"a": False}),
        ("$a: Boolean!", {"a": 0}),
        ("$a: String, $b: String!", {"b": ""}),
        ("$a: String", {"a": ["x"]}),
        ("$a: [Int!]!, $b: Int", {"a": [1], "b": 2}),
        ("$a: [Int!]!", {"a": [None]}),
        ("$a: Colour, $b: ID", {"a": "RED", "b": 1}),
    ],
)
def test_what_is_looked_at_quickly_is_as_what_is_coerced(definitions: str, given: dict[str, Any]) -> None:
    text = f"query({definitions}) {{ a }}"
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    plain = parse_quickly(text, max_tokens=100)
    assert plain is not None
    (unlocated,) = plain.definitions
    assert isinstance(unlocated, OperationDefinitionNode)

    def outcome(values: Callable[[], dict[str, Any]]) -> Any:
        try:
            return {name: (type(value), value) for name, value in values().items()}
        except VariableInvalid as wrong:
            return wrong.message, wrong.extensions

    coerced = outcome(lambda: coerce(SCHEMA, operation.variable_definitions or (), given, errors_max=20))
    assert outcome(lambda: Declared(SCHEMA, operation, text).values(given, errors_max=20)) == coerced
    assert outcome(lambda: Declared(SCHEMA, unlocated, text).values(given, errors_max=20)) == coerced


def test_a_wrong_variable_is_told_with_its_place_in_the_operation_that_ran() -> None:
    text = "query One($a: Int) { a }\nquery Two($a: Int) { a }"
    document = parse_quickly(text, max_tokens=100)
    assert document is not None
    operation = document.definitions[1]
    assert isinstance(operation, OperationDefinitionNode)
    with pytest.raises(VariableInvalid) as caught:
        Declared(SCHEMA, operation, text).values({"a": "x"}, errors_max=20)
    assert caught.value.extensions["errors"][0]["locations"] == [{"line": 2, "column": 11}]
