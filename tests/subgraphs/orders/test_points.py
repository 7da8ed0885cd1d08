"""Paying with points, and agents under a mandate: what is asked for, what is refused, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.orders.service.audit import audit
from tests.subgraphs.orders.conftest import AGENT, ANNA, Shop
from tests.subgraphs.orders.test_api import UPDATE, complete, key, opened, total
from tests.subgraphs.orders.test_fulfilment import SHIPPED, move, seen
from tests.subgraphs.orders.test_recovery import POINTS, opened_by_agent
from tests.subgraphs.orders.test_returns import receive, request


async def with_points(shop: Shop, points: int, principal: Principal = ANNA, **changes: Any) -> dict[str, Any]:
    """A checkout of two T-shirts (40.00, delivery 4.90), so many points to be used; or its refusal."""
    checkout = await opened(shop, principal, **changes)
    variables = {"id": checkout["id"], "v": checkout["version"], "input": {"redeemPoints": points}, "key": key()}
    payload: dict[str, Any] = (await shop.ask(UPDATE, variables, principal))["checkoutUpdate"]
    return payload


async def paid_with(shop: Shop, points: int) -> dict[str, Any]:
    payload = await complete(shop, (await with_points(shop, points))["checkout"])
    assert payload["errors"] == []
    order: dict[str, Any] = payload["order"]
    return order


async def test_points_pay_for_a_part_and_earn_nothing(shop: Shop) -> None:
    order = await paid_with(shop, 500)
    rows = {row["kind"]: row["amount"]["amount"] for row in order["totals"]}
    assert (rows["LOYALTY"], rows["TOTAL"]) == ("5.00", "39.90")
    assert order["payments"][0]["authorized"]["minor"] == 3990
    assert shop.peer.left("points") == 500
    [(_, told)] = [fact for fact in await shop.facts(order["id"]) if fact[0] == "order.confirmed"]
    assert [line["total_minor"] for line in told["lines"]] == [3500]
    assert await audit(shop.database) == []


async def test_points_may_pay_for_all_and_then_no_card_is_charged(shop: Shop) -> None:
    shop.peer.points = 10_000
    order = await paid_with(shop, 4490)
    assert order["payments"] == []
    assert await shop.count("sandbox_ledger") == 0
    assert await audit(shop.database) == []


@pytest.mark.parametrize(("points", "says"), [(1001, "1000 points can be spent"), (-1, "not negative")])
async def test_points_that_cannot_be_used_are_refused(shop: Shop, points: int, says: str) -> None:
    assert says in (await with_points(shop, points))["errors"][0]["message"]


async def test_more_points_than_there_is_to_pay_are_refused_or_taken_out(shop: Shop) -> None:
    shop.peer.points = 10_000
    assert "at most 4490 points" in (await with_points(shop, 4491))["errors"][0]["message"]
    checkout = (await with_points(shop, 4490))["checkout"]
    fewer = {"lines": [{"sku": "TEE-RED-M", "quantity": 1}]}
    variables = {"id": checkout["id"], "v": checkout["version"], "input": fewer, "key": key()}
    changed = (await shop.ask(UPDATE, variables))["checkoutUpdate"]["checkout"]
    assert total(changed)["minor"] == 2490, "points worth more than the rest are not used"


async def test_guests_have_no_points_and_agents_need_the_scope(shop: Shop) -> None:
    guest = Principal("guest", "customer")
    assert "signed in" in (await with_points(shop, 10, guest))["errors"][0]["message"]
    unscoped = Principal("anna", "agent", frozenset(), customer_id="cus_anna", agent_id="agent-7")
    assert (await with_points(shop, 10, unscoped))["errors"][0]["__typename"] == "Forbidden"


async def test_a_declined_card_gives_points_and_budget_back_and_another_card_uses_them(shop: Shop) -> None:
    checkout = await opened_by_agent(shop)
    declined = await complete(shop, checkout, "tok_decline_funds", mandate="man_1", principal=AGENT)
    assert declined["errors"][0]["__typename"] == "PaymentDeclined"
    assert (shop.peer.left("points"), shop.peer.left("budget")) == (1000, 100_000)
    assert len(shop.peer.live()) == 1, "the stock is still aside"
    done = await complete(shop, checkout, mandate="man_1", principal=AGENT)
    assert done["errors"] == []
    assert (shop.peer.left("points"), shop.peer.left("budget")) == (1000 - POINTS, 100_000 - total(checkout)["minor"])
    assert await audit(shop.database) == []


async def test_points_that_were_spent_meanwhile_end_nothing_but_this_completion(shop: Shop) -> None:
    checkout = (await with_points(shop, 500))["checkout"]
    shop.peer.points = 0
    refused = await complete(shop, checkout)
    assert refused["errors"][0]["__typename"] == "InvalidInput"
    assert await shop.count("sandbox_ledger") == 0
    assert len(shop.peer.live()) == 1
    assert refused["checkout"]["status"] == "READY_FOR_COMPLETE"


@pytest.mark.parametrize(
    ("refusal", "typename", "purpose"),
    [
        ("PERIOD_LIMIT", "BudgetExceeded", None),
        ("NO_CONSENT", "ConsentRequired", "AGENT_PURCHASE"),
        ("NEEDS_A_PERSON", "ConsentRequired", "APPROVAL"),
        ("REVOKED", "InvalidInput", None),
    ],
)
async def test_what_a_mandate_does_not_cover_is_refused_and_nothing_is_charged(
    shop: Shop, refusal: str, typename: str, purpose: str | None
) -> None:
    checkout = await opened_by_agent(shop)
    shop.peer.refusal = refusal
    used = key()
    for _ in range(2):
        refused = await complete(shop, checkout, mandate="man_1", principal=AGENT, key=used)
        assert refused["errors"][0]["__typename"] == typename
        assert refused["errors"][0].get("purpose") == purpose
    assert (await shop.count("sandbox_ledger"), shop.peer.left("points")) == (0, 1000)


async def test_a_mandate_lets_an_agent_spend_what_it_could_not_without(shop: Shop) -> None:
    shop.peer.prices["TEE-RED-M"] = 40_000
    checkout = await opened(shop, AGENT)
    assert (await complete(shop, checkout, principal=AGENT))["errors"][0]["__typename"] == "BudgetExceeded"
    done = await complete(shop, checkout, mandate="man_1", principal=AGENT)
    assert done["errors"] == []
    found = await shop.database.collection("orders").find_one({"_id": done["order"]["id"]})
    assert found is not None
    assert (found["agent"], found["mandate"]) == ("agent-7", "man_1")


async def test_a_mandate_is_nobody_elses(shop: Shop) -> None:
    checkout = await opened(shop)
    refused = await complete(shop, checkout, mandate="man_1")
    assert "for the agent" in refused["errors"][0]["message"]


async def test_goods_that_were_paid_with_points_bring_points_back_first(shop: Shop) -> None:
    placed = await paid_with(shop, 1000)
    order = await seen(shop, placed["id"])
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    await shop.settle()
    for refunded in (1000, 2490):
        given = (await request(shop, order, 1))["return"]
        back = (await receive(shop, given["id"], 1))["return"]
        assert (back["state"], back["refund"]["minor"]) == ("REFUNDED", refunded)
    await shop.settle()
    issued = [data for kind, data in await shop.facts(order["id"]) if kind == "refund.issued"]
    assert [(one["amount_minor"], one["points"], one["points_minor"]) for one in issued] == [
        (1000, 1000, 1000),
        (2490, 0, 0),
    ]
    assert (await seen(shop, order["id"]))["payments"][0]["state"] == "REFUNDED"
    assert await audit(shop.database) == []


async def test_goods_that_were_paid_with_points_alone_bring_points_alone(shop: Shop) -> None:
    shop.peer.points = 10_000
    order = await seen(shop, (await paid_with(shop, 4490))["id"])
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    await shop.settle()
    given = (await request(shop, order, 2))["return"]
    back = (await receive(shop, given["id"], 2))["return"]
    assert (back["state"], back["refund"]["minor"]) == ("REFUNDED", 0)
    issued = [data for kind, data in await shop.facts(order["id"]) if kind == "refund.issued"]
    assert [(one["amount_minor"], one["points"]) for one in issued] == [(0, 4490)]
