"""Inventory as a subgraph: entities in one query, answers by scope, refusals as data, pages, streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from subgraphs.chassis.graphql import ServiceContext
from subgraphs.chassis.identity import ANONYMOUS, Identity, Principal, RequestContext
from subgraphs.chassis.loaders import Loaders
from subgraphs.chassis.mongo import Collection, Database, DriverName
from subgraphs.inventory.app import SERVICE
from subgraphs.inventory.schema import SCHEMA
from subgraphs.kernel.clock import FixedClock
from tests.kit.running_service import RunningService, running_service
from tests.subgraphs.inventory.stockroom import (
    BUYER,
    LOCATIONS,
    NOON,
    ORDERS,
    S1,
    S2,
    STAFF,
    W1,
    furnish,
    planned,
)

EUROS = RequestContext(channel="web-eu", currency="EUR", country="DE")
RESERVE = """
    mutation ($input: ReserveInput!, $key: IdempotencyKey!) {
      reserve(input: $input, idempotencyKey: $key) {
        replayed
        reservation { id state owner expiresAt lines { sku quantity location { code } variant { sku } } }
        errors {
          __typename
          ... on UserError { message path severity }
          ... on InsufficientStock { shortfalls { sku requested available } }
        }
      }
    }
"""
COMMIT = """
    mutation ($id: ID!, $order: ID!) {
      reservationCommit(id: $id, orderId: $order, idempotencyKey: "commit") {
        replayed reservation { state } errors { __typename }
      }
    }
