"""From where an order is sent: what each policy keeps small, who comes later and why, and that equal questions have equal
answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.chassis.identity import ANONYMOUS
from subgraphs.chassis.mongo import Database
from subgraphs.inventory.model.availability import promise
from subgraphs.inventory.model.covering import Allocation, cost
from subgraphs.inventory.model.dispatch import Delay, delays
from subgraphs.inventory.model.places import Location, LocationKind, Share
from subgraphs.inventory.model.sourcing import FulfilmentMethod, SourcingPlan, SourcingPolicy, method_from, plan
from subgraphs.inventory.service.audit import audit
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.kernel.clock import FixedClock
from tests.subgraphs.inventory.stockroom import (
    BERLIN,
    BUYER,
    LOCATIONS,
    NOON,
    ORDERS,
    S1,
    S3,
    STAFF,
    W1,
    W2,
    furnish,
    hold,
    instance,
)

SHIP = FulfilmentMethod.SHIP
PLACES = {place.id: place for place in LOCATIONS}
SUNDAY = datetime(2026, 3, 8, 11, 0, tzinfo=UTC)
WANTED = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 6), min_size=1)
STOCK = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.sampled_from([place.id for place in LOCATIONS])), st.integers(0, 6)
)


def gives(made: SourcingPlan) -> list[tuple[str, str, int]]:
    return [(PLACES[each.location_id].code, each.sku, each.quantity) for each in made.allocations]


def planned(
    wanted: Mapping[str, int], stock: Mapping[tuple[str, Location], int], policy: SourcingPolicy
) -> SourcingPlan:
    atp = {(sku, place.id): units for (sku, place), units in stock.items()}
    return plan(wanted, LOCATIONS, atp, policy=policy, destination=BERLIN)


def test_each_policy_keeps_its_own_thing_small() -> None:
    stock = {("A", W2): 2, ("B", W2): 2, ("A", S1): 1, ("A", S3): 9, ("B", S3): 9, ("A", W1): 1}
    wanted = {"A": 2, "B": 1}
    assert gives(planned(wanted, stock, SourcingPolicy.MIN_SPLITS)) == [("W2", "A", 2), ("W2", "B", 1)]
    nearest = gives(planned(wanted, stock, SourcingPolicy.MIN_DISTANCE))
    assert nearest == [("S1", "A", 1), ("W1", "A", 1), ("S3", "B", 1)]
    assert gives(planned(wanted, stock, SourcingPolicy.PROTECT_STORES)) == [("W2", "A", 2), ("W2", "B", 1)]


def test_stores_are_protected_even_where_that_takes_more_parcels() -> None:
    stock = {("A", W1): 1, ("A", W2): 1, ("A", S1): 5}
    assert gives(planned({"A": 3}, stock, SourcingPolicy.MIN_SPLITS)) == [("S1", "A", 3)]
    protected = gives(planned({"A": 3}, stock, SourcingPolicy.PROTECT_STORES))
    assert protected == [("W1", "A", 1), ("W2", "A", 1), ("S1", "A", 1)]


def test_a_far_warehouse_can_cost_less_than_a_near_store_and_two_near_parcels_more_than_one_far() -> None:
    many = {("A", W2): 9, ("A", S1): 9}
    assert gives(planned({"A": 1}, many, SourcingPolicy.MIN_COST)) == [("S1", "A", 1)], "424 km cost more than a pick"
    assert gives(planned({"A": 6}, many, SourcingPolicy.MIN_COST)) == [("W2", "A", 6)], (
        "six picks cost more than 424 km"
    )
    split = {("A", W1): 1, ("A", S1): 1, ("A", W2): 2}
    assert gives(planned({"A": 2}, split, SourcingPolicy.MIN_COST)) == [("W2", "A", 2)]


def test_a_plan_says_what_it_costs_and_what_is_kept_back() -> None:
    made = plan(
        {"A": 2},
        [W1, S1],
        {("A", W1.id): 1},
        policy=SourcingPolicy.MIN_COST,
        destination=W1.point,
        kept={("A", S1.id): 3},
    )
    assert "sending it costs 4.40 in all" in made.explanation
    assert made.explanation[-1] == "S1 (STORE) keeps 3 x A back"


@given(WANTED, STOCK, st.sampled_from(SourcingPolicy), st.permutations(LOCATIONS))
def test_a_plan_depends_on_what_there_is_and_not_on_the_order_it_is_told_in(
    wanted: dict[str, int], stock: dict[tuple[str, str], int], policy: SourcingPolicy, told: list[Location]
) -> None:
    made = plan(wanted, told, stock, policy=policy, destination=BERLIN)
    assert made == plan(wanted, LOCATIONS, stock, policy=policy, destination=BERLIN)
    for sku, quantity in wanted.items():
        have = sum(units for (owner, _), units in stock.items() if owner == sku)
        assert sum(each.quantity for each in made.allocations if each.sku == sku) == min(quantity, have)
    given_units: dict[tuple[str, str], int] = {}
    for each in made.allocations:
        at = (each.sku, each.location_id)
        given_units[at] = given_units.get(at, 0) + each.quantity
    assert all(0 < units <= stock[at] for at, units in given_units.items())


@given(WANTED, STOCK)
def test_no_set_of_three_locations_beats_the_policy_at_what_it_keeps_small(
    wanted: dict[str, int], stock: dict[tuple[str, str], int]
) -> None:
    made = {policy: plan(wanted, LOCATIONS, stock, policy=policy, destination=BERLIN) for policy in SourcingPolicy}
    if not made[SourcingPolicy.MIN_SPLITS].feasible:
        return
    for size in (1, 2, 3):
        for group in combinations(LOCATIONS, size):
            if all(sum(stock.get((sku, place.id), 0) for place in group) >= q for sku, q in wanted.items()):
                assert len(made[SourcingPolicy.MIN_SPLITS].location_ids) <= size
                for order in (group, tuple(reversed(group))):
                    other = filled(wanted, order, stock)
                    assert _cost(made[SourcingPolicy.MIN_COST]) <= cost(other, PLACES, BERLIN)
                    assert _way(made[SourcingPolicy.MIN_DISTANCE].allocations) <= _way(other) + 1e-6
                    assert _of_stores(made[SourcingPolicy.PROTECT_STORES].allocations) <= _of_stores(other)


def filled(
    wanted: Mapping[str, int], places: tuple[Location, ...], stock: Mapping[tuple[str, str], int]
) -> tuple[Allocation, ...]:
    """What is wanted, simply from one place after the other."""
    found = []
    for sku, quantity in wanted.items():
        for place in places:
            units = min(quantity, stock.get((sku, place.id), 0))
            quantity -= units
            if units:
                found.append(Allocation(sku, place.id, units))
    return tuple(found)


def _cost(made: SourcingPlan) -> int:
    return cost(made.allocations, PLACES, BERLIN)


def _way(allocations: tuple[Allocation, ...]) -> float:
    return sum(each.quantity * PLACES[each.location_id].point.distance_km(BERLIN) for each in allocations)


def _of_stores(allocations: tuple[Allocation, ...]) -> int:
    return sum(each.quantity for each in allocations if PLACES[each.location_id].kind is LocationKind.STORE)


def test_who_is_closed_or_full_sends_later_and_says_why() -> None:
    assert delays(LOCATIONS, NOON, ()) == {}
    assert delays(LOCATIONS, NOON, [W1.id]) == {W1.id: Delay(1, "has no more picks today")}
    assert delays([W1, S1], SUNDAY, ()) == {S1.id: Delay(1, "is closed")}
    evening = NOON + timedelta(hours=6)
    assert delays([W1], evening, [W1.id]) == {}, "after the cut-off nobody sends today, full or not"


def test_who_sends_at_once_gives_first_and_who_is_late_is_better_than_nobody() -> None:
    stock = {("A", W1.id): 5, ("A", W2.id): 5}
    full = delays(LOCATIONS, NOON, [W1.id])
    assert plan({"A": 1}, LOCATIONS, stock, destination=BERLIN).location_ids == (W1.id,)
    assert plan({"A": 1}, LOCATIONS, stock, destination=BERLIN, delays=full).location_ids == (W2.id,)
    alone = plan({"A": 1}, LOCATIONS, {("A", W1.id): 5}, delays=full)
    assert alone.location_ids == (W1.id,)
    assert alone.explanation[1].endswith("but has no more picks today and sends 1 day later")


def test_a_parcel_leaves_on_a_day_the_place_works() -> None:
    from_store, from_warehouse = promise(S1, SHIP, BERLIN, SUNDAY), promise(W1, SHIP, BERLIN, SUNDAY)
    assert from_store is not None
    assert from_warehouse is not None
    assert from_store[0] == from_warehouse[0] + timedelta(days=1)
    assert promise(replace(S1, week=(None,) * 7), SHIP, BERLIN, SUNDAY) is None
    today, tomorrow = promise(W1, SHIP, BERLIN, NOON), promise(W1, SHIP, BERLIN, NOON, full=True)
    assert today is not None
    assert tomorrow is not None
    assert tomorrow[0] == today[0] + timedelta(days=1)


def test_what_a_store_sends_is_shipped_from_a_store() -> None:
    assert method_from(S1, SHIP) is FulfilmentMethod.SHIP_FROM_STORE
    assert method_from(W1, SHIP) is SHIP
    assert method_from(S1, FulfilmentMethod.PICKUP) is FulfilmentMethod.PICKUP


async def test_a_location_with_no_picks_left_gives_way_to_one_that_has(database: Database, clock: FixedClock) -> None:
    small = replace(W1, daily_pick_capacity=2)
    await furnish(database, {("A", small): 9, ("A", W2): 9}, locations=[small, W2])
    async with instance(database, clock) as services:
        for n in range(2):
            held = await services.reserve(BUYER, hold("A", destination=BERLIN), f"hold {n}", {})
            assert held.reservation.lines[0].location_id == small.id
            await services.commit(ORDERS, held.reservation.id, f"ord_{n}", f"commit {n}", {})
    async with instance(database, clock) as fresh:
        held = await fresh.reserve(BUYER, hold("A", destination=BERLIN), "third", {})
        assert held.reservation.lines[0].location_id == W2.id
        assert await fresh.dispatch.full() == {small.id}
    clock.advance(24 * 3600)
    async with instance(database, clock) as tomorrow:
        assert await tomorrow.dispatch.full() == frozenset()


async def test_who_loses_the_last_unit_is_sent_one_from_elsewhere(database: Database, clock: FixedClock) -> None:
    """Two processes plan on the same stock; the one that commits second plans again on what is true then."""
    await furnish(database, {("A", W1): 1, ("A", W2): 1, ("A", S1): 1})
    async with instance(database, clock) as left, instance(database, clock) as right:
        holds = await asyncio.gather(
            left.reserve(BUYER, hold("A"), "1", {}),
            right.reserve(BUYER, hold("A"), "2", {}),
            left.reserve(BUYER, hold("A"), "3", {}),
        )
    assert {held.reservation.lines[0].location_id for held in holds} == {W1.id, W2.id, S1.id}
    assert await audit(database) == []


@pytest.mark.parametrize("staff", [True, False])
async def test_what_a_store_keeps_back_is_told_to_those_who_may_see_units(
    database: Database, clock: FixedClock, staff: bool
) -> None:
    keeping = replace(S1, shares=(Share(50, ("pos",)),))
    await furnish(database, {("A", keeping): 4}, locations=[keeping])
    async with instance(database, clock) as services:
        made = await _plan(services, staff)
    assert ("S1 (STORE) keeps 2 x A back" in made.explanation) is staff
    assert made.shortfalls[0].available == 2


async def _plan(services: Inventory, staff: bool) -> SourcingPlan:
    return await services.sourcing_plan(
        STAFF if staff else ANONYMOUS,
        [("A", 3)],
        SHIP,
        channel="web-eu",
        destination=None,
        pickup_location_id=None,
        policy=SourcingPolicy.MIN_SPLITS,
    )
