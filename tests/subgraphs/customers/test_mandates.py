"""Mandates: what an agent may spend for a customer, order by order and period by period, and never more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.customers.app import SERVICE
from subgraphs.kernel.clock import SystemClock, iso
from subgraphs.kernel.events import OrderCancelled, OrderConfirmed
from subgraphs.kernel.ids import new_id
from tests.kit import hearing
from tests.kit.running_service import RunningService
from tests.subgraphs.customers.conftest import ADA, AS_ADA, AS_BOB, STAFF
from tests.subgraphs.customers.test_schema import ordered

ORDERS = Principal("orders", "service")
AGENT = Principal("ada", "agent", frozenset(), customer_id=ADA.id, agent_id="agent-7")
OTHER = Principal("ada", "agent", frozenset(), customer_id=ADA.id, agent_id="agent-8")
GRANT = """
    mutation ($input: MandateInput!, $key: IdempotencyKey!) {
      mandateGrant(input: $input, idempotencyKey: $key) {
        mandate { id spent { minor } remaining { minor } revokedAt }
        errors { __typename ... on UserError { message path } }
      }
    }
"""
REVOKE = """
    mutation ($id: ID!, $key: IdempotencyKey!) {
      mandateRevoke(id: $id, idempotencyKey: $key) { mandate { revokedAt } errors { __typename } }
    }
"""
HOLD = """
    mutation (
      $id: ID!, $agent: String!, $order: ID!, $amount: MoneyInput!, $categories: [String!]!, $key: IdempotencyKey!
    ) {
      mandateHold(
        id: $id, agentId: $agent, customerId: "cus_ada", orderId: $order, amount: $amount, categories: $categories,
        idempotencyKey: $key
      ) { held reason limit { minor } remaining { minor } errors { __typename } }
    }
"""
RELEASE = """
    mutation ($id: ID!, $order: ID!, $key: IdempotencyKey!) {
      mandateRelease(id: $id, orderId: $order, idempotencyKey: $key) { held errors { __typename } }
    }
"""
SEEN = "query ($id: ID!) { mandate(id: $id) { spent { minor } remaining { minor } perOrderLimit { minor } } }"
CONSENT = """
    mutation ($granted: Boolean!, $key: IdempotencyKey!) {
      consentRecord(purpose: AGENT_PURCHASE, granted: $granted, channel: "web-eu", idempotencyKey: $key) {
        errors { __typename }
      }
    }