"""


@pytest.fixture
async def house(own_database: Database, mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[RunningService]:
    """A running service with a hundred SKUs."""
    stock = {(f"SKU-{n:03d}", spot): 3 + n for n in range(100) for spot in (W1, S1, S2)}
    await furnish(own_database, stock)
    async with running_service(
        SERVICE, mongodb_uri, mongo_driver, own_database, FixedClock(NOON), asker=BUYER
    ) as running_house:
        yield running_house


def reserving(sku: str, quantity: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "ownerRef": "chk_1",
        "lines": [{"sku": sku, "quantity": quantity}],
        "method": "SHIP",
        "channel": "web-eu",
        **other,
    }


async def test_a_hundred_variants_with_three_questions_each_are_one_query(
    house: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.services.places.all()
    await planned(house.services)
    found: list[str] = []
    find = Collection.find

    async def counted(self: Collection, *args: Any, **kwargs: Any) -> Any:
        if self.name == "stock":
            found.append(self.name)
        return await find(self, *args, **kwargs)

    monkeypatch.setattr(Collection, "find", counted)
    answer = await house.ask(
        """
        query ($representations: [_Any!]!) {
          _entities(representations: $representations) {
            ... on ProductVariant {
              sku
              a: availability { status quantityBand }
              b: availability(input: { channel: "web-eu", near: { lat: 52.5, lng: 13.4 } }) { nearby { location { code } } }
              stockLevels { onHand location { code } }
            }
          }
        }
        """,
        {"representations": [{"__typename": "ProductVariant", "sku": f"SKU-{n:03d}"} for n in range(100)]},
        principal=STAFF,
    )
    entities = answer["data"]["_entities"]
    assert [entity["sku"] for entity in entities] == [f"SKU-{n:03d}" for n in range(100)]
    assert entities[99]["stockLevels"][0]["onHand"] == 102
    assert [near["location"]["code"] for near in entities[0]["b"]["nearby"]] == ["S1", "S2"]
    assert found == ["stock"]


async def test_entities_that_do_not_exist_are_null_and_variants_always_exist(house: RunningService) -> None:
    answer = await house.ask(
        """
        query ($representations: [_Any!]!) {
          _entities(representations: $representations) {
            __typename
            ... on ProductVariant { availability { status version } }
            ... on Location { code openNow }
            ... on Channel { code }
          }
        }
        """,
        {
            "representations": [
                {"__typename": "ProductVariant", "sku": "UNKNOWN"},
                {"__typename": "Location", "id": S1.id},
                {"__typename": "Location", "id": "loc_" + "0" * 26},
                {"__typename": "Reservation", "id": "rsv_" + "0" * 26},
                {"__typename": "Channel", "code": "web-eu"},
            ]
        },
    )
    assert answer["data"]["_entities"] == [
        {"__typename": "ProductVariant", "availability": {"status": "OUT_OF_STOCK", "version": "0"}},
        {"__typename": "Location", "code": "S1", "openNow": True},
        None,
        None,
        {"__typename": "Channel", "code": "web-eu"},
    ]
    assert "errors" not in answer


async def test_exact_numbers_are_for_those_with_the_scope(house: RunningService) -> None:
    query = """
        { availability(skus: ["SKU-000"], input: { channel: "web-eu" }) {
            quantityBand availableToSell byMethod { method available earliest cost { amount currency } } } }
    """
    public = (await house.ask(query, principal=ANONYMOUS, context=EUROS))["data"]["availability"][0]
    staff = (await house.ask(query, principal=STAFF))["data"]["availability"][0]
    assert (public["availableToSell"], public["quantityBand"]) == (None, "SIX_TO_TWENTY")
    assert staff["availableToSell"] == 9
    ship = public["byMethod"][0]
    assert (ship["method"], ship["available"], ship["cost"]) == ("SHIP", True, {"amount": "4.90", "currency": "EUR"})
    assert ship["earliest"] > "2026-03-04T12:00:00.000Z"
    refused = await house.ask("{ stockLevels { totalCount } }", principal=BUYER)
    assert refused["errors"][0]["extensions"] == {"code": "FORBIDDEN", "missingScopes": ["inventory:read"]}


async def test_stores_near_a_person_come_nearest_first_in_pages(house: RunningService) -> None:
    query = """
        query ($after: String) {
          locations(near: { lat: 52.5, lng: 13.4 }, withinKm: 300, capability: PICKUP, first: 2, after: $after) {
            edges { distanceKm node { code } } pageInfo { hasNextPage hasPreviousPage endCursor }
          }
        }
    """
    first = (await house.ask(query))["data"]["locations"]
    assert [edge["node"]["code"] for edge in first["edges"]] == ["S1", "S2"]
    assert first["edges"][0]["distanceKm"] < first["edges"][1]["distanceKm"]
    assert first["pageInfo"]["hasNextPage"]
    second = (await house.ask(query, {"after": first["pageInfo"]["endCursor"]}))["data"]["locations"]
    assert [edge["node"]["code"] for edge in second["edges"]] == ["S3"]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
    forged = await house.ask(query, {"after": "AAAA"})
    assert forged["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("location_id", [None, S1.id])
async def test_levels_are_paged_without_a_gap_or_a_repeat(house: RunningService, location_id: str | None) -> None:
    query = """
        query ($at: ID, $after: String) {
          stockLevels(locationId: $at, first: 70, after: $after) {
            totalCount edges { node { id } } pageInfo { hasNextPage endCursor }
          }
        }
    """
    seen: list[str] = []
    after, more = None, True
    while more:
        page = (await house.ask(query, {"at": location_id, "after": after}, principal=STAFF))["data"]["stockLevels"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == page["totalCount"] == (300 if location_id is None else 100)


async def test_reserving_committing_and_reading_a_hold(house: RunningService) -> None:
    made = await house.ask(RESERVE, {"input": reserving("SKU-000", 2), "key": "k"}, principal=ORDERS)
    payload = made["data"]["reserve"]
    assert (payload["replayed"], payload["errors"]) == (False, [])
    assert payload["reservation"]["state"] == "HELD"
    assert payload["reservation"]["expiresAt"] == "2026-03-04T12:10:00.000Z"
    assert payload["reservation"]["lines"] == [
        {"sku": "SKU-000", "quantity": 2, "location": {"code": "W1"}, "variant": {"sku": "SKU-000"}}
    ]
    again = await house.ask(RESERVE, {"input": reserving("SKU-000", 2), "key": "k"}, principal=ORDERS)
    assert again["data"]["reserve"] == payload | {"replayed": True}
    held = payload["reservation"]["id"]
    done = await house.ask(COMMIT, {"id": held, "order": "ord_1"}, principal=ORDERS)
    assert done["data"]["reservationCommit"] == {
        "replayed": False,
        "reservation": {"state": "COMMITTED"},
        "errors": [],
    }
    read = "query ($id: ID!) { reservation(id: $id) { state } }"
    assert (await house.ask(read, {"id": held}, principal=STAFF))["data"]["reservation"] == {"state": "COMMITTED"}
    assert (await house.ask(read, {"id": held}, principal=BUYER))["data"]["reservation"] is None
    assert (await house.ask(read, {"id": held}, principal=ANONYMOUS))["errors"][0]["extensions"]["code"] == (
        "UNAUTHENTICATED"
    )
    audit = await house.ask("{ inventoryAudit { ok problems levels movements } }", principal=STAFF)
    assert audit["data"]["inventoryAudit"] == {"ok": True, "problems": [], "levels": 300, "movements": 302}


async def test_refusals_are_data_with_the_facts_to_recover(house: RunningService) -> None:
    short = await house.ask(RESERVE, {"input": reserving("SKU-000", 10), "key": "k"})
    assert short["data"]["reserve"]["reservation"] is None
    error = short["data"]["reserve"]["errors"][0]
    assert error["__typename"] == "InsufficientStock"
    assert error["severity"] == "REQUIRES_BUYER_REVIEW"
    assert error["shortfalls"] == [{"sku": "SKU-000", "requested": 10, "available": 6}]
    wrong = await house.ask(RESERVE, {"input": reserving("SKU-000", 0), "key": "k2"})
    assert wrong["data"]["reserve"]["errors"][0]["__typename"] == "InvalidInput"
    stranger = await house.ask(RESERVE, {"input": reserving("SKU-000"), "key": "k3"}, principal=ANONYMOUS)
    assert stranger["data"]["reserve"]["errors"][0]["__typename"] == "Forbidden"
    not_a_service = await house.ask(COMMIT, {"id": "rsv_" + "0" * 26, "order": "ord_1"}, principal=STAFF)
    assert not_a_service["data"]["reservationCommit"]["errors"][0]["__typename"] == "Forbidden"


async def test_a_register_and_a_stocktaker_change_stock(house: RunningService) -> None:
    sold = await house.ask(
        """
        mutation ($batch: PosSaleBatchInput!) {
          posSaleIngest(batch: $batch, idempotencyKey: "b") {
            accepted duplicates nextExpectedSequence negativeOnHand { onHand atp } errors { __typename }
          }
        }
        """,
        {
            "batch": {
                "locationId": S1.id,
                "registerId": "S1-1",
                "sequence": 1,
                "sales": [
                    {
                        "receiptNo": "1",
                        "occurredAt": "2026-03-04T11:59:00Z",
                        "lines": [{"sku": "SKU-000", "quantity": 5}],
                    }
                ],
            }
        },
        principal=STAFF,
    )
    assert sold["data"]["posSaleIngest"] == {
        "accepted": 1,
        "duplicates": 0,
        "nextExpectedSequence": 2,
        "negativeOnHand": [{"onHand": -2, "atp": 0}],
        "errors": [],
    }
    adjusted = await house.ask(
        """
        mutation ($input: StockAdjustInput!) {
          stockAdjust(input: $input, idempotencyKey: "a") { levels { onHand version } replayed errors { __typename } }
        }
        """,
        {"input": {"locationId": S1.id, "sku": "SKU-000", "delta": 4, "reason": "found", "expectedVersion": 2}},
        principal=STAFF,
    )
    assert adjusted["data"]["stockAdjust"] == {"levels": [{"onHand": 2, "version": 3}], "replayed": False, "errors": []}


async def test_safety_stock_is_set_for_everybody_or_for_one_channel(house: RunningService) -> None:
    setting = """
        mutation ($input: SafetyStockInput!, $key: IdempotencyKey!) {
          safetyStockSet(input: $input, idempotencyKey: $key) {
            levels { safety atp quarantined channelSafety { channel safety } } replayed errors { __typename }
          }
        }
    """
    what = {"locationId": S1.id, "sku": "SKU-000"}
    everybody = await house.ask(setting, {"input": what | {"safety": 2}, "key": "a"}, principal=STAFF)
    assert everybody["data"]["safetyStockSet"] == {
        "levels": [{"safety": 2, "atp": 1, "quarantined": 0, "channelSafety": []}],
        "replayed": False,
        "errors": [],
    }
    one = await house.ask(setting, {"input": what | {"safety": 1, "channel": "app"}, "key": "b"}, principal=STAFF)
    assert one["data"]["safetyStockSet"]["levels"][0]["channelSafety"] == [{"channel": "app", "safety": 1}]
    refused = await house.ask(setting, {"input": what | {"safety": -1}, "key": "c"}, principal=STAFF)
    assert refused["data"]["safetyStockSet"]["errors"] == [{"__typename": "InvalidInput"}]


async def test_nothing_comes_out_of_a_quarantine_that_is_empty(house: RunningService) -> None:
    what = {"locationId": S1.id, "sku": "SKU-000", "quantity": 1, "outcome": "GONE", "reason": "scrapped"}
    answer = await house.ask(
        """
        mutation ($input: QuarantineInput!) {
          quarantineResolve(input: $input, idempotencyKey: "q") { levels { sku } errors { __typename } }
        }
        """,
        {"input": what},
        principal=STAFF,
    )
    assert answer["data"]["quarantineResolve"] == {"levels": [], "errors": [{"__typename": "InsufficientStock"}]}


async def test_a_sourcing_plan_explains_itself_and_holds_nothing(house: RunningService) -> None:
    answer = await house.ask(
        """
        { sourcingPlan(lines: [{ sku: "SKU-000", quantity: 4 }], method: SHIP, destination: { lat: 52.5, lng: 13.4 }) {
            feasible splits allocations { location { code } quantity distanceKm promiseBy } shortfalls { sku } explanation
        } }
        """,
        context=EUROS,
    )
    plan = answer["data"]["sourcingPlan"]
    assert (plan["feasible"], plan["splits"], plan["shortfalls"]) == (True, 2, [])
    assert [(item["location"]["code"], item["quantity"]) for item in plan["allocations"]] == [("W1", 3), ("S1", 1)]
    assert plan["explanation"][1].startswith("W1 (WAREHOUSE, ")


async def test_a_plan_for_very_many_units_is_for_those_who_may_see_units(house: RunningService) -> None:
    many = '{ sourcingPlan(lines: [{ sku: "SKU-000", quantity: 21 }], method: SHIP) { feasible shortfalls { available } } }'
    refused = await house.ask(many, context=EUROS)
    assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    found = await house.ask(many, context=EUROS, principal=STAFF)
    assert found["data"]["sourcingPlan"]["feasible"] is False


async def test_a_channel_names_the_locations_whose_stock_it_sells(house: RunningService) -> None:
    answer = await house.ask(
        'query { _entities(representations: [{ __typename: "Channel", code: "web-eu" }]) '
        "{ ... on Channel { sourcingLocations { code } } } }",
        principal=STAFF,
    )
    found = [place["code"] for place in answer["data"]["_entities"][0]["sourcingLocations"]]
    assert sorted(found) == sorted(place.code for place in LOCATIONS)


async def test_the_subscription_tells_of_a_hold(house: RunningService) -> None:
    context = ServiceContext(
        Identity(Principal("ada", "customer"), EUROS, "gateway"), house.services, Loaders(remember=False), "request"
    )
    stream: Any = await SCHEMA.subscribe(
        """
        subscription {
          availabilityChanged(skus: ["SKU-000"], input: { channel: "web-eu" }, maxRateHz: 10) {
            kind sequence resumeToken coalesced availability { sku status quantityBand availableToSell variant { sku } }
          }
        }
        """,
        context_value=context,
    )
    async with asyncio.timeout(10):
        first = (await anext(stream)).data["availabilityChanged"]
        assert first["kind"] == "SNAPSHOT"
        assert first["availability"] == [
            {
                "sku": "SKU-000",
                "status": "IN_STOCK",
                "quantityBand": "SIX_TO_TWENTY",
                "availableToSell": None,
                "variant": {"sku": "SKU-000"},
            }
        ]
        await house.ask(RESERVE, {"input": reserving("SKU-000", 6), "key": "k"})
        delta = (await anext(stream)).data["availabilityChanged"]
    assert (delta["kind"], delta["availability"][0]["quantityBand"]) == ("DELTA", "ONE_TO_FIVE")
    assert delta["sequence"] > first["sequence"]
    await stream.aclose()
