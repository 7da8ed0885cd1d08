"""``@defer``: what comes first, what comes later, in which part an error is, and that the parts make up the whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    InlineFragmentNode,
    IntValueNode,
    NameNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_nullable_type,
    is_list_type,
    parse,
    print_ast,
    validate,
    visit,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse, Response

from gateway.config import Settings
from gateway.errors import LimitExceeded
from gateway.exchange import GraphQLResponse
from gateway.execution.executor import Executor
from gateway.execution.incremental import execute_incrementally
from gateway.execution.transport import FetchContext, Transport
from gateway.incremental import Dialect, Increment, Payload, encode_payload, with_directives
from gateway.operation import normalise
from gateway.planning.planner import Planner
from gateway.planning.verify import verify
from tests.federation.shop_world import subgraphs, supergraph, world
from tests.gateway.planning.generated import FLAGS, operations
from tests.kit.fake_subgraphs import FakeSubgraph, served

SCHEMA = with_directives(supergraph().api_schema)


class Gateway:
    """Planner and executor over the shop's fakes."""

    def __init__(self, fakes: list[FakeSubgraph]) -> None:
        self.settings = Settings(development=True, subgraph_urls={each.name: each.url for each in fakes})
        self.transport = Transport(self.settings.limits)
        self.executor = Executor(supergraph(), self.transport, self.settings)
        self.fakes = {each.name: each for each in fakes}

    def payloads(
        self,
        document: str,
        variables: Mapping[str, Any] | None = None,
        *,
        deferred_max: int = 20,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> AsyncGenerator[Payload, None]:
        tree = parse(document)
        assert validate(SCHEMA, tree) == []
        operation = normalise(tree, None, SCHEMA, deferred_max=deferred_max)
        plan = Planner(supergraph()).plan(operation)
        assert verify(plan, operation, supergraph()) == []
        executable = self.executor.prepare(plan, operation)
        return execute_incrementally(self.executor, executable, variables or {}, FetchContext(), errors=errors)

    async def all(
        self, document: str, variables: Mapping[str, Any] | None = None, *, deferred_max: int = 20
    ) -> tuple[GraphQLResponse, list[Increment]]:
        async with asyncio.timeout(20), aclosing(self.payloads(document, variables, deferred_max=deferred_max)) as each:
            first, *rest = [payload async for payload in each]
        assert isinstance(first, GraphQLResponse)
        increments = [payload for payload in rest if isinstance(payload, Increment)]
        assert len(increments) == len(rest)
        assert [each.has_next for each in increments] == [True] * (len(rest) - 1) + [False] * bool(rest)
        return first, increments


@asynccontextmanager
async def gateway() -> AsyncGenerator[Gateway, None]:
    fakes = subgraphs(*world())
    async with served(*fakes):
        found = Gateway(fakes)
        try:
            yield found
        finally:
            await found.transport.aclose()


def hold(fake: FakeSubgraph) -> asyncio.Event:
    """The subgraph answers nobody until the event is set."""
    released = asyncio.Event()

    async def wait(_: object) -> None:
        await released.wait()

    fake.behaviour = wait
    return released


async def broken(_: object) -> Response:
    return PlainTextResponse("<h1>", 500)


def delivered(increments: list[Increment]) -> list[tuple[str | None, list[str | int], Any]]:
    return [(each.pending.label, list(each.pending.path), each.data) for one in increments for each in one.delivered]


def put_together(first: GraphQLResponse, increments: list[Increment]) -> Any:
    data = json.loads(json.dumps(first.data))
    for increment in increments:
        for each in increment.delivered:
            target = data
            for step in each.pending.path:
                target = target[step]
            if each.start is not None:
                assert len(target) == each.start
                target += each.data
                continue
            join(target, json.loads(json.dumps(each.data)))
    return data


def join(target: Any, source: Any) -> None:
    for key, value in source.items() if isinstance(source, dict) else enumerate(source):
        if isinstance(source, dict) and key not in target:
            target[key] = value
        elif isinstance(value, dict | list) and target[key] is not None:
            join(target[key], value)


async def test_what_is_deferred_comes_when_its_subgraph_has_answered_and_the_rest_before() -> None:
    async with gateway() as on:
        released = hold(on.fakes["inventory"])
        async with (
            asyncio.timeout(20),
            aclosing(on.payloads('{ top { sku ... @defer(label: "s") { stock } } }')) as parts,
        ):
            first = await anext(parts)
            assert isinstance(first, GraphQLResponse)
            assert first.data == {"top": {"sku": "a"}}
            assert [(each.label, each.path) for each in first.pending] == [("s", ("top",))]
            released.set()
            (rest,) = [each async for each in parts]
    assert isinstance(rest, Increment)
    assert delivered([rest]) == [("s", ["top"], {"stock": 5})]
    assert not rest.has_next


async def test_a_deferred_field_of_the_subgraph_that_is_asked_anyway_does_not_make_that_request_longer() -> None:
    async with gateway() as on:
        await on.all("{ top { sku ... @defer { name weight } } }")
        sent = [each["query"] for each in on.fakes["catalog"].requests]
    assert "weight" not in sent[0]
    assert "weight" in sent[1]


async def test_the_parts_of_a_list_are_deferred_item_by_item() -> None:
    async with gateway() as on:
        first, increments = await on.all("{ products { sku ... @defer { safe } } }")
    assert first.data is not None
    places = [("products", at) for at, each in enumerate(first.data["products"]) if each is not None]
    assert [each.path for each in first.pending] == places
    assert [tuple(path) for _, path, _ in delivered(increments)] == places
    assert len(increments) == 1, "one fetch, one increment"


async def test_nested_blocks_come_after_what_they_are_in() -> None:
    async with gateway() as on:
        released = hold(on.fakes["inventory"])
        document = '{ top { sku ... @defer(label: "a") { rating ... @defer(label: "b") { safe } } } }'
        async with asyncio.timeout(20), aclosing(on.payloads(document)) as parts:
            first = await anext(parts)
            assert isinstance(first, GraphQLResponse)
            assert [each.label for each in first.pending] == ["a"]
            second = await anext(parts)
            assert isinstance(second, Increment)
            assert [each.label for each in second.pending] == ["b"]
            assert second.has_next
            released.set()
            third = await anext(parts)
    assert isinstance(third, Increment)
    assert [each.pending.label for each in third.delivered] == ["b"]


async def test_a_fragment_is_deferred_where_it_is_spread() -> None:
    document = """query { top { sku ...More @defer(label: "more") } lowest { sku ...More } } fragment More on Product { rating }"""
    async with gateway() as on:
        first, increments = await on.all(document)
    assert first.data is not None
    assert set(first.data["top"]) == {"sku"}
    assert set(first.data["lowest"]) == {"sku", "rating"}
    assert [path for _, path, _ in delivered(increments)] == [["top"]]


@pytest.mark.parametrize(
    ("variables", "later"), [({"d": True}, True), ({"d": False}, False), ({}, True), ({"d": None}, False)]
)
async def test_a_variable_decides_whether_to_defer(variables: dict[str, Any], later: bool) -> None:
    async with gateway() as on:
        first, increments = await on.all("query($d: Boolean) { top { sku ... @defer(if: $d) { stock } } }", variables)
    assert bool(increments) is later
    assert put_together(first, increments) == {"top": {"sku": "a", "stock": 5}}


async def test_a_literal_may_say_not_to() -> None:
    async with gateway() as on:
        first, increments = await on.all("{ top { sku ... @defer(if: false) { stock } } }")
    assert first.data == {"top": {"sku": "a", "stock": 5}}
    assert increments == []


async def test_who_takes_one_answer_gets_the_plan_without_blocks() -> None:
    async with gateway() as on:
        first, increments = await on.all("{ top { sku ... @defer { name } } }", deferred_max=0)
        assert len(on.fakes["catalog"].requests) == 1
    assert first.data is not None
    assert set(first.data["top"]) == {"sku", "name"}
    assert (increments, first.pending) == ([], ())


async def test_fields_of_an_object_that_cannot_be_entered_again_come_along() -> None:
    async with gateway() as on:
        first, increments = await on.all("{ top { size { width ... @defer { height } } } }")
        assert len(on.fakes["catalog"].requests) == 1
    assert first.data is not None
    assert set(first.data["top"]["size"]) == {"width", "height"}
    assert increments == []


async def test_nothing_is_announced_of_an_object_that_is_null() -> None:
    async with gateway() as on:
        first, increments = await on.all('{ product(sku: "zzz") { sku ... @defer { safe } } }')
    assert first.data == {"product": None}
    assert (first.pending, increments) == ((), [])


async def test_an_error_is_in_the_part_it_belongs_to() -> None:
    async with gateway() as on:
        on.fakes["inventory"].behaviour = broken
        first, increments = await on.all("{ top { sku ... @defer { safe } } }")
    assert (first.data, first.errors) == ({"top": {"sku": "a"}}, ())
    (delivery,) = increments[0].delivered
    assert delivery.data == {"safe": None}
    assert [each["path"] for each in delivery.errors] == [["top", "safe"]]


async def test_a_refusal_known_before_is_told_in_the_part_that_lacks_the_field() -> None:
    refusal = {"message": "Not allowed.", "path": ["products", "@", "safe"]}
    async with gateway() as on, asyncio.timeout(20):
        payloads = on.payloads("{ products { sku ... @defer { safe } } }", errors=[refusal])
        first, rest = [each async for each in payloads]
    assert isinstance(first, GraphQLResponse)
    assert isinstance(rest, Increment)
    assert first.errors == ()
    assert [each.errors for each in rest.delivered] == [(refusal,), (), (), ()]


async def test_a_null_that_may_not_be_stops_at_the_deferred_fragment() -> None:
    async with gateway() as on:
        on.fakes["inventory"].behaviour = broken
        first, increments = await on.all("{ top { sku ... @defer { stock } } }")
    assert (first.data, first.errors) == ({"top": {"sku": "a"}}, ())
    (delivery,) = increments[0].delivered
    assert delivery.data is None
    assert [each["path"] for each in delivery.errors] == [["top", "stock"]]
    later = json.loads(encode_payload(increments[0], Dialect.PENDING))
    assert later == {"completed": [{"id": "0", "errors": list(delivery.errors)}], "hasNext": False}


async def test_what_a_mutation_changed_may_be_deferred() -> None:
    document = 'mutation { rename(sku: "a", name: "New") { name ... @defer { safe } } restock(sku: "a") { ... @defer { rating } } }'
    async with gateway() as on:
        first, increments = await on.all(document)
        assert sum("mutation" in each["query"] for each in on.fakes["catalog"].requests) == 1
    assert first.data == {"rename": {"name": "New"}, "restock": {}}
    assert {tuple(path) for _, path, _ in delivered(increments)} == {("rename",), ("restock",)}


def fetching() -> bool:
    return any("run_graph" in repr(each.get_coro()) for each in asyncio.all_tasks())


async def test_a_reader_that_leaves_ends_the_fetches() -> None:
    async with gateway() as on:
        hold(on.fakes["inventory"])
        async with asyncio.timeout(20):
            parts = on.payloads("{ top { sku ... @defer { safe } } }")
            await anext(parts)
            assert fetching()
            await parts.aclose()
        assert not fetching()


def test_more_fragments_than_the_limit_are_refused() -> None:
    document = parse("{ top { " + " ".join(["... @defer { sku }"] * 3) + " } }")
    assert len(normalise(document, None, SCHEMA, deferred_max=3).deferrals) == 3
    with pytest.raises(LimitExceeded, match="At most 2"):
        normalise(document, None, SCHEMA, deferred_max=2)


def test_fragments_that_double_at_every_level_meet_the_limit_first() -> None:
    levels = " ".join(f"fragment F{at} on Product {{ ...F{at + 1} @defer ...F{at + 1} @defer }}" for at in range(40))
    document = parse(f"{{ top {{ ...F0 }} }} {levels} fragment F40 on Product {{ sku }}")
    with pytest.raises(LimitExceeded):
        normalise(document, None, SCHEMA, deferred_max=20)


@pytest.mark.parametrize(
    "document",
    [
        "mutation { ... @defer { touch } }",
        "subscription { ... @defer { counted { sku } } }",
        "subscription { counted { sku ... @defer { safe } } }",
        '{ top { ... @defer(label: "a") { sku } ... @defer(label: "a") { name } } }',
        "query($l: String) { top { ... @defer(label: $l) { sku } } }",
        "{ top @defer { sku } }",
        "{ top @stream { sku } }",
    ],
)
def test_the_specifications_rules_hold(document: str) -> None:
    assert validate(SCHEMA, parse(document))


@pytest.mark.parametrize(
    "document",
    [
        "{ ... @defer { top { sku } } now }",
        "{ products { ... @defer { rating reviews { id } } sku ... on Product @defer { shipping } } }",
        "{ grid { sku ... @defer { safe shelf } } }",
        "{ media { id ... @defer { likes praised } } }",
        "{ media { ... on Film @defer { likes length } ... on Photo { praised } } }",
        "{ media { __typename ... @defer { url } } }",
        "{ search { __typename ... on Brand @defer { id } ... on Product { sku ... @defer { brand { score } } } } }",
        "{ again { now ... @defer { top { sku } again { ... @defer { lowest { name safe } } } } } }",
        "{ top { brand { id } ... @defer { brand { score name } related { sku ... @defer { rating } } } } }",
        "{ products { a: shipping(zone: 1) ... @defer { shipping b: shipping(zone: 2) offer } } }",
        '{ ... @defer { __type(name: "Kind") { name } } now }',
        "{ products @stream(initialCount: 1) { sku safe shipping } }",
        "{ media @stream { id likes ... @defer { praised } } }",
        "{ ... @defer { products @stream { safe } } now }",
        "{ grid @stream(initialCount: 1) { sku safe } }",
        "{ products { related @stream { sku rating } } }",
        "{ products @stream(initialCount: 2) { related @stream(initialCount: 1) { safe rating offer } } }",
        "{ ...S again { ...S } } fragment S on Query { products @stream(initialCount: 1) { safe } }",
        "{ products @stream(initialCount: 2) { safe } media @stream { likes } ... @defer { lowest { rating } } }",
        "{ top { ...F } lowest { ...F } } fragment F on Product { sku ... @defer { safe ... @defer { rating } } }",
        "{ top { sku ... @defer { sku } ... @defer { safe } ... @defer { safe } } }",
    ],
)
async def test_the_parts_make_up_the_whole(document: str) -> None:
    async with gateway() as on:
        first, increments = await on.all(document)
        whole, _ = await on.all(document, deferred_max=0)
    assert put_together(first, increments) == whole.data
    parts = [*first.errors, *(error for one in increments for each in one.delivered for error in each.errors)]
    assert {json.dumps(each.get("path")) for each in parts} == {json.dumps(each.get("path")) for each in whole.errors}


def late(data: st.DataObject, text: str, *, defer: bool, stream: bool) -> str:
    """The operation with fragments deferred and lists streamed here and there."""
    types = TypeInfo(SCHEMA)
    tree = parse(text)

    def use(name: str, **arguments: int) -> tuple[DirectiveNode, ...]:
        given = tuple(
            ArgumentNode(name=NameNode(value=key), value=IntValueNode(value=str(value)))
            for key, value in arguments.items()
        )
        return (DirectiveNode(name=NameNode(value=name), arguments=given),)

    class Late(Visitor):
        def leave_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> Any:
            if defer and data.draw(st.booleans()):
                return replaced(node, use("defer"))
            return None

        def leave_field(self, node: FieldNode, *_: Any) -> Any:
            of = types.get_type()
            if stream and of is not None and is_list_type(get_nullable_type(of)) and data.draw(st.booleans()):
                return replaced(node, use("stream", initialCount=data.draw(st.integers(0, 3))))
            return None

    return print_ast(visit(tree, TypeInfoVisitor(types, Late())))


def replaced(node: Any, directives: tuple[DirectiveNode, ...]) -> Any:
    values = {key: getattr(node, key) for key in node.keys if key != "loc"}
    return type(node)(**{**values, "directives": (*(node.directives or ()), *directives)})


async def test_the_first_items_come_before_the_rest_is_asked_for() -> None:
    async with gateway() as on:
        stock = on.fakes["inventory"]
        document = '{ products @stream(initialCount: 2, label: "rest") { sku safe } }'
        async with asyncio.timeout(20), aclosing(on.payloads(document)) as parts:
            first = await anext(parts)
            assert isinstance(first, GraphQLResponse)
            assert first.data == {"products": [{"sku": "a", "safe": None}, {"sku": "b", "safe": 1}]}
            assert [(each.label, each.path) for each in first.pending] == [("rest", ("products",))]
            (rest,) = [each async for each in parts]
        assert [[each["sku"] for each in sent] for sent in stock.entity_requests] == [["a", "b"], ["c", "a"]]
    assert isinstance(rest, Increment)
    assert delivered([rest]) == [("rest", ["products"], [None, {"sku": "c", "safe": 0}, {"sku": "a", "safe": None}])]


async def test_the_items_are_written_as_each_dialect_wants_them() -> None:
    async with gateway() as on:
        _, (rest,) = await on.all("{ products @stream(initialCount: 4) { safe } }")
    assert json.loads(encode_payload(rest, Dialect.PENDING))["incremental"] == [{"id": "0", "items": [{"safe": None}]}]
    assert json.loads(encode_payload(rest, Dialect.PATHS))["incremental"] == [
        {"items": [{"safe": None}], "path": ["products", 4]}
    ]


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ products @stream(initialCount: 9) { safe } }", {}),
        ("{ products @stream(if: false) { safe } }", {}),
        ("query($s: Boolean!) { products @stream(if: $s) { safe } }", {"s": False}),
        ("{ products @stream { sku name } }", {}),
    ],
)
async def test_a_stream_that_gains_nothing_has_no_effect(document: str, variables: dict[str, Any]) -> None:
    async with gateway() as on:
        first, increments = await on.all(document, variables)
        whole, _ = await on.all(document, variables, deferred_max=0)
    assert (first.data, first.pending, increments) == (whole.data, (), [])


async def test_an_error_of_a_later_item_comes_with_it() -> None:
    async with gateway() as on:
        document = "query($n: Int) { products @stream(initialCount: $n) { sku price { currency } } }"
        first, increments = await on.all(document, {"n": 1})
    assert first.errors == ()
    (delivery,) = [each for one in increments for each in one.delivered]
    assert [each["path"] for each in delivery.errors] == [["products", 1, "price"]]


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_parts_of_any_operation_make_up_the_whole(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["defer", "stream", "both"]))
    document = late(data, data.draw(operations(SCHEMA)), defer=kind != "stream", stream=kind != "defer")
    assume(validate(SCHEMA, parse(document)) == [])
    flags = {flag: data.draw(st.booleans()) for flag in FLAGS if f"${flag}" in document}

    async def run() -> tuple[GraphQLResponse, list[Increment], GraphQLResponse]:
        async with gateway() as on:
            first, increments = await on.all(document, flags)
        async with gateway() as on:
            whole, _ = await on.all(document, flags, deferred_max=0)
        return first, increments, whole

    first, increments, whole = asyncio.run(run())
    # A null that may not be goes further up in the whole than in a part.
    assume(all(each.data is not None for one in increments for each in one.delivered))
    assert put_together(first, increments) == whole.data
