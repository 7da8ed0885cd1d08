"""The one door to the statistics library, statsforecast. What its models are asked is ``forecast``'s business.

The library is large (with what it needs 1.7 s of CPU and 200 MB to import), so it is loaded at the first fit, and only
a process made for forecasting fits: see ``service/forecaster.py``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from subgraphs.inventory.model.demand import WEEK
from subgraphs.inventory.model.forecast import CROSTON, HOLT_WINTERS, NAIVE, SEASONAL_AVERAGE, TSB

WEEKS_AVERAGED = 8
# Sixteen weeks settle a level, a trend and the shape of a week; older ones only cost time.
HOLT_WINTERS_DAYS_MAX = 112
# How fast TSB forgets: the size of a sale, and the chance of one. In the range Teunter and others (2011) found best.
TSB_SIZE, TSB_CHANCE = 0.2, 0.05


def fit(model: str, values: Sequence[float], days: int) -> list[float]:
    """What a model of ``forecast`` says for the ``days`` after ``values``, which are at least a fortnight of them."""
    import numpy

    learnt_from = values[-HOLT_WINTERS_DAYS_MAX:] if model == HOLT_WINTERS else values
    series = numpy.asarray(learnt_from, dtype=float)
    weeks = min(WEEKS_AVERAGED, len(values) // WEEK)
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        said = _models()[model](weeks).forecast(series, h=days)["mean"]
    return [float(units) for units in said]


@functools.cache
def _models() -> dict[str, Callable[[int], Any]]:
    from statsforecast import models

    return {
        NAIVE: lambda _: models.SeasonalNaive(WEEK),
        HOLT_WINTERS: lambda _: models.HoltWinters(WEEK, "A"),
        SEASONAL_AVERAGE: lambda weeks: models.SeasonalWindowAverage(WEEK, weeks),
        CROSTON: lambda _: models.CrostonSBA(),
        TSB: lambda _: models.TSB(TSB_SIZE, TSB_CHANCE),
    }
