"""Forecasts and reorder points as a client reads them, and how good they are.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

import strawberry

from subgraphs.chassis.graphql import Date, DateTime, Decimal
from subgraphs.inventory.model.demand import DemandPattern
from subgraphs.inventory.model.forecast import DECIMALS
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.store.demand import PatternQuality, StoredForecast

strawberry.enum(
    DemandPattern,
    description="How demand comes: most days or rarely, in even or uneven amounts. Rarely and evenly is INTERMITTENT, "
    "rarely and unevenly LUMPY; DORMANT sells nothing.",
)


@strawberry.type(description="What one day is expected to sell, in units.")
class ForecastPoint:
    date: Date = strawberry.field(description="The day, of the location's own calendar.")
    mean: Decimal = strawberry.field(description="Expected units.")
    p10: Decimal = strawberry.field(description="Nine days in ten sell more; never below zero.")
    p90: Decimal = strawberry.field(description="Nine days in ten sell less.")


@strawberry.type(description="What a SKU is expected to sell, as the last daily run learnt it.")
class DemandForecast:
    sku: str = strawberry.field(description="The SKU.")
    location: LocationType | None = strawberry.field(description="Where; null for all locations together.")
    pattern: DemandPattern = strawberry.field(description="How its demand comes.")
    model: str = strawberry.field(description="The model that did best in the back-test, such as Holt-Winters.")
    wape: Decimal | None = strawberry.field(
        description="Absolute errors of the back-test as a share of what was sold: by the day for smooth and erratic "
        "demand, by sums of 28 days for intermittent and lumpy. Null if there was no back-test, or nothing sold in it."
    )
    naive_wape: Decimal | None = strawberry.field(
        description="The same of the seasonal naive forecast, each day as a week before; never less than `wape`."
    )
    points: list[ForecastPoint] = strawberry.field(description="A day each, from the first that was not over.")
    reorder_point: int = strawberry.field(
        description="Units of stock, on hand and on the way, at which to order again; safety stock included."
    )
    safety_stock: int = strawberry.field(description="Units of it that are there for errors of the forecast.")
    suggested_order_qty: int = strawberry.field(description="Units to order, as stock was at the run; 0 for none.")
    as_of: Date = strawberry.field(description="The last day it has learnt from.")
    trained_at: DateTime = strawberry.field(description="When it was made.")

    @classmethod
    def of(cls, kept: StoredForecast, days: int, places: Mapping[str, Place]) -> Self:
        return cls(
            sku=kept.sku,
            location=LocationType.of(places[kept.location_id]) if kept.location_id is not None else None,
            pattern=kept.pattern,
            model=kept.model,
            wape=exactly(kept.wape) if kept.wape is not None else None,
            naive_wape=exactly(kept.naive_wape) if kept.naive_wape is not None else None,
            points=[
                ForecastPoint(
                    date=kept.begins + timedelta(days=number),
                    mean=exactly(mean),
                    p10=exactly(max(0.0, mean + kept.below)),
                    p90=exactly(mean + kept.above),
                )
                for number, mean in enumerate(kept.means[:days])
            ],
            reorder_point=kept.reorder.point,
            safety_stock=kept.reorder.safety,
            suggested_order_qty=kept.reorder.order,
            as_of=kept.begins - timedelta(days=1),
            trained_at=kept.trained_at,
        )


@strawberry.type(description="How forecasts of one pattern of demand did in the back-test.")
class PatternForecasts:
    pattern: DemandPattern = strawberry.field(description="The pattern.")
    series: int = strawberry.field(description="Forecasts of it, levels and whole SKUs.")
    fell_back: int = strawberry.field(description="Of those, where no model beat the seasonal naive one.")
    wape: Decimal | None = strawberry.field(description="Of all together, measured as each was chosen.")
    naive_wape: Decimal | None = strawberry.field(description="The same of the seasonal naive forecast.")
    daily_wape: Decimal | None = strawberry.field(
        description="Measured by the day, whatever it was chosen by: of rare sales even a good forecast errs by most."
    )
    naive_daily_wape: Decimal | None = strawberry.field(description="The same of the seasonal naive forecast.")

    @classmethod
    def of(cls, row: PatternQuality) -> Self:
        sums = row.tally
        shares = [sums.share(part) for part in (sums.chosen, sums.naive, sums.chosen_daily, sums.naive_daily)]
        chosen, naive, chosen_daily, naive_daily = (exactly(each) if each is not None else None for each in shares)
        return cls(
            pattern=row.pattern,
            series=row.series,
            fell_back=row.fell_back,
            wape=chosen,
            naive_wape=naive,
            daily_wape=chosen_daily,
            naive_daily_wape=naive_daily,
        )


@strawberry.type(description="How good the forecasts of the last daily run were where they could be compared.")
class ForecastQuality:
    as_of: Date = strawberry.field(description="The last day learnt from.")
    trained_at: DateTime = strawberry.field(description="When the run ended.")
    patterns: list[PatternForecasts] = strawberry.field(description="By pattern of demand.")


def exactly(number: float) -> Decimal:
    """A number of units, days or a share as an exact one, without digits that mean nothing."""
    return Decimal(str(round(number, DECIMALS)))
