"""Which locations give what: a plan for the lines of an order, and the reasons for it.

First who may give at all (``eligible``), then a ranking of those by the policy, ties broken by identity, then the choice
(``covering``), then the reasons. A location that is closed or has no more picks today comes after those that can send at
once, but is not refused: a late parcel is better than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from subgraphs.inventory.model.covering import Allocation, cheapest, cost, fewest, nearest
from subgraphs.inventory.model.dispatch import Delay
from subgraphs.inventory.model.places import Capability, Location, LocationKind, Point
from subgraphs.inventory.model.refusals import Shortfall
from subgraphs.kernel.errors import InvalidInput

SAME_DAY_KM = 15.0


class FulfilmentMethod(Enum):
    """How goods reach the buyer."""

    SHIP = "SHIP"
    SHIP_FROM_STORE = "SHIP_FROM_STORE"
    PICKUP = "PICKUP"
    CURBSIDE = "CURBSIDE"
    SAME_DAY = "SAME_DAY"
    DIGITAL = "DIGITAL"


class SourcingPolicy(Enum):
    """What a plan keeps small: parcels, kilometres of each unit, what sending costs the house, or what stores give."""

    MIN_SPLITS = "MIN_SPLITS"
    MIN_DISTANCE = "MIN_DISTANCE"
    MIN_COST = "MIN_COST"
    PROTECT_STORES = "PROTECT_STORES"


# A store's shelf is its shop window: whoever has none gives first.
_RANK: Mapping[LocationKind, int] = {
    LocationKind.WAREHOUSE: 0,
    LocationKind.VENDOR: 1,
    LocationKind.DARK_STORE: 2,
    LocationKind.STORE: 3,
    LocationKind.EVENT: 3,
}
_SHOPS = frozenset({LocationKind.STORE, LocationKind.EVENT})
_NO_DELAYS: Mapping[str, Delay] = {}
_NOTHING_KEPT: Mapping[tuple[str, str], int] = {}

AT_A_COUNTER = frozenset({FulfilmentMethod.PICKUP, FulfilmentMethod.CURBSIDE})


@dataclass(frozen=True, slots=True)
class SourcingPlan:
    """What each location gives, what is missing, and why it is so."""

    allocations: tuple[Allocation, ...]
    shortfalls: tuple[Shortfall, ...]
    explanation: tuple[str, ...]

    @property
    def feasible(self) -> bool:
        return not self.shortfalls

    @property
    def location_ids(self) -> tuple[str, ...]:
        """The locations that give something, each once, in the order they were chosen."""
        return tuple(dict.fromkeys(allocation.location_id for allocation in self.allocations))


def combined(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Quantities by SKU, lines of one SKU added up, in SKU order; quantities below one are refused."""
    wanted: dict[str, int] = {}
    for sku, quantity in lines:
        if quantity < 1:
            raise InvalidInput(f"a quantity is at least 1, not {quantity}", path=("lines", "quantity"))
        wanted[sku] = wanted.get(sku, 0) + quantity
    if not wanted:
        raise InvalidInput("at least one line is needed", path=("lines",))
    return dict(sorted(wanted.items()))


def eligible(
    locations: Iterable[Location],
    method: FulfilmentMethod,
    *,
    channel: str | None = None,
    pickup_location_id: str | None = None,
    destination: Point | None = None,
) -> tuple[Location, ...]:
    """The locations that may serve the method, in identity order; for pickup only the store that was named."""
    serving = sorted((place for place in locations if place.serves(channel)), key=lambda place: place.id)
    match method:
        case FulfilmentMethod.PICKUP | FulfilmentMethod.CURBSIDE:
            wanted = Capability.PICKUP if method is FulfilmentMethod.PICKUP else Capability.CURBSIDE
            return tuple(place for place in serving if place.can(wanted) and pickup_location_id in (None, place.id))
        case FulfilmentMethod.SHIP:
            return tuple(place for place in serving if place.can(Capability.SHIP))
        case FulfilmentMethod.SHIP_FROM_STORE:
            return tuple(place for place in serving if place.can(Capability.SHIP) and place.kind is LocationKind.STORE)
        case FulfilmentMethod.SAME_DAY:
            return tuple(
                place
                for place in serving
                if place.can(Capability.SHIP)
                and place.kind in (LocationKind.STORE, LocationKind.DARK_STORE)
                and destination is not None
                and place.point.distance_km(destination) <= SAME_DAY_KM
            )
        case FulfilmentMethod.DIGITAL:
            return ()


def method_from(place: Location, method: FulfilmentMethod) -> FulfilmentMethod:
    """How goods reach the buyer from this place: what a store sends is shipped from a store."""
    if method is FulfilmentMethod.SHIP and place.kind is LocationKind.STORE:
        return FulfilmentMethod.SHIP_FROM_STORE
    return method


