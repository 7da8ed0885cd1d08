"""The executor against real HTTP subgraphs, with plans written by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.execution.compiled import CHUNKS_AT_ONCE_MAX
from gateway.execution.transport import FetchContext, Transport
from gateway.plan import OperationKind, QueryPlan, Rename, TypeFilter
from tests.gateway.execution.bench import (
    bench,
    entity_fetch,
    plan_of,
    representation,
    required,
    root_fetch,
)
from tests.kit.fake_subgraphs import FakeSubgraph

pytestmark = pytest.mark.usefixtures("way")

API = """
type Query { products: [Product] shelf: [[Product]] top: Product! media: [Media] now: Int self: Query }
type Mutation { sell(sku: ID!): Product restock(sku: ID!): Product }
type Product { sku: ID! name: String price: Int! size: String stock: Int lot(of: Int): String shipping: Int brand: Brand }
type Brand { id: ID! name: String country: String }
interface Media { id: ID! }
type Film implements Media { id: ID! length: Int rating: String }
type Song implements Media { id: ID! length: String }
"""

PRODUCTS: dict[str, dict[str, Any]] = {
    "a": {"sku": "a", "name": "Anvil", "price": 10, "size": "L", "brand": {"id": "x", "name": "Xi"}},
    "b": {"sku": "b", "name": "Bolt", "price": 20, "size": None, "brand": None},
}


def catalog(products: list[Any] | None = None, **resolvers: Any) -> FakeSubgraph:
    found = [PRODUCTS["a"], PRODUCTS["b"]] if products is None else products
    return FakeSubgraph(
        "catalog",
        """
        type Query { products: [Product] shelf: [[Product]] top: Product now: Int self: Query }
        type Product @key(fields: "sku") { sku: ID! name: String price: Int size: String brand: Brand lot(of: Int): String }
        type Brand { id: ID! name: String }
        """,
        {
            "Query.products": lambda *_: found,
            "Query.shelf": lambda *_: [found, None, [None, *found]],
            "Query.top": lambda *_: found[0],
            "Query.now": lambda *_: 7,
            "Product.lot": lambda source, _, of=None: f"{source['sku']}{of}",
            **resolvers,
        },
        {"Product": lambda given: PRODUCTS.get(given["sku"])},
    )


def inventory(answer: Any = None) -> FakeSubgraph:
    stock = {"a": 1, "b": 2}
    return FakeSubgraph(
        "inventory",
        """
        type Product @key(fields: "sku") { sku: ID! size: String @external stock: Int shipping: Int @requires(fields: "size") }
        """,
        {},
        {
            "Product": answer
            or (lambda given: {"stock": stock.get(given["sku"]), "shipping": len(given.get("size") or "")})
        },
    )


LIST = root_fetch(0, "catalog", "{ products { __typename sku name } }")
STOCK = entity_fetch(1, "inventory", ("products", "@"), "... on Product { stock }", representation("Product", "sku"))


async def test_joins_the_answers_of_two_subgraphs_and_knows_the_client_names() -> None:
    async with bench(API, catalog(), inventory()) as on:
        answer = await on.run("{ all: products { id: sku left: stock name } }", plan_of(LIST, STOCK))
    assert answer.errors == ()
    assert answer.data == {"all": [{"id": "a", "left": 1, "name": "Anvil"}, {"id": "b", "left": 2, "name": "Bolt"}]}


async def test_equal_representations_are_sent_once_and_answered_everywhere() -> None:
    store = inventory()
    products = [PRODUCTS["a"], PRODUCTS["b"], PRODUCTS["a"], None, PRODUCTS["a"]]
    async with bench(API, catalog(products), store) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert [[each["sku"] for each in sent] for sent in store.entity_requests] == [["a", "b"]]
    assert answer.data == {"products": [{"stock": 1}, {"stock": 2}, {"stock": 1}, None, {"stock": 1}]}


async def test_lists_of_lists_with_nulls_keep_their_places() -> None:
    fetch = root_fetch(0, "catalog", "{ shelf { __typename sku } }")
    stock = entity_fetch(
        1, "inventory", ("shelf", "@", "@"), "... on Product { stock }", representation("Product", "sku")
    )
    async with bench(API, catalog(), inventory()) as on:
        answer = await on.run("{ shelf { sku stock } }", plan_of(fetch, stock))
    a, b = {"sku": "a", "stock": 1}, {"sku": "b", "stock": 2}
    assert answer.data == {"shelf": [[a, b], None, [None, a, b]]}


async def test_many_representations_go_out_in_chunks() -> None:
    store = inventory(lambda given: {"stock": int(given["sku"])})
    products = [{"sku": str(each)} for each in range(10)]
    async with bench(API, catalog(products), store, representations_max=4) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert sorted(len(each) for each in store.entity_requests) == [2, 4, 4]
    assert answer.data == {"products": [{"stock": each} for each in range(10)]}


async def test_an_object_with_a_null_key_keeps_what_is_known_of_it_and_no_other_loses_its_own() -> None:
    store = inventory()
    goods = FakeSubgraph(
        "goods",
        "type Query { products: [Product] } type Product { sku: ID name: String }",
        {"Query.products": lambda *_: [{"sku": None, "name": "Nut"}, {"sku": "b", "name": "Bolt"}]},
    )
    fetch = root_fetch(0, "goods", "{ products { __typename sku name } }")
    async with bench(API, goods, store) as on:
        answer = await on.run("{ products { name stock } }", plan_of(fetch, STOCK))
    assert store.entity_requests == [[{"__typename": "Product", "sku": "b"}]]
    assert answer.errors == ()
    assert answer.data == {"products": [{"name": "Nut", "stock": None}, {"name": "Bolt", "stock": 2}]}


async def test_only_so_many_chunks_are_under_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    under_way = most = 0
    reply = Transport.reply

    async def counted(*given: Any, **rest: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(10):  # all others that may start now do
            await asyncio.sleep(0)
        under_way -= 1
        return await reply(*given, **rest)

    monkeypatch.setattr(Transport, "reply", counted)
    products = [{"sku": str(each)} for each in range(4 * CHUNKS_AT_ONCE_MAX)]
    store = inventory(lambda given: {"stock": int(given["sku"])})
    async with bench(API, catalog(products), store, representations_max=2) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert most == CHUNKS_AT_ONCE_MAX
    assert answer.data == {"products": [{"stock": each} for each in range(len(products))]}


async def test_an_error_of_a_later_chunk_finds_its_own_product() -> None:
    store = inventory(lambda given: ValueError("lost") if given["sku"] == "5" else {"stock": 1})
    products = [{"sku": str(each)} for each in range(6)]
    async with bench(API, catalog(products), store, representations_max=4) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert [each["path"] for each in answer.errors] == [["products", 5, "stock"]]


def stock_twice() -> QueryPlan:
    """The stock of all products, then that of the top one."""
    top = root_fetch(2, "catalog", "{ top { __typename sku } }")
    again = entity_fetch(3, "inventory", ("top",), "... on Product { stock }", representation("Product", "sku"))
    first, second = (
        replace(fetch, depends_on=after, entities=(replace(fetch.entities[0], recurs=0),))
        for fetch, after in ((STOCK, (0,)), (again, (1, 2)))
    )
    return plan_of(LIST, first, top, second)


async def test_what_one_fetch_was_answered_another_does_not_ask() -> None:
    store = inventory()
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { sku stock } top { sku stock } }", stock_twice())
        other = await on.run("{ products { sku stock } top { sku stock } }", stock_twice())
    a, b = {"sku": "a", "stock": 1}, {"sku": "b", "stock": 2}
    assert answer.data == other.data == {"products": [a, b], "top": a}
    assert len(store.requests) == 2, "one for each of the two requests: nothing is remembered from one to the next"


async def test_what_one_fetch_failed_to_bring_another_asks_for_again() -> None:
    answers: Iterator[Any] = iter([ValueError("no count"), {"stock": 2}, {"stock": 1}])
    store = inventory(lambda given: next(answers))
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { sku stock } top { sku stock } }", stock_twice())
    assert [each["stock"] for each in (answer.data or {})["products"]] == [None, 2]
    assert (answer.data or {})["top"]["stock"] == 1


async def test_one_entity_that_fails_fails_alone_at_every_place_that_used_it() -> None:
    store = inventory(lambda given: ValueError("no count") if given["sku"] == "a" else {"stock": 2})
    products = [PRODUCTS["a"], PRODUCTS["b"], PRODUCTS["a"]]
    async with bench(API, catalog(products), store) as on:
        answer = await on.run("{ list: products { left: stock again: stock } }", plan_of(LIST, STOCK))
    none = {"left": None, "again": None}
    assert answer.data == {"list": [none, {"left": 2, "again": 2}, none]}
    assert [each["path"] for each in answer.errors] == [
        ["list", at, name] for at in (0, 2) for name in ("left", "again")
    ]
    assert answer.errors[0]["message"] == "no count"
    assert answer.errors[0]["extensions"] == {"code": "DOWNSTREAM_SERVICE_ERROR", "service": "inventory"}


async def test_a_field_of_an_entity_that_fails_is_found_under_its_alias() -> None:
    store = inventory()
    store.resolvers = {"Product.stock": lambda *_: (_ for _ in ()).throw(ValueError("broken scale"))}
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { left: stock } }", plan_of(LIST, STOCK))
    assert answer.data == {"products": [{"left": None}, {"left": None}]}
    assert [each["path"] for each in answer.errors] == [["products", 0, "left"], ["products", 1, "left"]]


async def test_outside_development_a_subgraph_keeps_its_words_to_itself() -> None:
    store = inventory(lambda given: ValueError("password=hunter2"))
    async with bench(API, catalog(), store, development=False) as on:
        answer = await on.run("{ products { stock } }", plan_of(LIST, STOCK))
    assert b"hunter2" not in answer.encode()
    assert answer.errors[0]["message"] == "The subgraph 'inventory' could not answer."


async def test_a_missing_entity_leaves_its_fields_null_without_an_error() -> None:
    async with bench(API, catalog(), inventory(lambda given: None if given["sku"] == "a" else {"stock": 2})) as on:
        answer = await on.run("{ products { sku stock } }", plan_of(LIST, STOCK))
    assert answer.errors == ()
    assert answer.data == {"products": [{"sku": "a", "stock": None}, {"sku": "b", "stock": 2}]}


async def test_a_nullable_required_field_is_sent_as_null() -> None:
    store = inventory()
    products = [PRODUCTS["a"], PRODUCTS["b"]]
    fetch = root_fetch(0, "catalog", "{ products { __typename sku size brand { id } } }")
    needs = representation("Product", "sku", required("size"))
    shipping = entity_fetch(1, "inventory", ("products", "@"), "... on Product { shipping }", needs)
    async with bench(API, catalog(products), store) as on:
        answer = await on.run("{ products { shipping } }", plan_of(fetch, shipping))
    assert store.entity_requests == [
        [{"__typename": "Product", "sku": "a", "size": "L"}, {"__typename": "Product", "sku": "b", "size": None}]
    ]
    assert answer.data == {"products": [{"shipping": 1}, {"shipping": 0}]}


async def test_a_required_object_is_copied_with_its_nulls() -> None:
    store = inventory()
    fetch = root_fetch(0, "catalog", "{ products { __typename sku brand { id name } } }")
    brand = required("brand", fields=(required("id", nullable=False), required("name")))
    shipping = entity_fetch(
        1, "inventory", ("products", "@"), "... on Product { shipping }", representation("Product", "sku", brand)
    )
    async with bench(API, catalog(), store) as on:
        await on.run("{ products { shipping } }", plan_of(fetch, shipping))
    assert [each["brand"] for each in store.entity_requests[0]] == [{"id": "x", "name": "Xi"}, None]


async def test_what_an_earlier_fetch_failed_to_bring_is_not_sent_on() -> None:
    store = inventory()
    other = FakeSubgraph(
        "other",
        'type Product @key(fields: "sku") { sku: ID! size: String }',
        {},
        {"Product": lambda _: ValueError("down")},
    )
    size = entity_fetch(1, "other", ("products", "@"), "... on Product { size }", representation("Product", "sku"))
    needs = representation("Product", "sku", required("size"))
    shipping = entity_fetch(2, "inventory", ("products", "@"), "... on Product { shipping }", needs, depends_on=(1,))
    async with bench(API, catalog(), other, store) as on:
        answer = await on.run("{ products { name shipping } }", plan_of(LIST, size, shipping))
    assert store.requests == []
    assert answer.data == {"products": [{"name": "Anvil", "shipping": None}, {"name": "Bolt", "shipping": None}]}
    # The client asked for nothing of what failed, so the error points to the object.
    assert [each["path"] for each in answer.errors] == [["products", 0], ["products", 1]]


async def test_a_fetch_starts_when_its_own_inputs_are_there_not_when_the_round_is_over() -> None:
    released = asyncio.Event()

    async def wait(_: Request) -> Response | None:
        await released.wait()
        return None

    slow, store = FakeSubgraph("clock", "type Query { now: Int }", {"Query.now": lambda *_: 1}), inventory()
    slow.behaviour = wait

    def answer(given: dict[str, Any]) -> dict[str, Any]:
        released.set()
        return {"stock": 1}

    store.entities = {"Product": answer}
    async with bench(API, catalog(), slow, store) as on:
        got = await on.run("{ now products { stock } }", plan_of(LIST, root_fetch(2, "clock", "{ now }"), STOCK))
    assert got.data == {"now": 1, "products": [{"stock": 1}, {"stock": 1}]}


async def test_mutations_run_one_after_the_other_and_the_second_runs_though_the_first_failed() -> None:
    order: list[str] = []

    def sell(*_: Any, sku: str) -> Any:
        order.append("sell")
        raise ValueError("sold out")

    def restock(*_: Any, sku: str) -> Any:
        order.append("restock")
        return {"sku": sku}

    shop = FakeSubgraph(
        "shop",
        "type Query { x: Int } type Mutation { sell(sku: ID!): Product restock(sku: ID!): Product } type Product { sku: ID! }",
        {"Mutation.sell": sell, "Mutation.restock": restock},
    )
    first = root_fetch(0, "shop", "mutation($s: ID!) { sell(sku: $s) { sku } }", variables=("s",))
    second = root_fetch(1, "shop", "mutation($s: ID!) { restock(sku: $s) { sku } }", variables=("s",), depends_on=(0,))
    async with bench(API, shop) as on:
        answer = await on.run(
            "mutation($s: ID!) { sell(sku: $s) { sku } more: restock(sku: $s) { sku } }",
            plan_of(first, second, kind=OperationKind.MUTATION),
            {"s": "a"},
        )
    assert order == ["sell", "restock"]
    assert answer.data == {"sell": None, "more": {"sku": "a"}}
    assert [each["path"] for each in answer.errors] == [["sell"]]


async def test_a_guard_keeps_a_fetch_back() -> None:
    store = inventory()
    guarded = entity_fetch(
        1,
        "inventory",
        ("products", "@"),
        "... on Product { stock }",
        representation("Product", "sku"),
        guard=((("with", True), ("not", False)), (("always", True),)),
    )
    document = (
        "query($with: Boolean!, $not: Boolean!, $always: Boolean!) { products { sku"
        " ... @include(if: $with) { stock @skip(if: $not) } stock @include(if: $always) } }"
    )
    async with bench(API, catalog(), store) as on:
        without = await on.run(document, plan_of(LIST, guarded), {"with": True, "not": True, "always": False})
        assert store.requests == []
        one = await on.run(document, plan_of(LIST, guarded), {"with": True, "not": False, "always": False})
        other = await on.run(document, plan_of(LIST, guarded), {"with": False, "not": True, "always": True})
    assert without.data == {"products": [{"sku": "a"}, {"sku": "b"}]}
    assert one.data == other.data == {"products": [{"sku": "a", "stock": 1}, {"sku": "b", "stock": 2}]}


async def test_only_the_variables_a_fetch_names_are_sent_and_an_absent_one_stays_absent() -> None:
    shop = catalog()
    fetch = root_fetch(
        0, "catalog", "query($of: Int, $x: Int) { top { sku lot(of: $of) lot__2: lot(of: $x) } }", variables=("of", "x")
    )
    async with bench(API, shop) as on:
        answer = await on.run(
            "query($of: Int, $x: Int, $i: Boolean!) { top { lot(of: $of) b: lot(of: $x) @include(if: $i) } }",
            plan_of(fetch),
            {"of": 3, "i": True},
        )
    assert shop.requests[0]["variables"] == {"of": 3}
    assert answer.data == {"top": {"lot": "a3", "b": "aNone"}}


async def test_one_field_with_two_argument_lists_has_two_values() -> None:
    fetch = root_fetch(0, "catalog", "{ top { lot(of: 1) lot__2: lot(of: 2) } }")
    async with bench(API, catalog()) as on:
        answer = await on.run("{ top { lot(of: 1) x: lot(of: 2) y: lot(of: 1) } }", plan_of(fetch))
    assert answer.data == {"top": {"lot": "a1", "x": "a2", "y": "a1"}}


async def test_a_typename_that_is_known_is_never_overwritten() -> None:
    films = FakeSubgraph(
        "films",
        "type Query { media: [Film] } type Film { id: ID! }",
        {"Query.media": lambda *_: [{"id": "1"}]},
    )
    # Knows only that there are media; what it answers is of type Media, which no client may see.
    ratings = FakeSubgraph(
        "ratings",
        'type Media @key(fields: "id") @interfaceObject { id: ID! rating: String }',
        {},
        {"Media": lambda given: {"rating": "good"}},
    )
    first = root_fetch(0, "films", "{ media { __typename id } }")
    then = entity_fetch(
        1,
        "ratings",
        ("media", "@"),
        "__typename ... on Media { rating }",
        representation("Media", "id", runtime_types=("Film",)),
    )
    async with bench(API, films, ratings) as on:
        answer = await on.run("{ media { __typename id ... on Film { rating } } }", plan_of(first, then))
    assert answer.errors == ()
    assert answer.data == {"media": [{"__typename": "Film", "id": "1", "rating": "good"}]}


async def test_a_type_filter_lets_only_its_types_through() -> None:
    both = FakeSubgraph(
        "media",
        "type Query { media: [Media] } interface Media { id: ID! } type Film implements Media { id: ID! } type Song implements Media { id: ID! }",
        {"Query.media": lambda *_: [{"id": "1", "__typename": "Film"}, {"id": "2", "__typename": "Song"}]},
    )
    ratings = FakeSubgraph(
        "ratings",
        'type Film @key(fields: "id") { id: ID! rating: String }',
        {},
        {"Film": lambda given: {"rating": "good"}},
    )
    path = ("media", "@", TypeFilter(("Film",)))
    then = entity_fetch(1, "ratings", path, "... on Film { rating }", representation("Film", "id"))
    async with bench(API, both, ratings) as on:
        answer = await on.run(
            "{ media { id ... on Film { rating } } }",
            plan_of(root_fetch(0, "media", "{ media { __typename id } }"), then),
        )
    assert [each["id"] for each in ratings.entity_requests[0]] == ["1"]
    assert answer.data == {"media": [{"id": "1", "rating": "good"}, {"id": "2"}]}


async def test_fields_that_had_to_be_aliased_get_their_canonical_keys_back() -> None:
    both = FakeSubgraph(
        "media",
        "type Query { media: [Media] } interface Media { id: ID! } type Film implements Media { id: ID! length: Int } type Song implements Media { id: ID! length: String }",
        {
            "Query.media": lambda *_: [
                {"id": "1", "__typename": "Film", "length": 90},
                {"id": "2", "__typename": "Song", "length": "3:20"},
                {"id": "3", "__typename": "Song", "length": ValueError("unheard")},
            ]
        },
    )
    fetch = root_fetch(
        0,
        "media",
        "{ media { __typename ... on Film { length } ... on Song { length__of_Song: length } } }",
        renames=(Rename(path=("media", "@"), source="length__of_Song", target="length", only_types=("Song",)),),
    )
    async with bench(API, both) as on:
        answer = await on.run("{ media { ... on Film { length } ... on Song { l: length } } }", plan_of(fetch))
    assert answer.data == {"media": [{"length": 90}, {"l": "3:20"}, {"l": None}]}
    assert [each["path"] for each in answer.errors] == [["media", 2, "l"]]


async def test_a_root_fetch_below_a_field_merges_where_the_field_stands() -> None:
    clock = FakeSubgraph("clock", "type Query { now: Int }", {"Query.now": lambda *_: 9})
    first = root_fetch(0, "catalog", "{ self { __typename } }")
    again = root_fetch(1, "clock", "{ now }", path=("self",), depends_on=(0,))
    async with bench(API, catalog(**{"Query.self": lambda *_: {}}), clock) as on:
        answer = await on.run("{ again: self { t: now } }", plan_of(first, again))
        assert answer.data == {"again": {"t": 9}}
        clock.resolvers = {}
    async with bench(API, catalog(**{"Query.self": lambda *_: None}), clock) as on:
        answer = await on.run("{ again: self { t: now } }", plan_of(first, again))
    assert answer.data == {"again": None}


async def test_a_null_that_may_not_be_goes_up_to_where_it_may_and_says_so_once() -> None:
    store = FakeSubgraph(
        "prices", 'type Product @key(fields: "sku") { sku: ID! price: Int }', {}, {"Product": lambda given: None}
    )
    price = entity_fetch(1, "prices", ("products", "@"), "... on Product { price }", representation("Product", "sku"))
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ products { name price } }", plan_of(LIST, price))
    assert answer.data == {"products": [None, None]}
    assert [(each["path"], each["message"]) for each in answer.errors] == [
        (["products", at, "price"], "Cannot return null for non-nullable field Product.price.") for at in (0, 1)
    ]


async def test_an_error_the_subgraph_gave_explains_the_null_above_it() -> None:
    store = FakeSubgraph(
        "prices",
        'type Product @key(fields: "sku") { sku: ID! price: Int! }',
        {},
        {"Product": lambda given: {"price": ValueError("no tag")}},
    )
    price = entity_fetch(1, "prices", ("top",), "... on Product { price }", representation("Product", "sku"))
    fetch = root_fetch(0, "catalog", "{ top { __typename sku } }")
    async with bench(API, catalog(), store) as on:
        answer = await on.run("{ top { price } }", plan_of(fetch, price))
    assert answer.data is None
    assert [(each["path"], each["message"]) for each in answer.errors] == [(["top", "price"], "no tag")]


async def test_errors_known_before_come_first_and_excuse_their_nulls() -> None:
    refused = {"message": "Not for you.", "path": ["products", "@", "price"]}
    async with bench(API, catalog()) as on:
        answer = await on.run("{ products { price } }", plan_of(LIST), errors=[refused])
    assert answer.data == {"products": [None, None]}
    assert answer.errors == (refused,)


async def test_every_fetch_carries_the_headers_of_its_context() -> None:
    shop, store = catalog(), inventory()
    tokens = iter(("one", "two"))
    context = FetchContext(headers=lambda: {"x-who": next(tokens), "traceparent": "00-1"})
    async with bench(API, shop, store) as on:
        await on.run("{ products { stock } }", plan_of(LIST, STOCK), context=context)
    assert (shop.headers[0]["x-who"], store.headers[0]["x-who"]) == ("one", "two")
    assert store.headers[0]["traceparent"] == "00-1"
