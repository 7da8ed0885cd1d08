"""After the sale, through the whole house: a parcel leaves, half of it comes back over a counter, an order is cancelled; stock,
money and points follow."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.local.client import HouseClient
from tests.kit import shop

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

MOVE = """
mutation($id: ID!, $to: FulfilmentState!, $key: IdempotencyKey!) {
  fulfilmentTransition(id: $id, to: $to, idempotencyKey: $key) { fulfilment { state } errors { __typename } }
}"""
ORDER = """
query($id: ID!) {
  order(id: $id) {
    id status lines { id } fulfilments { id location { id } } payments { state captured { minor } refunded { minor } }
    pointsEarned pointsReversed totals { kind amount { minor } } returns { state }
  }
}"""
REQUEST = """
mutation($input: ReturnRequestInput!, $key: IdempotencyKey!) {
  returnRequest(input: $input, idempotencyKey: $key) { return { id } errors { __typename } }
}"""
RECEIVE = """
mutation($id: ID!, $input: ReturnReceiveInput!, $key: IdempotencyKey!) {
  returnReceive(returnId: $id, input: $input, idempotencyKey: $key) {
    return { state refund { minor } location { name } pointsReversed } errors { __typename ... on UserError { message } }
  }
}"""
CANCEL = """
mutation($id: ID!, $key: IdempotencyKey!) {
  orderCancel(orderId: $id, reason: "story", idempotencyKey: $key) { order { status } errors { __typename } }
}"""


def key() -> str:
    return secrets.token_hex(8)


async def bought(client: HouseClient, sku: str, units: int, buyer: str) -> str:
    outcome = await shop.buy(client, sku, quantity=units, token=buyer)
    assert outcome.order is not None, outcome.refusal
    return str(outcome.order["id"])


async def until(look: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> Any:
    """What is seen once it is so; facts take a moment from one service to the next."""
    async with asyncio.timeout(20):
        while not is_so(found := await look()):
            await asyncio.sleep(0.05)
    return found


async def test_half_of_a_parcel_comes_back_over_a_counter(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=9))["sku"]
    await shop.set_sellable(client, staff, sku, 10)
    _, buyer = await shop.shopper(client, staff)
    order_id = await bought(client, sku, 2, buyer)

    async def order() -> Any:
        return (await client.data(ORDER, {"id": order_id}, token=buyer))["order"]

    async def level(location_id: str) -> Any:
        found = await shop.levels(client, staff, sku)
        return next(each for each in found if each["location"]["id"] == location_id)

    earned = (await until(order, lambda found: bool(found["pointsEarned"])))["pointsEarned"]
    [parcel] = (await order())["fulfilments"]
    warehouse = parcel["location"]["id"]
    assert (await level(warehouse))["allocated"] == 2
    for state in ("ACCEPTED", "PICKING", "PACKED", "SHIPPED"):
        moved = await client.data(MOVE, {"id": parcel["id"], "to": state, "key": key()}, token=staff)
        assert moved["fulfilmentTransition"]["errors"] == []
    paid = await until(order, lambda found: found["payments"][0]["state"] == "CAPTURED")
    shipped = await until(lambda: level(warehouse), lambda found: found["allocated"] == 0)
    assert (shipped["onHand"], shipped["atp"]) == (shipped["safety"] + 8, 8)

    line = paid["lines"][0]["id"]
    store = next(each for each in await shop.levels(client, staff, sku) if each["location"]["kind"] == "STORE")
    asked = await client.data(
        REQUEST,
        {
            "key": key(),
            "input": {
                "orderId": order_id,
                "via": "IN_STORE",
                "lines": [{"orderLineId": line, "quantity": 1, "reason": "CHANGED_MIND"}],
            },
        },
        token=buyer,
    )
    assert asked["returnRequest"]["errors"] == []
    given = {
        "locationId": store["location"]["id"],
        "lines": [{"orderLineId": line, "quantity": 1, "disposition": "RESTOCK"}],
    }
    received = (
        await client.data(
            RECEIVE, {"id": asked["returnRequest"]["return"]["id"], "input": given, "key": key()}, token=staff
        )
    )["returnReceive"]
    assert received["errors"] == []
    assert received["return"]["state"] == "REFUNDED"
    goods = next(row["amount"]["minor"] for row in paid["totals"] if row["kind"] == "SUBTOTAL")
    assert received["return"]["refund"]["minor"] == goods // 2
    assert received["return"]["pointsReversed"] == earned // 2
    after = await until(order, lambda found: bool(found["pointsReversed"]))
    assert after["pointsReversed"] == earned // 2
    assert (after["payments"][0]["state"], after["payments"][0]["refunded"]["minor"]) == (
        "PARTIALLY_REFUNDED",
        goods // 2,
    )
    await until(lambda: level(store["location"]["id"]), lambda found: found["onHand"] == store["onHand"] + 1)


async def test_a_cancelled_order_leaves_nothing_behind(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=10))["sku"]
    await shop.set_sellable(client, staff, sku, 3)
    _, buyer = await shop.shopper(client, staff)
    order_id = await bought(client, sku, 3, buyer)

    async def order() -> Any:
        return (await client.data(ORDER, {"id": order_id}, token=buyer))["order"]

    async def sellable() -> int:
        return sum(each["atp"] for each in await shop.levels(client, staff, sku))

    earned = (await until(order, lambda found: bool(found["pointsEarned"])))["pointsEarned"]
    assert await sellable() == 0
    cancelled = (await client.data(CANCEL, {"id": order_id, "key": key()}, token=buyer))["orderCancel"]
    assert cancelled == {"order": {"status": "CANCELED"}, "errors": []}
    await until(sellable, lambda units: units == 3)
    after = await until(
        order, lambda found: found["payments"][0]["state"] == "VOIDED" and bool(found["pointsReversed"])
    )
    assert after["pointsReversed"] == earned
