"""How low stock may get, how much to order, and what to move between locations. Pure; forecasts come in ready made.

Theory of operation. Stock is judged by its *position*: on hand, less what is reserved and allocated, plus what is on its
way. The reorder point is what sells in the lead time plus the safety stock, z times the spread of that sum, where z
is the service level's quantile of a normal distribution. At or below it, the suggested order fills up to what sells in
lead time and cover together, safety stock included.

Moving a unit helps where it meets a buyer who would otherwise have found nothing. With demand in the horizon
distributed by the forecast's mean and spread (Poisson, or negative binomial where the spread is wider than that), the
k-th unit at a location sells with the chance that demand is at least k. One more unit at a destination that has s gains
the chance of demand above s; one less at a source loses the chance of its last unit. A move's *benefit* is the gain of
its units less the loss, in units, times the part of the price that is earned, less what the move costs. For each
SKU the best move is taken, stocks are booked as if it were made, and the next best is looked for, until none is worth
its while: greedy by benefit, ties by identity. A source keeps its safety stock, the one set and the one computed; and
goods cross no border, which would be an export.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from statistics import NormalDist

from subgraphs.inventory.model.forecast import Forecast
from subgraphs.inventory.model.places import Location, LocationKind
from subgraphs.kernel.money import Money

BENEFIT_HORIZON_DAYS = 14
DAYS_OF_COVER_MAX = 999.0
_CHANCE_MIN = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorderPolicy:
    """How a location is filled: days from order to shelf, days an order should last, chance not to run out before."""

    lead_days: int
    cover_days: int
    service_level: float = 0.95

    @property
    def spans(self) -> tuple[int, int]:
        """The sums of days whose spread it asks for."""
        return self.lead_days, self.lead_days + self.cover_days


# Shops are filled from our own warehouses, warehouses by suppliers.
FROM_SUPPLIERS = ReorderPolicy(lead_days=14, cover_days=14)
FROM_OUR_WAREHOUSE = ReorderPolicy(lead_days=3, cover_days=11)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePolicy:
    """What a move costs and must bring. Money in minor units of the currency that benefits are in."""

    earned_percent: int = 40
    """Of the price, what is lost with a sale: the rest would have bought the goods again."""
    parcel_minor: int = 300
    unit_minor: int = 20
    unit_100km_minor: int = 10
    units_min: int = 2
    benefit_minor_min: int = 500

    def cost(self, units: int, km: float) -> int:
        return self.parcel_minor + units * self.unit_minor + round(units * self.unit_100km_minor * km / 100)


@dataclass(frozen=True, slots=True)
class Reorder:
    """The reorder point of a level, of which so many units are safety stock, and what to order now (0: nothing)."""

    point: int
    safety: int
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One SKU at one location, for moves: units on hand that are nobody's, units on their way, units it must keep.

    ``mean`` and ``spread`` are those of demand over ``BENEFIT_HORIZON_DAYS``.
    """

    location: Location
    spare: int
    inbound: int
    keeps: int
    mean: float
    spread: float

    @property
    def position(self) -> int:
        return max(0, self.spare + self.inbound)

    @property
    def may_give(self) -> int:
        return max(0, self.spare - self.keeps)

    @property
    def days_of_cover(self) -> float:
        a_day = self.mean / BENEFIT_HORIZON_DAYS
        return min(DAYS_OF_COVER_MAX, self.position / a_day) if a_day else DAYS_OF_COVER_MAX


