"""An agent buys under its customer's mandate, partly with the customer's points; what it spent is spent once, and comes back."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.local.client import HouseClient
from tests.kit import shop
from tests.stories.test_after_sales import until

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

SCOPES = ("loyalty:redeem",)
POINTS = 200


def key() -> str:
    return secrets.token_hex(8)


async def balance(client: HouseClient, token: str) -> tuple[str, int]:
    account = (await client.data("{ me { loyalty { id balance } } }", token=token))["me"]["loyalty"]
    return account["id"], account["balance"]


async def granted(client: HouseClient, token: str, agent: str) -> str:
    await client.data(
        'mutation($k: IdempotencyKey!) { consentRecord(purpose: AGENT_PURCHASE, granted: true, channel: "web-eu",'
        " idempotencyKey: $k) { errors { __typename } } }",
        {"k": key()},
        token=token,
    )
    euro = {"minor": 100_000, "currency": "EUR"}
    given = {
        "agentId": agent,
        "scopes": ["checkout:complete"],
        "perOrderLimit": euro,
        "periodLimit": euro,
        "periodDays": 30,
        "expiresAt": (datetime.now(UTC) + timedelta(days=5)).isoformat(),
    }
    payload = (
        await client.data(
            "mutation($i: MandateInput!, $k: IdempotencyKey!) { mandateGrant(input: $i, idempotencyKey: $k) {"
            " mandate { id } errors { __typename ... on UserError { message } } } }",
            {"i": given, "k": key()},
            token=token,
        )
    )["mandateGrant"]
    assert payload["errors"] == []
    identity: str = payload["mandate"]["id"]
    return identity


async def test_an_agent_spends_points_and_budget_and_a_cancelled_order_gives_both_back(
    client: HouseClient, staff: str
) -> None:
    customer_id, token = await shop.shopper(client, staff)
    agent_id = f"agent-{key()}"
    agent = await client.token("shopper", kind="agent", customer_id=customer_id, agent_id=agent_id, scopes=SCOPES)
    admin = await client.token("admin", kind="staff", scopes=("loyalty:admin",))
    account, _ = await balance(client, token)
    await client.data(
        'mutation($a: ID!, $k: IdempotencyKey!) { pointsAdjust(accountId: $a, points: 500, reason: "a gift",'
        " idempotencyKey: $k) { errors { __typename } } }",
        {"a": account, "k": key()},
        token=admin,
    )
    _, before = await balance(client, token)
    mandate = await granted(client, token, agent_id)
    sku = (await shop.some_variant(client, skip=14))["sku"]
    await shop.set_sellable(client, staff, sku, 5)
    lines = [{"sku": sku, "quantity": 1}]
    asked = {"input": {"channel": "web-eu", "lines": lines, "method": "SHIP"}, "mandate": mandate}
    quoted = await client.data(client.document("agent_quote"), asked, token=agent)
    assert quoted["mandate"]["remaining"] == {"minor": 100_000, "currency": "EUR"}

    opened = (
        await client.data(
            client.document("checkout_create"),
            {"input": {"lines": lines, "channel": "web-eu", "email": "a@example.com"}, "key": key()},
            token=agent,
        )
    )["checkoutCreate"]
    checkout = (
        await client.data(
            client.document("checkout_update"),
            {
                "id": opened["checkout"]["id"],
                "version": opened["checkout"]["version"],
                "input": {"address": shop.ADDRESS, "method": "SHIP", "redeemPoints": POINTS},
                "key": key(),
            },
            token=agent,
        )
    )["checkoutUpdate"]["checkout"]
    rows: dict[str, Any] = {row["kind"]: row["amount"] for row in checkout["totals"]}
    assert rows["LOYALTY"]["minor"] == POINTS
    total = {"minor": rows["TOTAL"]["minor"], "currency": "EUR"}
    payment = {"provider": "sandbox", "token": "tok_ok"}
    purchase = {
        "id": checkout["id"],
        "input": {"payment": payment, "expectedTotal": total, "mandate": mandate},
        "key": key(),
    }
    done = (await client.data(client.document("checkout_complete"), purchase, token=agent))["checkoutComplete"]
    assert done["errors"] == []
    _, after = await balance(client, token)
    assert after == before - POINTS + done["order"]["pointsEarned"]
    left = (await client.data(client.document("agent_quote"), asked, token=agent))["mandate"]["remaining"]["minor"]
    assert left == 100_000 - total["minor"]

    cancelled = (
        await client.data(
            'mutation($id: ID!, $k: IdempotencyKey!) { orderCancel(orderId: $id, reason: "no", idempotencyKey: $k) {'
            " order { status } errors { __typename ... on UserError { message } } } }",
            {"id": done["order"]["id"], "k": key()},
            token=token,
        )
    )["orderCancel"]
    assert cancelled["errors"] == []

    async def left_and_points() -> tuple[int, int]:
        found = await client.data(client.document("agent_quote"), asked, token=agent)
        return found["mandate"]["remaining"]["minor"], (await balance(client, token))[1]

    await until(left_and_points, lambda found: found == (100_000, before))
