"""Orders placed elsewhere: made once, at the prices paid there, and refused when there is no stock, without losing anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.orders.service.audit import audit
from tests.subgraphs.orders.conftest import ADDRESS, ANNA, TILL, Shop
from tests.subgraphs.orders.test_api import key

BRIDGE = Principal("bridge", "staff", frozenset({"orders:ingest", "orders:read"}))
INGEST = """
mutation($input: ExternalOrderInput!, $key: IdempotencyKey!) {
  orderIngest(input: $input, idempotencyKey: $key) {
    replayed
    order {
      id channel { code } totals { kind amount { minor } } payments { provider state captured { minor } }
      lines { unitPrice { minor } quantityOrdered }
    }
    errors { __typename ... on UserError { message } ... on OutOfStock { sku available } }
  }
}"""


def euro(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "EUR"}


def told(**changes: Any) -> dict[str, Any]:
    """Two T-shirts at 17.00, below our own 20.00, and a delivery of 3.00."""
    lines = [{"sku": "TEE-RED-M", "quantity": 2, "unitPrice": euro(1700)}]
    sums = {"delivery": euro(300), "total": euro(3700)}
    who = {"channel": "marketplace", "externalId": "M-1001", "email": "buyer@example.org", "address": ADDRESS}
    return {**who, "lines": lines, **sums, **changes}


async def ingest(shop: Shop, given: dict[str, Any], used: str | None = None, who: Principal = BRIDGE) -> dict[str, Any]:
    payload: dict[str, Any] = (await shop.ask(INGEST, {"input": given, "key": used or key()}, who))["orderIngest"]
    return payload


async def test_an_order_of_a_marketplace_is_an_order_at_the_prices_paid_there(shop: Shop) -> None:
    payload = await ingest(shop, told())
    assert payload["errors"] == []
    order = payload["order"]
    assert order["channel"]["code"] == "marketplace"
    assert order["lines"] == [{"unitPrice": {"minor": 1700}, "quantityOrdered": 2}]
    assert {row["kind"]: row["amount"]["minor"] for row in order["totals"]}["TOTAL"] == 3700
    assert order["payments"] == [{"provider": "external", "state": "CAPTURED", "captured": {"minor": 3700}}]
    assert len(shop.peer.committed()) == 1
    assert await audit(shop.database) == []


async def test_it_is_made_once_under_however_many_keys_and_at_once(shop: Shop) -> None:
    outcomes = await asyncio.gather(*(ingest(shop, told()) for _ in range(5)))
    made = [outcome["order"]["id"] for outcome in outcomes if outcome["order"]]
    refused = {error["__typename"] for outcome in outcomes for error in outcome["errors"]}
    assert len(set(made)) == 1
    assert refused <= {"RequestInFlight"}
    again = await ingest(shop, told())
    assert (again["replayed"], again["order"]["id"]) == (True, made[0])
    assert (await shop.count("orders"), len(shop.peer.held)) == (1, 1)


async def test_the_same_order_with_other_contents_is_refused(shop: Shop) -> None:
    await ingest(shop, told())
    lines = [{"sku": "TEE-RED-M", "quantity": 1, "unitPrice": euro(3400)}]
    assert "something else" in (await ingest(shop, told(lines=lines)))["errors"][0]["message"]
    assert await shop.count("orders") == 1


async def test_without_stock_nothing_is_taken_and_it_may_be_told_again(shop: Shop) -> None:
    shop.peer.stock["TEE-RED-M"] = 1
    refused = await ingest(shop, told(), "first")
    assert refused["errors"][0] | {"message": None} == {
        "__typename": "OutOfStock",
        "sku": "TEE-RED-M",
        "available": 1,
        "message": None,
    }
    assert (await ingest(shop, told(), "first"))["errors"] == refused["errors"], "the same key, the same answer"
    assert (await shop.count("payments"), await shop.count("orders")) == (0, 0)
    shop.peer.stock["TEE-RED-M"] = 5
    assert (await ingest(shop, told()))["errors"] == []
    assert await audit(shop.database) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"total": euro(3701)}, "the parts come to 37.00"),
        ({"channel": "web-eu"}, "sells by itself"),
        ({"externalId": ""}, "1 to 100 characters"),
        ({"lines": [{"sku": "NOT-THERE", "quantity": 1, "unitPrice": euro(3400)}]}, "no such SKU"),
        ({"delivery": {"minor": 300, "currency": "USD"}}, "all sums are of EUR"),
    ],
)
async def test_what_makes_no_sense_is_refused(shop: Shop, changes: dict[str, Any], says: str) -> None:
    assert says in (await ingest(shop, told(**changes)))["errors"][0]["message"]
    assert (await shop.count("checkouts"), await shop.count("orders")) == (0, 0)


async def test_only_who_may_can_say_that_an_order_was_paid_elsewhere(shop: Shop) -> None:
    for who in (ANNA, TILL):
        assert (await ingest(shop, told(), who=who))["errors"][0]["__typename"] == "Forbidden"
