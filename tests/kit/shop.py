"""Retail moves that several stories make, through the gateway alone: find, sell, set stock, buy."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.local.client import HouseClient
from tests.kit.running_house import CONTEXT

ADDRESS = {"name": "Ada", "line1": "1 Market Street", "city": "Berlin", "postalCode": "10115", "country": "DE"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a purchase ended: an order, or the ``__typename`` of the refusal."""

    order: dict[str, Any] | None
    refusal: str | None


async def some_variant(client: HouseClient, *, text: str | None = None, skip: int = 0) -> dict[str, Any]:
    """A variant that can be bought: ``{sku, gtin, product: {id, handle, title}}``."""
    found = await client.data(
        "query($t: String, $c: PriceContextInput!) { searchProducts(query: $t, context: $c, first: 50) { edges { node {"
        " id handle title variants(first: 1) { edges { node { sku gtin purchasable(context: $c) } } } } } } }",
        {"t": text, "c": CONTEXT},
    )
    fit = [
        {**edge["node"]["variants"]["edges"][0]["node"], "product": edge["node"]}
        for edge in found["searchProducts"]["edges"]
        if edge["node"]["variants"]["edges"] and edge["node"]["variants"]["edges"][0]["node"]["purchasable"]
    ]
    return fit[skip]


async def shopper(client: HouseClient, staff: str) -> tuple[str, str]:
    """A customer with a loyalty card: (id, token)."""
    for number in range(1, 60):
        found = await client.data(
            "query($card: String!) { customerLookup(loyaltyNumber: $card) { id } }",
            {"card": f"L{number:07d}"},
            token=staff,
        )
        if found["customerLookup"]:
            identity = found["customerLookup"]["id"]
            return identity, await client.token(f"shopper-{number}", customer_id=identity)
    raise AssertionError("nobody has a loyalty card")


async def levels(client: HouseClient, staff: str, sku: str) -> list[dict[str, Any]]:
    answer = await client.data(
        "query($s: [String!]!) { stockLevels(skus: $s, first: 50) { edges { node {"
        " location { id code kind capabilities } onHand reserved allocated safety atp } } } }",
        {"s": [sku]},
        token=staff,
    )
    return [edge["node"] for edge in answer["stockLevels"]["edges"]]


async def set_sellable(client: HouseClient, staff: str, sku: str, units: int) -> None:
    """Adjust stock so that exactly ``units`` can be shipped: all at one warehouse, nothing anywhere else."""
    at = await levels(client, staff, sku)
    kept = next(level for level in at if level["location"]["kind"] == "WAREHOUSE")
    for level in at:
        wanted = units if level is kept else 0
        delta = wanted - level["atp"] if level is kept else -max(0, level["atp"])
        if delta:
            await adjust(client, staff, sku, level["location"]["id"], delta)


async def adjust(client: HouseClient, staff: str, sku: str, location_id: str, delta: int) -> None:
    answer = await client.data(
        "mutation($i: StockAdjustInput!, $k: IdempotencyKey!) { stockAdjust(input: $i, idempotencyKey: $k) {"
        " errors { __typename ... on UserError { message } } } }",
        {
            "i": {"locationId": location_id, "sku": sku, "delta": delta, "reason": "test"},
            "k": f"adjust-{secrets.token_hex(8)}",
        },
        token=staff,
    )
    assert answer["stockAdjust"]["errors"] == []


async def sell_at_register(
    client: HouseClient, staff: str, sku: str, location: dict[str, Any], *, customer_id: str | None = None
) -> dict[str, Any]:
    """One receipt for one unit; the whole ``posOrderRecord`` payload."""
    receipt = f"T{secrets.token_hex(6)}"
    price = {"minor": 4990, "currency": "EUR"}
    answer = await client.data(
        client.document("pos_sale"),
        {
            "key": f"sale-{receipt}",
            "input": {
                "locationId": location["id"],
                "registerId": f"{location['code']}-test",
                "receiptNo": receipt,
                "occurredAt": datetime.now(UTC).isoformat(),
                "customerId": customer_id,
                "lines": [{"sku": sku, "quantity": 1, "unitPrice": price}],
                "tenders": [{"kind": "CASH", "amount": price}],
            },
        },
        token=staff,
    )
    payload: dict[str, Any] = answer["posOrderRecord"]
    return payload


async def buy(
    client: HouseClient, sku: str, *, quantity: int = 1, payment: str = "tok_ok", token: str | None = None
) -> Outcome:
    """Checkout, address, completion. Errors of the graph raise; refusals of the shop are the outcome."""
    one = secrets.token_hex(8)
    opened = (
        await client.data(
            client.document("checkout_create"),
            {
                "key": f"open-{one}",
                "input": {
                    "channel": "web-eu",
                    "currency": "EUR",
                    "email": f"{one}@example.com",
                    "lines": [{"sku": sku, "quantity": quantity}],
                },
            },
            token=token,
        )
    )["checkoutCreate"]
    if opened["errors"]:
        return Outcome(None, opened["errors"][0]["__typename"])
    session = opened["checkout"]
    addressed = (
        await client.data(
            client.document("checkout_update"),
            {
                "id": session["id"],
                "version": session["version"],
                "key": f"address-{one}",
                "input": {"address": ADDRESS, "method": "SHIP"},
            },
            token=token,
        )
    )["checkoutUpdate"]
    if addressed["errors"]:
        return Outcome(None, addressed["errors"][0]["__typename"])
    total = next(line["amount"] for line in addressed["checkout"]["totals"] if line["kind"] == "TOTAL")
    done = (
        await client.data(
            client.document("checkout_complete"),
            {
                "id": session["id"],
                "key": f"complete-{one}",
                "input": {
                    "payment": {"provider": "sandbox", "token": payment},
                    "expectedTotal": {"minor": total["minor"], "currency": total["currency"]},
                },
            },
            token=token,
        )
    )["checkoutComplete"]
    if done["errors"]:
        return Outcome(None, done["errors"][0]["__typename"])
    return Outcome(done["order"], None)
