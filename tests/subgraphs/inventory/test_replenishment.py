"""When to order, how much, and what to move where: numbers worked out by hand, and what never happens."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subgraphs.inventory.model.demand import DemandPattern
from subgraphs.inventory.model.forecast import Forecast
from subgraphs.inventory.model.places import Location, LocationKind
from subgraphs.inventory.model.replenishment import (
    DAYS_OF_COVER_MAX,
    FROM_OUR_WAREHOUSE,
    FROM_SUPPLIERS,
    Move,
    MovePolicy,
    Reorder,
    ReorderPolicy,
    Shelf,
    moves,
    policy_of,
    reorder,
    told,
)
from subgraphs.kernel.money import Money
from tests.subgraphs.inventory.stockroom import S1, S2, S3, W1

TWENTY = Money(2000, "EUR")
FREE_MOVES = MovePolicy(parcel_minor=0, unit_minor=0, unit_100km_minor=0, units_min=1, benefit_minor_min=1)


def selling(a_day: float, spreads: dict[int, float]) -> Forecast:
    return Forecast(pattern=DemandPattern.SMOOTH, model="", means=(a_day,) * 28, spreads=spreads)


def shelf(place: Location, spare: int, mean: float, *, keeps: int = 0, **other: Any) -> Shelf:
    given: dict[str, Any] = {"inbound": 0, "spread": math.sqrt(mean)} | other
    return Shelf(location=place, spare=spare, keeps=keeps, mean=mean, **given)


def only(found: list[Move]) -> Move:
    assert len(found) == 1
    return found[0]


# Ten a day, three days of lead, eleven of cover; z(95 %) = 1.645.
TEN_A_DAY = selling(10, {3: 6.0, 14: 20.0})


def test_the_reorder_point_is_what_sells_in_the_lead_time_and_z_times_its_spread() -> None:
    # 30 + 1.645 * 6 = 39.87; safety stock is 9.87 of it; the order fills up to 140 + 1.645 * 20 = 172.9.
    assert reorder(TEN_A_DAY, 39, FROM_OUR_WAREHOUSE) == Reorder(point=40, safety=10, order=173 - 39)


def test_nothing_is_ordered_above_the_reorder_point() -> None:
    assert reorder(TEN_A_DAY, 41, FROM_OUR_WAREHOUSE).order == 0
    assert reorder(TEN_A_DAY, 40, FROM_OUR_WAREHOUSE).order == 133


def test_a_debt_of_stock_is_ordered_too() -> None:
    assert reorder(TEN_A_DAY, -5, FROM_OUR_WAREHOUSE).order == 178


def test_what_nobody_buys_is_not_ordered_again() -> None:
    assert reorder(selling(0, {3: 0.0, 14: 0.0}), 0, FROM_OUR_WAREHOUSE) == Reorder(0, 0, 0)


def test_a_higher_service_level_and_a_longer_lead_time_raise_the_point() -> None:
    sure = ReorderPolicy(lead_days=3, cover_days=11, service_level=0.99)
    assert reorder(TEN_A_DAY, 99, sure).point > reorder(TEN_A_DAY, 99, FROM_OUR_WAREHOUSE).point
    slow = ReorderPolicy(lead_days=14, cover_days=0)
    assert reorder(TEN_A_DAY, 999, slow).point == 173


def test_shops_are_filled_by_us_and_warehouses_by_suppliers() -> None:
    assert policy_of(LocationKind.STORE) is FROM_OUR_WAREHOUSE
    assert policy_of(LocationKind.WAREHOUSE) is FROM_SUPPLIERS
    assert policy_of(None) is FROM_SUPPLIERS


def test_the_gain_of_a_unit_is_its_chance_to_sell() -> None:
    # Poisson with mean 1: P(D >= 1) = 0.6321, P(D >= 2) = 0.2642. Three lie where nobody comes.
    found = only(moves("A", [shelf(S1, 2, 0), shelf(S2, 0, 1)], TWENTY, FREE_MOVES))
    assert (found.quantity, found.sold_more) == (2, 0.90)
    # 0.8964 units at 20.00, 40 % earned: 7.17.
    assert found.benefit == Money(717, "EUR")


def test_a_unit_that_would_have_sold_here_is_no_gain_there() -> None:
    # Both expect one. The last unit sells with 0.6321 here; a first one there with the same: nothing to gain.
    assert moves("A", [shelf(S1, 1, 1), shelf(S2, 0, 1)], TWENTY, FREE_MOVES) == []
    # The second here sells with 0.2642: its move gains 0.6321 - 0.2642 = 0.3679 units, 2.94 of the price's 40 %.
    found = only(moves("A", [shelf(S1, 2, 1), shelf(S2, 0, 1)], TWENTY, FREE_MOVES))
    assert (found.quantity, found.benefit) == (1, Money(294, "EUR"))


def test_wide_demand_is_negative_binomial() -> None:
    # Mean 2, variance 6: r = 1, so geometric with P(D >= k) = (2/3)^k.
    found = only(moves("A", [shelf(S1, 3, 0), shelf(S2, 0, 2, spread=math.sqrt(6))], TWENTY, FREE_MOVES))
    assert found.quantity == 3
    assert found.sold_more == pytest.approx(2 / 3 + 4 / 9 + 8 / 27, abs=0.005)


def test_demand_too_great_for_a_first_chance_is_still_a_number() -> None:
    found = only(moves("A", [shelf(S1, 900, 0), shelf(S2, 0, 1000)], TWENTY, FREE_MOVES))
    assert found.quantity == 900
    assert found.sold_more == pytest.approx(900, abs=1)


def test_the_source_keeps_its_safety_stock() -> None:
    found = only(moves("A", [shelf(S1, 10, 0, keeps=7), shelf(S2, 0, 30)], TWENTY, FREE_MOVES))
    assert found.quantity == 3
    assert moves("A", [shelf(S1, 7, 0, keeps=7), shelf(S2, 0, 30)], TWENTY, FREE_MOVES) == []


def test_what_is_on_its_way_covers_the_target_and_cannot_be_sent_on() -> None:
    assert moves("A", [shelf(S1, 5, 0), shelf(S2, 0, 1, inbound=9)], TWENTY, FREE_MOVES) == []
    assert moves("A", [shelf(S1, 0, 0, inbound=9), shelf(S2, 0, 5)], TWENTY, FREE_MOVES) == []


def test_a_move_costs_and_must_bring_more() -> None:
    policy = MovePolicy(parcel_minor=300, unit_minor=20, unit_100km_minor=10, units_min=2, benefit_minor_min=500)
    found = only(moves("A", [shelf(S1, 6, 0), shelf(S2, 0, 4)], TWENTY, policy))
    km = S1.point.distance_km(S2.point)
    assert found.cost == Money(300 + found.quantity * 20 + round(found.quantity * 10 * km / 100), "EUR")
    assert found.benefit.minor >= 500
    # A tenth of the price does not pay for the parcel.
    assert moves("A", [shelf(S1, 6, 0), shelf(S2, 0, 4)], Money(200, "EUR"), policy) == []


def test_less_than_the_least_lot_is_not_moved() -> None:
    lots = replace(FREE_MOVES, units_min=3)
    assert moves("A", [shelf(S1, 2, 0), shelf(S2, 0, 9)], TWENTY, lots) == []
    assert only(moves("A", [shelf(S1, 3, 0), shelf(S2, 0, 9)], TWENTY, lots)).quantity == 3


def test_goods_cross_no_border() -> None:
    abroad = replace(S2, country="GB")
    assert moves("A", [shelf(S1, 9, 0), shelf(abroad, 0, 9)], TWENTY, FREE_MOVES) == []


def test_a_pair_that_is_taken_gets_nothing_more() -> None:
    both = [shelf(S1, 9, 0), shelf(S2, 0, 9)]
    assert moves("A", both, TWENTY, FREE_MOVES, [(S1.id, S2.id)]) == []


def test_the_best_move_comes_first_and_the_next_sees_it_made() -> None:
    # One pile of eight; two shelves that expect five and four.
    found = moves("A", [shelf(W1, 8, 0), shelf(S2, 0, 5), shelf(S3, 0, 4)], TWENTY, FREE_MOVES)
    assert found[0].target.location == S2
    assert sum(move.quantity for move in found) == 8
    assert [move.benefit.minor for move in found] == sorted((move.benefit.minor for move in found), reverse=True)


def test_days_of_cover_are_told_before_and_after() -> None:
    found = only(moves("A", [shelf(S1, 14, 2), shelf(S2, 0, 7)], TWENTY, FREE_MOVES))
    assert (found.source.days_of_cover, found.target.days_of_cover) == (98.0, 0.0)
    assert found.source_after.days_of_cover == pytest.approx((14 - found.quantity) * 7)
    assert found.target_after.days_of_cover == pytest.approx(found.quantity * 2)
    assert shelf(S1, 3, 0).days_of_cover == DAYS_OF_COVER_MAX


def test_the_calculation_is_told() -> None:
    found = only(moves("A", [shelf(S1, 2, 0), shelf(S2, 0, 1)], TWENTY, FREE_MOVES))
    assert told(found, FREE_MOVES) == (
        "Galleria S2 has 0 and expects to sell 1.0 in 14 days; Galleria S1 has 2, expects 0.0 and keeps 0 at least."
        " Moving 2 sells 0.90 more at 20.00 EUR, of which 40 % is earned, less 0.00 EUR for the move."
    )


FIVE = (W1, S1, S2, S3, replace(S3, id="loc_5"))
SHELVES = st.tuples(st.integers(-5, 60), st.integers(0, 20), st.integers(0, 10), st.floats(0, 50), st.floats(0, 30))


@given(st.lists(SHELVES, min_size=2, max_size=5), st.randoms())
def test_whatever_stands_where_no_source_gives_what_it_keeps_and_order_does_not_matter(
    given_shelves: list[tuple[int, int, int, float, float]], order: Any
) -> None:
    shelves = [
        shelf(place, spare, mean, keeps=keeps, inbound=inbound, spread=spread)
        for place, (spare, inbound, keeps, mean, spread) in zip(FIVE, given_shelves, strict=False)
    ]
    found = moves("A", shelves, TWENTY, MovePolicy())
    for one in shelves:
        given_away = sum(move.quantity for move in found if move.source.location.id == one.location.id)
        assert given_away <= one.may_give
        assert not given_away or all(move.target.location.id != one.location.id for move in found)
    assert all(move.benefit.minor >= 500 and move.quantity >= 2 for move in found)
    order.shuffle(shelves)
    assert moves("A", shelves, TWENTY, MovePolicy()) == found
