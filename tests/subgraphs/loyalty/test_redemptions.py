"""Points that pay for an order: held once, taken when it is placed, given back when it is not or its goods return."""

from __future__ import annotations

import asyncio

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.kernel.errors import Forbidden, VersionConflict
from subgraphs.kernel.events import OrderCancelled, RefundIssued
from subgraphs.kernel.ids import new_id
from subgraphs.loyalty.model import InsufficientPoints, LedgerKind
from tests.kit.running_service import RunningService
from tests.subgraphs.loyalty.circle import ACCOUNT, ADA, ADMIN, CUSTOMER, confirmed, hear

ORDERS = Principal("orders", "service")


async def given(house: RunningService, points: int) -> None:
    await house.services.adjust(ADMIN, ACCOUNT.id, points, "a start", "start", {"points": points})


async def hold(house: RunningService, order: str, points: int, key: str = "k") -> None:
    arguments = {"order": order, "points": points}
    await house.services.redemptions.hold(ORDERS, CUSTOMER, points, order, key, arguments)


async def balance(house: RunningService) -> int:
    found: int = (await house.services.account(ADA, ACCOUNT.id)).balance
    assert (await house.services.audit(ADMIN, None)).ok
    return found


def refund(order: str, points: int, goods: int = 1) -> RefundIssued:
    return RefundIssued(
        refund_id=new_id("rfd"),
        order_id=order,
        return_id=None,
        customer_id=CUSTOMER,
        currency="EUR",
        amount_minor=0,
        goods_minor=goods,
        goods_total_minor=10,
        points=points,
        points_minor=points,
    )


async def test_points_are_held_once_and_gone_when_the_order_is_placed(house: RunningService) -> None:
    await given(house, 100)
    order = new_id("ord")
    for key in ("k", "k", "another"):
        await hold(house, order, 60, key)
    assert await balance(house) == 40
    for _ in range(2):
        await hear(house.services, confirmed(order, 1000))
    assert await balance(house) == 50, "what the order earns is there as well"
    [entries] = await house.services.entries_of_orders([order])
    kinds = [LedgerKind.REDEEM_HOLD, LedgerKind.REDEEM_CAPTURE, LedgerKind.EARN_PENDING]
    assert [entry.kind for entry in entries] == kinds


async def test_what_is_released_comes_back_once_and_a_late_hold_does_not_count(house: RunningService) -> None:
    await given(house, 100)
    held, late = new_id("ord"), new_id("ord")
    await hold(house, held, 60)
    for order in (held, late):
        for key in ("r", "r", "again"):
            await house.services.redemptions.release(ORDERS, order, f"{key}{order}", {"order": order})
    assert await balance(house) == 100
    with pytest.raises(VersionConflict):
        await hold(house, late, 10, "late")
    await hear(house.services, confirmed(held, 0))
    assert await balance(house) == 100, "an event of an order that was released takes nothing"


async def test_points_come_back_with_goods_and_all_of_them_with_a_cancelled_order(house: RunningService) -> None:
    await given(house, 100)
    returned, cancelled = new_id("ord"), new_id("ord")
    for order in (returned, cancelled):
        await hold(house, order, 40, order)
        await hear(house.services, confirmed(order, 0))
    assert await balance(house) == 20
    back = refund(returned, 15)
    for _ in range(2):
        await hear(house.services, back)
    assert await balance(house) == 35
    await hear(house.services, refund(returned, 30))
    assert await balance(house) == 60, "never more than were paid"
    for _ in range(2):
        await hear(house.services, OrderCancelled(order_id=cancelled, number="G-1", customer_id=CUSTOMER, reason=None))
    assert await balance(house) == 100


async def test_nobody_pays_with_points_that_are_not_there_or_are_pending(house: RunningService) -> None:
    await given(house, 50)
    await hear(house.services, confirmed(new_id("ord"), 10_000))
    with pytest.raises(InsufficientPoints) as refused:
        await hold(house, new_id("ord"), 51)
    assert refused.value.balance == 50
    orders = [new_id("ord") for _ in range(5)]
    outcomes = await asyncio.gather(*(hold(house, order, 20, order) for order in orders), return_exceptions=True)
    assert [type(each) for each in outcomes].count(InsufficientPoints) == 3
    assert await balance(house) == 110


async def test_only_services_hold_points(house: RunningService) -> None:
    answer = await house.data(
        'mutation { pointsHold(customerId: "c", points: 1, orderId: "o", idempotencyKey: "k") { errors { __typename } } }'
    )
    assert answer["pointsHold"]["errors"] == [{"__typename": "Forbidden"}]
    with pytest.raises(Forbidden):
        await house.services.redemptions.release(ADA, "ord_1", "k", {})
