"""Orders over HTTP: carts, checkouts, completion, registers, lists, streams, and references in batches."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from graphql import parse, validate

from subgraphs.catalog.app import SERVICE as CATALOG
from subgraphs.chassis.identity import Principal
from subgraphs.customers.app import SERVICE as CUSTOMERS
from subgraphs.inventory.app import SERVICE as INVENTORY
from subgraphs.kernel.errors import InvalidInput, NotFound
from subgraphs.loyalty.app import SERVICE as LOYALTY
from subgraphs.orders.payments.sandbox import SandboxProvider
from subgraphs.orders.service import peers
from subgraphs.orders.service.audit import audit
from subgraphs.orders.store import Store
from tests.subgraphs.orders.conftest import ADDRESS, ANNA, BERT, TILL, Shop

CART = """
mutation($input: CartCreateInput!, $key: IdempotencyKey!) {
  cartCreate(input: $input, idempotencyKey: $key) {
    cart { id version totals { kind amount { amount currency } label } lines { id quantity unitPrice { amount } variant { sku } } expiresAt }
    warnings { code text path }
    errors { __typename ... on UserError { message path severity } }
  }
}"""
LINES = """
mutation($id: ID!, $lines: [CartLineInput!]!, $v: Int, $key: IdempotencyKey!) {
  cartLinesUpdate(cartId: $id, lines: $lines, expectedVersion: $v, idempotencyKey: $key) {
    cart { version lines { quantity unitPrice { minor } variant { sku } } }
    warnings { code }
    errors { __typename ... on VersionConflict { expected actual } }
  }
}"""
CHECKOUT = """
mutation($input: CheckoutCreateInput!, $key: IdempotencyKey!) {
  checkoutCreate(input: $input, idempotencyKey: $key) {
    replayed
    checkout {
      id version status expiresAt reservation { id } messages { level code text }
      fulfilment { id method location { id } options { id title cost { minor } latest } selectedOptionId }
      totals { kind amount { minor currency } label } taxLines { jurisdiction rate amount { minor } included }
    }
    errors { __typename ... on UserError { message severity } ... on OutOfStock { sku available alternatives { sku } } }
  }
}"""
UPDATE = """
mutation($id: ID!, $v: Int!, $input: CheckoutUpdateInput!, $key: IdempotencyKey!) {
  checkoutUpdate(id: $id, expectedVersion: $v, input: $input, idempotencyKey: $key) {
    checkout {
      id version status reservation { id } totals { kind amount { minor } } fulfilment { method location { id } }
      lines { quantity }
    }
    errors { __typename ... on VersionConflict { expected actual } ... on UserError { message } ... on OutOfStock { sku } }
  }
}"""
COMPLETE = """
mutation($id: ID!, $input: CheckoutCompleteInput!, $key: IdempotencyKey!) {
  checkoutComplete(id: $id, input: $input, idempotencyKey: $key) {
    replayed sagaId checkout { id status messages { code } continueUrl }
    order {
      id number status totals { kind amount { amount currency } } lines { variant { sku } quantityOrdered total { amount } }
      payments { state authorized { minor } captured { minor } } fulfilments { state location { id } lines { quantity } }
    }
    errors {
      __typename ... on UserError { message severity }
      ... on PriceChanged { quoted { minor } current { minor } } ... on PaymentDeclined { declineCode retryable }
      ... on PaymentActionRequired { actionUrl } ... on OutOfStock { sku available }
      ... on BudgetExceeded { limit { minor } remaining { minor } } ... on ConsentRequired { purpose continueUrl }
    }
  }
}"""
CANCEL = """
mutation($id: ID!, $key: IdempotencyKey!) {
  checkoutCancel(id: $id, idempotencyKey: $key) {
    checkout { status reservation { id } } errors { __typename ... on IllegalTransition { from to } }
  }
}"""
POS = """
mutation($input: PosOrderInput!, $key: IdempotencyKey!) {
  posOrderRecord(input: $input, idempotencyKey: $key) {
    replayed
    order { id number status soldAt { id } totals { kind amount { minor } } customer { id } payments { provider state } }
    errors { __typename ... on UserError { message } }
  }
}"""


def key() -> str:
    return secrets.token_hex(8)


def ready(**changes: Any) -> dict[str, Any]:
    """Input of a checkout that lacks nothing: 2 T-shirts to Berlin."""
    lines = [{"sku": "TEE-RED-M", "quantity": 2}]
    return {"channel": "web-eu", "lines": lines, "email": "anna@example.org", "address": ADDRESS} | changes


async def opened(shop: Shop, principal: Principal = ANNA, **changes: Any) -> dict[str, Any]:
    payload = (await shop.ask(CHECKOUT, {"input": ready(**changes), "key": key()}, principal))["checkoutCreate"]
    assert payload["errors"] == []
    checkout: dict[str, Any] = payload["checkout"]
    return checkout


def total(checkout: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(row["amount"] for row in checkout["totals"] if row["kind"] == "TOTAL")
    return {"minor": found["minor"], "currency": found.get("currency", "EUR")}


async def complete(
    shop: Shop, checkout: dict[str, Any], token: str = "tok_ok", mode: str = "ON_FULFILMENT", **more: Any
) -> dict[str, Any]:
    payment = {"provider": "sandbox", "token": token, "captureMode": mode}
    variables = {
        "id": checkout["id"],
        "input": {
            "payment": payment,
            "expectedTotal": more.pop("expected", total(checkout)),
            "mandate": more.pop("mandate", None),
        },
        "key": more.pop("key", None) or key(),
    }
    payload: dict[str, Any] = (await shop.ask(COMPLETE, variables, **more))["checkoutComplete"]
    return payload


def test_the_documents_sent_to_peers_are_valid_against_their_schemas() -> None:
    for document in (peers._OFFERS, peers._SIBLINGS, peers._CHANNEL):
        assert validate(CATALOG.schema._schema, parse(document)) == []
    for document in (
        peers._AVAILABILITY,
        peers._LOCATION,
        peers._COUNTERS,
        peers._RESERVE,
        peers._EXTEND,
        peers._RELEASE,
        peers._COMMIT,
    ):
        assert validate(INVENTORY.schema._schema, parse(document)) == []
    for document in (peers._EARNS, peers._WORTH, peers._POINTS_HOLD, peers._POINTS_RELEASE):
        assert validate(LOYALTY.schema._schema, parse(document)) == []
    for document in (peers._MANDATE_HOLD, peers._MANDATE_RELEASE):
        assert validate(CUSTOMERS.schema._schema, parse(document)) == []


async def test_a_cart_is_priced_and_the_same_key_gives_the_same_cart(shop: Shop) -> None:
    given = {"channel": "web-eu", "lines": [{"sku": "TEE-RED-M", "quantity": 2}, {"sku": "MUG-WHITE", "quantity": 1}]}
    first = (await shop.ask(CART, {"input": given, "key": "k"}))["cartCreate"]
    again = (await shop.ask(CART, {"input": given, "key": "k"}))["cartCreate"]
    assert first["errors"] == []
    assert first["cart"]["totals"][-1]["amount"] == {"amount": "49.99", "currency": "EUR"}
    assert again["cart"]["id"] == first["cart"]["id"]
    assert await shop.count("carts") == 1
    other = (await shop.ask(CART, {"input": {**given, "lines": given["lines"][:1]}, "key": "k"}))["cartCreate"]
    assert other["errors"][0]["__typename"] == "IdempotencyConflict"


async def test_a_changed_cart_warns_of_drift_and_refuses_an_old_version(shop: Shop) -> None:
    given = {"channel": "web-eu", "lines": [{"sku": "TEE-RED-M", "quantity": 1}]}
    cart = (await shop.ask(CART, {"input": given, "key": key()}))["cartCreate"]["cart"]
    shop.peer.prices["TEE-RED-M"] = 2500
    lines = [{"sku": "MUG-WHITE", "quantity": 3}]
    changed = (await shop.ask(LINES, {"id": cart["id"], "lines": lines, "v": 1, "key": key()}))["cartLinesUpdate"]
    assert [line["unitPrice"]["minor"] for line in changed["cart"]["lines"]] == [2500, 999]
    assert [warning["code"] for warning in changed["warnings"]] == ["PRICE_CHANGED"]
    stale = (await shop.ask(LINES, {"id": cart["id"], "lines": lines, "v": 1, "key": key()}))["cartLinesUpdate"]
    assert stale["errors"] == [{"__typename": "VersionConflict", "expected": 1, "actual": 2}]


async def test_another_customer_does_not_see_the_cart_or_the_checkout_or_the_order(shop: Shop) -> None:
    given = {"channel": "web-eu", "lines": [{"sku": "TEE-RED-M", "quantity": 1}]}
    cart = (await shop.ask(CART, {"input": given, "key": key()}))["cartCreate"]["cart"]
    checkout = await opened(shop)
    order = (await complete(shop, checkout))["order"]
    query = "query($c: ID!, $k: ID!, $o: ID!) { cart(id: $c) { id } checkout(id: $k) { id } order(id: $o) { id } }"
    ids = {"c": cart["id"], "k": checkout["id"], "o": order["id"]}
    assert await shop.ask(query, ids, BERT) == {"cart": None, "checkout": None, "order": None}
    assert None not in (await shop.ask(query, ids, ANNA)).values()


async def test_a_checkout_holds_stock_and_tells_delivery_and_tax(shop: Shop) -> None:
    shop.peer.split = True
    checkout = await opened(shop)
    assert checkout["status"] == "READY_FOR_COMPLETE"
    assert checkout["reservation"] == {"id": "rsv_0"}
    assert shop.peer.free("TEE-RED-M") == 3
    groups = checkout["fulfilment"]
    assert {group["location"]["id"] for group in groups} == {"loc_store", "loc_warehouse"}
    assert sum(group["options"][0]["cost"]["minor"] for group in groups) == 490
    assert total(checkout)["minor"] == 4490
    tax = next(row for row in checkout["totals"] if row["kind"] == "TAX")
    assert tax["label"] == "Tax, included"
    assert tax["amount"]["minor"] == sum(line["amount"]["minor"] for line in checkout["taxLines"])


async def test_a_checkout_without_address_says_what_is_missing_and_cannot_complete(shop: Shop) -> None:
    checkout = await opened(shop, address=None, email=None)
    assert checkout["status"] == "INCOMPLETE"
    assert [message["code"] for message in checkout["messages"]] == ["MISSING_EMAIL", "MISSING_ADDRESS"]
    assert (await complete(shop, checkout))["errors"][0]["__typename"] == "InvalidInput"


async def test_too_much_is_out_of_stock_with_alternatives(shop: Shop) -> None:
    given = ready(lines=[{"sku": "TEE-RED-M", "quantity": 6}])
    payload = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]
    assert payload["checkout"] is None
    error = payload["errors"][0]
    assert (error["__typename"], error["sku"], error["available"]) == ("OutOfStock", "TEE-RED-M", 5)
    assert error["alternatives"] == [{"sku": "TEE-RED-L"}]


async def test_switching_to_pickup_moves_the_hold_to_the_store(shop: Shop) -> None:
    checkout = await opened(shop)
    change = {"method": "CURBSIDE", "pickupLocationId": "loc_berlin"}
    variables = {"id": checkout["id"], "v": 1, "input": change, "key": key()}
    payload = (await shop.ask(UPDATE, variables))["checkoutUpdate"]
    assert payload["errors"] == []
    changed = payload["checkout"]
    assert changed["status"] == "READY_FOR_COMPLETE"
    assert total(changed)["minor"] == 4000
    assert changed["fulfilment"] == [{"method": "CURBSIDE", "location": {"id": "loc_berlin"}}]
    assert [held.lines[0]["location"]["id"] for held in shop.peer.live()] == ["loc_berlin"]
    stale = (await shop.ask(UPDATE, {**variables, "key": key()}))["checkoutUpdate"]
    assert stale["errors"][0] | {"message": ""} == {
        "__typename": "VersionConflict",
        "expected": 1,
        "actual": 2,
        "message": "",
    }


async def test_more_than_the_own_hold_leaves_gives_the_old_hold_up_first(shop: Shop) -> None:
    checkout = await opened(shop, lines=[{"sku": "TEE-RED-M", "quantity": 3}])
    wanted = {"id": checkout["id"], "v": 1, "input": {"lines": [{"sku": "TEE-RED-M", "quantity": 5}]}, "key": key()}
    payload = (await shop.ask(UPDATE, wanted))["checkoutUpdate"]
    assert payload["errors"] == []
    assert shop.peer.free("TEE-RED-M") == 0
    too_much = {**wanted, "v": 2, "input": {"lines": [{"sku": "TEE-RED-M", "quantity": 6}]}, "key": key()}
    refused = (await shop.ask(UPDATE, too_much))["checkoutUpdate"]
    assert refused["errors"][0]["__typename"] == "OutOfStock"
    # What was held before is held again.
    assert shop.peer.free("TEE-RED-M") == 0


async def test_a_canceled_checkout_gives_its_stock_back_and_is_final(shop: Shop) -> None:
    checkout = await opened(shop)
    canceled = (await shop.ask(CANCEL, {"id": checkout["id"], "key": key()}))["checkoutCancel"]
    assert canceled["checkout"] == {"status": "CANCELED", "reservation": None}
    assert shop.peer.free("TEE-RED-M") == 5
    again = (await shop.ask(CANCEL, {"id": checkout["id"], "key": key()}))["checkoutCancel"]
    assert again["errors"][0]["__typename"] == "IllegalTransition"


async def test_completing_places_one_order_and_the_same_key_shows_it_again(shop: Shop) -> None:
    checkout = await opened(shop)
    payload = await complete(shop, checkout, key="pay")
    assert payload["errors"] == []
    order = payload["order"]
    assert order["status"] == "CONFIRMED"
    assert payload["checkout"]["status"] == "COMPLETED"
    assert order["totals"][-1]["amount"] == {"amount": "44.90", "currency": "EUR"}
    assert order["payments"] == [{"state": "AUTHORIZED", "authorized": {"minor": 4490}, "captured": {"minor": 0}}]
    assert order["fulfilments"] == [
        {"state": "PLANNED", "location": {"id": "loc_warehouse"}, "lines": [{"quantity": 2}]}
    ]
    again = await complete(shop, checkout, key="pay")
    assert (again["replayed"], again["order"]["id"]) == (True, order["id"])
    other = await complete(shop, checkout)
    assert other["errors"][0]["__typename"] == "IllegalTransition"
    events = await shop.database.collection("outbox").find({"type": "order.confirmed"})
    assert [event["data"]["order_id"] for event in events] == [order["id"]]
    assert events[0]["data"]["total_minor"] == 4490


async def test_money_is_taken_at_once_when_asked_for(shop: Shop) -> None:
    order = (await complete(shop, await opened(shop), mode="IMMEDIATE"))["order"]
    assert order["payments"] == [{"state": "CAPTURED", "authorized": {"minor": 4490}, "captured": {"minor": 4490}}]


async def test_another_total_than_agreed_charges_nothing(shop: Shop) -> None:
    checkout = await opened(shop)
    payload = await complete(shop, checkout, expected={"minor": 4000, "currency": "EUR"})
    assert payload["errors"][0]["__typename"] == "PriceChanged"
    assert payload["errors"][0]["current"] == {"minor": 4490}
    assert await shop.count("sandbox_ledger") == 0


async def test_a_valid_quote_protects_from_a_rise_and_an_ended_one_does_not(shop: Shop) -> None:
    kept, late = await opened(shop), await opened(shop)
    shop.peer.prices["TEE-RED-M"] = 2100
    assert (await complete(shop, kept))["errors"] == []
    shop.clock.advance(901)
    refused = await complete(shop, late)
    assert refused["errors"][0]["current"] == {"minor": 4690}
    accepted = await complete(shop, late, expected={"minor": 4690, "currency": "EUR"})
    assert accepted["errors"] == []


async def test_a_fall_of_price_is_passed_on(shop: Shop) -> None:
    checkout = await opened(shop)
    shop.peer.prices["TEE-RED-M"] = 1500
    refused = await complete(shop, checkout)
    assert refused["errors"][0]["current"] == {"minor": 3490}


async def test_a_decline_keeps_the_stock_and_another_card_may_try(shop: Shop) -> None:
    checkout = await opened(shop)
    declined = await complete(shop, checkout, "tok_decline_funds")
    error = declined["errors"][0]
    assert (error["__typename"], error["declineCode"], error["retryable"]) == (
        "PaymentDeclined",
        "insufficient_funds",
        True,
    )
    assert declined["checkout"]["status"] == "READY_FOR_COMPLETE"
    assert len(shop.peer.live()) == 1
    assert (await complete(shop, checkout))["order"] is not None
    assert len(shop.peer.held) == 1


async def test_a_checkout_whose_stock_is_gone_at_the_end_is_out_of_stock(shop: Shop) -> None:
    checkout = await opened(shop)
    shop.clock.advance(601)
    shop.peer.stock["TEE-RED-M"] = 1
    refused = await complete(shop, checkout)
    error = refused["errors"][0]
    assert (error["__typename"], error["available"]) == ("OutOfStock", 1)
    assert refused["checkout"]["status"] == "INCOMPLETE"
    assert await shop.count("sandbox_ledger") == 0


async def test_two_completions_at_once_make_one_order(shop: Shop) -> None:
    checkout = await opened(shop)
    outcomes = await asyncio.gather(*(complete(shop, checkout) for _ in range(4)))
    assert sum(outcome["order"] is not None for outcome in outcomes) == 1
    refusals = {outcome["errors"][0]["__typename"] for outcome in outcomes if outcome["errors"]}
    assert refusals <= {"RequestInFlight", "IllegalTransition"}
    assert await shop.count("orders") == 1
    assert await shop.count("sandbox_ledger", state="AUTHORIZED") == 1


async def test_a_challenge_escalates_and_the_order_follows_when_it_is_passed(shop: Shop) -> None:
    checkout = await opened(shop)
    payload = await complete(shop, checkout, "tok_3ds")
    assert payload["errors"][0]["__typename"] == "PaymentActionRequired"
    assert payload["checkout"]["status"] == "REQUIRES_ESCALATION"
    assert payload["checkout"]["continueUrl"] == payload["errors"][0]["actionUrl"]
    attempt = await shop.database.collection("sandbox_ledger").find_one({})
    assert attempt is not None
    assert await SandboxProvider(shop.database).answer_challenge(attempt["_id"], passed=True)
    await shop.recover_all()
    assert await shop.count("orders") == 1


async def test_a_challenge_never_answered_ends_without_charge(shop: Shop) -> None:
    checkout = await opened(shop)
    await complete(shop, checkout, "tok_3ds")
    await shop.recover_all()
    assert await shop.count("orders") == 0
    assert await shop.count("sandbox_ledger", state="VOIDED") == 1


def receipt(**changes: Any) -> dict[str, Any]:
    line = {"sku": "MUG-WHITE", "quantity": 2, "unitPrice": {"minor": 999, "currency": "EUR"}}
    return {
        "locationId": "loc_berlin",
        "registerId": "r1",
        "receiptNo": "0001",
        "occurredAt": "2026-06-01T11:00:00Z",
        "customerId": "cus_anna",
        "lines": [line],
        "tenders": [{"kind": "CASH", "amount": {"minor": 1998, "currency": "EUR"}}],
    } | changes


async def test_a_receipt_counts_once_under_however_many_keys(shop: Shop) -> None:
    first = (await shop.ask(POS, {"input": receipt(), "key": key()}, TILL))["posOrderRecord"]
    assert first["errors"] == []
    assert first["order"]["soldAt"] == {"id": "loc_berlin"}
    assert first["order"]["status"] == "FULFILLED"
    again = (await shop.ask(POS, {"input": receipt(), "key": key()}, TILL))["posOrderRecord"]
    assert (again["replayed"], again["order"]["id"]) == (True, first["order"]["id"])
    other = receipt(lines=[{"sku": "MUG-WHITE", "quantity": 1, "unitPrice": {"minor": 1998, "currency": "EUR"}}])
    refused = (await shop.ask(POS, {"input": other, "key": key()}, TILL))["posOrderRecord"]
    assert refused["errors"][0]["__typename"] == "InvalidInput"
    assert await shop.count("outbox", type="order.pos_recorded") == 1
    assert await audit(shop.database) == []


async def test_the_audit_finds_what_does_not_add_up(shop: Shop) -> None:
    order = (await complete(shop, await opened(shop)))["order"]
    assert await audit(shop.database) == []
    payments = shop.database.collection("payments")
    await payments.update_one({}, {"$set": {"captured.m": 5000}})
    assert [problem[:2] for problem in await audit(shop.database)] == ["I8"]
    await payments.update_one({}, {"$set": {"captured.m": 0, "order": None}})
    assert [problem[:2] for problem in await audit(shop.database)] == ["I6", "I5", "I5"]
    await shop.database.collection("orders").update_one({"_id": order["id"]}, {"$set": {"lines.0.total.m": 1}})
    assert [problem[:2] for problem in await audit(shop.database)][:2] == ["I7", "I7"]


async def test_tenders_must_cover_the_receipt_and_the_scope_must_be_there(shop: Shop) -> None:
    short = receipt(tenders=[{"kind": "CASH", "amount": {"minor": 1000, "currency": "EUR"}}])
    refused = (await shop.ask(POS, {"input": short, "key": key()}, TILL))["posOrderRecord"]
    assert refused["errors"][0]["__typename"] == "InvalidInput"
    forbidden = (await shop.ask(POS, {"input": receipt(), "key": key()}, ANNA))["posOrderRecord"]
    assert forbidden["errors"][0]["__typename"] == "Forbidden"


async def test_orders_are_paged_newest_first_without_loss_or_repeat(shop: Shop) -> None:
    for number in range(5):
        given = receipt(receiptNo=f"{number}", occurredAt=f"2026-06-01T10:0{number // 2}:00Z")
        assert (await shop.ask(POS, {"input": given, "key": key()}, TILL))["posOrderRecord"]["errors"] == []
    query = """query($after: String) { orders(filter: {channel: ["pos"], placedTo: "2026-06-01T11:00:00Z"}, first: 2,
        after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node { id placedAt } } } }"""
    seen: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await shop.ask(query, {"after": after}, TILL))["orders"]
        assert page["totalCount"] == 5
        seen += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len({node["id"] for node in seen}) == 5
    assert [node["placedAt"] for node in seen] == sorted((node["placedAt"] for node in seen), reverse=True)
    forged = await shop.raw(query, {"after": "bm9uc2Vuc2U"}, TILL)
    assert forged["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await shop.raw(query, {}, ANNA))["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_customer_has_orders_a_lifetime_value_and_purchases(shop: Shop) -> None:
    order = (await complete(shop, await opened(shop)))["order"]
    await shop.ask(POS, {"input": receipt(), "key": key()}, TILL)
    query = """query($r: [_Any!]!) { _entities(representations: $r) {
        ... on Customer { lifetimeValue { minor currency } orders(first: 5) { totalCount edges { node { number } } } }
        ... on ProductVariant { returnPolicyDays myPurchases(first: 1) { quantity order { id number } unitPrice { minor } } }
    } }"""
    representations = [
        {"__typename": "Customer", "id": "cus_anna"},
        {"__typename": "ProductVariant", "sku": "TEE-RED-M"},
        {"__typename": "ProductVariant", "sku": "TEE-RED-L"},
    ]
    customer, bought, not_bought = (await shop.ask(query, {"r": representations}))["_entities"]
    assert customer["lifetimeValue"] == {"minor": 4490 + 1998, "currency": "EUR"}
    assert customer["orders"]["totalCount"] == 2
    assert bought["myPurchases"][0]["order"]["id"] == order["id"]
    assert bought["returnPolicyDays"] == 30
    assert not_bought["myPurchases"] == []
    found = await shop.ask("query($n: String!) { order(number: $n) { id } }", {"n": order["number"].lower()})
    assert found["order"] == {"id": order["id"]}


async def test_a_hundred_references_are_one_query(shop: Shop, monkeypatch: Any) -> None:
    order = (await complete(shop, await opened(shop)))["order"]
    asked: list[int] = []
    read = Store.orders

    async def counted(self: Store, ids: Any) -> Any:
        asked.append(len(ids))
        return await read(self, ids)

    monkeypatch.setattr(Store, "orders", counted)
    representations = [{"__typename": "Order", "id": f"ord_{number}"} for number in range(99)]
    representations.append({"__typename": "Order", "id": order["id"]})
    query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Order { number } } }"
    found = (await shop.ask(query, {"r": representations}))["_entities"]
    assert found == [None] * 99 + [{"number": order["number"]}]
    assert asked == [100]


async def test_an_order_s_stream_starts_with_a_snapshot_and_can_be_taken_up_again(shop: Shop) -> None:
    order = (await complete(shop, await opened(shop)))["order"]
    hub = shop.services.live._hub
    assert await hub.wait_beyond(0, 10)
    tokens = shop.services.live._tokens
    async with asyncio.timeout(10):
        stream = shop.services.live.follow(ANNA, order["id"])
        first = await anext(stream)
        await stream.aclose()
        missed = shop.services.live.follow(ANNA, order["id"], tokens.encode("orderUpdated", order["id"], 0))
        delta = await anext(missed)
        await missed.aclose()
        with pytest.raises(NotFound):
            await anext(shop.services.live.follow(BERT, order["id"]))
        with pytest.raises(InvalidInput):
            await anext(shop.services.live.follow(ANNA, "ord_other", first.resume_token))
    assert (first.kind, first.order.id) == ("SNAPSHOT", order["id"])
    assert (delta.kind, delta.change and delta.change.type) == ("DELTA", "order.confirmed")
    assert delta.resume_token == first.resume_token
