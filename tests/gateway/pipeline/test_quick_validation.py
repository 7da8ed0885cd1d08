"""What is told valid beyond doubt is valid: by graphql-core, for documents that are written well, and for broken ones."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from graphql import (
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSchema,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule

from gateway.incremental import with_directives
from gateway.pipeline.quick_validation import QuickValidation
from gateway.supergraph import Supergraph
from tests.benchmarks.rivals.world import OPERATIONS, REVIEWS
from tests.properties.operations import operation

ROOT = Path(__file__).parents[3]
RULES = (*specified_rules, NoSchemaIntrospectionCustomRule)
SCHEMA = with_directives(
    build_schema(
        """
        directive @twice(on: Boolean = true) repeatable on FIELD | QUERY | VARIABLE_DEFINITION
        scalar Json
        enum Color { RED GREEN }
        input Near { color: Color! = RED deep: Near colors: [Color!] size: Int! note: String }
        input One @oneOf { id: ID name: String }
        interface Node { id: ID! same(l: Int): Node }
        interface Named implements Node { id: ID! same(l: Int): Node name: String }
        type Cat implements Node & Named {
          id: ID! same(l: Int): Node name: String friends(first: Int! = 3): [Pet!] lives: Int
        }
        type Dog implements Node { id: ID! same(l: Int): Node name: String! owner: Cat sizes: [Int] lives: String }
        type Rock implements Node { id: ID! same(l: Int): Node }
        union Pet = Cat | Dog
        type Query {
          pet(id: ID!): Pet pets(near: Near, ids: [ID!], grid: [[Int!]!], weight: Float): [Pet!]! node: Node
          named(json: Json, one: One, color: Color = GREEN, flag: Boolean): Named cat(color: Color! = RED): Cat
        }
        type Mutation { feed(id: ID!): Cat }
        type Subscription { fed(id: ID): Cat born: Cat }
        """
    )
)
VALID = (
    "{ node { id ...F ... on Dog { owner { ...G } } } } fragment F on Node { id same { id } } fragment G on Cat { id name }",
    "query Q($i: ID!, $c: Color, $g: [[Int!]!]) { pet(id: $i) { __typename ... on Named { name } } "
    "pets(near: {color: RED, size: 1, colors: [RED, GREEN]}, ids: [$i, 5], grid: $g) { ... on Cat { lives } } cat(color: $c) { id } }",
    "query Q($s: Int! = 3, $n: Near, $w: Float = 1) { pets(near: $n, weight: $w) { ... on Cat { friends(first: $s) { __typename } } }"
    " two: pets(near: {size: $s, deep: {size: 2, color: GREEN}}, ids: 7, grid: 3) { ... on Node { id same(l: $s) { id } } } }",
    "query A($b: Boolean!) { cat { id @skip(if: $b) ...F @include(if: true) } } query B { cat { ...F } } fragment F on Cat { lives }",
    "mutation M($i: ID = 4) { feed(id: $i) { friends { ... on Node { id } ... on Cat { id } ... on Dog { id } } } }",
    "subscription S($i: ID) { fed(id: $i) { name } }",
    "{ named(json: 3, color: null, flag: true) { name ...F ...F } cat { same(l: 2) { id } same(l: 2) { id ...F } } }"
    " fragment F on Node { id same { ... { id } } }",
    "query Q($l: Int, $n: String) { node { a: same(l: $l) { id } } pets(near: {size: 1, note: $n, deep: null}) { __typename } }",
)
"""Accepted; between them they have all there is to mutate."""
SURELY_NOT = (
    "{ nope }",
    "{ cat }",
    "{ cat { id { id } } }",
    "{ node { ... on Nope { id } } }",
    "{ node { ... on Pet { __typename } ... on Query { node { id } } } }",
    "{ node { ... on Color { id } } }",
    "{ ...F } fragment F on Query { ...F node { id } }",
    "{ ...F } fragment F on Query { node { ...G } } fragment G on Node { same { ...G } }",
    "{ ...F }",
    "{ node { id } } fragment F on Node { id }",
    "{ ...F } fragment F on Query { node { id } } fragment F on Query { node { id } }",
    "{ pet { __typename } }",
    "{ pet(id: null) { __typename } }",
    "{ pet(id: 1, id: 2) { __typename } }",
    "{ pet(id: 1, no: 2) { __typename } }",
    "{ pet(id: 1.5) { __typename } }",
    "{ pets(near: {color: RED}) { __typename } }",
    "{ pets(near: {size: 1, size: 2}) { __typename } }",
    "{ pets(near: {size: 1, nope: 2}) { __typename } }",
    "{ pets(near: {size: 1, color: BLUE}) { __typename } }",
    '{ pets(near: {size: 1, color: "RED"}) { __typename } }',
    "{ pets(near: {size: 1, color: null}) { __typename } }",
    "{ pets(grid: [[null]]) { __typename } }",
    "{ pets(near: {size: 3000000000}) { __typename } }",
    '{ named(one: {id: 1, name: "n"}) { id } }',
    "{ named(one: {}) { id } }",
    "query ($i: ID) { named(one: {id: $i}) { id } }",
    "query ($i: ID) { pet(id: $i) { __typename } }",
    "query ($i: [ID!]) { pet(id: $i) { __typename } }",
    "query ($i: ID!) { pets(ids: $i) { __typename } }",
    "query ($i: [ID]) { pets(ids: $i) { __typename } }",
    "query ($i: ID! $i: ID!) { pet(id: $i) { __typename } }",
    "query ($i: ID!) { node { id } }",
    "query ($i: Cat) { pet(id: $i) { __typename } }",
    "query ($i: Nope) { pet(id: $i) { __typename } }",
    'query ($i: Int = "a") { node { same(l: $i) { id } } }',
    "query ($i: Color = null) { cat(color: $i) { id } pet(id: $i) { __typename } }",
    "{ pet(id: $i) { __typename } }",
    "query A($i: ID!) { ...F } query B { ...F } fragment F on Query { pet(id: $i) { __typename } }",
    "query A { node { id } } query A { node { id } }",
    "query A { node { id } } { node { id } }",
    "{ node { id: __typename id } }",
    "{ node { same(l: 1) { id } same(l: 2) { id } } }",
    "{ node { a: same { x: id } a: same { x: __typename } } }",
    "{ pet(id: 1) { ... on Cat { x: id } ... on Dog { x: owner { id } } } }",
    "{ pet(id: 1) { ... on Cat { lives } ... on Dog { lives } } }",
    "{ pet(id: 1) { ... on Cat { same { ...F } } ... on Dog { same { id: same { id } } } } } fragment F on Node { id }",
    "{ node @skip { id } }",
    '{ node @skip(if: "yes") { id } }',
    "query ($b: Boolean) { node @skip(if: $b) { id } }",
    "{ node @skip(if: true) @skip(if: false) { id } }",
    "{ node @nope { id } }",
    "{ ... @twice { node { id } } }",
    "query @skip(if: true) { node { id } }",
    "query ($b: Boolean @skip(if: true)) { named(flag: $b) { id } }",
    "{ ...F } fragment F on Query @include(if: true) { node { id } }",
    "{ node @defer { id } }",
    '{ ... @defer(label: "a") { node { id } } ... @defer(label: "a") { cat { id } } }',
    "mutation { ... @defer { feed(id: 1) { id } } }",
    "{ node @stream { id } }",
    "subscription { fed { id } born { id } }",
    "subscription { fed @skip(if: true) { id } }",
    "subscription { __typename }",
    "subscription { ...F } fragment F on Subscription { fed { id } born { id } }",
    "{ __schema { queryType { name } } }",
    '{ __type(name: "Cat") { name } }',
    "type Cat { id: ID } { node { id } }",
)
_TOKEN = re.compile(r'"[^"]*"|\.\.\.|[\w.]+|[^\s,]')
_OPENING, _CLOSING = "({[", ")}]"


def wrong(document: str) -> list[GraphQLError]:
    return validate(SCHEMA, parse(document), RULES)


@pytest.mark.parametrize("document", VALID)
def test_is_sure_of_what_clients_write(document: str) -> None:
    assert not wrong(document)
    assert QuickValidation(SCHEMA).accepts(parse(document))


def test_is_sure_of_every_operation_of_the_house() -> None:
    schema = with_directives(Supergraph.parse((ROOT / "schema/supergraph.graphql").read_text()).api_schema)
    quick = QuickValidation(schema)
    for path in (ROOT / "schema/operations").rglob("*.graphql"):
        assert quick.accepts(parse(path.read_text())), path.name


def test_is_sure_of_what_is_measured_beside_other_gateways() -> None:
    graph = Supergraph.parse(REVIEWS.supergraph({}))
    for each in OPERATIONS:
        assert QuickValidation(graph.api_schema).accepts(parse(each.document)), each.name


@pytest.mark.parametrize("document", SURELY_NOT)
def test_is_not_sure_of_what_is_wrong(document: str) -> None:
    assert wrong(document)
    assert not QuickValidation(SCHEMA).accepts(parse(document))


@pytest.mark.parametrize("seed", range(12))
def test_is_not_sure_of_a_broken_document(seed: int) -> None:
    """One to three tokens or groups of tokens of a valid document are dropped, doubled, or replaced by another's."""
    random, quick = Random(seed), QuickValidation(SCHEMA)
    for _ in range(400):
        text = mutated(random)
        try:
            tree = parse(text)
        except GraphQLError:
            continue
        assert not quick.accepts(tree) or not validate(SCHEMA, tree, RULES), text


