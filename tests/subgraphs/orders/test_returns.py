"""Returns: what may come back, over any counter, what is refunded, and that goods and money move once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.identity import Principal
from subgraphs.kernel.clock import SystemClock
from subgraphs.kernel.money import Money
from subgraphs.orders.model.order import Order, OrderLine
from subgraphs.orders.model.returns import goods_total, refund_for
from subgraphs.orders.model.tax import TaxLine
from subgraphs.orders.model.totals import TotalLine
from subgraphs.orders.service.audit import audit
from tests.subgraphs.orders.conftest import BERT, TILL, Shop
from tests.subgraphs.orders.test_api import POS, key, receipt
from tests.subgraphs.orders.test_fulfilment import SHIPPED, bought, move, seen

CLERK = Principal("clerk", "staff", frozenset({"returns:write", "refunds:write", "orders:read"}))

ELIGIBLE = """
query($id: ID!) {
  returnEligibility(orderId: $id) {
    deadline locations { id } lines { orderLineId maxQuantity refundEstimate { minor } blockedBy reasons }
  }
}"""
REQUEST = """
mutation($input: ReturnRequestInput!, $key: IdempotencyKey!) {
  returnRequest(input: $input, idempotencyKey: $key) {
    return { id state via lines { quantity } } errors { __typename ... on NotReturnable { orderLineId rule } }
  }
}"""
RECEIVE = """
mutation($id: ID!, $input: ReturnReceiveInput!, $key: IdempotencyKey!) {
  returnReceive(returnId: $id, input: $input, idempotencyKey: $key) {
    replayed
    return { id state via location { id } refund { minor currency } lines { quantity disposition } }
    errors { __typename ... on UserError { message } ... on NotReturnable { rule } }
  }
}"""
GOODWILL = """
mutation($id: ID!, $minor: MinorUnits!, $key: IdempotencyKey!) {
  refundCreate(orderId: $id, amount: {minor: $minor, currency: "EUR"}, reason: "sorry", idempotencyKey: $key) {
    order { status payments { state refunded { minor } } } errors { __typename ... on UserError { message } }
  }
}"""
LINE = "line:TEE-RED-M"


async def delivered(shop: Shop, **given: Any) -> dict[str, Any]:
    order = await bought(shop, **given)
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    await shop.settle()
    return order


async def request(shop: Shop, order: dict[str, Any], units: int, **more: Any) -> dict[str, Any]:
    lines = [{"orderLineId": LINE, "quantity": units, "reason": "CHANGED_MIND"}]
    given = {"orderId": order["id"], "lines": lines, "via": "IN_STORE"} | more
    payload: dict[str, Any] = (await shop.ask(REQUEST, {"input": given, "key": key()}))["returnRequest"]
    return payload


async def receive(shop: Shop, return_id: str, units: int, disposition: str = "RESTOCK", **more: Any) -> dict[str, Any]:
    lines = [{"orderLineId": LINE, "quantity": units, "disposition": disposition}]
    given = {"locationId": "loc_berlin", "lines": lines}
    variables = {"id": return_id, "input": given, "key": more.get("key") or key()}
    payload: dict[str, Any] = (await shop.ask(RECEIVE, variables, CLERK))["returnReceive"]
    return payload


async def test_an_online_order_comes_back_over_a_counter_in_two_parts(shop: Shop) -> None:
    order = await delivered(shop)
    told = (await shop.ask(ELIGIBLE, {"id": order["id"]}))["returnEligibility"]
    assert told["lines"][0] | {"reasons": None} == {
        "orderLineId": LINE,
        "maxQuantity": 2,
        "refundEstimate": {"minor": 4490},
        "blockedBy": None,
        "reasons": None,
    }
    assert told["locations"] == [{"id": "loc_berlin"}]
    first = (await request(shop, order, 1))["return"]
    assert (first["state"], first["via"]) == ("APPROVED", "IN_STORE")
    back = await receive(shop, first["id"], 1)
    assert back["errors"] == []
    assert back["return"] == {
        "id": first["id"],
        "state": "REFUNDED",
        "via": "IN_STORE",
        "location": {"id": "loc_berlin"},
        "refund": {"minor": 2000, "currency": "EUR"},
        "lines": [{"quantity": 1, "disposition": "RESTOCK"}],
    }
    assert (await seen(shop, order["id"]))["payments"][0]["state"] == "PARTIALLY_REFUNDED"
    # The last unit takes the delivery with it.
    second = (await request(shop, order, 1))["return"]
    assert (await receive(shop, second["id"], 1, "DAMAGED"))["return"]["refund"]["minor"] == 2490
    after = await seen(shop, order["id"])
    assert [(one["state"], one["refunded"]["minor"]) for one in after["payments"]] == [("REFUNDED", 4490)]
    facts = await shop.facts(order["id"])
    received = [data for kind, data in facts if kind == "return.received"]
    assert [(one["location_id"], one["lines"][0]["disposition"]) for one in received] == [
        ("loc_berlin", "RESTOCK"),
        ("loc_berlin", "DAMAGED"),
    ]
    issued = [data for kind, data in facts if kind == "refund.issued"]
    assert [(one["goods_minor"], one["goods_total_minor"]) for one in issued] == [(2000, 4000), (4000, 4000)]
    assert await audit(shop.database) == []


async def test_what_the_policy_does_not_allow_is_refused_with_its_rule(shop: Shop) -> None:
    order = await bought(shop)
    assert (await request(shop, order, 1))["errors"] == [
        {"__typename": "NotReturnable", "orderLineId": LINE, "rule": "NOT_DELIVERED"}
    ]
    await move(shop, order["fulfilments"][0]["id"], *SHIPPED)
    assert (await request(shop, order, 3))["errors"][0]["rule"] == "TOO_MANY"
    assert (await request(shop, order, 2))["errors"] == []
    assert (await request(shop, order, 1))["errors"][0]["rule"] == "ALREADY_RETURNED"
    other = await bought(shop)
    await move(shop, other["fulfilments"][0]["id"], *SHIPPED)
    shop.clock.advance(timedelta(days=31).total_seconds())
    assert (await request(shop, other, 1))["errors"][0]["rule"] == "DEADLINE_PASSED"
    blocked = (await shop.ask(ELIGIBLE, {"id": other["id"]}))["returnEligibility"]["lines"][0]
    assert (blocked["maxQuantity"], blocked["blockedBy"]) == (0, "DEADLINE_PASSED")


async def test_nobody_else_gives_it_back(shop: Shop) -> None:
    order = await delivered(shop)
    lines = [{"orderLineId": LINE, "quantity": 1, "reason": "CHANGED_MIND"}]
    given = {"orderId": order["id"], "lines": lines, "via": "MAIL"}
    answer = (await shop.ask(REQUEST, {"input": given, "key": key()}, BERT))["returnRequest"]
    assert [error["__typename"] for error in answer["errors"]] == ["NotFound"]


async def test_goods_come_back_once_under_however_many_keys(shop: Shop) -> None:
    order = await delivered(shop)
    given = (await request(shop, order, 1))["return"]
    once = key()
    assert (await receive(shop, given["id"], 1, key=once))["replayed"] is False
    assert (await receive(shop, given["id"], 1, key=once))["replayed"] is True
    other = await receive(shop, given["id"], 1)
    assert (other["replayed"], other["return"]["state"], other["errors"]) == (True, "REFUNDED", [])
    after = await seen(shop, order["id"])
    assert (after["lines"][0]["quantityReturned"], after["payments"][0]["refunded"]["minor"]) == (1, 2000)


async def test_a_refund_whose_answer_is_lost_is_made_once(shop: Shop) -> None:
    order = await delivered(shop, token="tok_refund_lost")
    given = (await request(shop, order, 2))["return"]
    assert (await receive(shop, given["id"], 2))["return"]["state"] == "INSPECTED"
    await shop.settle()
    after = await seen(shop, order["id"])
    assert after["payments"][0]["refunded"]["minor"] == 4490
    ledger = await shop.database.collection("sandbox_ledger").find_one({})
    assert ledger is not None
    assert ledger["refunded"] == 4490
    assert [kind for kind, _ in await shop.facts(order["id"])].count("refund.issued") == 1


async def test_a_refund_that_dies_over_its_record_is_made_once(shop: Shop) -> None:
    order = await delivered(shop)
    given = (await request(shop, order, 1))["return"]
    shop.faults.arm("after_errand")
    with pytest.raises(BaseException, match="after_errand"):
        await shop.services.returns.receive(
            CLERK,
            given["id"],
            location_id="loc_berlin",
            lines={LINE: (1, "RESTOCK")},
            refund_to="ORIGINAL",
            key="k",
            arguments={},
        )
    await shop.settle()
    assert (await seen(shop, order["id"]))["payments"][0]["refunded"]["minor"] == 2000
    assert [kind for kind, _ in await shop.facts(order["id"])].count("refund.issued") == 1


async def test_goodwill_is_bounded_by_what_was_paid(shop: Shop) -> None:
    order = await delivered(shop)
    variables = {"id": order["id"], "minor": 4000, "key": key()}
    found = (await shop.ask(GOODWILL, variables, CLERK))["refundCreate"]
    assert found["order"]["payments"] == [{"state": "PARTIALLY_REFUNDED", "refunded": {"minor": 4000}}]
    more = (await shop.ask(GOODWILL, variables | {"key": key()}, CLERK))["refundCreate"]
    assert more["errors"] == [{"__typename": "InvalidInput", "message": "more than was paid and not given back"}]
    # A return is then worth what is left, and no more.
    given = (await request(shop, order, 2))["return"]
    refused = await receive(shop, given["id"], 2)
    assert [error["__typename"] for error in refused["errors"]] == ["InvalidInput"]


async def test_what_a_register_sold_comes_back_in_cash(shop: Shop) -> None:
    sold = (await shop.ask(POS, {"input": receipt(), "key": key()}, TILL))["posOrderRecord"]
    assert sold["errors"] == []
    order = (
        await shop.ask(
            "query($id: ID!) { order(id: $id) { id lines { id quantityOrdered } } }", {"id": sold["order"]["id"]}, TILL
        )
    )["order"]
    line = order["lines"][0]
    lines = [{"orderLineId": line["id"], "quantity": 1, "reason": "DEFECTIVE"}]
    given = {"orderId": order["id"], "lines": lines, "via": "IN_STORE"}
    asked = (await shop.ask(REQUEST, {"input": given, "key": key()}, TILL))["returnRequest"]
    assert asked["errors"] == []
    back = {"locationId": "loc_berlin", "lines": [{"orderLineId": line["id"], "quantity": 1, "disposition": "DAMAGED"}]}
    variables = {"id": asked["return"]["id"], "input": back, "key": key()}
    received = (await shop.ask(RECEIVE, variables, CLERK))["returnReceive"]
    assert (received["errors"], received["return"]["state"]) == ([], "REFUNDED")


NOW = SystemClock().now()


def sold(lines: list[tuple[int, int, int]], delivery: int) -> Order:
    """An order of (units, unit minor, tax added) lines."""
    rows = tuple(
        OrderLine(
            id=f"l{n}", sku=f"S{n}", title="", category_slug=None, quantity=units, fulfilled=units, returned=0,
            unit=Money(unit, "EUR"), total=Money(unit * units, "EUR"),
        )
        for n, (units, unit, _) in enumerate(lines)
    )  # fmt: skip
    taxes = tuple(
        TaxLine(jurisdiction="X", rate_ppm=1, base=row.total, amount=Money(tax, "EUR"), included=False, line_id=row.id)
        for row, (_, _, tax) in zip(rows, lines, strict=True)
    )
    paid = sum(row.total.minor for row in rows) + sum(tax for _, _, tax in lines) + delivery
    return Order(
        id="o", version=1, number="", origin="", status="FULFILLED", channel="", currency="EUR", placed_at=NOW,
        owner="", customer_id=None, agent_id=None, email=None, address=None, sold_at_location_id=None,
        reservation_id=None, lines=rows, totals=(TotalLine("TOTAL", Money(paid, "EUR"), ""),), tax_lines=taxes,
        fulfilments=(), timeline=(), receipt=None,
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10_000), st.integers(0, 999)), min_size=1, max_size=4),
    st.integers(0, 990),
    st.randoms(use_true_random=False),
)
def test_in_whatever_parts_an_order_comes_back_the_refunds_come_to_what_was_paid(
    lines: list[tuple[int, int, int]], delivery: int, random: Any
) -> None:
    from subgraphs.orders.model.returns import came_back

    order, refunded, goods = sold(lines, delivery), 0, 0
    units = [(f"l{n}") for n, (count, _, _) in enumerate(lines) for _ in range(count)]
    random.shuffle(units)
    while units:
        part: dict[str, int] = {}
        for _ in range(random.randint(1, len(units))):
            each = units.pop()
            part[each] = part.get(each, 0) + 1
        refund = refund_for(order, part)
        assert refund.amount.minor >= 0
        assert goods <= refund.goods_minor <= goods_total(order)
        refunded, goods = refunded + refund.amount.minor, refund.goods_minor
        order = came_back(order, part, actor="", at=NOW, detail="")
    assert refunded == order.total.minor
    assert goods == goods_total(order)
