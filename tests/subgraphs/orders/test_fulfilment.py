"""Carrying orders out: the table of moves, the queue, the counter, cancelling, money, sending from elsewhere."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.orders.model import fulfilment as moves
from subgraphs.orders.service.audit import audit
from tests.subgraphs.orders.conftest import ANNA, BERT, Shop
from tests.subgraphs.orders.test_api import complete, key, opened

PICKER = Principal("picker", "staff", frozenset({"fulfilment:read", "fulfilment:write", "orders:read"}))

MOVE = """
mutation($id: ID!, $to: FulfilmentState!, $lines: [OrderLineQuantityInput!], $tracking: TrackingInput, $code: String, $key: IdempotencyKey!) {
  fulfilmentTransition(id: $id, to: $to, lines: $lines, tracking: $tracking, pickupCode: $code, idempotencyKey: $key) {
    replayed
    fulfilment { id state lines { quantity } tracking { carrier } order { id status } }
    errors { __typename ... on UserError { message } ... on IllegalTransition { from to allowed } }
  }
}"""
ORDER = """
query($id: ID!) {
  order(id: $id) {
    id status timeline { type detail }
    lines { id quantityCurrent quantityFulfilled quantityReturned }
    fulfilments { id state pickupCode location { id } lines { quantity } }
    payments { state captured { minor } refunded { minor } }
  }
}"""
CANCEL = """
mutation($id: ID!, $key: IdempotencyKey!) {
  orderCancel(orderId: $id, reason: "changed my mind", idempotencyKey: $key) {
    order { status } errors { __typename ... on IllegalTransition { from to } }
  }
}"""
ARRIVE = """
mutation($id: ID!, $key: IdempotencyKey!) {
  curbsideArrive(orderId: $id, bay: "3", vehicle: "blue hatchback", idempotencyKey: $key) {
    fulfilment { state } errors { __typename ... on IllegalTransition { from to allowed } }
  }
}"""
TASKS = """
query($at: ID!, $states: [FulfilmentState!], $first: Int!, $after: String) {
  fulfilmentTasks(locationId: $at, states: $states, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { id state } }
  }
}"""


async def bought(shop: Shop, token: str = "tok_ok", mode: str = "ON_FULFILMENT", **changes: Any) -> dict[str, Any]:
    """A confirmed order, as its buyer sees it."""
    payload = await complete(shop, await opened(shop, **changes), token, mode)
    assert payload["errors"] == []
    return await seen(shop, payload["order"]["id"])


async def seen(shop: Shop, order_id: str, principal: Principal = ANNA) -> dict[str, Any]:
    found: dict[str, Any] = (await shop.ask(ORDER, {"id": order_id}, principal))["order"]
    return found


async def move(shop: Shop, fulfilment_id: str, *states: str, **given: Any) -> dict[str, Any]:
    """Moves through these states; the last payload."""
    payload: dict[str, Any] = {}
    for state in states:
        variables = {"id": fulfilment_id, "to": state, "key": given.get("key") or key(), **given}
        payload = (await shop.ask(MOVE, variables, PICKER))["fulfilmentTransition"]
    return payload


async def caught_up(shop: Shop) -> None:
    """Returns when the hub has had all that was told."""
    assert await shop.services.live._hub.wait_beyond(await shop.count("outbox") - 1, 10)


SHIPPED = ("ACCEPTED", "PICKING", "PACKED", "SHIPPED")
READY = ("ACCEPTED", "PICKING", "PACKED", "READY_FOR_PICKUP")
COLLECTED = {"method": "CURBSIDE", "pickupLocationId": "loc_berlin", "address": None}


async def test_a_parcel_goes_through_its_states_and_the_money_is_taken_when_it_leaves(shop: Shop) -> None:
    order = await bought(shop)
    parcel = order["fulfilments"][0]["id"]
    payload = await move(shop, parcel, "ACCEPTED")
    assert payload["fulfilment"]["order"]["status"] == "PROCESSING"
    await move(shop, parcel, "PICKING", "PACKED")
    await shop.settle()
    assert (await seen(shop, order["id"]))["payments"] == [
        {"state": "AUTHORIZED", "captured": {"minor": 0}, "refunded": {"minor": 0}}
    ]
    payload = await move(shop, parcel, "SHIPPED", tracking={"carrier": "DHL", "number": "1"})
    assert payload["errors"] == []
    assert payload["fulfilment"]["tracking"] == {"carrier": "DHL"}
    await shop.settle()
    after = await seen(shop, order["id"])
    assert after["status"] == "FULFILLED"
    assert [(one["state"], one["captured"]["minor"]) for one in after["payments"]] == [("CAPTURED", 4490)]
    assert after["lines"][0]["quantityFulfilled"] == 2
    facts = await shop.facts(order["id"])
    left = [data for kind, data in facts if kind == "fulfilment.goods_left"]
    assert [(one["location_id"], [line["quantity"] for line in one["lines"]]) for one in left] == [
        ("loc_warehouse", [2])
    ]
    assert [kind for kind, _ in facts if kind == "payment.captured"] == ["payment.captured"]
    assert await audit(shop.database) == []


async def test_what_the_table_does_not_have_is_refused_with_what_it_has(shop: Shop) -> None:
    parcel = (await bought(shop))["fulfilments"][0]["id"]
    refused = await move(shop, parcel, "SHIPPED")
    assert refused["errors"] == [
        {
            "__typename": "IllegalTransition",
            "message": "PLANNED does not go to SHIPPED",
            "from": "PLANNED",
            "to": "SHIPPED",
            "allowed": ["ACCEPTED", "REJECTED", "CANCELED"],
        }
    ]
    packed = await move(shop, parcel, "ACCEPTED", "PICKING", "PACKED")
    assert packed["errors"] == []
    assert (await move(shop, parcel, "READY_FOR_PICKUP"))["errors"][0]["allowed"] == ["SHIPPED", "CANCELED"]


async def test_the_same_key_moves_once_and_the_scope_must_be_there(shop: Shop) -> None:
    parcel = (await bought(shop))["fulfilments"][0]["id"]
    once = key()
    first = await move(shop, parcel, "ACCEPTED", key=once)
    again = await move(shop, parcel, "ACCEPTED", key=once)
    assert (first["replayed"], again["replayed"], again["fulfilment"]["state"]) == (False, True, "ACCEPTED")
    answer = await shop.raw(MOVE, {"id": parcel, "to": "PICKING", "key": key()}, ANNA)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_part_may_leave_before_the_rest(shop: Shop) -> None:
    order = await bought(shop)
    whole, line = order["fulfilments"][0]["id"], order["lines"][0]["id"]
    await move(shop, whole, "ACCEPTED", "PICKING", "PACKED")
    part = await move(shop, whole, "SHIPPED", lines=[{"orderLineId": line, "quantity": 1}])
    assert part["errors"] == []
    assert part["fulfilment"]["order"]["status"] == "PARTIALLY_FULFILLED"
    told = [data["fulfilment_id"] for kind, data in await shop.facts(order["id"]) if kind == "fulfilment.changed"]
    assert told[-2:] == [whole, part["fulfilment"]["id"]]
    states = {(one["state"], one["lines"][0]["quantity"]) for one in (await seen(shop, order["id"]))["fulfilments"]}
    assert states == {("PACKED", 1), ("SHIPPED", 1)}
    await move(shop, whole, "SHIPPED")
    await shop.settle()
    after = await seen(shop, order["id"])
    assert (after["status"], after["lines"][0]["quantityFulfilled"]) == ("FULFILLED", 2)
    assert after["payments"][0]["captured"]["minor"] == 4490
    too_many = await move(shop, whole, "DELIVERED", lines=[{"orderLineId": line, "quantity": 5}])
    assert [error["__typename"] for error in too_many["errors"]] == ["InvalidInput"]


async def test_the_buyer_shows_a_code_at_the_kerb(shop: Shop) -> None:
    order = await bought(shop, **COLLECTED)
    part = order["fulfilments"][0]["id"]
    early = (await shop.ask(ARRIVE, {"id": order["id"], "key": key()}))["curbsideArrive"]
    assert early["errors"][0]["from"] == "PLANNED"
    await move(shop, part, *READY)
    code = (await seen(shop, order["id"]))["fulfilments"][0]["pickupCode"]
    assert len(code) == 6
    assert (await seen(shop, order["id"], PICKER))["fulfilments"][0]["pickupCode"] is None
    arrived = (await shop.ask(ARRIVE, {"id": order["id"], "key": key()}))["curbsideArrive"]
    assert arrived == {"fulfilment": {"state": "CUSTOMER_ARRIVED"}, "errors": []}
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for left in (4, 3, 2, 1, 0):
        refused = await move(shop, part, "HANDED_OVER", code=wrong)
        assert refused["errors"][0]["message"] == f"not the code; {left} tries left"
    assert (await move(shop, part, "HANDED_OVER", code=code))["errors"][0]["__typename"] == "Forbidden"
    assert (await move(shop, part, "HANDED_OVER"))["errors"] == []
    after = await seen(shop, order["id"])
    assert after["status"] == "FULFILLED"
    assert after["timeline"][-1] == {"type": "FULFILMENT_HANDED_OVER", "detail": "without a code"}


async def test_nobody_else_is_at_the_kerb(shop: Shop) -> None:
    order = await bought(shop, **COLLECTED)
    answer = (await shop.ask(ARRIVE, {"id": order["id"], "key": key()}, BERT))["curbsideArrive"]
    assert [error["__typename"] for error in answer["errors"]] == ["NotFound"]


async def test_a_cancelled_order_frees_its_stock_and_lets_its_money_go(shop: Shop) -> None:
    for mode, state in (("ON_FULFILMENT", "VOIDED"), ("IMMEDIATE", "REFUNDED")):
        order = await bought(shop, mode=mode, lines=[{"sku": "TEE-RED-M", "quantity": 1}])
        once = key()
        payload = (await shop.ask(CANCEL, {"id": order["id"], "key": once}))["orderCancel"]
        assert payload == {"order": {"status": "CANCELED"}, "errors": []}
        assert (await shop.ask(CANCEL, {"id": order["id"], "key": once}))["orderCancel"]["errors"] == []
        again = (await shop.ask(CANCEL, {"id": order["id"], "key": key()}))["orderCancel"]
        assert [error["__typename"] for error in again["errors"]] == ["IllegalTransition"]
        await shop.settle()
        after = await seen(shop, order["id"])
        assert [one["state"] for one in after["payments"]] == [state]
        assert after["lines"][0]["quantityCurrent"] == 0
        kinds = [kind for kind, _ in await shop.facts(order["id"])]
        assert kinds.count("fulfilment.goods_freed") == kinds.count("order.cancelled") == 1
    assert await audit(shop.database) == []


async def test_what_has_left_is_not_cancelled(shop: Shop) -> None:
    order = await bought(shop)
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    payload = (await shop.ask(CANCEL, {"id": order["id"], "key": key()}))["orderCancel"]
    assert [error["__typename"] for error in payload["errors"]] == ["IllegalTransition"]


async def test_what_a_location_rejects_is_sent_from_elsewhere(shop: Shop) -> None:
    order = await bought(shop)
    await move(shop, order["fulfilments"][0]["id"], "REJECTED")
    assert await shop.services.fulfilments.reroute() == 1
    assert await shop.services.fulfilments.reroute() == 0
    after = await seen(shop, order["id"])
    assert [(one["state"], one["location"]["id"]) for one in after["fulfilments"]] == [
        ("REJECTED", "loc_warehouse"),
        ("PLANNED", "loc_other"),
    ]
    assert after["status"] == "PROCESSING"
    other = after["fulfilments"][1]["id"]
    await move(shop, other, *SHIPPED)
    await shop.settle()
    assert (await seen(shop, order["id"]))["status"] == "FULFILLED"
    facts = await shop.facts(order["id"])
    freed = next(data for kind, data in facts if kind == "fulfilment.goods_freed")
    left = next(data for kind, data in facts if kind == "fulfilment.goods_left")
    assert freed["reservation_id"] != left["reservation_id"]
    assert {held.order_id for held in shop.peer.committed()} == {order["id"]}


@pytest.mark.parametrize("point", ["rerouting", "after_reroute"])
async def test_an_order_is_not_cancelled_behind_the_back_of_who_sends_it_from_elsewhere(shop: Shop, point: str) -> None:
    order = await bought(shop)
    await move(shop, order["fulfilments"][0]["id"], "REJECTED")
    shop.faults.arm(point)
    with pytest.raises(BaseException, match=point):
        await shop.services.fulfilments.reroute()
    refused = (await shop.ask(CANCEL, {"id": order["id"], "key": key()}))["orderCancel"]
    assert [error["__typename"] for error in refused["errors"]] == ["RequestInFlight"]
    assert await shop.services.fulfilments.reroute() == 1
    assert (await shop.ask(CANCEL, {"id": order["id"], "key": key()}))["orderCancel"]["errors"] == []
    freed = [data["reservation_id"] for kind, data in await shop.facts(order["id"]) if kind == "fulfilment.goods_freed"]
    assert sorted(freed) == sorted(held.id for held in shop.peer.committed())


async def test_guesses_of_a_code_are_counted_even_at_once(shop: Shop) -> None:
    order = await bought(shop, **COLLECTED)
    part = order["fulfilments"][0]["id"]
    await move(shop, part, *READY)
    code = (await seen(shop, order["id"]))["fulfilments"][0]["pickupCode"]
    wrong = f"{(int(code) + 1) % 10**6:06}"
    await asyncio.gather(*(move(shop, part, "HANDED_OVER", code=wrong) for _ in range(5)))
    assert (await move(shop, part, "HANDED_OVER", code=code))["errors"][0]["__typename"] == "Forbidden"


async def test_a_provider_that_breaks_keeps_nobody_else_waiting(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [await bought(shop, lines=[{"sku": "TEE-RED-M", "quantity": 1}]) for _ in range(2)]
    for order in orders:
        await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    ledger = shop.database.collection("sandbox_ledger")
    broken = orders[0]["id"]
    payment = await shop.database.collection("payments").find_one({"order": broken})
    assert payment is not None
    await ledger.update_one({"_id": payment["_id"]}, {"$set": {"state": "DECLINED"}})
    assert await shop.services.errands.run_due() == 2
    assert (await seen(shop, orders[1]["id"]))["payments"][0]["state"] == "CAPTURED"
    assert (await seen(shop, broken))["payments"][0]["state"] == "AUTHORIZED"


async def test_what_nobody_can_send_waits_for_a_person(shop: Shop) -> None:
    collected = await bought(shop, **COLLECTED)
    await move(shop, collected["fulfilments"][0]["id"], "REJECTED")
    short = await bought(shop)
    shop.peer.stock["TEE-RED-M"] = 0
    await move(shop, short["fulfilments"][0]["id"], "REJECTED")
    assert await shop.services.fulfilments.reroute() == 2
    assert await shop.services.fulfilments.reroute() == 0
    for order in (collected, short):
        assert (await seen(shop, order["id"]))["timeline"][-1]["type"] == "NEEDS_ATTENTION"


async def test_a_location_sees_its_tasks_what_is_promised_soonest_first(shop: Shop) -> None:
    orders = []
    for _ in range(3):
        orders.append(await bought(shop, lines=[{"sku": "TEE-RED-M", "quantity": 1}]))
        shop.clock.advance(1)
    mine = [order["fulfilments"][0]["id"] for order in orders]
    await move(shop, mine[1], *SHIPPED)
    found: list[str] = []
    after = None
    while True:
        page = (await shop.ask(TASKS, {"at": "loc_warehouse", "first": 1, "after": after}, PICKER))["fulfilmentTasks"]
        assert page["totalCount"] == 2
        found += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert found == [mine[0], mine[2]]
    done = await shop.ask(TASKS, {"at": "loc_warehouse", "states": ["SHIPPED"], "first": 9}, PICKER)
    assert [edge["node"]["id"] for edge in done["fulfilmentTasks"]["edges"]] == [mine[1]]


async def test_the_queue_and_the_buyer_hear_of_every_move(shop: Shop) -> None:
    order = await bought(shop, **COLLECTED)
    part = order["fulfilments"][0]["id"]
    await caught_up(shop)
    queue = shop.services.live.queue(PICKER, "loc_berlin")
    first = await anext(queue)
    assert (first.kind, first.task and first.task[1].id) == ("SNAPSHOT", part)
    await move(shop, part, *READY)
    heard = [await anext(queue) for _ in READY]
    assert [news.kind for news in heard] == ["DELTA"] * 4
    again = shop.services.live.queue(PICKER, "loc_berlin", heard[1].resume_token)
    assert (await anext(again)).kind == "DELTA"
    await caught_up(shop)
    snapshot = await anext(shop.services.live.pickups(ANNA, None))
    assert (snapshot.kind, snapshot.order.id) == ("SNAPSHOT", order["id"])
    other = await bought(shop, **COLLECTED)
    await move(shop, other["fulfilments"][0]["id"], *READY)
    ready = await anext(shop.services.live.pickups(ANNA, None, snapshot.resume_token))
    assert (ready.kind, ready.order.id, ready.change and ready.change.type) == (
        "DELTA",
        other["id"],
        "fulfilment.changed",
    )


async def test_a_capture_that_dies_over_its_record_is_done_once(shop: Shop) -> None:
    order = await bought(shop)
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    shop.faults.arm("after_errand")
    with pytest.raises(BaseException, match="after_errand"):
        await shop.services.errands.run_due()
    assert (await seen(shop, order["id"]))["payments"][0]["state"] == "AUTHORIZED"
    await shop.settle()
    assert (await seen(shop, order["id"]))["payments"][0]["state"] == "CAPTURED"
    assert [kind for kind, _ in await shop.facts(order["id"])].count("payment.captured") == 1


def test_every_state_can_end_and_none_can_be_left_twice() -> None:
    reached = {"PLANNED"}
    frontier = ["PLANNED"]
    while frontier:
        for state in moves._NEXT.get(frontier.pop(), ()):  # type: ignore[call-overload]
            if state not in reached:
                reached.add(state)
                frontier.append(state)
    assert reached == {*moves._NEXT, *itertools.chain(*moves._NEXT.values())}
    assert moves.LEAVES.isdisjoint(moves.FREES)
    for state in moves.LEFT:
        assert moves.FREES.isdisjoint(moves._NEXT.get(state, ()))
