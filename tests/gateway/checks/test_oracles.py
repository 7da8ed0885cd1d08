"""The table against two judges that share no code with it: validation in the new schema, and graphql-core's own finders."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate, validate_schema
from graphql.utilities import find_breaking_changes, find_dangerous_changes

from gateway.checks.changes import Severity, changes, judge
from gateway.checks.operations import uses

BASE = """
schema { query: Query mutation: Mutation }
type Mutation { m(in: In!): Int }
type Query { a(x: Int, e: E, in: In, l: [Int], es: [E!]): A i: I j: J u: U d(x: Int! = 1): Int e: E n: Int! other: Int }
interface J { id: ID }
interface I implements J { id: ID  f(q: Int): Int }
type A implements I & J { id: ID  name: String  f(q: Int): Int  b: B }
type B implements I & J { id: ID  size: Int  f(q: Int): Int }
union U = A | B
enum E { ONE TWO }
input In { f: Int  g: Int  n: In2  e: E  h: Int! = 3 }
input In2 { z: Int  w: E }
"""

MUTATIONS = {
    "A leaves I": [("type A implements I & J", "type A implements J")],
    "B leaves I": [("type B implements I & J", "type B implements J")],
    "all leave J": [("interface I implements J", "interface I"), ("type A implements I & J", "type A implements I"), ("type B implements I & J", "type B implements I")],
    "B leaves U": [("A | B", "A")],
    "the mutations go": [("mutation: Mutation", "")],
    "an input takes one": [("input In2 {", "input In2 @oneOf {")],
    "items are not null": [("l: [Int]", "l: [Int!]")],
    "an argument is required": [("a(x: Int,", "a(x: Int!,")],
    "an argument goes": [("a(x: Int, ", "a(")],
    "an argument of an interface is required": [("f(q: Int)", "f(q: Int!)")],
    "an argument of an interface goes": [("f(q: Int)", "f")],
    "a default goes": [("d(x: Int! = 1)", "d(x: Int!)")],
    "a default of an input field goes": [("h: Int! = 3", "h: Int!")],
    "a value goes": [("ONE TWO", "ONE")],
    "an input field goes": [("z: Int", "")],
    "an input field is required": [("z: Int", "z: Int!")],
    "a required input field comes": [("z: Int", "z: Int v: Int!")],
    "an answer has another type": [("b: B", "b: A")],
    "a field goes": [("size: Int", "")],
}  # fmt: skip

OPERATIONS = """\
{ other }
{ a { ... on I { __typename } } }
{ a { ... on J { __typename } } }
{ i { __typename ... on A { __typename } } }
{ j { ... on I { __typename } } }
{ j { ...F } } fragment F on I { f(q: 1) }
{ u { ... on I { __typename } } }
{ u { ... on B { __typename } } }
{ u { ... on J { ... on B { size } } } }
{ i { f } }
query ($q: Int) { i { f(q: $q) } }
{ a(x: 1) { id } }
{ a(x: null) { id } }
{ a(l: [null]) { id } }
query ($l: [Int]) { a(l: $l) { id } }
query ($x: Int) { a(l: [$x]) { id } }
{ a(es: [TWO]) { id } }
query ($e: E = TWO) { a(in: {e: $e}) { id } }
{ a(in: {n: {w: TWO}}) { id } }
{ a(in: {n: {z: 1}}) { id } }
{ a(in: {n: {}}) { id } }
query ($z: Int) { a(in: {n: {z: $z}}) { id } }
query ($n: In2) { a(in: {n: $n}) { id } }
mutation { m(in: {f: 1, h: 2}) }
mutation { m(in: {g: 1}) }
mutation ($in: In!) { m(in: $in) }
{ d }
query ($x: Int) { d(x: $x) }
{ a { b { size } } }""".splitlines()


def mutated(name: str) -> tuple[GraphQLSchema, GraphQLSchema]:
    text = BASE
    for was, is_ in MUTATIONS[name]:
        assert was in text
        text = text.replace(was, is_)
    old, new = build_schema(BASE), build_schema(text)
    assert validate_schema(new) == []
    return old, new


@pytest.mark.parametrize("name", MUTATIONS)
def test_an_operation_that_stops_being_valid_is_hit_by_a_change(name: str) -> None:
    old, new = mutated(name)
    found = changes(old, new)
    stopped = 0
    for text in OPERATIONS:
        document = parse(text)
        assert validate(old, document) == []
        if validate(new, document):
            stopped += 1
            judged = [judge(change, {"it": uses(document, old)}) for change in found]
            assert any(change.severity is Severity.BREAKING for change in judged), text
    assert stopped or name in ("B leaves I",), "a mutation that stops nothing judges nothing"


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_others_call_breaking_or_dangerous_is_never_called_safe(name: str) -> None:
    old, new = mutated(name)
    severities = {change.severity for change in changes(old, new)}
    if find_breaking_changes(old, new):
        assert Severity.BREAKING in severities
    if find_dangerous_changes(old, new):
        assert severities != {Severity.SAFE}


def test_an_operation_that_never_meets_the_object_is_not_hit() -> None:
    old, new = mutated("B leaves I")
    (change,) = [each for each in changes(old, new) if each.coordinate == "B"]
    unhurt = uses(parse("{ a { ... on I { id } } u { ... on B { __typename } } }"), old)
    assert judge(change, {"it": unhurt}).severity is Severity.SAFE
