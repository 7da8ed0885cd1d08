"""Goods that leave, stay after all or come back, as orders tells it: the books follow, once for each fact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.mongo import Database
from subgraphs.inventory.app import SERVICE
from subgraphs.inventory.model.refusals import InsufficientStock
from subgraphs.inventory.model.reservations import Reservation, ReservationState
from subgraphs.inventory.model.returns import Disposition, QuarantineOutcome, came_back
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.inventory.store import STOCK
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import Forbidden, InvalidInput, NotFound
from subgraphs.kernel.events import Event, GoodsFreed, GoodsLeft, GoodsLine, ReturnedLine, ReturnReceived
from tests.kit.hearing import hear
from tests.subgraphs.inventory.stockroom import BUYER, ORDERS, S1, STAFF, W1, furnish, hold, instance
from tests.subgraphs.inventory.test_model import HELD


async def sold(services: Inventory, quantity: int) -> str:
    """A reservation of A at the warehouse, committed to an order."""
    held = await services.reserve(BUYER, hold("A", quantity), f"reserve {quantity}", {})
    await services.commit(ORDERS, held.reservation.id, "ord_1", f"commit {quantity}", {})
    return held.reservation.id


def told(kind: type[GoodsLeft] | type[GoodsFreed], reservation_id: str, quantity: int, at: str = W1.id) -> Event:
    return kind(
        order_id="ord_1",
        fulfilment_id="ful_1",
        reservation_id=reservation_id,
        location_id=at,
        lines=(GoodsLine(line_id="l1", sku="A", quantity=quantity),),
    )


def returned(*lines: tuple[str, int, str], location_id: str = S1.id) -> ReturnReceived:
    return ReturnReceived(
        return_id="ret_1",
        order_id="ord_1",
        customer_id=None,
        location_id=location_id,
        lines=tuple(
            ReturnedLine(line_id=line_id, sku="A", quantity=quantity, disposition=disposition)
            for line_id, quantity, disposition in lines
        ),
    )


async def figures(database: Database, location_id: str = W1.id) -> dict[str, int]:
    doc = await database.collection(STOCK).find_one({"_id": f"A|{location_id}"})
    assert doc is not None
    return {name: doc[name] for name in ("on", "rsv", "alc", "free", "qua")}


def numbers(on: int, alc: int, free: int, qua: int = 0) -> dict[str, int]:
    return {"on": on, "rsv": 0, "alc": alc, "free": free, "qua": qua}


async def test_what_left_is_neither_on_hand_nor_allocated(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10})
    async with instance(database, clock) as services:
        reservation = await sold(services, 3)
        await hear(SERVICE, services, database, told(GoodsLeft, reservation, 2))
        assert await figures(database) == numbers(on=8, alc=1, free=7)
        assert await audit(database) == []
        await hear(SERVICE, services, database, told(GoodsLeft, reservation, 1))
    assert await figures(database) == numbers(on=7, alc=0, free=7)
    assert await audit(database) == []


async def test_what_is_freed_can_be_sold_to_somebody_else(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 3})
    async with instance(database, clock) as services:
        reservation = await sold(services, 3)
        await hear(SERVICE, services, database, told(GoodsFreed, reservation, 2))
        assert await figures(database) == numbers(on=3, alc=1, free=2)
        await services.reserve(BUYER, hold("A", 2), "again", {})
    assert await audit(database) == []


async def test_more_than_the_order_owns_never_leaves(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10, ("A", S1): 10})
    async with instance(database, clock) as services:
        reservation = await sold(services, 3)
        await hear(SERVICE, services, database, told(GoodsFreed, reservation, 1))
        for event in (
            told(GoodsLeft, reservation, 3),
            told(GoodsFreed, reservation, 3),
            told(GoodsLeft, reservation, 1, at=S1.id),
        ):
            with pytest.raises(InvalidInput):
                await hear(SERVICE, services, database, event)
    assert await figures(database) == numbers(on=10, alc=2, free=8)
    assert await audit(database) == []


async def test_goods_only_held_cannot_leave(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10})
    async with instance(database, clock) as services:
        held = await services.reserve(BUYER, hold("A"), "k", {})
        with pytest.raises(InvalidInput):
            await hear(SERVICE, services, database, told(GoodsLeft, held.reservation.id, 1))
        with pytest.raises(NotFound):
            await hear(SERVICE, services, database, told(GoodsLeft, "rsv_unknown", 1))
    assert await audit(database) == []


async def test_goods_that_come_back_are_sold_again_or_kept_apart(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 1})
    async with instance(database, clock) as services:
        fact = returned(("l1", 2, "RESTOCK"), ("l1", 1, "DAMAGED"), ("l2", 4, "REFURBISH"), ("l3", 1, "VENDOR_RETURN"))
        await hear(SERVICE, services, database, fact)
    assert await figures(database, S1.id) == numbers(on=3, alc=0, free=3, qua=6)
    assert await audit(database) == []


async def test_a_return_told_twice_comes_back_once(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 1})
    async with instance(database, clock) as services:
        await hear(SERVICE, services, database, returned(("l1", 1, "RESTOCK")))
        await hear(SERVICE, services, database, returned(("l1", 1, "RESTOCK"), ("l2", 1, "RESTOCK")))
    assert await figures(database, S1.id) == numbers(on=3, alc=0, free=3)
    assert await audit(database) == []


async def test_goods_leave_quarantine_for_the_shelf_or_for_good_and_never_twice(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 1})
    given: dict[str, Any] = {"location_id": S1.id, "sku": "A", "reason": "mended"}
    async with instance(database, clock) as services:
        await hear(SERVICE, services, database, returned(("l1", 3, "REFURBISH")))
        mended = QuarantineOutcome.RESTOCKED
        level, _ = await services.quarantine.resolve(STAFF, **given, quantity=2, outcome=mended, key="a", arguments={})
        assert (level.on_hand, level.quarantined, level.atp) == (3, 1, 3)
        again = await services.quarantine.resolve(STAFF, **given, quantity=2, outcome=mended, key="a", arguments={})
        assert again == (level, True)
        gone = QuarantineOutcome.GONE
        with pytest.raises(InsufficientStock):
            await services.quarantine.resolve(STAFF, **given, quantity=2, outcome=gone, key="b", arguments={})
        with pytest.raises(Forbidden):
            await services.quarantine.resolve(BUYER, **given, quantity=1, outcome=gone, key="c", arguments={})
        await services.quarantine.resolve(STAFF, **given, quantity=1, outcome=gone, key="d", arguments={})
    assert await figures(database, S1.id) == numbers(on=3, alc=0, free=3, qua=0)
    assert await audit(database) == []


async def test_a_store_may_take_back_what_it_never_had(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 1})
    async with instance(database, clock) as services:
        await hear(SERVICE, services, database, returned(("l1", 1, "DAMAGED")))
    assert await figures(database, S1.id) == numbers(on=0, alc=0, free=0, qua=1)
    assert await audit(database) == []


@pytest.mark.parametrize(
    ("fact", "refusal"),
    [
        (returned(("l1", 1, "LOST")), InvalidInput),
        (returned(("l1", 0, "RESTOCK")), InvalidInput),
        (returned(("l1", 1, "RESTOCK"), location_id="loc_nowhere"), NotFound),
    ],
)
async def test_a_return_that_makes_no_sense_changes_nothing(
    database: Database, clock: FixedClock, fact: ReturnReceived, refusal: type[Exception]
) -> None:
    await furnish(database, {("A", S1): 1})
    async with instance(database, clock) as services:
        with pytest.raises(refusal):
            await hear(SERVICE, services, database, fact)
        await hear(SERVICE, services, database, returned(("l1", 1, "RESTOCK")))
    assert await figures(database, S1.id) == numbers(on=2, alc=0, free=2)


@pytest.mark.parametrize("disposition", Disposition)
def test_only_what_is_restocked_may_be_sold(disposition: Disposition) -> None:
    change = came_back(disposition.value, 3)
    assert change.free == (3 if disposition is Disposition.RESTOCK else 0)
    assert change.on_hand + change.quarantined == 3


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=8))
def test_every_unit_of_an_order_leaves_or_is_freed_at_most_once(steps: list[tuple[bool, int]]) -> None:
    line = HELD.lines[0]
    owned: Reservation = _with(HELD.commit("ord_1", HELD.created_at), quantity=6)
    left = freed = 0
    for leaves, units in steps:
        act = owned.leave if leaves else owned.free
        if left + freed + units > 6:
            with pytest.raises(InvalidInput):
                act(line.location_id, {"A": units})
            continue
        owned = act(line.location_id, {"A": units})
        left, freed = left + units * leaves, freed + units * (not leaves)
    assert owned.state is ReservationState.COMMITTED
    assert (owned.lines[0].left, owned.lines[0].freed, owned.lines[0].open) == (left, freed, 6 - left - freed)


def _with(reservation: Reservation, **changes: Any) -> Reservation:
    return replace(reservation, lines=(replace(reservation.lines[0], **changes),))
