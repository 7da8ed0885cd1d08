"""Nothing is sold twice: the race for the last units, through the gateway."""

import asyncio
from collections import Counter

import pytest

from gateway.local.client import HouseClient
from tests.kit import shop

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

BUYERS = 200
UNITS = 50


async def test_two_hundred_buyers_of_fifty_units_make_fifty_orders(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=3))["sku"]
    await shop.set_sellable(client, staff, sku, UNITS)
    outcomes = await asyncio.gather(*(shop.buy(client, sku) for _ in range(BUYERS)))
    orders = [outcome.order for outcome in outcomes if outcome.order is not None]
    refusals = Counter(outcome.refusal for outcome in outcomes if outcome.order is None)
    assert len(orders) == UNITS
    assert set(refusals) <= {"OutOfStock", "InsufficientStock"}
    assert sum(refusals.values()) == BUYERS - UNITS
    assert len({order["number"] for order in orders}) == UNITS
    after = await shop.levels(client, staff, sku)
    assert sum(level["allocated"] for level in after) >= UNITS
    assert sum(max(0, level["atp"]) for level in after) == 0
    audits = await client.data("{ inventoryAudit { ok problems } ordersAudit { ok problems orders } }", token=staff)
    assert audits["inventoryAudit"] == {"ok": True, "problems": []}
    assert audits["ordersAudit"].pop("orders") >= UNITS
    assert audits["ordersAudit"] == {"ok": True, "problems": []}


async def test_the_last_unit_bought_twice_at_once_is_sold_once(client: HouseClient, staff: str) -> None:
    sku = (await shop.some_variant(client, skip=4))["sku"]
    await shop.set_sellable(client, staff, sku, 1)
    outcomes = await asyncio.gather(shop.buy(client, sku), shop.buy(client, sku))
    assert sorted(outcome.refusal or "order" for outcome in outcomes) in (
        ["OutOfStock", "order"],
        ["InsufficientStock", "order"],
    )


async def test_a_declined_card_charges_nothing_and_the_stock_can_be_bought_by_another(
    client: HouseClient, staff: str
) -> None:
    sku = (await shop.some_variant(client, skip=5))["sku"]
    await shop.set_sellable(client, staff, sku, 5)
    declined = await shop.buy(client, sku, payment="tok_decline_funds")
    assert declined.refusal == "PaymentDeclined"
    assert (await shop.buy(client, sku)).order is not None
