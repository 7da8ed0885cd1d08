"""Holding stock: nothing is ever sold twice, whoever races, repeats, comes late or crashes. On both drivers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Database
from subgraphs.inventory import store
from subgraphs.inventory.model.refusals import HoldLimitExceeded, InsufficientStock, ReservationExpired
from subgraphs.inventory.model.reservations import ReservationState
from subgraphs.inventory.model.sourcing import FulfilmentMethod
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import Held, Hold, Inventory
from subgraphs.kernel.clock import FixedClock, SystemClock
from subgraphs.kernel.errors import Forbidden, IdempotencyConflict, InvalidInput, NotFound, VersionConflict
from tests.subgraphs.inventory.stockroom import BUYER, ORDERS, S1, STAFF, W1, W2, furnish, hold, instance


async def tried(services: Inventory, wanted: Hold, key: str) -> Held | Exception:
    """The hold, or the refusal."""
    try:
        return await services.reserve(BUYER, wanted, key, {"key": key})
    except (InsufficientStock, IdempotencyConflict) as refusal:
        return refusal


async def figures(database: Database, sku: str, location_id: str = W1.id) -> tuple[int, int, int, int]:
    """On hand, reserved, allocated, free as stored."""
    doc = await database.collection(store.STOCK).find_one({"_id": f"{sku}|{location_id}"})
    assert doc is not None
    return doc["on"], doc["rsv"], doc["alc"], doc["free"]


async def test_two_hundred_buyers_of_fifty_units_make_fifty_holds(database: Database) -> None:
    await furnish(database, {("A", W1): 30, ("A", W2): 20})
    async with instance(database, SystemClock()) as services:
        outcomes = await asyncio.gather(*(tried(services, hold("A"), f"k{n}") for n in range(200)))
    held = [outcome for outcome in outcomes if isinstance(outcome, Held)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, InsufficientStock)]
    assert (len(held), len(refused)) == (50, 150)
    assert refused[0].shortfalls[0].available == 0
    assert await figures(database, "A") == (30, 30, 0, 0)
    assert await figures(database, "A", W2.id) == (20, 20, 0, 0)
    assert await audit(database) == []


async def test_what_is_short_does_not_tell_a_stranger_how_much_there_is(database: Database) -> None:
    await furnish(database, {("A", W1): 30, ("B", W1): 7})
    async with instance(database, SystemClock()) as services:
        for who, sku, told in ((BUYER, "A", 20), (BUYER, "B", 7), (ORDERS, "A", 30)):
            with pytest.raises(InsufficientStock) as refused:
                await services.reserve(who, hold(sku, 40), f"{who.key}{sku}", {"sku": sku})
            assert refused.value.shortfalls[0].available == told


async def test_two_processes_racing_for_the_same_units_never_oversell(database: Database) -> None:
    await furnish(database, {("A", W1): 25, ("B", W1): 25})
    async with AsyncExitStack() as stack:
        left = await stack.enter_async_context(instance(database, SystemClock()))
        right = await stack.enter_async_context(instance(database, SystemClock()))
        outcomes = await asyncio.gather(
            *(
                tried(services, Hold(lines=lines, **_shipped()), f"{name}{n}")
                for n in range(40)
                # Opposite orders of lines: a deadlock would show.
                for name, services, lines in (("l", left, (("A", 1), ("B", 1))), ("r", right, (("B", 1), ("A", 1))))
            )
        )
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 25
    assert await figures(database, "A") == (25, 25, 0, 0)
    assert await figures(database, "B") == (25, 25, 0, 0)
    assert await audit(database) == []


async def test_one_key_has_one_effect_even_in_two_processes_at_once(database: Database) -> None:
    await furnish(database, {("A", W1): 10})
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(instance(database, SystemClock())) for _ in range(2)]
        outcomes = await asyncio.gather(*(tried(both[n % 2], hold("A"), "same") for n in range(12)))
    held = [outcome for outcome in outcomes if isinstance(outcome, Held)]
    assert len(held) == 12
    assert len({outcome.reservation.id for outcome in held}) == 1
    assert sum(not outcome.replayed for outcome in held) == 1
    assert await figures(database, "A") == (10, 1, 0, 9)
    assert await audit(database) == []


async def test_a_key_used_with_other_arguments_is_refused(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10})
    async with instance(database, clock) as services:
        await services.reserve(BUYER, hold("A"), "k", {"quantity": 1})
        with pytest.raises(IdempotencyConflict):
            await services.reserve(BUYER, hold("A", 2), "k", {"quantity": 2})
    assert await figures(database, "A") == (10, 1, 0, 9)


async def test_all_lines_are_held_or_none(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10, ("B", W1): 1})
    wanted = Hold(lines=(("A", 2), ("B", 1), ("B", 1)), **_shipped())
    async with instance(database, clock) as services:
        with pytest.raises(InsufficientStock) as refusal:
            await services.reserve(BUYER, wanted, "k", {})
        assert [(item.sku, item.requested, item.available) for item in refusal.value.shortfalls] == [("B", 2, 1)]
        assert await figures(database, "A") == (10, 0, 0, 10)
        # A refusal is not remembered: when stock is there the same key may succeed.
        await _adjust(services, "B", 1, "k2")
        held = await services.reserve(BUYER, wanted, "k", {})
    assert not held.replayed
    assert await audit(database) == []


async def test_a_partial_hold_takes_what_is_there_and_says_what_is_missing(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", W1): 2})
    async with instance(database, clock) as services:
        held = await services.reserve(BUYER, hold("A", 5, allow_partial=True), "k", {})
        again = await services.reserve(BUYER, hold("A", 5, allow_partial=True), "k", {})
    assert [line.quantity for line in held.reservation.lines] == [2]
    assert held.shortfalls[0].requested == 5
    assert again.replayed
    assert again.shortfalls == held.shortfalls


async def test_safety_stock_is_not_for_sale(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 3}, safety=2)
    async with instance(database, clock) as services:
        await services.reserve(BUYER, hold("A"), "k1", {})
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A"), "k2", {})


async def test_pickup_holds_at_the_named_store_only(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 10, ("A", S1): 1})
    at_s1 = {"method": FulfilmentMethod.PICKUP, "pickup_location_id": S1.id}
    async with instance(database, clock) as services:
        held = await services.reserve(BUYER, hold("A", **at_s1), "k1", {})
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A", **at_s1), "k2", {})
        with pytest.raises(InvalidInput):
            await services.reserve(BUYER, hold("A", method=FulfilmentMethod.PICKUP), "k3", {})
    assert [line.location_id for line in held.reservation.lines] == [S1.id]


async def test_committing_moves_held_units_to_the_order_once(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5})
    async with instance(database, clock) as services:
        held = await services.reserve(ORDERS, hold("A", 2), "k", {})
        for key in ("c1", "c2"):
            done = await services.commit(ORDERS, held.reservation.id, "ord_1", key, {})
            assert done.reservation.state is ReservationState.COMMITTED
        clock.advance(3600)
        assert await services.sweep() == 0
        with pytest.raises(Forbidden):
            await services.commit(BUYER, held.reservation.id, "ord_1", "c3", {})
    assert await figures(database, "A") == (5, 0, 2, 3)
    assert await audit(database) == []


async def test_committing_after_the_expiry_is_refused_though_nobody_has_swept(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", W1): 5})
    async with instance(database, clock) as services:
        held = await services.reserve(ORDERS, hold("A", ttl_seconds=60), "k", {})
        clock.advance(60)
        with pytest.raises(ReservationExpired):
            await services.commit(ORDERS, held.reservation.id, "ord_1", "c", {})
    assert await figures(database, "A") == (5, 1, 0, 4)


async def test_an_expired_hold_gives_its_units_back_exactly_once(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5})
    async with AsyncExitStack() as stack:
        both = [await stack.enter_async_context(instance(database, clock)) for _ in range(2)]
        for n in range(5):
            await both[0].reserve(BUYER, hold("A", ttl_seconds=60), f"k{n}", {})
        clock.advance(59)
        assert await both[0].sweep() == 0
        clock.advance(1)
        swept = await asyncio.gather(*(services.sweep() for services in both for _ in range(2)))
    assert sum(swept) == 5
    assert await figures(database, "A") == (5, 0, 0, 5)
    assert await audit(database) == []


async def test_a_commit_racing_the_sweeper_wins_or_loses_but_never_both(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 20})
    async with AsyncExitStack() as stack:
        left, right = [await stack.enter_async_context(instance(database, clock)) for _ in range(2)]
        held = [await left.reserve(ORDERS, hold("A", ttl_seconds=10), f"k{n}", {}) for n in range(10)]

        async def commit(n: int) -> bool:
            try:
                await left.commit(ORDERS, held[n].reservation.id, f"ord_{n}", f"c{n}", {})
            except ReservationExpired:
                return False
            return True

        async def pass_time() -> int:
            clock.advance(10)
            return await right.sweep()

        *committed, swept = await asyncio.gather(*(commit(n) for n in range(10)), pass_time())
    assert sum(committed) + swept == 10
    assert await figures(database, "A") == (20, 0, sum(committed), 20 - sum(committed))
    assert await audit(database) == []


async def test_releasing_gives_back_once_and_only_to_whom_it_belongs(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5})
    stranger = Principal("eve", "customer")
    async with instance(database, clock) as services:
        held = await services.reserve(BUYER, hold("A", 2), "k", {})
        with pytest.raises(NotFound):
            await services.release(stranger, held.reservation.id, "r0", {})
        for key in ("r1", "r2"):
            released = await services.release(BUYER, held.reservation.id, key, {})
            assert released.reservation.state is ReservationState.RELEASED
        assert await services.reservation(stranger, held.reservation.id) is None
    assert await figures(database, "A") == (5, 0, 0, 5)
    assert await audit(database) == []


async def test_an_extended_hold_outlives_its_first_time(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5})
    async with instance(database, clock) as services:
        held = await services.reserve(BUYER, hold("A", ttl_seconds=60), "k", {})
        longer = await services.extend(BUYER, held.reservation.id, 300, "e", {})
        assert longer.reservation.expires_at == held.reservation.created_at + timedelta(seconds=300)
        clock.advance(120)
        assert await services.sweep() == 0


async def test_an_agent_may_hold_three_things_at_once(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 50})
    agent = Principal("ada", "agent", agent_id="bot")
    async with instance(database, clock) as services:
        outcomes = await asyncio.gather(
            *(services.reserve(agent, hold("A"), f"k{n}", {}) for n in range(5)), return_exceptions=True
        )
    assert sum(isinstance(outcome, Held) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, HoldLimitExceeded) for outcome in outcomes) == 2


async def test_adjusting_never_takes_what_is_promised(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5})
    async with instance(database, clock) as services:
        await services.reserve(BUYER, hold("A", 4), "k", {})
        with pytest.raises(InsufficientStock):
            await _adjust(services, "A", -2, "a1")
        level = await _adjust(services, "A", -1, "a2")
        assert (level.on_hand, level.free) == (4, 0)
        with pytest.raises(VersionConflict):
            await _adjust(services, "A", 1, "a3", expected_version=1)
        with pytest.raises(Forbidden):
            await _adjust(services, "A", 1, "a4", principal=BUYER)
    assert await audit(database) == []


async def test_an_adjustment_can_open_a_level(database: Database, clock: FixedClock) -> None:
    await furnish(database, {})
    async with instance(database, clock) as services:
        await _adjust(services, "NEW", 7, "a")
    assert await figures(database, "NEW") == (7, 0, 0, 7)
    assert await audit(database) == []


async def test_a_hold_that_nobody_sweeps_is_overdue_after_five_seconds(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 1})
    async with instance(database, clock) as services:
        await services.reserve(BUYER, hold("A", ttl_seconds=60), "k", {})
        clock.advance(65)
        assert (await services.audit(STAFF)).ok
        clock.advance(0.1)
        assert "beyond its time" in (await services.audit(STAFF)).problems[0]
        await services.sweep()
        assert (await services.audit(STAFF)).ok


async def test_the_audit_finds_what_was_tampered_with(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 5, ("B", W1): 5, ("C", W1): 5})
    stock = database.collection(store.STOCK)
    await stock.update_one({"_id": f"A|{W1.id}"}, {"$inc": {"free": 1}})
    await stock.update_one({"_id": f"B|{W1.id}"}, {"$inc": {"rsv": 1, "free": -1}})
    await stock.update_one({"_id": f"C|{W1.id}"}, {"$inc": {"on": 1, "free": 1}})
    problems = "\n".join(await audit(database))
    assert "free is stored as 6" in problems
    assert "1 reserved, but reservations hold 0" in problems
    assert f"C|{W1.id}: movements add up to 5/0/0" in problems


def _shipped() -> dict[str, object]:
    return {"method": FulfilmentMethod.SHIP, "channel": "web-eu", "owner": "checkout"}


async def _adjust(
    services: Inventory,
    sku: str,
    delta: int,
    key: str,
    expected_version: int | None = None,
    principal: Principal = STAFF,
) -> store.StockLevel:
    level, _ = await services.adjust(
        principal,
        location_id=W1.id,
        sku=sku,
        delta=delta,
        reason="counted",
        expected_version=expected_version,
        key=key,
        arguments={"delta": delta},
    )
    return level