@pytest.mark.parametrize("seed", range(40))
def test_is_not_sure_of_what_is_wrong_with_a_random_operation(seed: int) -> None:
    ask = operation(SCHEMA, f"validation {seed}")
    assert ask is not None
    random, quick = Random(seed), QuickValidation(SCHEMA)
    for tokens in (_TOKEN.findall(ask.query), *(broken(random, _TOKEN.findall(ask.query)) for _ in range(40))):
        try:
            tree = parse(" ".join(tokens))
        except GraphQLError:
            continue
        if quick.accepts(tree):
            assert not validate(SCHEMA, tree, specified_rules), " ".join(tokens)


@pytest.mark.parametrize("fragments", [2, 10, 40, 90])
@pytest.mark.parametrize("fields", [3, 30, 120])
@pytest.mark.parametrize("repeated", [False, True])
def test_is_not_sure_of_what_graphql_core_gives_up(
    fragments: int, fields: int, repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all fragments spread in one place, and each field many times or once."""
    monkeypatch.setattr("graphql.validation.rules.overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET", 100_000)
    names = [[f"f{0 if repeated else n}_{m}: id" for m in range(fields)] for n in range(fragments)]
    parts = [f"fragment F{n} on Node {{ {' '.join(each)} same {{ id }} }}" for n, each in enumerate(names)]
    document = f"{{ node {{ {' '.join(f'...F{n}' for n in range(fragments))} }} }} " + " ".join(parts)
    sure = QuickValidation(SCHEMA).accepts(parse(document))
    assert sure or fragments * fields > 100
    assert not sure or not wrong(document)


def test_is_not_sure_of_documents_nested_beyond_counting() -> None:
    fields = f"{{ node {'{ same ' * 60} {{ id }} {'}' * 61}"
    doubling = "".join(
        f"fragment F{n} on Node {{ a: same {{ ...F{n + 1} }} b: same {{ ...F{n + 1} }} }} " for n in range(30)
    )
    for document in (fields, "{ node { ...F0 } } " + doubling + "fragment F30 on Node { id }"):
        assert not QuickValidation(SCHEMA).accepts(parse(document))


def test_knows_no_directive_that_the_schema_defines_in_its_own_way() -> None:
    own: GraphQLSchema = build_schema("directive @include(if: Boolean) on FIELD type Query { a: Int }")
    assert own.get_directive("include") is not GraphQLIncludeDirective
    assert not QuickValidation(own).accepts(parse("{ a @include(if: true) }"))
    assert not validate(own, parse("{ a @include(if: true) }"))


def mutated(random: Random) -> str:
    tokens = _TOKEN.findall(random.choice(VALID))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        tokens = broken(random, tokens)
    return " ".join(tokens)


def broken(random: Random, tokens: list[str]) -> list[str]:
    at = random.randrange(len(tokens))
    end = _group_end(tokens, at)
    other = _TOKEN.findall(random.choice(VALID))
    of = random.randrange(len(other))
    match random.choice((0, 1, 2, 3, 4, 4, 4, 5)):
        case 0:
            new: list[str] = []
        case 1:
            new = tokens[at:end] * 2
        case 2:
            new = other[of : _group_end(other, of)]
        case 3:
            new = [*tokens[at:end], *other[of : _group_end(other, of)]]
        case 4:
            new = [random.choice([each for each in other if each.isalnum() == tokens[at].isalnum()])]
            end = at + 1
        case _:
            place = random.randrange(len(tokens))
            new = tokens[place : _group_end(tokens, place)]
    return [*tokens[:at], *new, *tokens[end:]] or ["{"]


def _group_end(tokens: list[str], at: int) -> int:
    """Behind the token, or behind the group that it opens."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place] in _OPENING) - (tokens[place] in _CLOSING)
        if depth <= 0:
            return place + 1
    return len(tokens)
