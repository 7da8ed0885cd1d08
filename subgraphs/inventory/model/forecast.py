"""What will be wanted: the model chosen for one series, what it says, and how wrong it has been. No library here.

Theory of operation. The pattern of a series names the models worth trying; the baseline, *seasonal naive* (each day as a
week before), is always tried. Each is back-tested on a rolling origin: the last ``FOLDS`` times ``HORIZON_DAYS`` days are
forecast from what came before them, and compared with what was known to be wanted. A model is chosen only if its errors
are smaller than the baseline's; so a chosen model is never worse than naive where it was measured, though it may well be
on days to come. Then it is fitted once more, to everything.

Errors are absolute, and divided by all that was sold they are the *WAPE*. For smooth and erratic demand they are taken
by the day. Where most days sell nothing, errors by the day reward the forecast that says "never": the middle of such
days is zero. What stock must cover is the sum of many days, so intermittent and lumpy demand is judged by the sums of
whole horizons. The daily measure is tallied beside it, so that reports can show both.

The range around a forecast comes from the back-test, not from a distribution: p10 and p90 are the mean plus the tenths
of the errors made there, and the spread of a sum of L days is the root mean square of the errors of such sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from subgraphs.inventory.model.demand import WEEK, DemandPattern, Series, classify

HORIZON_DAYS = 28
FOLDS = 3
TRAINING_DAYS_MIN = 28
LEARNT_FROM_DAYS_MIN = 14
DECIMALS = 4

NAIVE, HOLT_WINTERS, SEASONAL_AVERAGE = "Seasonal naive", "Holt-Winters", "Seasonal average"
CROSTON, TSB, NOTHING_SOLD = "Croston SBA", "TSB", "Nothing sold"

CANDIDATES: Mapping[DemandPattern, tuple[str, ...]] = {
    DemandPattern.SMOOTH: (HOLT_WINTERS, SEASONAL_AVERAGE),
    DemandPattern.ERRATIC: (SEASONAL_AVERAGE, CROSTON),
    DemandPattern.INTERMITTENT: (CROSTON, TSB),
    DemandPattern.LUMPY: (CROSTON, TSB),
}
JUDGED_BY_DAYS: Mapping[DemandPattern, int] = {
    DemandPattern.SMOOTH: 1,
    DemandPattern.ERRATIC: 1,
    DemandPattern.INTERMITTENT: HORIZON_DAYS,
    DemandPattern.LUMPY: HORIZON_DAYS,
}

# (name of a model, units a day, days ahead) gives the units of each day ahead.
Fit = Callable[[str, Sequence[float], int], Sequence[float]]
# The errors of one fold, actual less forecast, a day each; None where nobody knows what was wanted.
Errors = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of a back-test, in units: what was sold, and absolute errors of the chosen model and of the naive one."""

    sold: float = 0.0
    chosen: float = 0.0
    naive: float = 0.0
    chosen_daily: float = 0.0
    naive_daily: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.sold + other.sold,
            self.chosen + other.chosen,
            self.naive + other.naive,
            self.chosen_daily + other.chosen_daily,
            self.naive_daily + other.naive_daily,
        )

    def share(self, errors: float) -> float | None:
        """Errors as a share of what was sold: the WAPE. None where nothing was."""
        return errors / self.sold if self.sold else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Units a day for ``HORIZON_DAYS`` days. A day's p10 is its mean plus ``below``, its p90 its mean plus ``above``.

    ``spreads`` holds, for sums of so many days, the root mean square of their errors.
    """

    pattern: DemandPattern
    model: str
    means: tuple[float, ...]
    below: float = 0.0
    above: float = 0.0
    spreads: Mapping[int, float] = field(default_factory=dict)
    tally: Tally = Tally()

    @property
    def wape(self) -> float | None:
        return self.tally.share(self.tally.chosen)

    @property
    def naive_wape(self) -> float | None:
        return self.tally.share(self.tally.naive)

    @property
    def fell_back(self) -> bool:
        return self.model == NAIVE

    def over(self, days: int) -> float:
        """Units of the next ``days`` days; beyond the horizon each week is as the last one."""
        last_week = self.means[-WEEK:]
        beyond = max(0, days - len(self.means))
        return sum(self.means[:days]) + sum(last_week[day % WEEK] for day in range(beyond))


def forecast(series: Series, spans: Sequence[int], fit: Fit) -> Forecast | None:
    """The forecast of a series, with the spreads of sums of each of ``spans`` days; None if there is too little of it."""
    if len(series) < LEARNT_FROM_DAYS_MIN:
        return None
    pattern = classify(series)
    if pattern is DemandPattern.DORMANT:
        return Forecast(
            pattern=pattern,
            model=NOTHING_SOLD,
            means=(0.0,) * HORIZON_DAYS,
            spreads=dict.fromkeys(spans, 0.0),
        )
    naive = _trial(series, NAIVE, fit)
    best, errors = NAIVE, naive
    bucket = JUDGED_BY_DAYS[pattern]
    for model in CANDIDATES[pattern] if naive else ():
        tried = _trial(series, model, fit)
        if tried and _absolute(tried, bucket) < _absolute(errors, bucket):
            best, errors = model, tried
    means = _predicted(best, series.values, fit)
    if means is None:
        best, errors, means = NAIVE, naive, _predicted(NAIVE, series.values, fit)
        assert means is not None, "what was sold a week ago is a number"
    made = errors or [_week_on_week(series)]
    known = sorted(error for fold in made for error in fold if error is not None)
    return Forecast(
        pattern=pattern,
        model=best,
        means=tuple(round(units, DECIMALS) for units in means),
        below=round(min(0.0, _quantile(known, 0.1)), DECIMALS),
        above=round(max(0.0, _quantile(known, 0.9)), DECIMALS),
        spreads={days: round(_root_mean_square(_sums(made, days)), DECIMALS) for days in spans},
        tally=Tally(
            _sold(series, len(naive)),
            _absolute(errors, bucket),
            _absolute(naive, bucket),
            _absolute(errors, 1),
            _absolute(naive, 1),
        ),
    )


def _trial(series: Series, model: str, fit: Fit) -> list[Errors]:
    """The errors of a model, a fold each, newest first; none if it is at a loss or the series is too short."""
    folds: list[Errors] = []
    for number in range(1, FOLDS + 1):
        origin = len(series) - number * HORIZON_DAYS
        if origin < TRAINING_DAYS_MIN:
            break
        predicted = _predicted(model, series.values[:origin], fit)
        if predicted is None:
            return []
        days = range(origin, origin + HORIZON_DAYS)
        folds.append(
            [
                series.values[day] - units if series.known[day] else None
                for day, units in zip(days, predicted, strict=True)
            ]
        )
    return folds


def _predicted(model: str, values: Sequence[float], fit: Fit) -> list[float] | None:
    """What a model says, never below zero; None where it says what is no number."""
    said = fit(model, values, HORIZON_DAYS)
    return [max(0.0, units) for units in said] if all(map(math.isfinite, said)) else None


def _sums(folds: Sequence[Errors], days: int) -> list[float]:
    """Errors of sums of ``days`` days, one after the other in each fold; shorter rests and unknown stretches left out."""
    sums = []
    for fold in folds:
        for begin in range(0, len(fold) - days + 1, days):
            block = [error for error in fold[begin : begin + days] if error is not None]
            if block:
                sums.append(math.fsum(block))
    return sums


def _absolute(folds: Sequence[Errors], days: int) -> float:
    return math.fsum(map(abs, _sums(folds, days)))


def _sold(series: Series, folds: int) -> float:
    days = range(len(series) - folds * HORIZON_DAYS, len(series))
    return math.fsum(series.values[day] for day in days if series.known[day])


def _week_on_week(series: Series) -> Errors:
    return [
        series.values[day] - series.values[day - WEEK] if series.known[day] else None
        for day in range(WEEK, len(series))
    ]


def _root_mean_square(errors: Sequence[float]) -> float:
    return math.sqrt(math.fsum(error * error for error in errors) / len(errors)) if errors else 0.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest of the ordered values; 0 of none."""
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