"""


def euro(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "EUR"}


def wanted(**changes: Any) -> dict[str, Any]:
    return {
        "agentId": "agent-7",
        "scopes": ["checkout:complete"],
        "perOrderLimit": euro(5000),
        "periodLimit": euro(9000),
        "periodDays": 30,
        "expiresAt": iso(SystemClock().now() + timedelta(days=90)),
    } | changes


async def granted(house: RunningService, **changes: Any) -> str:
    consent = {"granted": True, "key": new_id("evt")}
    await house.data(CONSENT, consent, principal=AS_ADA)
    payload = (await house.data(GRANT, {"input": wanted(**changes), "key": new_id("evt")}, principal=AS_ADA))[
        "mandateGrant"
    ]
    assert payload["errors"] == []
    found: str = payload["mandate"]["id"]
    return found


async def hold(house: RunningService, mandate: str, order: str, minor: int, **changes: Any) -> dict[str, Any]:
    variables = {"id": mandate, "agent": "agent-7", "order": order, "amount": euro(minor), "categories": ["tea"]}
    variables |= {"key": new_id("evt")} | changes
    payload: dict[str, Any] = (await house.data(HOLD, variables, principal=ORDERS))["mandateHold"]
    return payload


async def spent(house: RunningService, mandate: str) -> int:
    seen = (await house.data(SEEN, {"id": mandate}, principal=AS_ADA))["mandate"]
    assert seen["spent"]["minor"] + seen["remaining"]["minor"] == 9000
    found: int = seen["spent"]["minor"]
    return found


async def test_orders_take_of_a_mandate_until_it_is_used_up(house: RunningService) -> None:
    mandate = await granted(house)
    first, second = new_id("ord"), new_id("ord")
    for _ in range(2):
        assert (await hold(house, mandate, first, 5000))["held"]
    assert await spent(house, mandate) == 5000
    refused = await hold(house, mandate, second, 4001)
    assert (refused["reason"], refused["remaining"]) == ("PERIOD_LIMIT", {"minor": 4000})
    assert (await hold(house, mandate, second, 5001))["reason"] == "ORDER_LIMIT"
    assert (await hold(house, mandate, second, 4000))["held"]
    assert await spent(house, mandate) == 9000


async def test_of_many_orders_at_once_only_those_that_fit_are_held(house: RunningService) -> None:
    mandate = await granted(house)
    outcomes = await asyncio.gather(*(hold(house, mandate, new_id("ord"), 2000) for _ in range(8)))
    assert sum(outcome["held"] for outcome in outcomes) == 4
    assert await spent(house, mandate) == 8000


async def test_what_no_order_came_of_is_free_again_and_a_late_hold_does_not_count(house: RunningService) -> None:
    mandate = await granted(house)
    held, late = new_id("ord"), new_id("ord")
    await hold(house, mandate, held, 3000)
    for order in (held, late, held):
        given = {"id": mandate, "order": order, "key": new_id("evt")}
        assert (await house.data(RELEASE, given, principal=ORDERS))["mandateRelease"]["errors"] == []
    assert await spent(house, mandate) == 0
    assert (await hold(house, mandate, late, 10))["errors"] == [{"__typename": "VersionConflict"}]


async def test_a_placed_order_has_spent_and_a_cancelled_one_has_not(house: RunningService) -> None:
    mandate = await granted(house)
    event = ordered("S1", "S2", customer_id=ADA.id)
    assert isinstance(event, OrderConfirmed)
    await hold(house, mandate, event.order_id, 3000)
    await hearing.hear(SERVICE, house.services, house.services.store.database, event)
    given = {"id": mandate, "order": event.order_id, "key": "late"}
    await house.data(RELEASE, given, principal=ORDERS)
    assert await spent(house, mandate) == 3000, "what is spent is not released"
    gone = OrderCancelled(order_id=event.order_id, number="G-1", customer_id=ADA.id, reason=None)
    for _ in range(2):
        await hearing.hear(SERVICE, house.services, house.services.store.database, gone)
    assert await spent(house, mandate) == 0


@pytest.mark.parametrize(
    ("changes", "asked", "reason"),
    [
        ({"categories": ["coffee"]}, {}, "OTHER_CATEGORY"),
        ({"categories": ["tea", "coffee"]}, {}, None),
        ({"humanApprovalAbove": euro(1999)}, {}, "NEEDS_A_PERSON"),
        ({"humanApprovalAbove": euro(2000)}, {}, None),
        ({"scopes": ["checkout:quote"]}, {}, "OUT_OF_SCOPE"),
        ({}, {"amount": {"minor": 2000, "currency": "USD"}}, "OTHER_CURRENCY"),
    ],
)
async def test_a_mandate_covers_what_it_says(
    house: RunningService, changes: dict[str, Any], asked: dict[str, Any], reason: str | None
) -> None:
    mandate = await granted(house, **changes)
    assert (await hold(house, mandate, new_id("ord"), 2000, **asked))["reason"] == reason


async def test_a_revoked_mandate_and_a_withdrawn_consent_stop_the_agent_at_once(house: RunningService) -> None:
    mandate = await granted(house)
    await house.data(CONSENT, {"granted": False, "key": "no"}, principal=AS_ADA)
    assert (await hold(house, mandate, new_id("ord"), 1))["reason"] == "NO_CONSENT"
    await house.data(CONSENT, {"granted": True, "key": "yes"}, principal=AS_ADA)
    assert (await house.data(REVOKE, {"id": mandate, "key": "r"}, principal=AS_BOB))["mandateRevoke"]["errors"] == [
        {"__typename": "NotFound"}
    ]
    revoked = (await house.data(REVOKE, {"id": mandate, "key": "r"}, principal=AS_ADA))["mandateRevoke"]
    assert revoked["mandate"]["revokedAt"] is not None
    assert (await hold(house, mandate, new_id("ord"), 1))["reason"] == "REVOKED"


async def test_a_mandate_is_for_one_agent_and_only_the_customer_gives_it(house: RunningService) -> None:
    mandate = await granted(house)
    assert (await hold(house, mandate, new_id("ord"), 1, agent="agent-8"))["errors"] == [{"__typename": "NotFound"}]
    for nobody in (AS_BOB, OTHER):
        assert (await house.data(SEEN, {"id": mandate}, principal=nobody))["mandate"] is None
    for somebody in (AGENT, STAFF):
        assert (await house.data(SEEN, {"id": mandate}, principal=somebody))["mandate"] is not None
    for nobody in (AGENT, STAFF):
        given = {"input": wanted(), "key": "k"}
        refused = (await house.data(GRANT, given, principal=nobody))["mandateGrant"]
        assert refused["errors"][0]["__typename"] == "Forbidden"
    variables = {"id": mandate, "agent": "agent-7", "order": "ord_1", "amount": euro(1), "categories": [], "key": "k"}
    refused = (await house.data(HOLD, variables, principal=AS_ADA))["mandateHold"]
    assert refused["errors"] == [{"__typename": "Forbidden"}]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"perOrderLimit": euro(9001)}, "perOrderLimit"),
        ({"perOrderLimit": {"minor": 1, "currency": "USD"}}, "perOrderLimit"),
        ({"periodDays": 0}, "periodDays"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"agentId": ""}, "agentId"),
    ],
)
async def test_a_mandate_that_makes_no_sense_is_refused(
    house: RunningService, changes: dict[str, Any], path: str
) -> None:
    payload = (await house.data(GRANT, {"input": wanted(**changes), "key": "k"}, principal=AS_ADA))["mandateGrant"]
    assert payload["errors"][0]["path"] == ["input", path]
