"""Inventory's decisions, alone: figures, hours, distances, bands, sourcing, the life of a reservation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.inventory.model.availability import (
    PARCEL_MINOR,
    AvailabilityQuestion,
    AvailabilityStatus,
    QuantityBand,
    Survey,
    band,
)
from subgraphs.inventory.model.refusals import HoldLimitExceeded, ReservationExpired
from subgraphs.inventory.model.reservations import (
    HeldLine,
    Reservation,
    ReservationState,
    check_agent_limits,
)
from subgraphs.inventory.model.sourcing import FulfilmentMethod, SourcingPolicy, combined, eligible, plan
from subgraphs.inventory.model.stock import Delta, Inbound, StockLevel, faults
from subgraphs.inventory.store import Register
from subgraphs.kernel.errors import InvalidInput, NotFound
from subgraphs.orders.model.delivery import RATE_CARD
from tests.subgraphs.inventory.stockroom import BERLIN, LOCATIONS, NOON, S1, S2, S3, W1, W2

PLACES = {place.id: place for place in LOCATIONS}


def level(on_hand: int, place_id: str = W1.id, **other: int) -> StockLevel:
    return StockLevel(sku="A", location_id=place_id, on_hand=on_hand, updated_at=NOON, version=1, **other)


HELD = Reservation(
    id="rsv_1",
    state=ReservationState.HELD,
    owner="checkout",
    held_by="customer:ada",
    method=FulfilmentMethod.SHIP,
    lines=(HeldLine("A", W1.id, 1),),
    expires_at=NOON + timedelta(seconds=60),
    created_at=NOON,
)


def test_what_is_free_is_what_nobody_has_a_claim_to() -> None:
    assert level(10, reserved=3, allocated=2, safety=1).free == 4
    assert level(1, reserved=3).atp == 0


def test_a_counter_may_sell_below_zero_and_the_level_stays_flagged_until_it_adds_up_again() -> None:
    sold = level(1, reserved=1).moved(Delta(on_hand=-2), NOON)
    assert sold.negative_flagged
    assert sold.on_hand == -1
    counted = sold.moved(Delta(on_hand=1), NOON)
    assert counted.negative_flagged, "one unit is still promised that is not there"
    assert not counted.moved(Delta(on_hand=1), NOON).negative_flagged


def test_faults_name_levels_that_promise_more_than_they_have() -> None:
    assert faults([level(2, reserved=1, allocated=1)]) == []
    assert "3 reserved" in faults([level(2, reserved=3)])[0]


def test_a_reservation_can_be_committed_until_its_time_and_not_at_it() -> None:
    assert HELD.commit("ord_1", NOON + timedelta(seconds=59)).state is ReservationState.COMMITTED
    with pytest.raises(ReservationExpired):
        HELD.commit("ord_1", HELD.expires_at)


def test_committing_again_for_the_same_order_changes_nothing_and_for_another_is_refused() -> None:
    committed = HELD.commit("ord_1", NOON)
    assert committed.commit("ord_1", NOON + timedelta(days=1)) is committed
    with pytest.raises(InvalidInput):
        committed.commit("ord_2", NOON)


def test_what_was_released_or_committed_never_expires() -> None:
    late = HELD.expires_at + timedelta(days=1)
    for final in (HELD.release(), HELD.commit("ord_1", NOON)):
        assert final.expire(late) is final
    with pytest.raises(NotFound):
        HELD.release().commit("ord_1", NOON)


def test_extending_never_shortens_a_hold() -> None:
    assert HELD.extend(5, NOON).expires_at == HELD.expires_at
    assert HELD.extend(600, NOON).expires_at == NOON + timedelta(seconds=600)
    with pytest.raises(ReservationExpired):
        HELD.extend(60, HELD.expires_at)


def test_an_agent_holds_few_things_and_few_of_each() -> None:
    check_agent_limits(2, {"A": 5})
    with pytest.raises(HoldLimitExceeded):
        check_agent_limits(3, {"A": 1})
    with pytest.raises(HoldLimitExceeded):
        check_agent_limits(0, {"A": 6})


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 3, 4, 7, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 4, 8, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 4, 18, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 4, 19, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 8, 12, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), True),
    ],
)
def test_a_store_is_open_by_the_clock_on_its_wall(at: datetime, is_open: bool) -> None:
    assert S1.open_at(at) is is_open


def test_work_goes_on_in_opening_hours_only() -> None:
    saturday_evening = datetime(2026, 3, 7, 18, 30, tzinfo=UTC)
    assert S1.ready_after(saturday_evening, 60) == datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
    assert S1.ready_after(NOON, 60) == NOON + timedelta(hours=1)
    assert replace(S1, week=(None,) * 7).ready_after(NOON, 60) is None


def test_distance_follows_the_great_circle() -> None:
    assert W1.point.distance_km(W1.point) == 0
    assert 253 < S1.point.distance_km(S3.point) < 257


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (-1, QuantityBand.NONE),
        (0, QuantityBand.NONE),
        (1, QuantityBand.ONE_TO_FIVE),
        (5, QuantityBand.ONE_TO_FIVE),
        (6, QuantityBand.SIX_TO_TWENTY),
        (20, QuantityBand.SIX_TO_TWENTY),
        (21, QuantityBand.PLENTY),
    ],
)
def test_bands_begin_and_end_where_they_say(units: int, expected: QuantityBand) -> None:
    assert band(units) is expected


def test_a_shopper_notices_a_band_and_not_a_unit() -> None:
    question = AvailabilityQuestion()
    before = Survey(PLACES, question, NOON).answer("A", [level(57)])
    after = Survey(PLACES, question, NOON + timedelta(minutes=1)).answer("A", [level(56)])
    few = Survey(PLACES, question, NOON).answer("A", [level(5)])
    assert before.face(exact=False) == after.face(exact=False)
    assert before.face(exact=True) != after.face(exact=True)
    assert before.face(exact=False) != few.face(exact=False)


def test_collecting_needs_everything_in_one_place_and_shipping_does_not() -> None:
    levels = [level(1, S1.id), level(1, S2.id), level(1, W1.id)]
    found = Survey(PLACES, AvailabilityQuestion(quantity=2, near=BERLIN), NOON).answer("A", levels)
    by_method = {item.method: item for item in found.by_method}
    assert not by_method[FulfilmentMethod.PICKUP].available
    assert by_method[FulfilmentMethod.SHIP].available
    assert by_method[FulfilmentMethod.SHIP].earliest is not None


def test_nearby_names_stores_within_reach_nearest_first() -> None:
    levels = [level(3, S1.id), level(0, S2.id), level(9, S3.id), level(50, W1.id)]
    found = Survey(PLACES, AvailabilityQuestion(near=BERLIN, within_km=50), NOON).answer("A", levels)
    assert [(item.location_id, item.status) for item in found.nearby] == [
        (S1.id, AvailabilityStatus.LOW_STOCK),
        (S2.id, AvailabilityStatus.OUT_OF_STOCK),
    ]
    assert found.nearby[0].pickup_ready_by == NOON + timedelta(hours=1)


def test_stock_on_its_way_is_a_back_order_only_if_asked_for() -> None:
    eta = NOON + timedelta(days=3)
    coming = replace(level(0), inbound=(Inbound(10, eta, 50),))
    asked = Survey(PLACES, AvailabilityQuestion(include_inbound=True, quantity=5), NOON).answer("A", [coming])
    not_asked = Survey(PLACES, AvailabilityQuestion(quantity=5), NOON).answer("A", [coming])
    too_many = Survey(PLACES, AvailabilityQuestion(include_inbound=True, quantity=6), NOON).answer("A", [coming])
    assert asked.status is AvailabilityStatus.BACKORDER
    assert not_asked.status is too_many.status is AvailabilityStatus.OUT_OF_STOCK
    assert not_asked.restock_at == eta


def test_lines_of_one_sku_add_up() -> None:
    assert combined([("B", 1), ("A", 2), ("B", 3)]) == {"A": 2, "B": 4}
    with pytest.raises(InvalidInput):
        combined([("A", 0)])
    with pytest.raises(InvalidInput):
        combined([])


def test_one_parcel_beats_two_even_from_a_store() -> None:
    atp = {("A", W1.id): 1, ("B", W2.id): 1, ("A", S1.id): 1, ("B", S1.id): 1}
    made = plan({"A": 1, "B": 1}, eligible(LOCATIONS, FulfilmentMethod.SHIP), atp)
    assert made.feasible
    assert made.location_ids == (S1.id,)


def test_a_warehouse_gives_before_a_store_and_the_nearer_warehouse_first() -> None:
    atp = {("A", spot.id): 5 for spot in LOCATIONS}
    candidates = eligible(LOCATIONS, FulfilmentMethod.SHIP)
    assert plan({"A": 1}, candidates, atp, destination=BERLIN).location_ids == (W1.id,)
    nearest = plan({"A": 1}, candidates, atp, destination=BERLIN, policy=SourcingPolicy.MIN_DISTANCE)
    assert nearest.location_ids == (S1.id,)


def test_a_plan_that_falls_short_says_by_how_much_and_why() -> None:
    made = plan({"A": 5}, eligible(LOCATIONS, FulfilmentMethod.SHIP), {("A", W1.id): 2, ("A", S1.id): 1})
    assert not made.feasible
    assert (made.shortfalls[0].requested, made.shortfalls[0].available) == (5, 3)
    assert sum(item.quantity for item in made.allocations) == 3
    assert any("3 of 5" in line for line in made.explanation)


def test_pickup_is_served_by_the_named_store_alone() -> None:
    assert eligible(LOCATIONS, FulfilmentMethod.PICKUP, pickup_location_id=S2.id) == (S2,)
    assert eligible(LOCATIONS, FulfilmentMethod.PICKUP, pickup_location_id=W1.id) == ()


@given(
    wanted=st.dictionaries(st.sampled_from("ABC"), st.integers(1, 8), min_size=1),
    stock=st.dictionaries(
        st.tuples(st.sampled_from("ABC"), st.sampled_from([spot.id for spot in LOCATIONS])), st.integers(0, 6)
    ),
)
def test_no_plan_takes_more_than_there_is_or_gives_more_than_was_asked(
    wanted: dict[str, int], stock: dict[tuple[str, str], int]
) -> None:
    made = plan(wanted, LOCATIONS, stock)
    for sku, quantity in wanted.items():
        have = sum(units for (owner, _), units in stock.items() if owner == sku)
        given_units = sum(item.quantity for item in made.allocations if item.sku == sku)
        assert given_units == min(quantity, have)
    for item in made.allocations:
        assert 0 < item.quantity <= stock[item.sku, item.location_id]
    assert made.feasible == (not made.shortfalls)


@given(st.permutations(range(1, 9)))
def test_a_registers_batches_may_come_in_any_order(sequences: list[int]) -> None:
    register = Register("R1", S1.id)
    for sequence in sequences:
        register = register.heard(sequence)
    assert (register.sequence, register.ahead) == (8, ())
    assert register.heard(3) == register


def test_delivery_costs_what_orders_will_charge_for_it() -> None:
    assert {currency: standard for currency, (standard, _) in RATE_CARD.items()} == PARCEL_MINOR
