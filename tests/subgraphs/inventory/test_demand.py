"""Series of demand out of the ledger: what counts as wanted, which days count, what is unknown, how it comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from subgraphs.inventory.model.demand import (
    Calendar,
    DemandPattern,
    DemandRecord,
    Series,
    calendar,
    classify,
    rolled,
    series_of,
    total,
)
from subgraphs.inventory.model.stock import Cause, Delta, Movement

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 2)
DAY = timedelta(days=1)


def movement(version: int, at: datetime, cause: Cause, **delta: int) -> Movement:
    return Movement(
        id=f"mov_{version}",
        sku="A",
        location_id="loc_1",
        delta=Delta(**delta),
        cause=cause,
        ref=None,
        version=version,
        at=at,
    )


def on(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def known(*values: float) -> Series:
    return Series(tuple(map(float, values)), (True,) * len(values))


def record(sold: dict[int, int], *, out: tuple[int, ...] = (), days: int = 56, first: int = 0) -> DemandRecord:
    """A record that begins on a Monday; days are counted from it."""
    return DemandRecord(
        sku="A",
        location_id="loc_1",
        first=MONDAY + first * DAY,
        through=MONDAY + (days - 1) * DAY,
        sold={MONDAY + day * DAY: units for day, units in sold.items()},
        out=frozenset(MONDAY + day * DAY for day in out),
    )


def test_sales_are_what_left_over_the_counter_and_what_orders_were_promised() -> None:
    found = rolled(
        None,
        [
            movement(1, on(MONDAY), Cause.OPENING, on_hand=20),
            movement(2, on(MONDAY), Cause.HOLD, reserved=3),
            movement(3, on(MONDAY), Cause.COMMIT, reserved=-3, allocated=3),
            movement(4, on(MONDAY), Cause.POS_SALE, on_hand=-2),
            movement(5, on(MONDAY + DAY), Cause.ADJUST, on_hand=-4),
            movement(6, on(MONDAY + DAY), Cause.HOLD, reserved=1),
            movement(7, on(MONDAY + DAY), Cause.EXPIRE, reserved=-1),
        ],
        safety=0,
        zone=BERLIN,
        today=MONDAY + 3 * DAY,
    )
    assert found is not None
    assert found.sold == {MONDAY: 5}
    assert (found.first, found.through, found.version) == (MONDAY, MONDAY + 2 * DAY, 7)
    assert found.standing == Delta(on_hand=14, allocated=3)


def test_a_day_is_the_locations_own_and_counts_once_it_is_over() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # Tuesday already in Berlin
    news = [movement(1, on(MONDAY), Cause.OPENING, on_hand=9), movement(2, late, Cause.POS_SALE, on_hand=-1)]
    tuesday = rolled(None, news, safety=0, zone=BERLIN, today=MONDAY + DAY)
    assert tuesday is not None
    assert tuesday.sold == {}
    assert tuesday.version == 1
    wednesday = rolled(tuesday, news[1:], safety=0, zone=BERLIN, today=MONDAY + 2 * DAY)
    assert wednesday is not None
    assert wednesday.sold == {MONDAY + DAY: 1}


def test_rolling_in_two_steps_is_rolling_in_one() -> None:
    news = [movement(1, on(MONDAY), Cause.OPENING, on_hand=4)] + [
        movement(version, on(MONDAY + version * DAY), Cause.POS_SALE, on_hand=-1) for version in range(2, 6)
    ]
    end = MONDAY + 9 * DAY
    whole = rolled(None, news, safety=1, zone=BERLIN, today=end)
    for cut in range(1, 9):
        half = rolled(None, news, safety=1, zone=BERLIN, today=MONDAY + cut * DAY)
        assert half is not None
        rest = [each for each in news if each.version > half.version]
        assert rolled(half, rest, safety=1, zone=BERLIN, today=end) == whole


def test_a_day_that_ends_with_nothing_but_safety_stock_is_out() -> None:
    found = rolled(
        None,
        [
            movement(1, on(MONDAY), Cause.OPENING, on_hand=3),
            movement(2, on(MONDAY + DAY), Cause.POS_SALE, on_hand=-1),
            movement(3, on(MONDAY + 4 * DAY), Cause.ADJUST, on_hand=5),
        ],
        safety=2,
        zone=BERLIN,
        today=MONDAY + 6 * DAY,
    )
    assert found is not None
    assert found.out == {MONDAY + DAY, MONDAY + 2 * DAY, MONDAY + 3 * DAY}


def test_a_sold_out_day_is_unknown_and_stands_in_as_its_weekday_usually_sells() -> None:
    # Mondays sell 4, 6, then nothing is left on the third; Tuesdays sell 1.
    sold = {0: 4, 7: 6, 1: 1, 8: 1, 15: 1}
    over = Calendar(tuple(MONDAY + day * DAY for day in range(21)))
    found = series_of(record(sold, out=(14,), days=21), over)
    assert found.values[14] == 5.0
    assert not found.known[14]
    assert found.known.count(False) == 1


def test_what_was_sold_before_the_shelf_was_empty_is_the_least_that_was_wanted() -> None:
    over = Calendar(tuple(MONDAY + day * DAY for day in range(8)))
    found = series_of(record({0: 4, 7: 9}, out=(7,), days=8), over)
    assert found.values[7] == 9.0
    assert not found.known[7]


def test_a_series_begins_with_its_stock() -> None:
    over = Calendar(tuple(MONDAY + day * DAY for day in range(10)))
    assert len(series_of(record({9: 1}, first=6, days=10), over)) == 4


def test_a_house_that_sells_nothing_for_weeks_was_closed_and_weekdays_stay_in_step() -> None:
    # Sales on days 0 to 6; silence for 17 days; then today. Two whole weeks are cut, three days stay and are unknown.
    found = calendar([MONDAY + day * DAY for day in range(7)], through=MONDAY + 23 * DAY)
    assert len(found.days) == 10
    assert found.closed == {MONDAY + day * DAY for day in (7, 8, 9)}
    today = MONDAY + 24 * DAY
    assert (found.days[-1].weekday() + 1) % 7 == today.weekday()


def test_six_silent_days_are_days_without_demand() -> None:
    found = calendar([MONDAY, MONDAY + 7 * DAY], through=MONDAY + 7 * DAY)
    assert len(found.days) == 8
    assert not found.closed


def test_locations_add_up_from_the_end_and_are_unknown_only_together() -> None:
    young = Series((3.0, 1.0), (True, False))
    old = Series((5.0, 5.0, 2.0), (False, True, False))
    assert total([young, old]) == Series((5.0, 8.0, 3.0), (False, True, False))
    assert total([]) == Series((), ())


@pytest.mark.parametrize(
    ("series", "pattern"),
    [
        # Sales 4, 5, 6 every day: ADI 1, mean 5, variance 2/3, CV² 0.027.
        (known(*[4, 5, 6] * 10), DemandPattern.SMOOTH),
        # 1 and 9 every day: ADI 1, mean 5, variance 16, CV² 0.64.
        (known(*[1, 9] * 15), DemandPattern.ERRATIC),
        # 2 on every third day: ADI 3, CV² 0.
        (known(*[2, 0, 0] * 10), DemandPattern.INTERMITTENT),
        # 1 and 9 in turn, every third day: ADI 3, CV² 0.64.
        (known(*[1, 0, 0, 9, 0, 0] * 5), DemandPattern.LUMPY),
        # ADI 4/3 = 1.33 is just rare, 5/4 is not.
        (known(*[1, 1, 1, 0] * 7), DemandPattern.INTERMITTENT),
        (known(*[1, 1, 1, 1, 0] * 6), DemandPattern.SMOOTH),
        (known(*[0] * 28), DemandPattern.DORMANT),
        # Days that nobody knows of make nothing rare.
        (Series((2.0, 2.0, 0.0, 0.0), (True, True, False, False)), DemandPattern.SMOOTH),
    ],
)
def test_patterns_follow_days_between_sales_and_variation_of_their_sizes(
    series: Series, pattern: DemandPattern
) -> None:
    assert classify(series) is pattern
