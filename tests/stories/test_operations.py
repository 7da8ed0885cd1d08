"""Every operation that a client of this graph sends, on seeded data, with nothing missing from its answer."""

import secrets
from typing import Any

import pytest

from gateway.local.client import HouseClient, first
from tests.kit import shop
from tests.kit.running_house import CONTEXT, WHERE

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]


def nulls(value: Any, path: str = "") -> list[str]:
    """Places in an answer that are null."""
    if isinstance(value, dict):
        return [place for key, inner in value.items() for place in nulls(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return [place for inner in value for place in nulls(inner, f"{path}[]")]
    return [path] if value is None else []


def unexpected(value: Any, *allowed: str) -> set[str]:
    return {place for place in nulls(value) if not place.endswith(allowed)}


async def test_the_product_page_is_whole_for_a_signed_in_shopper(client: HouseClient, staff: str) -> None:
    _, token = await shop.shopper(client, staff)
    found = await client.data(
        "query($c: PriceContextInput!) { searchProducts(context: $c, first: 50) { edges { node { handle } } } }",
        {"c": CONTEXT},
    )
    recommended = 0
    for edge in found["searchProducts"]["edges"][:15]:
        variables = {"handle": edge["node"]["handle"], "price": CONTEXT, "where": WHERE, "signedIn": True}
        page = await client.data(client.document("product_page"), variables, token=token)
        assert unexpected(page, ".restockAt", ".earliest", ".cost", ".pickupReadyBy") == set()
        recommended += len(page["product"]["recommendations"])
    assert recommended > 0


async def test_the_product_page_takes_at_most_six_fetches_in_three_rounds(client: HouseClient, staff: str) -> None:
    _, token = await shop.shopper(client, staff)
    plan = await client.plan(client.document("product_page"), token=token)
    assert plan["fetches"] <= 6
    assert plan["depth"] <= 3


async def test_a_listing_has_facets_and_live_bands(client: HouseClient) -> None:
    listing = await client.data(
        client.document("product_listing"),
        {"text": "shirt", "filter": {"categories": ["apparel"]}, "price": CONTEXT, "where": WHERE},
    )
    assert listing["searchProducts"]["edges"]
    assert {facet["code"] for facet in listing["searchProducts"]["facets"]} >= {"category", "brand"}
    assert unexpected(listing, ".restockAt") == set()


async def test_stores_near_say_who_has_it(client: HouseClient) -> None:
    sku = (await shop.some_variant(client))["sku"]
    answer = await client.data(
        client.document("stores_near"),
        {"near": WHERE["near"], "skus": [sku], "where": {**WHERE, "methods": ["PICKUP"]}},
    )
    assert answer["locations"]["edges"][0]["node"]["name"] == "Berlin Store"
    assert answer["availability"][0]["sku"] == sku
    assert unexpected(answer, ".pickupReadyBy") == set()


async def test_a_price_drop_is_told_with_stock(client: HouseClient) -> None:
    variant = await shop.some_variant(client, skip=11)
    pricing = await client.token("pricer", kind="staff", scopes=("pricing:write",))
    watch = {"skus": [variant["sku"]], "price": CONTEXT, "where": WHERE}
    async with client.subscribe(client.document("price_drop"), watch) as events:
        snapshot = (await first(events, within_s=10))["data"]["priceChanged"]
        assert snapshot["kind"] == "SNAPSHOT"
        now = round(float(snapshot["after"]["amount"]) * 100)
        entry = {"sku": variant["sku"], "price": {"minor": now // 2, "currency": "EUR"}}
        answer = await client.data(
            "mutation($i: PriceSetInput!, $k: IdempotencyKey!) { priceSet(input: $i, idempotencyKey: $k) {"
            " changed errors { __typename ... on UserError { message } } } }",
            {"i": {"priceListCode": "base", "entries": [entry]}, "k": secrets.token_hex(8)},
            token=pricing,
        )
        assert answer["priceSet"] == {"changed": 1, "errors": []}
        drop = (await first(events, within_s=10))["data"]["priceChanged"]
    assert drop["kind"] == "DELTA"
    assert drop["before"]["amount"] == snapshot["after"]["amount"]
    assert drop["variant"]["product"]["title"] == variant["product"]["title"]
    assert drop["variant"]["availability"]["status"]


async def test_from_cart_to_tracked_order(client: HouseClient, staff: str) -> None:
    customer_id, token = await shop.shopper(client, staff)
    variant = await shop.some_variant(client, skip=12)
    sku = variant["sku"]
    await shop.set_sellable(client, staff, sku, 10)
    lines = [{"sku": sku, "quantity": 2}]
    cart = (
        await client.data(
            client.document("cart_create"),
            {"input": {"channel": "web-eu", "currency": "EUR", "lines": lines}, "key": secrets.token_hex(8)},
            token=token,
        )
    )["cartCreate"]
    assert cart["errors"] == []
    assert unexpected(cart) == set()
    opened = (
        await client.data(
            client.document("checkout_create"),
            {
                "input": {
                    "cartId": cart["cart"]["id"],
                    "channel": "web-eu",
                    "currency": "EUR",
                    "email": "ada@example.com",
                },
                "key": secrets.token_hex(8),
            },
            token=token,
        )
    )["checkoutCreate"]
    assert opened["errors"] == []
    assert opened["checkout"]["reservation"]["state"] == "HELD"
    assert opened["checkout"]["pointsToEarn"] > 0
    assert unexpected(opened) == set()
    addressed = (
        await client.data(
            client.document("checkout_update"),
            {
                "id": opened["checkout"]["id"],
                "version": opened["checkout"]["version"],
                "input": {"address": shop.ADDRESS, "method": "SHIP"},
                "key": secrets.token_hex(8),
            },
            token=token,
        )
    )["checkoutUpdate"]
    total = next(line["amount"] for line in addressed["checkout"]["totals"] if line["kind"] == "TOTAL")
    purchase = {
        "id": opened["checkout"]["id"],
        "input": {
            "payment": {"provider": "sandbox", "token": "tok_ok"},
            "expectedTotal": {"minor": total["minor"], "currency": total["currency"]},
        },
        "key": secrets.token_hex(8),
    }
    done = (await client.data(client.document("checkout_complete"), purchase, token=token))["checkoutComplete"]
    assert done["errors"] == []
    assert done["replayed"] is False
    assert done["order"]["pointsEarned"] > 0, "points appear as the card is charged"
    again = (await client.data(client.document("checkout_complete"), purchase, token=token))["checkoutComplete"]
    assert again["replayed"] is True
    assert again["order"]["id"] == done["order"]["id"]
    tracked = (await client.data(client.document("order_tracking"), {"id": done["order"]["id"]}, token=token))["order"]
    assert tracked["channel"]["code"] == "web-eu"
    assert tracked["lines"][0]["variant"]["sku"] == sku
    assert tracked["fulfilments"][0]["location"]["name"]
    assert unexpected(tracked, ".tracking") == set()
    page = await client.data(
        "query($sku: String!) { variant(sku: $sku) { myPurchases(first: 1) { quantity order { id } } } me { id } }",
        {"sku": sku},
        token=token,
    )
    assert page["me"]["id"] == customer_id
    assert page["variant"]["myPurchases"][0] == {"quantity": 2, "order": {"id": done["order"]["id"]}}


async def test_a_clerk_scans_and_sells_to_a_member(client: HouseClient, staff: str) -> None:
    customer_id, _ = await shop.shopper(client, staff)
    variant = await shop.some_variant(client, skip=13)
    store = next(
        level["location"]
        for level in await shop.levels(client, staff, variant["sku"])
        if level["location"]["kind"] == "STORE"
    )
    await shop.adjust(client, staff, variant["sku"], store["id"], 3)
    scanned = (
        await client.data(
            client.document("pos_scan"),
            {"gtin": variant["gtin"], "price": CONTEXT, "here": [store["id"]], "where": WHERE},
            token=staff,
        )
    )["variantByBarcode"]
    assert scanned["sku"] == variant["sku"]
    assert scanned["stockLevels"][0]["onHand"] >= 3
    assert unexpected(scanned, ".earliest") == set()
    payload = await shop.sell_at_register(client, staff, variant["sku"], store, customer_id=customer_id)
    assert payload["errors"] == []
    assert payload["order"]["soldAt"]["name"]
    assert payload["order"]["pointsEarned"] == 49
    assert payload["order"]["customer"]["loyalty"]["balance"] >= 49


async def test_an_agent_may_not_spend_beyond_its_limit(client: HouseClient, staff: str) -> None:
    token = await client.token("agent-9", kind="agent")
    found = await client.data(
        "query($c: PriceContextInput!) { searchProducts(sort: PRICE_DESC, context: $c, first: 1) { edges { node {"
        " variants(first: 1) { edges { node { sku } } } } } } }",
        {"c": CONTEXT},
    )
    sku = found["searchProducts"]["edges"][0]["node"]["variants"]["edges"][0]["node"]["sku"]
    await shop.set_sellable(client, staff, sku, 5)
    assert (await shop.buy(client, sku, token=token)).refusal == "BudgetExceeded"


async def test_a_partner_sees_points_whose_basis_is_hidden_and_nothing_of_the_staffs(client: HouseClient) -> None:
    partner = {"x-galleria-contract": "partner"}
    found = await client.data(
        "query($c: PriceContextInput!, $w: AvailabilityInput!) { searchProducts(context: $c, first: 1) { edges {"
        " matchedVariant { sku price(context: $c) { current { minor } } pointsEarned availability(input: $w) { status } }"
        " node { title publishedOn { name } } } } }",
        {"c": CONTEXT, "w": WHERE},
        headers=partner | {"x-uc-channel": "web-eu", "x-uc-currency": "EUR"},
    )
    (edge,) = found["searchProducts"]["edges"]
    assert nulls(edge) == []
    for hidden in ("{ me { id } }", "{ stockLevels { totalCount } }", "{ channels { priceList { code } } }"):
        answer = await client.ask(hidden, headers=partner)
        assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_an_order_of_the_marketplace_is_one_of_ours_once(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=15))["sku"]
    await shop.set_sellable(client, staff, sku, 3)
    bridge = await client.token("bridge", kind="staff", scopes=("orders:ingest", "orders:read"))
    external = secrets.token_hex(6)
    given = {
        "channel": "marketplace",
        "externalId": external,
        "email": "buyer@example.com",
        "address": shop.ADDRESS,
        "lines": [{"sku": sku, "quantity": 1, "unitPrice": {"minor": 1700, "currency": "EUR"}}],
        "delivery": {"minor": 300, "currency": "EUR"},
        "total": {"minor": 2000, "currency": "EUR"},
    }
    document = (
        "mutation($i: ExternalOrderInput!, $k: IdempotencyKey!) { orderIngest(input: $i, idempotencyKey: $k) {"
        " replayed order { id } errors { __typename ... on UserError { message } } } }"
    )
    orders = set()
    for _ in range(2):
        payload = (await client.data(document, {"i": given, "k": secrets.token_hex(8)}, token=bridge))["orderIngest"]
        assert payload["errors"] == []
        orders.add(payload["order"]["id"])
    assert len(orders) == 1
    listed = await client.data(
        '{ orders(filter: { channel: ["marketplace"] }, first: 5) { edges { node { id channel { code } } } } }',
        token=bridge,
    )
    assert listed["orders"]["edges"][0]["node"] == {"id": orders.pop(), "channel": {"code": "marketplace"}}
