"""Subgraphs that die, dawdle or babble: the rest of the page stays, and the client is told what is missing and why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.plan import EntityInput, Fetch, OperationKind
from tests.gateway.execution.bench import Bench, bench, entity_fetch, plan_of, representation, root_fetch
from tests.kit.fake_subgraphs import FakeSubgraph, listening

pytestmark = pytest.mark.usefixtures("way")

API = """
type Query { products: [Product] now: Int later: Int! }
type Product { sku: ID! name: String stock: Int price: Int! rating: Float }
"""
PAGE = "{ list: products { sku left: stock } now }"
LIST = root_fetch(0, "catalog", "{ products { __typename sku } }")
STOCK = entity_fetch(1, "inventory", ("products", "@"), "... on Product { stock }", representation("Product", "sku"))
NOW = root_fetch(2, "clock", "{ now }")


def catalog() -> FakeSubgraph:
    return FakeSubgraph(
        "catalog",
        'type Query { products: [Product] } type Product @key(fields: "sku") { sku: ID! }',
        {"Query.products": lambda *_: [{"sku": "a"}, {"sku": "b"}]},
        {"Product": lambda given: given},
    )


def inventory() -> FakeSubgraph:
    return FakeSubgraph(
        "inventory",
        'type Product @key(fields: "sku") { sku: ID! stock: Int price: Int }',
        {},
        {"Product": lambda given: {"stock": 3, "price": 5}},
    )


def clock() -> FakeSubgraph:
    return FakeSubgraph(
        "clock", "type Query { now: Int later: Int }", {"Query.now": lambda *_: 9, "Query.later": lambda *_: 1}
    )


async def never(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


def answering(response: Response) -> Any:
    async def behaviour(_: Request) -> Response:
        return response

    return behaviour


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (never, "SUBGRAPH_TIMEOUT"),
        (answering(PlainTextResponse("<html>", status_code=502)), "SUBGRAPH_REPLY_INVALID"),
        (answering(JSONResponse({"data": {"_entities": [{"stock": 1}]}})), "SUBGRAPH_REPLY_INVALID"),
        (answering(JSONResponse({"data": {"_entities": "x" * 2_000_000}})), "SUBGRAPH_REPLY_INVALID"),
    ],
    ids=["slow", "no JSON", "an answer too few", "too large"],
)
async def test_the_rest_of_the_page_stays(behaviour: Any, code: str) -> None:
    store = inventory()
    store.behaviour = behaviour
    async with bench(API, catalog(), store, clock(), subgraph_ms_max=300, subgraph_reply_bytes_max=1_000_000) as on:
        answer = await on.run(PAGE, plan_of(LIST, STOCK, NOW))
    assert answer.data == {"list": [{"sku": "a", "left": None}, {"sku": "b", "left": None}], "now": 9}
    assert [(each["path"], each["extensions"]["code"], each["extensions"]["service"]) for each in answer.errors] == [
        (["list", at, "left"], code, "inventory") for at in (0, 1)
    ]


async def test_a_subgraph_that_is_killed_while_it_answers_costs_its_own_part_only() -> None:
    store, asked = inventory(), 0

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    async with bench(API, catalog(), clock()) as on:
        dying = await asyncio.start_server(die, "127.0.0.1", 0)
        port = dying.sockets[0].getsockname()[1]
        store.url = f"http://127.0.0.1:{port}/graphql"
        on.executor.addresses.update(Bench(API, [store], on.settings).executor.addresses)
        answer = await on.run(PAGE, plan_of(LIST, STOCK, NOW))
        dying.close()
        assert answer.data == {"list": [{"sku": "a", "left": None}, {"sku": "b", "left": None}], "now": 9}
        assert {each["extensions"]["code"] for each in answer.errors} == {"SUBGRAPH_UNREACHABLE"}
        # It was tried once more; then, started again, the page is whole without anything being told to the gateway.
        assert asked == 2
        async with listening(store.app(), port=port):
            healed = await on.run(PAGE, plan_of(LIST, STOCK, NOW))
        assert healed.data == {"list": [{"sku": "a", "left": 3}, {"sku": "b", "left": 3}], "now": 9}
        assert healed.errors == ()


async def test_a_failed_root_fetch_is_an_error_at_each_of_its_fields() -> None:
    store = clock()
    store.behaviour = answering(PlainTextResponse("no", status_code=500))
    both = root_fetch(0, "clock", "{ now later }")
    async with bench(API, store) as on:
        answer = await on.run("{ n: now m: now later }", plan_of(both))
    assert answer.data is None
    assert [each["path"] for each in answer.errors] == [["n"], ["m"], ["later"]]


async def test_an_error_without_a_place_is_about_all_that_is_missing() -> None:
    store = inventory()
    store.behaviour = answering(JSONResponse({"errors": [{"message": "who are you"}]}, status_code=400))
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert [(each["path"], each["message"]) for each in answer.errors] == [
        (["products", at, "stock"], "who are you") for at in (0, 1)
    ]


@pytest.mark.parametrize(
    "path", [["_entities", 7, "stock"], ["_entities"], ["elsewhere"], ["_entities", "x"], "text", 5]
)
async def test_an_error_with_a_place_that_makes_no_sense_is_kept(path: Any) -> None:
    store = inventory()
    store.behaviour = answering(
        JSONResponse({"data": {"_entities": [{"stock": 1}, None]}, "errors": [{"message": "odd", "path": path}]})
    )
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert answer.data == {"products": [{"stock": 1}, {"stock": None}]}
    assert [(each["path"], each["message"]) for each in answer.errors] == [(["products", 1, "stock"], "odd")]


async def test_two_selections_of_one_request_fail_apart() -> None:
    store = inventory()
    price = entity_fetch(9, "x", ("products", "@"), "", representation("Product", "sku")).entities[0]
    both = Fetch(
        id=1,
        subgraph="inventory",
        kind=OperationKind.QUERY,
        document="query($a: [_Any!]!, $b: [_Any!]!) { x: _entities(representations: $a) { ... on Product { stock } }"
        " y: _entities(representations: $b) { ... on Product { price } } }",
        entities=(
            EntityInput(path=price.path, representations=price.representations, variable="a", alias="x"),
            EntityInput(path=price.path, representations=price.representations, variable="b", alias="y"),
        ),
        depends_on=(0,),
    )
    answers = iter(({"stock": 1, "price": 2}, {"stock": 3, "price": 4}, ValueError("gone"), {"stock": 5, "price": 6}))
    store.entities = {"Product": lambda given: next(answers)}
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { stock price } }", plan_of(LIST, both))
    assert answer.data == {"products": [None, {"stock": 3, "price": 6}]}
    assert [each["path"] for each in answer.errors] == [["products", 0, "price"]]


async def test_a_request_that_is_given_up_sends_nothing_more() -> None:
    shop, store, arrived = catalog(), inventory(), asyncio.Event()

    async def hang(request: Request) -> Response:
        arrived.set()
        return await never(request)

    shop.behaviour = hang
    async with bench(API, shop, store) as on:
        page = asyncio.create_task(on.run("{ products { stock } }", plan_of(LIST, STOCK)))
        await arrived.wait()
        page.cancel()
        with pytest.raises(asyncio.CancelledError):
            await page
    assert store.requests == []


async def test_a_reply_of_errors_alone_explains_everything_it_was_to_bring() -> None:
    whole = answering(JSONResponse({"data": None, "errors": [{"message": "stuck", "path": ["now"]}]}))
    clock = FakeSubgraph("clock", "type Query { now: Int later: Int }", behaviour=whole)
    async with bench(API, clock) as on:
        answer = await on.run("{ now l: later }", plan_of(root_fetch(0, "clock", "{ now later }")))
    assert answer.data is None
    assert [(each["message"], each["path"]) for each in answer.errors] == [("stuck", ["now"])]


async def test_a_null_that_a_reply_with_data_does_not_explain_is_told() -> None:
    partly = answering(JSONResponse({"data": {"now": None}, "errors": [{"message": "stuck", "path": ["now"]}]}))
    clock = FakeSubgraph("clock", "type Query { now: Int later: Int }", behaviour=partly)
    async with bench(API, clock) as on:
        answer = await on.run("{ now l: later }", plan_of(root_fetch(0, "clock", "{ now later }")))
    assert [each["path"] for each in answer.errors] == [["now"], ["l"]]
