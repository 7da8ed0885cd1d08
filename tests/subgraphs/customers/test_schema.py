"""Customers as a subgraph: privacy, look-up, registration, consents, and what is learned from orders."""

from __future__ import annotations

from typing import Any

import pytest

from subgraphs.chassis.identity import ANONYMOUS
from subgraphs.customers.app import SERVICE
from subgraphs.kernel.clock import iso
from subgraphs.kernel.events import Event, OrderConfirmed, OrderedLine, PosOrderRecorded
from subgraphs.kernel.ids import new_id
from tests.kit import hearing
from tests.kit.running_service import RunningService
from tests.subgraphs.customers.conftest import ADA, AS_ADA, AS_BOB, BOB, NOON, STAFF

UPSERT = """
    mutation ($input: CustomerUpsertInput!, $key: IdempotencyKey!) {
      customerUpsert(input: $input, idempotencyKey: $key) {
        customer { id displayName email } errors { __typename ... on UserError { message } }
      }
    }
"""
ENTITIES = """
    query ($ids: [_Any!]!) {
      _entities(representations: $ids) { ... on Customer { displayName } }
    }
"""


def customers(*ids: str) -> dict[str, Any]:
    return {"ids": [{"__typename": "Customer", "id": identity} for identity in ids]}


async def test_me_is_who_asks(house: RunningService) -> None:
    found = await house.data("{ me { id displayName email homeLocation { id } } }", principal=AS_ADA)
    assert found["me"] == {
        "id": ADA.id,
        "displayName": "Ada",
        "email": "ada@example.com",
        "homeLocation": {"id": "loc_1"},
    }


async def test_who_is_not_signed_in_is_nobody(house: RunningService) -> None:
    answer = await house.ask("{ me { id } }", principal=ANONYMOUS)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_stranger_sees_nobody_and_staff_see_everybody(house: RunningService) -> None:
    asked = customers(ADA.id, BOB.id, "cus_none")
    assert (await house.data(ENTITIES, asked))["_entities"] == [None, None, None]
    assert (await house.data(ENTITIES, asked, principal=AS_BOB))["_entities"] == [None, {"displayName": "Bob"}, None]
    assert (await house.data(ENTITIES, asked, principal=STAFF))["_entities"] == [
        {"displayName": "Ada"},
        {"displayName": "Bob"},
        None,
    ]


@pytest.mark.parametrize("by", ['email: "ADA@example.com"', 'phone: "+49 555 000001"', 'loyaltyNumber: "L0000001"'])
async def test_staff_find_a_person_by_one_thing(house: RunningService, by: str) -> None:
    found = await house.data(f"{{ customerLookup({by}) {{ id }} }}", principal=STAFF)
    assert found["customerLookup"] == {"id": ADA.id}


