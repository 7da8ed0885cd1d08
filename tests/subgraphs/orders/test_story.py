"""Orders with the real catalog and the real inventory over loopback, on the seed's small world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database
from subgraphs.inventory.service.audit import audit
from subgraphs.kernel.clock import SystemClock
from tests.subgraphs.orders.conftest import Shop
from tests.subgraphs.orders.small_house import SmallHouse, small_house
from tests.subgraphs.orders.test_api import CHECKOUT, complete, key, ready

pytestmark = pytest.mark.story

BUYERS = 12
UNITS = 4


@pytest.fixture
async def house(mongodb_uri: str) -> AsyncIterator[SmallHouse]:
    """Orders in hand, catalog and inventory behind ports."""
    async with small_house(mongodb_uri, SystemClock(), recovers=True) as running:
        yield running


async def test_the_last_units_are_sold_exactly_once(house: SmallHouse) -> None:
    shop, stock = house.shop, house.stock
    sku = await scarce(shop, stock)

    async def buys() -> str:
        given = ready(lines=[{"sku": sku, "quantity": 1}])
        opened = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]
        if opened["errors"]:
            return str(opened["errors"][0]["__typename"])
        payload = await complete(shop, opened["checkout"])
        return "order" if payload["order"] else str(payload["errors"][0]["__typename"])

    outcomes = await asyncio.gather(*(buys() for _ in range(BUYERS)))
    assert sorted(outcomes) == ["OutOfStock"] * (BUYERS - UNITS) + ["order"] * UNITS
    assert await shop.count("orders") == UNITS
    assert await shop.count("sandbox_ledger", state="AUTHORIZED") == UNITS
    assert await stock.collection("reservations").count({"state": "COMMITTED"}) == UNITS
    assert await audit(stock) == []


async def scarce(shop: Shop, stock: Database) -> str:
    """A SKU that is sold on the web, of which other checkouts have left just ``UNITS`` to ship."""
    levels = await stock.collection("stock").find({"free": {"$gt": 2 * UNITS}}, limit=200)
    for sku in dict.fromkeys(level["_id"].split("|")[0] for level in levels):
        left: int | None = None
        while left is None:
            given = ready(lines=[{"sku": sku, "quantity": 20}])
            errors = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]["errors"]
            if errors:
                left = errors[0].get("available") or 0
        if left <= UNITS:
            continue
        rest = ready(lines=[{"sku": sku, "quantity": left - UNITS}])
        held = (await shop.ask(CHECKOUT, {"input": rest, "key": key()}))["checkoutCreate"]
        assert held["errors"] == []
        return str(sku)
    raise AssertionError("the seed has no such SKU")
