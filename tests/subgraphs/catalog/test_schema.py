"""Catalog as a subgraph: products, prices by context, search, entities in one query, new prices, live prices."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from subgraphs.catalog.schema import SCHEMA
from subgraphs.catalog.service import shelf
from subgraphs.catalog.store import PRODUCTS
from subgraphs.chassis import outbox
from subgraphs.chassis.graphql import ServiceContext
from subgraphs.chassis.identity import ANONYMOUS, Identity, Principal, RequestContext
from subgraphs.chassis.loaders import Loaders
from subgraphs.chassis.mongo import Collection, Database
from subgraphs.kernel.clock import FixedClock, iso
from tests.kit.running_service import RunningService
from tests.subgraphs.catalog.conftest import WORLD

EU = {"channel": "web-eu", "currency": "EUR"}
PRICER = Principal("pia", "staff", frozenset({"pricing:write"}))
SET = """
    mutation ($input: PriceSetInput!, $key: IdempotencyKey!) {
      priceSet(input: $input, idempotencyKey: $key) {
        changed errors { __typename ... on UserError { message } ... on VersionConflict { expected actual } }
      }
    }
"""
PRODUCT = next(product for product in WORLD.products if product.status == "ACTIVE" and len(product.variants) > 1)
VARIANT = PRODUCT.variants[0]


def new_price(minor: int, **other: Any) -> dict[str, Any]:
    entry = {"sku": VARIANT.sku, "price": {"minor": minor, "currency": "EUR"}} | other
    return {"priceListCode": "base", "entries": [entry]}


async def test_a_product_is_found_by_id_and_by_handle_alike(house: RunningService) -> None:
    wanted = "id handle title brand category { slug parent { slug } } options { name values } media { url }"
    both = await house.data(
        f"query($id: ID!, $handle: String!) {{ a: product(id: $id) {{ {wanted} }} b: product(handle: $handle) {{ {wanted} }} }}",
        {"id": PRODUCT.id, "handle": PRODUCT.handle},
    )
    assert both["a"] == both["b"]
    assert both["a"]["title"] == PRODUCT.title
    assert both["a"]["category"]["parent"]["slug"] == PRODUCT.leaf.department


async def test_a_product_needs_one_name_exactly(house: RunningService) -> None:
    answer = await house.ask('{ product(id: "x", handle: "y") { id } }')
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_barcode_finds_its_variant(house: RunningService) -> None:
    found = await house.data("query($g: String!) { variantByBarcode(gtin: $g) { sku } }", {"g": VARIANT.gtin})
    assert found["variantByBarcode"] == {"sku": VARIANT.sku}


async def test_variants_come_in_the_order_asked_with_null_for_strangers(house: RunningService) -> None:
    skus = [PRODUCT.variants[1].sku, "NO-SUCH", PRODUCT.variants[0].sku]
    found = await house.data("query($s: [String!]!) { variants(skus: $s) { sku product { id } } }", {"s": skus})
    assert [variant and variant["sku"] for variant in found["variants"]] == [skus[0], None, skus[2]]


async def test_a_hundred_variants_cost_one_query_a_collection(
    house: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.services.rules()
    queries: Counter[str] = Counter()
    find = Collection.find

    async def counted(self: Collection, filter: Any, **kwargs: Any) -> Any:
        # The shelf, which reads whole collections, and the relay and the hub, which read the outbox, may be at it too.
        if filter and self.name not in outbox.INDEXES:
            queries[self.name] += 1
        return await find(self, filter, **kwargs)

    monkeypatch.setattr(Collection, "find", counted)
    skus = [variant.sku for variant in WORLD.variants[:100]]
    found = await house.data(
        """
        query ($r: [_Any!]!, $c: PriceContextInput!) {
          _entities(representations: $r) {
            ... on ProductVariant { sku title price(context: $c) { current { minor } } purchasable(context: $c) product { title } }
          }
        }
        """,
        {"r": [{"__typename": "ProductVariant", "sku": sku} for sku in skus], "c": EU},
    )
    assert [entity["sku"] for entity in found["_entities"]] == skus
    assert queries == {"variants": 1, "products": 1, "prices": 1}


@pytest.mark.parametrize(
    ("selection", "read"),
    [
        ("title", set()),
        ("title description", {"desc"}),
        ("variants { edges { node { sku media { url } } } }", {"media"}),
        ("...Facts", {"attrs", "opts"}),
    ],
)
async def test_of_a_product_only_what_the_operation_asks_is_read(
    house: RunningService, monkeypatch: pytest.MonkeyPatch, selection: str, read: set[str]
) -> None:
    long = {"desc", "media", "opts", "attrs"}
    found: list[set[str]] = []
    find = Collection.find

    async def watched(self: Collection, filter: Any, **kwargs: Any) -> Any:
        documents = await find(self, filter, **kwargs)
        if self.name == PRODUCTS and "_id" in filter:
            found.extend(long.intersection(document) for document in documents)
        return documents

    monkeypatch.setattr(Collection, "find", watched)
    document = "query($id: ID!) { product(id: $id) { " + selection + " } }"
    if "Facts" in selection:
        document += " fragment Facts on Product { attributes { code } ... { options { name } } }"
    await house.data(document, {"id": PRODUCT.id})
    assert found == [read]


async def test_who_asks_for_more_on_the_same_socket_gets_it(house: RunningService) -> None:
    """A context of a socket outlives an operation: what one leaves out, the next may want."""
    context = context_of(house)
    answers = await asyncio.gather(
        *(
            SCHEMA.execute(f'{{ product(id: "{PRODUCT.id}") {{ {field} }} }}', context_value=context)
            for field in ("title", "description", "media { url }")
        )
    )
    assert [answer.errors for answer in answers] == [None, None, None]
    assert answers[1].data == {"product": {"description": PRODUCT.description}}
    assert answers[2].data is not None
    assert answers[2].data["product"]["media"]


async def test_entities_that_do_not_exist_are_null_and_harm_no_other(house: RunningService) -> None:
    representations = [
        {"__typename": "Product", "id": "prd_none"},
        {"__typename": "Product", "id": PRODUCT.id},
        {"__typename": "Channel", "code": "moon"},
        {"__typename": "Channel", "code": "pos"},
    ]
    found = await house.data(
        "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { title } ... on Channel { kind } } }",
        {"r": representations},
    )
    assert found["_entities"] == [None, {"title": PRODUCT.title}, None, {"kind": "POS"}]


async def test_a_price_depends_on_channel_and_currency(house: RunningService) -> None:
    found = await house.data(
        """
        query ($sku: String!) {
          variant(sku: $sku) {
            eu: price(context: { channel: "web-eu" }) { current { minor currency } taxIncluded source }
            us: price(context: { channel: "web-us" }) { current { minor currency } taxIncluded source }
            app: price(context: { channel: "app", country: "GB" }) { current { currency } }
          }
        }
        """,
        {"sku": VARIANT.sku},
    )
    variant = found["variant"]
    assert variant["eu"]["current"] == {"minor": VARIANT.price_minor, "currency": "EUR"}
    assert variant["eu"]["taxIncluded"] is True
    assert variant["us"]["current"]["currency"] == "USD"
    assert variant["us"]["source"] == "FX_CONVERTED"
    assert variant["app"]["current"]["currency"] == "GBP"


async def test_without_an_argument_the_price_is_the_askers_by_the_headers(house: RunningService) -> None:
    query = (
        "query($sku: String!) { variant(sku: $sku) { price { current { currency } } earnBasis { currency minor } } }"
    )
    dollars = RequestContext(channel="web-us", currency="USD", country="US")
    found = await house.data(query, {"sku": VARIANT.sku}, context=dollars)
    assert found["variant"]["price"]["current"]["currency"] == "USD"
    assert found["variant"]["earnBasis"]["currency"] == "USD"
    home = await house.data(query, {"sku": VARIANT.sku})
    assert home["variant"]["earnBasis"] == {"currency": "EUR", "minor": VARIANT.price_minor}


@pytest.mark.parametrize("context", [{"channel": "moon"}, {"channel": "web-eu", "currency": "USD"}])
async def test_a_context_that_does_not_exist_is_refused(house: RunningService, context: dict[str, str]) -> None:
    answer = await house.ask(
        "query($sku: String!, $c: PriceContextInput!) { variant(sku: $sku) { price(context: $c) { version } } }",
        {"sku": VARIANT.sku, "c": context},
    )
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_what_is_discontinued_is_neither_found_nor_for_sale(house: RunningService) -> None:
    gone = [product for product in WORLD.products if product.status == "DISCONTINUED"]
    for product in gone:
        found = await house.data(
            "query($id: ID!, $t: String!) { product(id: $id) { variants { edges { node { purchasable } } } }"
            " searchProducts(query: $t, first: 50) { edges { node { id } } } }",
            {"id": product.id, "t": product.title},
        )
        assert not any(edge["node"]["purchasable"] for edge in found["product"]["variants"]["edges"])
        assert product.id not in [edge["node"]["id"] for edge in found["searchProducts"]["edges"]]


async def test_the_price_in_a_search_is_the_price_on_the_page(house: RunningService) -> None:
    found = await house.data(
        "query($c: PriceContextInput!) { searchProducts(sort: PRICE_ASC, context: $c, first: 50) { edges { node {"
        " priceRange(context: $c) { min { minor } } variants { edges { node { price(context: $c) { current { minor } } } } }"
        " } } } }",
        {"c": EU},
    )
    lows = []
    for edge in found["searchProducts"]["edges"]:
        node = edge["node"]
        minors = [each["node"]["price"]["current"]["minor"] for each in node["variants"]["edges"]]
        assert node["priceRange"]["min"]["minor"] == min(minors)
        lows.append(min(minors))
    assert lows == sorted(lows)


async def test_filters_narrow_and_facets_count_what_other_filters_leave(house: RunningService) -> None:
    query = """
        query ($f: ProductFilter) {
          searchProducts(filter: $f, first: 50) {
            totalCount facets { code values { value count } }
            edges { node { brand category { slug parent { slug } } } }
          }
        }
    """
    everything = (await house.data(query, {"f": None}))["searchProducts"]
    apparel = (await house.data(query, {"f": {"categories": ["apparel"]}}))["searchProducts"]
    assert 0 < apparel["totalCount"] < everything["totalCount"]
    assert {edge["node"]["category"]["parent"]["slug"] for edge in apparel["edges"]} == {"apparel"}

    def facet(result: dict[str, Any], code: str) -> dict[str, int]:
        values = next(each for each in result["facets"] if each["code"] == code)["values"]
        return {value["value"]: value["count"] for value in values}

    assert facet(apparel, "category") == facet(everything, "category")
    assert sum(facet(apparel, "brand").values()) == apparel["totalCount"]


async def test_pages_of_a_search_hold_everything_once(house: RunningService) -> None:
    query = (
        "query($after: String) { searchProducts(first: 7, after: $after, sort: PRICE_DESC) { totalCount"
        " pageInfo { hasNextPage endCursor } edges { node { id } } } }"
    )
    seen: list[str] = []
    after = None
    while True:
        page = (await house.data(query, {"after": after}))["searchProducts"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == page["totalCount"]


@pytest.mark.parametrize("arguments", ["first: 51", "first: 0", 'after: "made up"'])
async def test_a_page_out_of_bounds_is_refused(house: RunningService, arguments: str) -> None:
    answer = await house.ask(f"{{ searchProducts({arguments}) {{ totalCount }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_new_price_needs_the_scope(house: RunningService) -> None:
    answer = await house.ask(SET, {"input": new_price(500), "key": "k"}, principal=ANONYMOUS)
    assert answer["data"]["priceSet"]["errors"][0]["__typename"] == "Forbidden"


async def test_a_new_price_counts_at_once_and_its_key_once(house: RunningService) -> None:
    ask = {"input": new_price(500), "key": "once"}
    first = await house.data(SET, ask, principal=PRICER)
    again = await house.data(SET, ask, principal=PRICER)
    assert first["priceSet"] == again["priceSet"] == {"changed": 1, "errors": []}
    entries = (await house.services.store.prices([VARIANT.sku]))[VARIANT.sku]
    assert sum(entry.minor == 500 for entry in entries) == 1
    found = await house.data(
        "query($s: String!) { variant(sku: $s) { price { current { minor } } } }", {"s": VARIANT.sku}
    )
    assert found["variant"]["price"]["current"]["minor"] == 500


async def price_now(house: RunningService) -> int:
    found = await house.data(
        "query($s: String!) { variant(sku: $s) { price { current { minor } } } }", {"s": VARIANT.sku}
    )
    minor: int = found["variant"]["price"]["current"]["minor"]
    return minor


async def test_a_price_set_today_leaves_the_one_of_friday(house: RunningService, clock: FixedClock) -> None:
    friday = clock.now() + timedelta(days=2)
    await house.data(SET, {"input": new_price(600, validFrom=iso(friday)), "key": "later"}, principal=PRICER)
    await house.data(SET, {"input": new_price(900), "key": "today"}, principal=PRICER)
    assert await price_now(house) == 900
    clock.advance(2 * 24 * 3600)
    assert await price_now(house) == 600


async def test_a_price_does_not_begin_in_the_past(house: RunningService, clock: FixedClock) -> None:
    past = iso(clock.now() - timedelta(hours=1))
    answer = await house.data(SET, {"input": new_price(600, validFrom=past), "key": "k"}, principal=PRICER)
    assert "in the past" in answer["priceSet"]["errors"][0]["message"]
    assert await price_now(house) == VARIANT.price_minor


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "LOOK_S", 0.05)


@pytest.mark.usefixtures("looking_often")
async def test_search_sees_what_an_import_wrote_past_the_service(house: RunningService, own_database: Database) -> None:
    products = own_database.collection(PRODUCTS)
    (document,) = await products.find({"_id": PRODUCT.id})
    imported = {**document, "_id": "prd_imported", "handle": "imported", "title": "Zeppelin"}
    await products.insert_many([imported])
    async with asyncio.timeout(10):
        while True:
            found = await house.data('{ searchProducts(query: "zeppelin", first: 5) { edges { node { id } } } }')
            await asyncio.sleep(0.01)  # a search in memory never lets the shelf run
            if [edge["node"]["id"] for edge in found["searchProducts"]["edges"]] == ["prd_imported"]:
                break


async def test_a_price_at_another_version_is_a_conflict_and_changes_nothing(house: RunningService) -> None:
    answer = await house.data(SET, {"input": new_price(500, expectedVersion=99), "key": "k"}, principal=PRICER)
    refusal = answer["priceSet"]["errors"][0]
    assert (refusal["__typename"], refusal["expected"]) == ("VersionConflict", 99)
    assert answer["priceSet"]["changed"] == 0


async def test_search_follows_a_new_price(house: RunningService) -> None:
    await house.data(SET, {"input": new_price(1), "key": "k"}, principal=PRICER)
    async with asyncio.timeout(10):
        while True:
            found = await house.data("{ searchProducts(sort: PRICE_ASC, first: 1) { edges { node { id } } } }")
            if found["searchProducts"]["edges"][0]["node"]["id"] == PRODUCT.id:
                break


def context_of(house: RunningService) -> ServiceContext:
    identity = Identity(ANONYMOUS, RequestContext(), "gateway")
    return ServiceContext(identity, house.services, Loaders(remember=False), "test")


async def watching(house: RunningService, arguments: str) -> Any:
    """The stream of ``priceChanged`` for the variant."""
    stream = await SCHEMA.subscribe(
        f'subscription {{ priceChanged(skus: ["{VARIANT.sku}"], context: {{ channel: "web-eu" }}, {arguments}) {{'
        " kind before { minor } after { minor } resumeToken variant { sku } } }",
        context_value=context_of(house),
    )
    assert hasattr(stream, "__anext__"), stream
    return stream


async def told(stream: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        result = await anext(stream)
    assert result.errors is None, result.errors
    event: dict[str, Any] = result.data["priceChanged"]
    return event


async def test_a_watcher_hears_the_price_then_its_changes(house: RunningService) -> None:
    stream = await watching(house, "dropOnly: false")
    assert (await told(stream))["kind"] == "SNAPSHOT"
    await house.data(SET, {"input": new_price(777), "key": "k"}, principal=PRICER)
    change = await told(stream)
    assert (change["kind"], change["before"]["minor"], change["after"]["minor"]) == ("DELTA", VARIANT.price_minor, 777)
    await stream.aclose()


async def test_a_watcher_of_drops_hears_no_rise_and_no_small_drop(house: RunningService) -> None:
    stream = await watching(house, 'dropOnly: true, minDropPercent: "50"')
    before = (await told(stream))["after"]["minor"]
    for step, minor in enumerate((before - 1, before + 100, before // 4)):
        await house.data(SET, {"input": new_price(minor), "key": f"k{step}"}, principal=PRICER)
    drop = await told(stream)
    assert drop["after"]["minor"] == before // 4
    await stream.aclose()


async def test_a_watcher_that_was_away_hears_what_changed(house: RunningService) -> None:
    stream = await watching(house, "dropOnly: false")
    token = (await told(stream))["resumeToken"]
    await stream.aclose()
    await house.data(SET, {"input": new_price(888), "key": "k"}, principal=PRICER)
    resumed = await watching(house, f'dropOnly: false, resumeToken: "{token}"')
    event = await told(resumed)
    assert (event["kind"], event["after"]["minor"]) == ("DELTA", 888)
    await resumed.aclose()


async def test_a_token_of_another_selection_is_refused(house: RunningService) -> None:
    stream = await watching(house, "dropOnly: false")
    token = (await told(stream))["resumeToken"]
    await stream.aclose()
    other = await watching(house, f'dropOnly: true, resumeToken: "{token}"')
    async with asyncio.timeout(10):
        result = await anext(other)
    assert "another selection" in str(result.errors)