def plan(
    wanted: Mapping[str, int],
    candidates: Sequence[Location],
    atp: Mapping[tuple[str, str], int],
    *,
    policy: SourcingPolicy = SourcingPolicy.MIN_SPLITS,
    destination: Point | None = None,
    restock_at: Mapping[str, datetime] | None = None,
    delays: Mapping[str, Delay] = _NO_DELAYS,
    kept: Mapping[tuple[str, str], int] = _NOTHING_KEPT,
) -> SourcingPlan:
    """A plan for ``wanted`` (SKU to units) from ``candidates``, given ATP by (SKU, location).

    ``kept`` are units that are there and not for this buyer, by (SKU, location): only to be told.
    """
    ranked = sorted(candidates, key=lambda place: _preference(place, policy, destination, delays))
    useful = [place for place in ranked if any(atp.get((sku, place.id), 0) > 0 for sku in wanted)]
    there = {sku: sum(atp.get((sku, place.id), 0) for place in useful) for sku in wanted}
    shortfalls = tuple(
        Shortfall(sku, quantity, there[sku], (restock_at or {}).get(sku))
        for sku, quantity in wanted.items()
        if there[sku] < quantity
    )
    reachable = {sku: units for sku, quantity in wanted.items() if (units := min(quantity, there[sku])) > 0}
    allocations = tuple(_choose(reachable, useful, atp, policy, destination))
    reasons = _Reasons(ranked, allocations, shortfalls, destination, delays, kept)
    return SourcingPlan(allocations, shortfalls, tuple(reasons.told(policy)))


def _choose(
    wanted: Mapping[str, int],
    ranked: Sequence[Location],
    atp: Mapping[tuple[str, str], int],
    policy: SourcingPolicy,
    destination: Point | None,
) -> list[Allocation]:
    match policy:
        case SourcingPolicy.MIN_SPLITS:
            return fewest(wanted, ranked, atp)
        case SourcingPolicy.MIN_DISTANCE:
            return nearest(wanted, ranked, atp)
        case SourcingPolicy.MIN_COST:
            return cheapest(wanted, ranked, atp, destination)
        case SourcingPolicy.PROTECT_STORES:
            # Stores give only what nobody else has, so that half is settled first; each half in the fewest parcels.
            others = [place for place in ranked if place.kind not in _SHOPS]
            elsewhere = {sku: min(q, sum(atp.get((sku, place.id), 0) for place in others)) for sku, q in wanted.items()}
            rest = {sku: left for sku, q in wanted.items() if (left := q - elsewhere[sku])}
            stores = [place for place in ranked if place.kind in _SHOPS]
            return fewest({sku: q for sku, q in elsewhere.items() if q}, others, atp) + fewest(rest, stores, atp)


def _preference(
    place: Location, policy: SourcingPolicy, destination: Point | None, delays: Mapping[str, Delay]
) -> tuple[float, float, float, str]:
    distance = place.point.distance_km(destination) if destination is not None else 0.0
    days = float(delays[place.id].days) if place.id in delays else 0.0
    if policy is SourcingPolicy.MIN_DISTANCE:
        return (distance, days, 0.0, place.id)
    return (days, float(_RANK[place.kind]), distance, place.id)


@dataclass(frozen=True, slots=True)
class _Reasons:
    """What a plan was made of, to be told in sentences."""

    ranked: Sequence[Location]
    allocations: Sequence[Allocation]
    shortfalls: Sequence[Shortfall]
    destination: Point | None
    delays: Mapping[str, Delay]
    kept: Mapping[tuple[str, str], int]

    def told(self, policy: SourcingPolicy) -> Iterator[str]:
        count = len(self.ranked)
        yield f"{policy.value}: {count or 'no'} location{'' if count == 1 else 's'} may serve this method"
        places = {place.id: place for place in self.ranked}
        for identity in dict.fromkeys(each.location_id for each in self.allocations):
            place = places[identity]
            gives = ", ".join(
                f"{each.quantity} x {each.sku}" for each in self.allocations if each.location_id == identity
            )
            yield f"{place.code} ({place.kind.value}{self._away(place)}) gives {gives}{self._late(place)}"
        if policy is SourcingPolicy.MIN_COST and self.allocations:
            yield f"sending it costs {cost(self.allocations, places, self.destination) / 100:.2f} in all"
        for item in self.shortfalls:
            yield f"{item.sku}: {item.available} of {item.requested} units are free anywhere eligible"
        for place in self.ranked:
            keeps = ", ".join(
                f"{units} x {sku}" for (sku, where), units in sorted(self.kept.items()) if where == place.id
            )
            if keeps:
                yield f"{place.code} ({place.kind.value}) keeps {keeps} back"

    def _away(self, place: Location) -> str:
        return f", {place.point.distance_km(self.destination):.0f} km away" if self.destination is not None else ""

    def _late(self, place: Location) -> str:
        delay = self.delays.get(place.id)
        return f", but {delay.reason} and sends {delay.days} day{'' if delay.days == 1 else 's'} later" if delay else ""
