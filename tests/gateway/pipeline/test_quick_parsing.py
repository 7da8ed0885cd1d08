"""What is read quickly is read as graphql-core reads it; whatever that refuses is not read."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from graphql import DocumentNode, GraphQLError, parse

from gateway.pipeline.quick_parsing import parse_quickly
from tests.benchmarks.rivals.world import OPERATIONS

ROOT = Path(__file__).parents[3]
HOUSE = tuple(path.read_text() for path in (ROOT / "schema/operations").rglob("*.graphql"))
PLAIN = (
    "{a}",
    " \ufeff,{ a , b: c } \r\n,",
    "{ a } # to the end é",
    "# first\nquery Q { # of all\n a }\r# last",
    "query on @x { on: fragment ... on on { on } ...fragment ...query @x(on: true) }",
    "fragment query on on { a } query { ...{ a } ... @x { b } }",
    'mutation M($a: [T!]! = [1, -2.5e+3] @x, $b: T = {a: {b: "é 😀 \t"}, c: null} @y(z: [E, true, false, 0, -0, 1e9]) @z) { a(b: $a) }',
    'subscription{a(x:"",y:" # not, a comment ",z:[[],[{}]],w:{a:[$v]}){}}',
    "{ a(b:1,c:2.0,d:E,f:truer,g:nullable)@x@y(z:$z)b:c(d:$d){e}}",
    f"{{ {'x' * 100}: {'y' * 100} }}",
)
UNUSUAL = (
    "",
    " ",
    "{",
    "}",
    "{ a } }",
    "{ a( }",
    "{ a() }",
    "{ a: }",
    "{ a: b: c }",
    "{ ... }",
    "{ .. a }",
    "{ .... a }",
    "{ a(b: 1c) }",
    "{ a(b: 01) }",
    "{ a(b: 1.) }",
    "{ a(b: .5) }",
    "{ a(b: -) }",
    "{ a(b: 1-2) }",
    "{ a(b: [1-2 3...4]) }",
    "{ a(b: +1) }",
    "{ a(b: ٣) }",
    "{ é }",
    "{ a\u00a0b }",
    "{ a\fb }",
    '{ a(b: "\\n") }',
    '{ a(b: "") }',
    '{ a(b: """block""") }',
    '{ a(b: "a""b") }',
    '{ a(b: "open) }',
    '{ a(b: "two\nlines") }',
    '{ a(b: "\ud800") }',
    "{ a # \ud800\n }",
    "{ a(b: 'c') }",
    "{ a(b: $) }",
    "{ a(b: {c}) }",
    "{ a(b: [1) }",
    "{ a @ }",
    "{ a & b | c = d ! }",
    "query",
    "query Q",
    "query () { a }",
    "query ($a) { a }",
    "query ($a: [T) { a }",
    "query ($a: T!!) { a }",
    "query ($a: T = $b) { a }",
    "query ($a: T = [{b: $b}]) { a }",
    "query ($a: T @x(y: $b)) { a }",
    "queryQ { a }",
    "fragment on on T { a }",
    "fragment F T { a }",
    "fragment F on { a }",
    "fragment F($a: T) on T { a }",
    '"described" query Q { a }',
    '"described" { a }',
    "type T { a: Int }",
    "extend type T { a: Int }",
    "{ a } type T { a: Int }",
    "{ a " * 90 + "}" * 90,
    "{ a " * 190 + "}" * 190,
    "{ a " * 300 + "}" * 300,
    "{ a(b: " + "[" * 300 + "]" * 300 + ") }",
)
CHARACTERS = '{}()[]:!$@=&|...,""\'\\#-+.0123eE \n\r\t\ufeffé\x00_aonTtrue'


def read(text: str) -> DocumentNode | None:
    try:
        return parse(text, no_location=True, max_tokens=10_000)
    except GraphQLError:
        return None


@pytest.mark.parametrize("text", [*PLAIN, *HOUSE, *(each.document for each in OPERATIONS)])
def test_reads_what_clients_write(text: str) -> None:
    assert parse_quickly(text, max_tokens=10_000) == read(text) is not None


@pytest.mark.parametrize("text", UNUSUAL)
def test_does_not_read_anything_in_another_way(text: str) -> None:
    assert parse_quickly(text, max_tokens=10_000) in (None, read(text))


@pytest.mark.parametrize("seed", range(10))
def test_does_not_read_broken_texts_in_another_way(seed: int) -> None:
    random = Random(seed)
    for _ in range(300):
        text = random.choice((*PLAIN, *UNUSUAL[:50], random.choice(HOUSE)))
        for _ in range(random.choice((1, 1, 2, 4))):
            at, end = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
            end = random.choice((at, at + 1, at + 1, end))
            new = random.choice(
                ("", random.choice(CHARACTERS), text[at:end] * 2, "".join(random.choices(CHARACTERS, k=3)))
            )
            text = text[:at] + new + text[end:]
        quick = parse_quickly(text, max_tokens=10_000)
        assert quick is None or quick == read(text), repr(text)


@pytest.mark.parametrize("text", PLAIN)
def test_reads_no_more_tokens_than_the_parser(text: str) -> None:
    for most in range(80):
        try:
            parse(text, max_tokens=most)
        except GraphQLError:
            assert parse_quickly(text, max_tokens=most) is None
        else:
            assert parse_quickly(text, max_tokens=most) is not None


def test_reads_a_long_tail_of_nothing_in_linear_time() -> None:
    """A search that tries anew from each blank would take minutes."""
    assert parse_quickly("{ a }" + " " * 300_000 + "\n" * 300_000, max_tokens=10) is not None
