"""Loyalty as a subgraph: entities in one query, previews from what catalog says, refusals as data, privacy."""

from __future__ import annotations

from typing import Any

import pytest

from subgraphs.chassis.identity import ANONYMOUS, RequestContext
from subgraphs.chassis.mongo import Collection, Database
from subgraphs.kernel.ids import deterministic_id
from subgraphs.loyalty import store
from subgraphs.loyalty.model import Account
from tests.kit.running_service import RunningService
from tests.subgraphs.loyalty.circle import (
    ACCOUNT,
    ADA,
    ADMIN,
    CLERK,
    CUSTOMER,
    EVE,
    NOON,
    confirmed,
    hear,
)

EUROS = RequestContext(channel="web-eu", currency="EUR", country="DE")
ENTITIES = "query ($of: [_Any!]!) { _entities(representations: $of) { __typename %s } }"


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the collections that are read, one for each query."""
    found: list[str] = []
    find = Collection.find

    async def counted(self: Collection, *args: Any, **kwargs: Any) -> Any:
        if self.name in (store.ACCOUNTS, store.LEDGER):
            found.append(self.name)
        return await find(self, *args, **kwargs)

    monkeypatch.setattr(Collection, "find", counted)
    return found


async def test_a_hundred_customers_are_one_query(
    house: RunningService, own_database: Database, queries: list[str]
) -> None:
    ids = [deterministic_id("cus", n, at_ms=0) for n in range(100)]
    await own_database.collection(store.ACCOUNTS).insert_many(
        [
            store.account_to_doc(
                Account(
                    id=deterministic_id("loy", n, at_ms=0),
                    number=f"N{n}",
                    customer_id=identity,
                    tier="silver",
                    balance=n,
                    created_at=NOON,
                )
            )
            for n, identity in enumerate(ids[:99])
        ]
    )
    answer = await house.ask(
        ENTITIES % "... on Customer { loyalty { balance tier { code } pointsToNextTier customer { id } } }",
        {"of": [{"__typename": "Customer", "id": identity} for identity in ids]},
        principal=CLERK,
    )
    found = answer["data"]["_entities"]
    assert [entity["loyalty"]["balance"] for entity in found[:99]] == list(range(99))
    assert found[3]["loyalty"]["tier"] == {"code": "silver"}
    assert found[3]["loyalty"]["pointsToNextTier"] == 2000
    assert found[99]["loyalty"] is None
    assert queries == [store.ACCOUNTS]


async def test_a_hundred_orders_are_one_query(
    house: RunningService, own_database: Database, queries: list[str]
) -> None:
    ids = [deterministic_id("ord", n, at_ms=0) for n in range(100)]
    await hear(house.services, confirmed(ids[7], 1234))
    queries.clear()
    answer = await house.ask(
        ENTITIES % "... on Order { pointsEarned pointsReversed ledgerEntries { kind points order { id } } }",
        {"of": [{"__typename": "Order", "id": identity} for identity in ids]},
    )
    found = answer["data"]["_entities"]
    assert found[7] == {
        "__typename": "Order",
        "pointsEarned": 12,
        "pointsReversed": 0,
        "ledgerEntries": [{"kind": "EARN_PENDING", "points": 12, "order": {"id": ids[7]}}],
    }
    assert sum(entity["pointsEarned"] for entity in found) == 12
    assert queries == [store.LEDGER]


async def test_a_variant_earns_by_what_catalog_says_of_its_price(house: RunningService, queries: list[str]) -> None:
    basis = {"minor": 9990, "currency": "EUR", "categorySlug": "shoes"}
    of = [{"__typename": "ProductVariant", "sku": f"S{n}", "earnBasis": basis if n else None} for n in range(100)]
    member = await house.ask(
        ENTITIES % "... on ProductVariant { sku pointsEarned three: pointsEarned(quantity: 3) memberPrice { amount } }",
        {"of": of},
        context=EUROS,
    )
    found = member["data"]["_entities"]
    assert (found[0]["pointsEarned"], found[0]["memberPrice"]) == (0, None)
    assert (found[1]["pointsEarned"], found[1]["three"], found[1]["memberPrice"]) == (99, 299, {"amount": "98.91"})
    assert queries == [store.ACCOUNTS]
    stranger = await house.ask(
        ENTITIES % "... on ProductVariant { pointsEarned memberPrice { amount } }",
        {"of": of[1:2]},
        principal=ANONYMOUS,
        context=EUROS,
    )
    assert stranger["data"]["_entities"][0] == {
        "__typename": "ProductVariant",
        "pointsEarned": 99,
        "memberPrice": None,
    }
    assert stranger["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_points_are_nobody_elses_business(house: RunningService) -> None:
    query = ENTITIES % "... on Customer { loyalty { balance } } ... on LoyaltyAccount { balance }"
    of = [{"__typename": "Customer", "id": CUSTOMER}, {"__typename": "LoyaltyAccount", "id": ACCOUNT.id}]
    own = await house.ask(query, {"of": of}, principal=ADA)
    assert own["data"]["_entities"] == [
        {"__typename": "Customer", "loyalty": {"balance": 0}},
        {"__typename": "LoyaltyAccount", "balance": 0},
    ]
    other = await house.ask(query, {"of": of}, principal=EVE)
    assert other["data"]["_entities"] == [{"__typename": "Customer", "loyalty": None}, None]
    assert other["errors"][0]["extensions"] == {"code": "FORBIDDEN", "missingScopes": ["loyalty:read"]}


async def test_enrolment_adjustment_ledger_and_audit(house: RunningService) -> None:
    assert EVE.customer_id is not None
    enrol = """
        mutation ($id: ID!) { loyaltyEnrol(customerId: $id, idempotencyKey: "e") {
          replayed account { id number balance tier { name } nextTier { code } } errors { __typename } } }
    """
    made = (await house.ask(enrol, {"id": EVE.customer_id}, principal=EVE))["data"]["loyaltyEnrol"]
    assert (made["errors"], made["account"]["balance"], made["account"]["nextTier"]) == ([], 0, {"code": "silver"})
    assert (await house.ask(enrol, {"id": EVE.customer_id}, principal=EVE))["data"]["loyaltyEnrol"]["replayed"]
    adjust = """
        mutation ($id: ID!, $points: Int!, $key: IdempotencyKey!) {
          pointsAdjust(accountId: $id, points: $points, reason: "gift", idempotencyKey: $key) {
            account { balance ledger(first: 1) { edges { node { seq points balanceAfter kind } } pageInfo { hasNextPage } } }
            errors { __typename ... on UserError { severity } ... on InsufficientPoints { balance required } } } }
    """
    account = made["account"]["id"]
    for key in ("a", "b"):
        given = await house.ask(adjust, {"id": account, "points": 10, "key": key}, principal=ADMIN)
    assert given["data"]["pointsAdjust"]["account"] == {
        "balance": 20,
        "ledger": {
            "edges": [{"node": {"seq": 2, "points": 10, "balanceAfter": 20, "kind": "ADJUST"}}],
            "pageInfo": {"hasNextPage": True},
        },
    }
    taken = await house.ask(adjust, {"id": account, "points": -21, "key": "c"}, principal=ADMIN)
    assert taken["data"]["pointsAdjust"]["errors"] == [
        {"__typename": "InsufficientPoints", "severity": "REQUIRES_BUYER_INPUT", "balance": 20, "required": 21}
    ]
    page = """
        query ($id: ID!, $after: String) { ledger(accountId: $id, first: 1, after: $after) {
          edges { cursor node { seq } } pageInfo { hasNextPage } } }
    """
    first = (await house.ask(page, {"id": account}, principal=CLERK))["data"]["ledger"]
    second = await house.ask(page, {"id": account, "after": first["edges"][0]["cursor"]}, principal=CLERK)
    assert [edge["node"]["seq"] for edge in second["data"]["ledger"]["edges"]] == [1]
    foreign = await house.ask(page, {"id": ACCOUNT.id, "after": first["edges"][0]["cursor"]}, principal=CLERK)
    assert foreign["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    audit = await house.ask("{ ledgerAudit { ok accounts entries sumOfBalances mismatches } }", principal=ADMIN)
    assert audit["data"]["ledgerAudit"] == {
        "ok": True,
        "accounts": 2,
        "entries": 2,
        "sumOfBalances": 20,
        "mismatches": [],
    }


async def test_the_program_and_a_preview_are_public(house: RunningService) -> None:
    answer = await house.ask(
        """
        { loyaltyProgram { name pointValue { amount currency } earnUnits { amount currency }
            tiers { code multiplier } earnRules { code pointsPerUnit } }
          earnPreview(channel: "web-eu", lines: [
            { sku: "A", quantity: 1, amount: { minor: 150, currency: "EUR" } }
            { sku: "B", quantity: 1, amount: { minor: 150, currency: "EUR" } }
          ]) { points breakdown { points sku rule { code } } } }
        """,
        principal=ANONYMOUS,
    )
    assert answer["data"]["loyaltyProgram"]["tiers"][1] == {"code": "silver", "multiplier": "1.25"}
    assert answer["data"]["loyaltyProgram"]["pointValue"] == {"amount": "0.01", "currency": "EUR"}
    assert answer["data"]["earnPreview"] == {
        "points": 3,
        "breakdown": [
            {"points": 1, "sku": "A", "rule": {"code": "base"}},
            {"points": 1, "sku": "B", "rule": {"code": "base"}},
        ],
    }
    mixed = await house.ask(
        """
        { earnPreview(channel: "web-eu", lines: [
            { sku: "A", quantity: 1, amount: { minor: 150, currency: "EUR" } }
            { sku: "B", quantity: 1, amount: { minor: 150, currency: "USD" } }
          ]) { points } }
        """
    )
    assert mixed["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
