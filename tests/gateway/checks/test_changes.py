"""The table of changes: what each is to anybody, to an operation that relies on it, and to one that does not."""

from __future__ import annotations

import pytest
from graphql import build_schema, parse, validate

from gateway.checks.changes import Change, Severity, changes, judge
from gateway.checks.operations import uses

BASE = """
type Query { a(x: Int, e: E, in: In = {}): A  i: I  u: U  d(x: Int! = 1): Int  e: E  n: Int!  other: Int }
interface I { id: ID }
type A implements I { id: ID  name: String }
type B implements I { id: ID  size: Int }
union U = A | B
enum E { ONE TWO }
input In { f: Int  g: Int }
"""
OTHER = "{ other }"
B, D, S = Severity.BREAKING, Severity.DANGEROUS, Severity.SAFE

TABLE = {
    # what: (old text, new text, coordinate, severity to anybody, an operation that is hit, severity to it)
    "a field is removed": ("  name: String }", " }", "A.name", B, "{ a { name } }", B),
    "a field below an interface is removed": ("type B implements I { id: ID  size: Int }", "type B implements I { id: ID }", "B.size", B, "{ i { ... on B { size } } }", B),
    "a field is added": ("other: Int }", "other: Int more: Int }", "Query.more", S, "{ other }", S),
    "a type is removed": ("union U = A | B", "", "U", B, "{ u { __typename } }", B),
    "a type becomes another kind": ("union U = A | B", "type U { x: Int }", "U", B, "{ u { __typename } }", B),
    "an implementation is removed": ("type A implements I {", "type A {", "A", B, "{ i { id ... on A { name } } }", B),
    "an implementation is added": ("union U = A | B", "union U = A | B type C implements I { id: ID }", "C", S, "{ i { id } }", S),
    "a member is removed": ("union U = A | B", "union U = A", "U", B, "{ u { ... on B { size } } }", B),
    "a member is added": ("union U = A | B", "union U = A | B | C type C { c: Int }", "U", D, "{ u { __typename } }", D),
    "an argument is removed": ("a(x: Int, e: E,", "a(e: E,", "Query.a(x:)", B, "{ a(x: 1) { id } }", B),
    "an argument nobody gives is removed": ("a(x: Int, e: E,", "a(e: E,", "Query.a(x:)", B, "{ a(e: ONE) { id } }", S),
    "a required argument is added": ("a(x: Int, e: E,", "a(x: Int, e: E, r: Int!,", "Query.a(r:)", B, "{ a { id } }", B),
    "an optional argument is added": ("a(x: Int, e: E,", "a(x: Int, e: E, r: Int,", "Query.a(r:)", S, "{ a { id } }", S),
    "an argument becomes required, left out": ("a(x: Int,", "a(x: Int!,", "Query.a(x:)", B, "{ a { id } }", B),
    "an argument becomes required, given": ("a(x: Int,", "a(x: Int!,", "Query.a(x:)", B, "{ a(x: 1) { id } }", S),
    "an argument becomes required, a variable that may be null": ("a(x: Int,", "a(x: Int!,", "Query.a(x:)", B, "query ($x: Int) { a(x: $x) { id } }", B),
    "an argument becomes required, a variable that is not null": ("a(x: Int,", "a(x: Int!,", "Query.a(x:)", B, "query ($x: Int!) { a(x: $x) { id } }", S),
    "an argument becomes required with a default, left out": ("a(x: Int,", "a(x: Int! = 2,", "Query.a(x:)", B, "{ a { id } }", S),
    "an argument becomes nullable": ("d(x: Int! = 1)", "d(x: Int = 1)", "Query.d(x:)", S, "{ d(x: 2) }", S),
    "an argument takes a list now": ("a(x: Int,", "a(x: [Int],", "Query.a(x:)", S, "{ a(x: 1) { id } }", S),
    "an argument has another type": ("a(x: Int,", "a(x: String,", "Query.a(x:)", B, "{ a(x: 1) { id } }", B),
    "an answer may be null now": ("n: Int!", "n: Int", "Query.n", B, "{ n }", B),
    "an answer is never null now": ("size: Int }", "size: Int! }", "B.size", S, "{ i { ... on B { size } } }", S),
    "an answer has another type": ("n: Int!", "n: String!", "Query.n", B, "{ n }", B),
    "a default goes, left out": ("d(x: Int! = 1)", "d(x: Int!)", "Query.d(x:)", B, "{ d }", B),
    "a default goes, given": ("d(x: Int! = 1)", "d(x: Int!)", "Query.d(x:)", B, "{ d(x: 1) }", S),
    "a default is another, left out": ("d(x: Int! = 1)", "d(x: Int! = 2)", "Query.d(x:)", D, "{ d }", D),
    "a required input field is added": ("g: Int }", "g: Int h: Int! }", "In.h", B, "{ a(in: {f: 1}) { id } }", B),
    "an input field is removed": ("g: Int }", "}", "In.g", B, "{ a(in: {g: 1}) { id } }", B),
    "an input field nobody gives is removed": ("g: Int }", "}", "In.g", B, "{ a(in: {f: 1}) { id } }", S),
    "an input field that may come in a variable is removed": ("g: Int }", "}", "In.g", B, "query ($in: In) { a(in: $in) { id } }", B),
    "an input field becomes required": ("g: Int }", "g: Int! }", "In.g", B, "{ a(in: {f: 1}) { id } }", B),
    "an enum value that is sent is removed": ("TWO", "", "E.TWO", B, "{ a(e: TWO) { id } }", B),
    "an enum value that may come in a variable is removed": ("TWO", "", "E.TWO", B, "query ($e: E) { a(e: $e) { id } }", B),
    "an enum value that may be returned is removed": ("TWO", "", "E.TWO", B, "{ e }", D),
    "an enum value is added": ("TWO", "TWO THREE", "E.THREE", D, "{ e }", D),
    "a field is deprecated": ("other: Int }", "other: Int  @deprecated(reason: \"old\") }", "Query.other", S, "{ other }", S),
}  # fmt: skip


def only(found: list[Change], coordinate: str) -> Change:
    (change,) = [each for each in found if each.coordinate == coordinate]
    return change


@pytest.mark.parametrize(("was", "is_", "coordinate", "anybody", "document", "known"), TABLE.values(), ids=list(TABLE))
def test_the_severity_of_a_change(
    was: str, is_: str, coordinate: str, anybody: Severity, document: str, known: Severity
) -> None:
    assert was in BASE
    new_text = BASE.replace(was, is_)
    if "union U" not in new_text and "type U" not in new_text:
        new_text = new_text.replace("  u: U", "")
    old, new = build_schema(BASE), build_schema(new_text)
    change = only(changes(old, new), coordinate)
    assert change.severity is anybody
    tree = parse(document)
    assert validate(old, tree) == []
    judged = judge(change, {"it": uses(tree, old), "other": uses(parse(OTHER), old)})
    assert judged.severity is known
    assert judged.operations == (() if known is S else ("it",))
    if known is S and document != OTHER:
        assert validate(new, tree) == [], "what is called safe still runs"
    assert judge(change, {"other": uses(parse("{ __typename }"), old)}).severity in (S, anybody if anybody is S else S)


def test_a_breaking_change_says_what_to_do_instead() -> None:
    for was, is_, coordinate, severity, _, _ in TABLE.values():
        new_text = BASE.replace(was, is_)
        if "union U" not in new_text and "type U" not in new_text:
            new_text = new_text.replace("  u: U", "")
        change = only(changes(build_schema(BASE), build_schema(new_text)), coordinate)
        assert bool(change.fix) or severity is not B