class SuggestionState(Enum):
    """Where a suggestion stands."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Units worth moving, and why."""

    sku: str
    source: Shelf
    target: Shelf
    quantity: int
    sold_more: float
    benefit: Money
    cost: Money
    price: Money

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sku, self.source.location.id, self.target.location.id

    @property
    def source_after(self) -> Shelf:
        return replace(self.source, spare=self.source.spare - self.quantity)

    @property
    def target_after(self) -> Shelf:
        return replace(self.target, inbound=self.target.inbound + self.quantity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A move proposed to people. ``sold_more`` in units; days of cover before and after, at both ends."""

    id: str
    state: SuggestionState
    sku: str
    source_id: str
    target_id: str
    quantity: int
    sold_more: float
    benefit: Money
    source_keeps: int
    cover_source: tuple[float, float]
    cover_target: tuple[float, float]
    reason: str
    as_of: datetime
    transfer_id: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sku, self.source_id, self.target_id

    def withdrawn(self) -> Suggestion:
        """The suggestion when it is no longer worth its while."""
        return replace(self, state=SuggestionState.WITHDRAWN)

    def accepted(self, transfer_id: str) -> Suggestion:
        """The suggestion when it has become a transfer."""
        return replace(self, state=SuggestionState.ACCEPTED, transfer_id=transfer_id)


def policy_of(kind: LocationKind | None) -> ReorderPolicy:
    """How a kind of location is filled; None stands for the house as a whole."""
    return FROM_SUPPLIERS if kind in (None, LocationKind.WAREHOUSE, LocationKind.VENDOR) else FROM_OUR_WAREHOUSE


def reorder(forecast: Forecast, position: int, policy: ReorderPolicy) -> Reorder:
    """When to order again, and what to order at this position."""
    z = NormalDist().inv_cdf(policy.service_level)
    lead, both = policy.spans
    safety = math.ceil(z * forecast.spreads[lead])
    point = math.ceil(forecast.over(lead) + z * forecast.spreads[lead])
    target = math.ceil(forecast.over(both) + z * forecast.spreads[both])
    # Nothing is ordered again of what nobody buys.
    due = position <= point and forecast.over(both) > 0
    return Reorder(point, safety, max(0, target - position) if due else 0)


def moves(
    sku: str, shelves: Iterable[Shelf], price: Money, policy: MovePolicy, taken: Iterable[tuple[str, str]] = ()
) -> list[Move]:
    """The moves of one SKU worth making, best first; none between the pairs ``taken`` (source, target)."""
    stands = {shelf.location.id: shelf for shelf in sorted(shelves, key=lambda shelf: shelf.location.id)}
    chances = {identity: _chances(shelf.mean, shelf.spread) for identity, shelf in stands.items()}
    barred, found = set(taken), list[Move]()
    while True:
        best: Move | None = None
        for source in stands.values():
            for target in stands.values():
                if (
                    source is target
                    or source.location.country != target.location.country
                    or (source.location.id, target.location.id) in barred
                ):
                    continue
                move = _best_quantity(sku, source, target, chances, price, policy)
                if move is not None and (best is None or move.benefit.minor > best.benefit.minor):
                    best = move
        if best is None:
            return found
        found.append(best)
        source_id, target_id = best.source.location.id, best.target.location.id
        stands[source_id], stands[target_id] = best.source_after, best.target_after
        # What a location has been given it does not give away again, and the other way round.
        barred |= {(source_id, target_id)}
        barred |= {(target_id, other) for other in stands} | {(other, source_id) for other in stands}


def _best_quantity(
    sku: str, source: Shelf, target: Shelf, chances: Mapping[str, Sequence[float]], price: Money, policy: MovePolicy
) -> Move | None:
    """The number of units between two shelves that brings most; None if none brings enough."""
    gains, losses = chances[target.location.id], chances[source.location.id]
    earned = price.minor * policy.earned_percent / 100
    km = source.location.point.distance_km(target.location.point)
    sold_more, best_units, best_sold, best_benefit = 0.0, 0, 0.0, policy.benefit_minor_min - 1
    for units in range(1, source.may_give + 1):
        step = _at(gains, target.position + units) - _at(losses, source.position - units + 1)
        if step <= 0:
            # Chances only fall as a shelf fills, so no later unit does better.
            break
        sold_more += step
        benefit = math.floor(sold_more * earned) - policy.cost(units, km)
        if units >= policy.units_min and benefit > best_benefit:
            best_units, best_sold, best_benefit = units, sold_more, benefit
    if not best_units:
        return None
    return Move(
        sku=sku,
        source=source,
        target=target,
        quantity=best_units,
        sold_more=round(best_sold, 2),
        benefit=Money(best_benefit, price.currency),
        cost=Money(policy.cost(best_units, km), price.currency),
        price=price,
    )


def _chances(mean: float, spread: float) -> list[float]:
    """P(D >= k) for k = 0, 1, … until it no longer matters."""
    if mean < _CHANCE_MIN:
        # The chance of a single unit is no greater than the mean.
        return [1.0]
    variance = spread * spread
    # Negative binomial by its recurrence p(k+1) = p(k) (k + r) q / (k + 1); with r beyond measure it is Poisson's.
    if variance > mean * 1.001:
        size = mean * mean / (variance - mean)
        q = 1 - mean / variance
        log_first = size * math.log(mean / variance)
    else:
        size, q, log_first = math.inf, 0.0, -mean
    if log_first < -700:
        # The first chance is too small for a float; so much demand is as good as its normal approximation.
        bell = NormalDist(mean, max(math.sqrt(mean), spread))
        most = math.ceil(bell.inv_cdf(1 - _CHANCE_MIN))
        return [1.0, *(1 - bell.cdf(k - 0.5) for k in range(1, most + 1))]
    chance, left, k, found = math.exp(log_first), 1.0, 0, [1.0]
    while left > _CHANCE_MIN:
        left -= chance
        found.append(max(0.0, left))
        chance *= (k + size) * q / (k + 1) if size != math.inf else mean / (k + 1)
        k += 1
    return found


def _at(chances: Sequence[float], k: int) -> float:
    return chances[k] if 0 <= k < len(chances) else 0.0 if k > 0 else 1.0


def told(move: Move, policy: MovePolicy) -> str:
    """The calculation of a move, for people."""
    source, target = move.source, move.target
    return (
        f"{target.location.name} has {target.position} and expects to sell {target.mean:.1f} in"
        f" {BENEFIT_HORIZON_DAYS} days; {source.location.name} has {source.position}, expects {source.mean:.1f} and keeps"
        f" {source.keeps} at least. Moving {move.quantity} sells {move.sold_more:.2f} more at {move.price.amount}"
        f" {move.price.currency}, of which {policy.earned_percent} % is earned, less {move.cost.amount}"
        f" {move.cost.currency} for the move."
    )
