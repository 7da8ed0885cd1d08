"""Quotes: what it would cost, signed, and that a checkout opened with one asks for no more until it ends."""

from __future__ import annotations

from typing import Any

from tests.subgraphs.orders.conftest import Shop
from tests.subgraphs.orders.test_api import CHECKOUT, key, opened, ready, total

QUOTE = """
query($input: QuoteInput!) {
  quote(input: $input) {
    id validUntil signature totals { kind amount { minor currency } } taxLines { jurisdiction amount { minor } }
    messages { level code }
  }
}"""
LINES = [{"sku": "TEE-RED-M", "quantity": 2}]


async def quoted(shop: Shop, **given: Any) -> dict[str, Any]:
    asked = {"channel": "web-eu", "country": "DE", "lines": LINES} | given
    found: dict[str, Any] = (await shop.ask(QUOTE, {"input": asked}))["quote"]
    return found


async def checkout(shop: Shop, signature: str) -> dict[str, Any]:
    given = ready(lines=LINES, quote=signature, holdStock=False)
    payload: dict[str, Any] = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]
    return payload


async def test_a_quote_costs_what_the_checkout_would_and_holds_nothing(shop: Shop) -> None:
    quote = await quoted(shop)
    assert total(quote) == total(await opened(shop, lines=LINES, holdStock=False))
    assert quote["taxLines"]
    assert quote["messages"] == []
    assert shop.peer.live() == []


async def test_a_quote_is_honoured_until_it_ends_and_a_fall_is_passed_on(shop: Shop) -> None:
    quote = await quoted(shop)
    shop.peer.prices["TEE-RED-M"] = 2500
    promised = (await checkout(shop, quote["signature"]))["checkout"]
    assert total(promised) == total(quote)
    assert total(await opened(shop, lines=LINES, holdStock=False)) != total(quote)
    shop.peer.prices["TEE-RED-M"] = 1500
    fallen = (await checkout(shop, quote["signature"]))["checkout"]
    assert total(fallen)["minor"] == total(quote)["minor"] - 2 * 500
    shop.clock.advance(shop.peer.quote_s + 1)
    ended = await checkout(shop, quote["signature"])
    assert [error["__typename"] for error in ended["errors"]] == ["InvalidInput"]


async def test_a_quote_of_somebody_elses_making_is_refused(shop: Shop) -> None:
    quote = await quoted(shop)
    for signature in ("nonsense", quote["signature"][:-2] + "AA"):
        refused = await checkout(shop, signature)
        assert [error["__typename"] for error in refused["errors"]] == ["InvalidInput"]


async def test_what_cannot_be_had_or_is_no_code_is_told(shop: Shop) -> None:
    shop.peer.stock["TEE-RED-M"] = 0
    quote = await quoted(shop, promoCodes=["SUMMER"])
    assert [message["code"] for message in quote["messages"]] == ["OUT_OF_STOCK", "PROMO_UNKNOWN"]
    answer = await shop.raw(QUOTE, {"input": {"channel": "web-eu", "lines": []}})
    assert answer["errors"][0]["message"] == "nothing to quote"
