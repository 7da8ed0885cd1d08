"""What people bought day by day before t0, at every location: the demand that inventory has learnt from. Pure.

The orders of ``history`` are an archive of single orders; demand is what the tills and shop systems of before added up,
so it holds those orders and many more. Demand follows popularity, a taste of each place, the weekday, the season and
reduced prices; two fifths of the variants sell rarely, several at once. Twelve spikes are planted on known days, and
shelves that stand empty at t0 have been so for some days.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from subgraphs.inventory.model.demand import DemandRecord
from subgraphs.inventory.model.stock import Delta, level_id
from subgraphs.seed.history import PastOrder
from subgraphs.seed.streams import Stream
from subgraphs.seed.world import EPOCH, Location, StockTarget, Variant, World

DEMAND_WEEKS = 30
FIRST_DAY = EPOCH.date() - timedelta(weeks=DEMAND_WEEKS)
LAST_DAY = EPOCH.date() - timedelta(days=1)
SPIKES = 12
SPIKE_DAYS, SPIKE_FACTOR = 3, 5.0

_UNITS_A_DAY = 25.0
_OF_KIND = {"WAREHOUSE": 2.0, "STORE": 1.0, "DARK_STORE": 0.7}
_RARELY, _AT_ONCE = 0.4, 4
_REDUCED_DAYS, _REDUCED_FACTOR = 12, 1.6
_SEASON = 0.2
# Monday first. Shops are closed on Sundays.
_WEEK = (0.9, 0.9, 1.0, 1.05, 1.25, 1.4, 0.5)
_DAYS = range(7)
_MONDAYS = tuple(
    FIRST_DAY - timedelta(days=FIRST_DAY.weekday()) + timedelta(weeks=week) for week in range(DEMAND_WEEKS + 1)
)


@dataclass(frozen=True, slots=True)
class Spike:
    """From ``day`` on, for ``SPIKE_DAYS`` days, a variant sells ``SPIKE_FACTOR`` times what it would, everywhere."""

    sku: str
    day: date


def spikes(world: World) -> tuple[Spike, ...]:
    """The planted spikes, the most popular variant first."""
    popular = sorted(world.variants, key=lambda variant: (-variant.popularity, variant.sku))[:SPIKES]
    return tuple(
        Spike(each.sku, EPOCH.date() - timedelta(days=world.stream("spike", each.sku).integer(35, 160)))
        for each in popular
    )


def demand(world: World, past: Iterable[PastOrder]) -> Iterator[DemandRecord]:
    """The demand record of every level, in the order of ``world.stock``."""
    ordered = _ordered(world, past)
    spiked: dict[str, dict[date, float]] = defaultdict(dict)
    for spike in spikes(world):
        spiked[spike.sku] = {spike.day + timedelta(days=day): SPIKE_FACTOR for day in range(SPIKE_DAYS)}
    variants = {variant.sku: variant for variant in world.variants}
    locations = {location.id: location for location in world.locations}
    for target in world.stock:
        draw = world.stream("demand", level_id(target.sku, target.location_id))
        out = _out(target, draw)
        sold = _sold(variants[target.sku], locations[target.location_id], spiked[target.sku], draw)
        for day, units in ordered.get((target.sku, target.location_id), {}).items():
            sold[day] = sold.get(day, 0) + units
        yield DemandRecord(
            sku=target.sku,
            location_id=target.location_id,
            first=FIRST_DAY,
            through=LAST_DAY,
            sold={day: units for day, units in sorted(sold.items()) if day not in out},
            out=out,
            version=1 if target.on_hand > 0 else 0,
            standing=Delta(on_hand=target.on_hand),
        )


def _sold(variant: Variant, location: Location, spiked: dict[date, float], draw: Stream) -> dict[date, int]:
    taste = math.exp(0.4 * draw.gauss())
    a_day = _UNITS_A_DAY * variant.popularity * _OF_KIND[location.kind] * taste
    at_once = _AT_ONCE if draw.chance(_RARELY) else 1
    open_days = 6 if location.sells_at_a_counter else 7
    reduced = variant.price_minor < variant.list_minor
    sold: dict[date, int] = {}
    for day, buys in _buys(a_day / at_once, open_days, reduced, spiked, draw):
        if FIRST_DAY <= day <= LAST_DAY:
            units = buys if at_once == 1 else sum(1 + draw.integer(0, 2 * (at_once - 1)) for _ in range(buys))
            sold[day] = sold.get(day, 0) + units
    return sold


def _buys(
    a_day: float, open_days: int, reduced: bool, spiked: dict[date, float], draw: Stream
) -> Iterator[tuple[date, int]]:
    """Days and how many bought: drawn day by day, or where whole weeks may pass without any, one by one."""
    if a_day < 1.0 and not spiked:
        days, weights = _all_days(open_days, reduced)
        for _ in range(_poisson(a_day * weights[-1], draw)):
            yield draw.weighted(days, weights), 1
        return
    for number, monday in enumerate(_MONDAYS):
        weights = _weights(number, open_days, reduced)
        if spiked:
            weights = _lifted(weights, monday, spiked)
        for weekday, (before, after) in enumerate(pairwise((0.0, *weights))):
            count = _poisson(a_day * (after - before), draw)
            if count:
                yield monday + timedelta(days=weekday), count


@functools.cache
def _all_days(open_days: int, reduced: bool) -> tuple[tuple[date, ...], tuple[float, ...]]:
    """Every day it is open, and how much of all demand falls up to it, in usual days."""
    days, shares = [], []
    for number, monday in enumerate(_MONDAYS):
        for weekday, (before, after) in enumerate(pairwise((0.0, *_weights(number, open_days, reduced)))):
            days.append(monday + timedelta(days=weekday))
            shares.append(after - before)
    return tuple(days), tuple(accumulate(shares))


@functools.cache
def _weights(number: int, open_days: int, reduced: bool) -> tuple[float, ...]:
    """How much of the week's demand falls up to each of its days; the last is the week's size in usual days."""
    monday = _MONDAYS[number]
    season = 1.0 + _SEASON * math.sin(2 * math.pi * monday.timetuple().tm_yday / 365)
    reduced_from = EPOCH.date() - timedelta(days=_REDUCED_DAYS)
    lifts = (
        _REDUCED_FACTOR if reduced and monday + timedelta(days=day) >= reduced_from else 1.0
        for day in _DAYS[:open_days]
    )
    return tuple(accumulate(season * share * lift for share, lift in zip(_WEEK, lifts, strict=False)))


def _lifted(weights: tuple[float, ...], monday: date, spiked: dict[date, float]) -> tuple[float, ...]:
    shares = [after - before for before, after in pairwise((0.0, *weights))]
    return tuple(accumulate(share * spiked.get(monday + timedelta(days=day), 1.0) for day, share in enumerate(shares)))


def _out(target: StockTarget, draw: Stream) -> frozenset[date]:
    days = draw.integer(2, 9) if target.on_hand <= target.safety else 0
    return frozenset(LAST_DAY - timedelta(days=back) for back in range(days))


def _ordered(world: World, past: Iterable[PastOrder]) -> dict[tuple[str, str], dict[date, int]]:
    """Units of past orders by level and day."""
    zones = {location.id: ZoneInfo(location.city.timezone) for location in world.locations}
    found: dict[tuple[str, str], dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for order in past:
        day = order.placed_at.astimezone(zones[order.location_id]).date()
        if FIRST_DAY <= day <= LAST_DAY:
            for line in order.lines:
                found[line.variant.sku, order.location_id][day] += line.quantity
    return found


def _poisson(mean: float, draw: Stream) -> int:
    """By inversion, one draw; beyond 30 a rounded normal, which takes two."""
    if mean > 30:
        return max(0, round(mean + math.sqrt(mean) * draw.gauss()))
    chance, point, events = math.exp(-mean), draw.unit(), 0
    # Beyond a hundred what is left of the chance is rounding.
    while point > chance and events < 100:
        point -= chance
        events += 1
        chance *= mean / events
    return events
