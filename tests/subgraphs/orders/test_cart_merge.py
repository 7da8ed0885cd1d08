"""A guest who signs in keeps the cart."""

from __future__ import annotations

from typing import Any

from subgraphs.chassis.identity import Principal
from tests.subgraphs.orders.conftest import ANNA, BERT, Shop
from tests.subgraphs.orders.test_api import CART, key

GUEST = Principal("4711", "anonymous", frozenset())
MERGE = """
mutation($guest: ID!, $cart: ID, $v: Int, $key: IdempotencyKey!) {
  cartMerge(guestCartId: $guest, cartId: $cart, expectedVersion: $v, idempotencyKey: $key) {
    cart { id version customer { id } lines { quantity variant { sku } } }
    errors { __typename ... on UserError { message } }
  }
}"""


async def cart(shop: Shop, principal: Principal, **units: int) -> dict[str, Any]:
    lines = [{"sku": sku.replace("_", "-"), "quantity": quantity} for sku, quantity in units.items()]
    variables = {"input": {"channel": "web-eu", "lines": lines}, "key": key()}
    found: dict[str, Any] = (await shop.ask(CART, variables, principal))["cartCreate"]["cart"]
    return found


async def merge(shop: Shop, guest: str, principal: Principal = ANNA, **given: Any) -> dict[str, Any]:
    variables = {"guest": guest, "key": key()} | given
    payload: dict[str, Any] = (await shop.ask(MERGE, variables, principal))["cartMerge"]
    return payload


def units(payload: dict[str, Any]) -> dict[str, int]:
    return {line["variant"]["sku"]: line["quantity"] for line in payload["cart"]["lines"]}


async def test_a_guests_cart_becomes_the_customers_and_no_guests_any_more(shop: Shop) -> None:
    guest = await cart(shop, GUEST, TEE_RED_M=2)
    once = key()
    found = await merge(shop, guest["id"], key=once)
    assert (found["cart"]["id"], found["cart"]["customer"]["id"], units(found)) == (
        guest["id"],
        "cus_anna",
        {"TEE-RED-M": 2},
    )
    assert (await merge(shop, guest["id"], key=once))["cart"] == found["cart"]
    other = await merge(shop, guest["id"], BERT)
    assert [error["__typename"] for error in other["errors"]] == ["NotFound"]


async def test_it_goes_into_the_cart_there_is_with_the_greater_quantity_and_is_gone(shop: Shop) -> None:
    guest, own = await cart(shop, GUEST, TEE_RED_M=2, MUG_WHITE=1), await cart(shop, ANNA, TEE_RED_M=1, TEE_RED_L=4)
    stale = await merge(shop, guest["id"], cart=own["id"], v=own["version"] + 1)
    assert [error["__typename"] for error in stale["errors"]] == ["VersionConflict"]
    found = await merge(shop, guest["id"], cart=own["id"], v=own["version"])
    assert found["cart"]["id"] == own["id"]
    assert units(found) == {"TEE-RED-M": 2, "TEE-RED-L": 4, "MUG-WHITE": 1}
    gone = await merge(shop, guest["id"], cart=own["id"])
    assert [error["__typename"] for error in gone["errors"]] == ["NotFound"]


async def test_a_cart_of_somebody_else_or_itself_is_refused(shop: Shop) -> None:
    own = await cart(shop, ANNA, TEE_RED_M=1)
    berts = await cart(shop, BERT, TEE_RED_M=1)
    assert (await merge(shop, berts["id"]))["errors"][0]["__typename"] == "NotFound"
    assert (await merge(shop, own["id"], cart=own["id"]))["errors"][0]["__typename"] == "InvalidInput"
    answer = await shop.raw(MERGE, {"guest": own["id"], "key": key()}, Principal("x", "anonymous", frozenset()))
    assert "errors" in answer