async def test_a_look_up_needs_the_scope_and_one_thing_exactly(house: RunningService) -> None:
    refused = await house.ask('{ customerLookup(email: "bob@example.com") { id } }', principal=AS_ADA)
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    both = await house.ask('{ customerLookup(email: "a@b.co", loyaltyNumber: "x") { id } }', principal=STAFF)
    assert both["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_registering_twice_with_one_key_makes_one_customer(house: RunningService) -> None:
    ask = {"input": {"displayName": "Cyd", "email": "cyd@example.com"}, "key": "k"}
    first = await house.data(UPSERT, ask, principal=AS_ADA)
    again = await house.data(UPSERT, ask, principal=AS_ADA)
    assert first["customerUpsert"]["errors"] == []
    assert first["customerUpsert"]["customer"]["id"] == again["customerUpsert"]["customer"]["id"]


async def test_an_address_that_is_taken_is_refused_without_saying_whose(house: RunningService) -> None:
    ask = {"input": {"displayName": "Cyd", "email": "bob@example.com"}, "key": "k"}
    refusal = (await house.data(UPSERT, ask, principal=AS_ADA))["customerUpsert"]["errors"][0]
    assert refusal["__typename"] == "InvalidInput"
    assert "bob" not in refusal["message"].lower()


async def test_people_change_themselves_and_nobody_else(house: RunningService) -> None:
    own = await house.data(UPSERT, {"input": {"id": ADA.id, "displayName": "Ada L"}, "key": "1"}, principal=AS_ADA)
    assert own["customerUpsert"]["customer"] == {"id": ADA.id, "displayName": "Ada L", "email": "ada@example.com"}
    other = await house.data(UPSERT, {"input": {"id": BOB.id, "displayName": "X"}, "key": "2"}, principal=AS_ADA)
    assert other["customerUpsert"]["errors"][0]["__typename"] == "Forbidden"


async def test_a_consent_is_appended_and_the_newest_is_shown(house: RunningService) -> None:
    found = await house.data(
        'mutation { consentRecord(purpose: PERSONALISATION, granted: false, channel: "app", idempotencyKey: "k") {'
        " customer { consents { purpose granted channel } } errors { __typename } } }",
        principal=AS_ADA,
    )
    assert found["consentRecord"]["customer"]["consents"] == [
        {"purpose": "PERSONALISATION", "granted": False, "channel": "app"}
    ]
    kept = (await house.services.store.customers([ADA.id]))[ADA.id]
    assert [consent.granted for consent in kept.consents] == [True, False]


def ordered(*skus: str, customer_id: str | None = None, counter: bool = False) -> Event:
    lines = tuple(
        OrderedLine(sku=sku, quantity=1, unit_minor=1, total_minor=1, category_slug=None, location_id=None)
        for sku in skus
    )
    shared: dict[str, Any] = {
        "order_id": new_id("ord"),
        "number": "G",
        "customer_id": customer_id,
        "currency": "EUR",
        "lines": lines,
        "total_minor": len(skus),
    }
    if counter:
        return PosOrderRecorded(
            **shared, location_id="loc_1", register_id="R", receipt_no=new_id("r"), occurred_at=iso(NOON)
        )
    return OrderConfirmed(**shared, channel="web-eu", placed_at=iso(NOON), reservation_id=None)


async def hear(house: RunningService, event: Event) -> None:
    await hearing.hear(SERVICE, house.services, house.services.store.database, event)


RECOMMENDED = """
    query ($ids: [_Any!]!) {
      _entities(representations: $ids) {
        ... on Product { recommendations(first: 3) { product { id } reason evidence { onlineOrders storeOrders } } }
      }
    }
"""


async def test_orders_online_and_in_stores_become_evidence(house: RunningService) -> None:
    await hear(house, ordered("S0", "S1"))
    await hear(house, ordered("S0", "S1", counter=True))
    await hear(house, ordered("S0", "S2"))
    found = await house.data(RECOMMENDED, {"ids": [{"__typename": "Product", "id": "prd_0"}]})
    first, second = found["_entities"][0]["recommendations"]
    assert first["product"]["id"] == "prd_1"
    assert first["evidence"] == {"onlineOrders": 1, "storeOrders": 1}
    assert first["reason"] == "Bought together 2 times, 1 of them in a store"
    assert second["product"]["id"] == "prd_2"


async def test_a_product_nobody_bought_has_no_recommendations(house: RunningService) -> None:
    found = await house.data(RECOMMENDED, {"ids": [{"__typename": "Product", "id": "prd_5"}]})
    assert found["_entities"][0]["recommendations"] == []


async def test_recommendations_are_personal_only_for_who_agreed(house: RunningService) -> None:
    for customer in (ADA.id, BOB.id):
        await hear(house, ordered("S0", customer_id=customer))
    await hear(house, ordered("S0", "S1"))
    await hear(house, ordered("S0", "S1"))
    query = "{ me { recommendations(first: 2) { kind product { id } } } }"
    agreed = (await house.data(query, principal=AS_ADA))["me"]["recommendations"]
    silent = (await house.data(query, principal=AS_BOB))["me"]["recommendations"]
    assert agreed == [{"kind": "PERSONAL", "product": {"id": "prd_1"}}]
    assert {each["kind"] for each in silent} == {"POPULAR"}


async def test_nothing_personal_is_logged(house: RunningService, capsys: pytest.CaptureFixture[str]) -> None:
    await house.data('{ customerLookup(email: "ada@example.com") { displayName phone } }', principal=STAFF)
    await house.data("{ me { email } }", principal=AS_ADA)
    said = capsys.readouterr()
    for secret in ("ada@example.com", "+49555000001", "Ada"):
        assert secret not in said.out + said.err
