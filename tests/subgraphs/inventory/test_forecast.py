"""Forecasts: models by pattern, never worse than naive where they were measured, numbers whatever the series."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subgraphs.inventory.model.demand import DemandPattern, Series, classify
from subgraphs.inventory.model.forecast import (
    CANDIDATES,
    CROSTON,
    HOLT_WINTERS,
    HORIZON_DAYS,
    NAIVE,
    NOTHING_SOLD,
    SEASONAL_AVERAGE,
    TSB,
    Fit,
    Forecast,
    forecast,
)
from subgraphs.inventory.model.forecast_library import fit

WEEK_SHAPE = (4, 5, 6, 7, 9, 11, 2)


def known(*values: float) -> Series:
    return Series(tuple(map(float, values)), (True,) * len(values))


def made(series: Series, spans: Sequence[int] = (3,)) -> Forecast:
    found = forecast(series, spans, fit)
    assert found is not None
    return found


def saying(**units: float) -> Fit:
    """A library whose models each say one number for every day."""

    def fit(model: str, values: Sequence[float], days: int) -> list[float]:
        return [units[model.split()[0].replace("-", "").lower()]] * days

    return fit


def test_a_week_that_repeats_itself_is_forecast_as_it_is_and_nothing_beats_naive() -> None:
    found = made(known(*WEEK_SHAPE * 16))
    assert found.model == NAIVE
    assert found.means == tuple(map(float, WEEK_SHAPE)) * 4
    assert (found.below, found.above, found.spreads[3], found.wape) == (0.0, 0.0, 0.0, 0.0)


def test_noise_around_a_week_is_averaged_out() -> None:
    # Two above to two below its weekday's mean, each as likely: naive is wrong by 1.6 a day, the mean itself by 1.2.
    chance = random.Random(5)
    noisy = [units + chance.randint(-2, 2) for _ in range(26) for units in WEEK_SHAPE]
    found = made(known(*noisy))
    assert found.pattern is DemandPattern.SMOOTH
    assert found.model in (SEASONAL_AVERAGE, HOLT_WINTERS)
    assert found.means[:7] == pytest.approx(WEEK_SHAPE, abs=1.2)
    assert found.wape == pytest.approx(1.2 * 7 / 44, rel=0.2)
    assert found.naive_wape == pytest.approx(1.6 * 7 / 44, rel=0.2)


def test_croston_with_its_correction_on_even_gaps_is_the_size_over_the_gap_less_a_twentieth() -> None:
    # Six units each fifth day: 6 / 5 * (1 - 0.1 / 2) = 1.14 a day, whatever was smoothed.
    assert fit(CROSTON, [0, 0, 0, 0, 6] * 20, 3) == pytest.approx([1.14] * 3)


def test_seasonal_average_is_the_mean_of_the_same_weekday_of_eight_weeks() -> None:
    weeks = [[float(week)] * 7 for week in range(1, 11)]
    # Weeks 3 to 10: their mean is 6.5.
    assert fit(SEASONAL_AVERAGE, [units for week in weeks for units in week], 2) == pytest.approx([6.5, 6.5])


def test_tsb_forgets_a_sku_that_is_no_longer_sold() -> None:
    before = [0.0, 0.0, 3.0] * 20
    assert fit(TSB, before + [0.0] * 60, 1)[0] < 0.2 * fit(TSB, before, 1)[0]


def test_rare_demand_is_judged_by_sums_where_errors_by_the_day_would_say_never() -> None:
    # One unit each tenth day. By the day the forecast "0" is wrong by 0.1 a day, 0.1 is wrong by 0.18.
    series = known(*([0] * 9 + [1]) * 18)
    found = forecast(series, (7,), saying(seasonal=0.0, croston=0.1, tsb=0.3))
    assert found is not None
    assert found.model == CROSTON
    assert found.tally.chosen < found.tally.naive
    assert found.tally.chosen_daily > found.tally.naive_daily
    # Three folds of 28 days, each of which sold 3 or 2: wrong by 0.2 or 0.8 of what was sold.
    assert found.tally.sold in (8.0, 9.0)


def test_a_model_that_is_only_as_good_as_naive_is_not_taken() -> None:
    found = forecast(known(*[4, 5, 6, 5] * 30), (1,), saying(seasonal=5.0, holtwinters=5.0))
    assert found is not None
    assert found.model == NAIVE
    assert found.fell_back


def test_a_model_that_says_no_number_is_passed_over() -> None:
    found = forecast(known(*[4, 5, 6, 5] * 30), (1,), saying(seasonal=3.0, holtwinters=math.nan))
    assert found is not None
    assert found.model == NAIVE


def test_ranges_and_spreads_are_those_of_the_back_test() -> None:
    # Naive says 5 where 4, 5, 6, 5 is sold in turn: a day in four is wrong by 1, one by -1.
    found = forecast(known(*[4, 5, 6, 5] * 30), (1, 2, 4), saying(seasonal=5.0, holtwinters=9.0))
    assert found is not None
    assert (found.below, found.above) == (-1.0, 1.0)
    assert found.spreads[1] == pytest.approx(math.sqrt(0.5), abs=1e-4)
    assert found.spreads[2] == pytest.approx(1.0)
    assert found.spreads[4] == 0.0
    # 20 a cycle of four days is sold, 2 of them missed.
    assert found.wape == pytest.approx(0.1)


def test_unknown_days_are_in_no_error() -> None:
    values = [5.0] * 120
    values[100] = 50.0
    sure = [day != 100 for day in range(120)]
    found = forecast(Series(tuple(values), tuple(sure)), (1,), saying(seasonal=5.0, holtwinters=5.0))
    assert found is not None
    assert found.wape == 0.0
    assert found.tally.sold == 5.0 * 83


def test_what_nobody_buys_is_forecast_as_nothing_without_a_model() -> None:
    found = made(known(*[0] * 60))
    assert found.model == NOTHING_SOLD
    assert set(found.means) == {0.0}
    assert found.spreads == {3: 0.0}


def test_a_short_history_gets_the_naive_forecast_and_too_short_a_one_none() -> None:
    assert forecast(known(*[1] * 13), (3,), fit) is None
    found = made(known(*[1, 2, 3, 4, 5, 6, 7] * 2))
    assert found.model == NAIVE
    assert found.means[:7] == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    assert found.wape is None


def test_beyond_the_horizon_weeks_are_as_the_last() -> None:
    found = made(known(*WEEK_SHAPE * 16))
    assert found.over(3) == 15
    assert found.over(HORIZON_DAYS + 3) == 4 * 44 + 15


def test_the_same_series_gives_the_same_forecast() -> None:
    series = known(*[(day * 7919) % 11 for day in range(150)])
    assert made(series) == made(series)


UNITS = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 1_000_000))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(UNITS, st.booleans()), min_size=14, max_size=130), st.booleans())
def test_whatever_was_sold_the_forecast_is_a_number_and_not_below_zero(
    days: list[tuple[int, bool]], all_known: bool
) -> None:
    series = Series(tuple(float(units) for units, _ in days), tuple(all_known or sure for _, sure in days))
    found = made(series, (1, 3, 14, 28))
    assert len(found.means) == HORIZON_DAYS
    assert all(math.isfinite(units) and units >= 0 for units in found.means)
    assert found.below <= 0 <= found.above
    assert all(math.isfinite(spread) and spread >= 0 for spread in found.spreads.values())
    assert found.tally.chosen <= found.tally.naive, "a chosen model is never worse than naive where it was measured"
    assert found.pattern is classify(series)
    assert found.model in (NAIVE, NOTHING_SOLD, *CANDIDATES.get(found.pattern, ()))
