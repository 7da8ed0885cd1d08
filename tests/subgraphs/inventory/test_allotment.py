"""What a channel may sell: safety stock, shares kept for other channels, units kept from one, a store's shipping floor."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.mongo import Database
from subgraphs.inventory.model.allotment import sellable
from subgraphs.inventory.model.availability import AvailabilityQuestion, AvailabilityStatus, Survey
from subgraphs.inventory.model.places import Share
from subgraphs.inventory.model.refusals import InsufficientStock
from subgraphs.inventory.model.sourcing import FulfilmentMethod
from subgraphs.inventory.model.stock import StockLevel
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import Forbidden, IdempotencyConflict, InvalidInput, NotFound
from tests.subgraphs.inventory.stockroom import BUYER, NOON, S1, STAFF, W1, furnish, hold, instance

SHIP, PICKUP = FulfilmentMethod.SHIP, FulfilmentMethod.PICKUP
SHARING = replace(S1, shares=(Share(20, ("pos",)),))
GUARDED = replace(S1, shipping_floor=3)


def level(on_hand: int, **other: int) -> StockLevel:
    return StockLevel(sku="A", location_id=S1.id, on_hand=on_hand, updated_at=NOON, version=1, **other)


async def kept(services: Inventory, units: int, channel: str | None = None, key: str = "k") -> StockLevel:
    arguments = {"units": units, "channel": channel}
    set_, _ = await services.safety.set(
        STAFF, location_id=S1.id, sku="A", units=units, channel=channel, key=key, arguments=arguments
    )
    return set_


def test_a_share_is_kept_for_its_channels_rounded_up() -> None:
    assert sellable(level(10), SHARING, "web-eu") == 8
    assert sellable(level(11), SHARING, "web-eu") == 8, "a fifth of 11 is 3 whole units"
    assert sellable(level(10), SHARING, "pos") == 10
    assert sellable(level(10), SHARING, None) == 8, "a channel nobody named is not the one it is kept for"


def test_units_kept_from_a_channel_take_the_place_of_the_share() -> None:
    told = level(10).keeping(5, "web-eu", NOON).keeping(0, "app", NOON)
    assert [sellable(told, SHARING, channel) for channel in ("web-eu", "app", "web-us", "pos")] == [5, 10, 8, 10]


def test_a_store_ships_down_to_its_floor_and_hands_over_the_rest() -> None:
    assert sellable(level(5), GUARDED, "web-eu", SHIP) == 2
    assert sellable(level(5), GUARDED, "web-eu", PICKUP) == 5
    assert sellable(level(5, safety=2), GUARDED, "web-eu", SHIP) == 2, "safety stock stands on the same shelf"
    assert sellable(level(5), replace(GUARDED, kind=W1.kind), "web-eu", SHIP) == 5, "a warehouse has no shop window"


@given(
    st.integers(-5, 40), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 100), st.integers(0, 9)
)
def test_nothing_kept_back_is_sold_and_nothing_is_sold_twice(
    on_hand: int, reserved: int, allocated: int, safety: int, percent: int, floor: int
) -> None:
    there = level(on_hand, reserved=reserved, allocated=allocated, safety=safety)
    place = replace(S1, shares=(Share(percent, ("pos",)),), shipping_floor=floor)
    units = sellable(there, place, "web-eu", SHIP)
    assert 0 <= units <= there.atp
    if units:
        left = on_hand - reserved - allocated - units
        assert left >= max(safety, floor)
        assert (left - safety) * 100 >= percent * on_hand


def test_a_page_shows_what_its_channel_may_sell() -> None:
    place = replace(SHARING, shipping_floor=5)
    asked = AvailabilityQuestion(channel="web-eu", quantity=4, methods=(SHIP, PICKUP))
    found = Survey({place.id: place}, asked, NOON).answer("A", [level(5)])
    assert (found.units, found.status) == (4, AvailabilityStatus.LOW_STOCK)
    assert [method.available for method in found.by_method] == [False, True]
    at_the_counter = Survey({place.id: place}, replace(asked, channel="pos"), NOON).answer("A", [level(5)])
    assert at_the_counter.units == 5


async def test_a_hold_never_takes_what_is_kept_for_another_channel(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", SHARING): 5}, locations=[SHARING])
    async with instance(database, clock) as services:
        await services.reserve(BUYER, hold("A", 4), "k1", {})
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A"), "k2", {})
        await services.reserve(BUYER, hold("A", channel="pos"), "k3", {})
    assert await audit(database) == []


async def test_a_protected_store_ships_nothing_below_its_floor(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", W1): 1, ("A", GUARDED): 4}, locations=[W1, GUARDED])
    async with instance(database, clock) as services:
        with pytest.raises(InsufficientStock) as refused:
            await services.reserve(BUYER, hold("A", 3), "k1", {})
        assert refused.value.shortfalls[0].available == 2
        await services.reserve(BUYER, hold("A", 2), "k2", {})
        at_the_store = hold("A", 3, method=PICKUP, pickup_location_id=GUARDED.id)
        await services.reserve(BUYER, at_the_store, "k3", {})
    assert await audit(database) == []


async def test_safety_stock_that_is_set_counts_at_once_and_can_exceed_what_is_there(
    database: Database, clock: FixedClock
) -> None:
    await furnish(database, {("A", S1): 3})
    async with instance(database, clock) as services:
        assert (await kept(services, 2)).atp == 1
        await services.reserve(BUYER, hold("A"), "k1", {})
        assert (await kept(services, 9, key="k2")).free == -7
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A"), "k3", {})
        assert (await kept(services, 0, key="k4")).atp == 2
    assert await audit(database) == []


async def test_units_are_kept_from_one_channel_and_not_from_others(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 3})
    async with instance(database, clock) as services:
        await kept(services, 3, "web-eu")
        with pytest.raises(InsufficientStock):
            await services.reserve(BUYER, hold("A"), "k1", {})
        await services.reserve(BUYER, hold("A", 3, channel="app"), "k2", {})
    assert await audit(database) == []


async def test_setting_safety_is_done_once_a_key_by_those_who_may(database: Database, clock: FixedClock) -> None:
    await furnish(database, {("A", S1): 3})
    given = {"location_id": S1.id, "sku": "A", "channel": None, "key": "k"}
    async with instance(database, clock) as services:
        first = await services.safety.set(STAFF, **given, units=1, arguments={"units": 1})
        again = await services.safety.set(STAFF, **given, units=1, arguments={"units": 1})
        assert (first[1], again[1], again[0]) == (False, True, first[0])
        with pytest.raises(IdempotencyConflict):
            await services.safety.set(STAFF, **given, units=2, arguments={"units": 2})
        with pytest.raises(Forbidden):
            await services.safety.set(BUYER, **given, units=1, arguments={})
        with pytest.raises(InvalidInput):
            await services.safety.set(STAFF, **given, units=-1, arguments={})
        with pytest.raises(NotFound):
            await services.safety.set(STAFF, **(given | {"sku": "B", "key": "b"}), units=1, arguments={})
    assert await audit(database) == []
