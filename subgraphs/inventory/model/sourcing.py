"""Which locations give what: a plan for the lines of an order, and the reasons for it.

Theory. The fewest parcels first: all subsets of one, two, then three locations that can give everything are tried in
order of preference, so up to three parcels the answer is the best there is; beyond that, locations are taken greedily
by how much of what is left they can give. Preference is the policy's order of locations, ties broken by identity, so
equal inputs give equal plans. Each line is taken whole from the first chosen location that has it, before it is split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import combinations

from subgraphs.inventory.model.places import Capability, Location, LocationKind, Point
from subgraphs.inventory.model.refusals import Shortfall
from subgraphs.kernel.errors import InvalidInput

EXACT_PARCELS_MAX = 3
EXACT_CANDIDATES_MAX = 16
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
    """What a plan tries to keep small or safe, after the number of parcels."""

    MIN_SPLITS = "MIN_SPLITS"
    MIN_DISTANCE = "MIN_DISTANCE"
    PROTECT_STORES = "PROTECT_STORES"


AT_A_COUNTER = frozenset({FulfilmentMethod.PICKUP, FulfilmentMethod.CURBSIDE})


@dataclass(frozen=True, slots=True)
class Allocation:
    """``quantity`` units of a SKU from one location."""

    sku: str
    location_id: str
    quantity: int


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


def plan(
    wanted: Mapping[str, int],
    candidates: Sequence[Location],
    atp: Mapping[tuple[str, str], int],
    *,
    policy: SourcingPolicy = SourcingPolicy.MIN_SPLITS,
    destination: Point | None = None,
    restock_at: Mapping[str, datetime] | None = None,
) -> SourcingPlan:
    """A plan for ``wanted`` (SKU to units) from ``candidates``, given ATP by (SKU, location)."""
    ranked = sorted(candidates, key=lambda place: _preference(place, policy, destination))
    useful = [place for place in ranked if any(atp.get((sku, place.id), 0) > 0 for sku in wanted)]
    shortfalls = tuple(
        Shortfall(sku, quantity, have, (restock_at or {}).get(sku))
        for sku, quantity in wanted.items()
        if (have := sum(atp.get((sku, place.id), 0) for place in useful)) < quantity
    )
    reachable = {
        sku: min(quantity, sum(atp.get((sku, place.id), 0) for place in useful)) for sku, quantity in wanted.items()
    }
    chosen = _fewest(reachable, useful, atp)
    allocations = _take(reachable, chosen, atp)
    return SourcingPlan(allocations, shortfalls, _explain(ranked, chosen, allocations, shortfalls, policy, destination))


def _preference(place: Location, policy: SourcingPolicy, destination: Point | None) -> tuple[float, float, str]:
    distance = place.point.distance_km(destination) if destination is not None else 0.0
    store = place.kind is not LocationKind.WAREHOUSE
    match policy:
        case SourcingPolicy.MIN_DISTANCE:
            return (0.0, distance, place.id)
        case SourcingPolicy.MIN_SPLITS:
            return (float(store), distance, place.id)
        case SourcingPolicy.PROTECT_STORES:
            # A store's shelf is its shop window: dark stores give before stores do.
            rank = {LocationKind.WAREHOUSE: 0.0, LocationKind.VENDOR: 1.0, LocationKind.DARK_STORE: 2.0}
            return (rank.get(place.kind, 3.0), distance, place.id)


def _fewest(
    wanted: Mapping[str, int], ranked: Sequence[Location], atp: Mapping[tuple[str, str], int]
) -> list[Location]:
    needed = {sku: quantity for sku, quantity in wanted.items() if quantity > 0}
    if not needed:
        return []
    for size in range(1, EXACT_PARCELS_MAX + 1):
        for group in combinations(ranked[:EXACT_CANDIDATES_MAX], size):
            if all(sum(atp.get((sku, place.id), 0) for place in group) >= q for sku, q in needed.items()):
                return list(group)
    left, chosen, rest = dict(needed), [], list(ranked)
    while any(left.values()) and rest:
        gives = [sum(min(q, atp.get((sku, place.id), 0)) for sku, q in left.items()) for place in rest]
        best = gives.index(max(gives))
        if not gives[best]:
            break
        place = rest.pop(best)
        chosen.append(place)
        left = {sku: q - min(q, atp.get((sku, place.id), 0)) for sku, q in left.items()}
    return chosen


def _take(
    wanted: Mapping[str, int], chosen: Sequence[Location], atp: Mapping[tuple[str, str], int]
) -> tuple[Allocation, ...]:
    allocations: list[Allocation] = []
    for sku, quantity in wanted.items():
        whole = next((place for place in chosen if atp.get((sku, place.id), 0) >= quantity), None)
        left = quantity
        for place in [whole] if whole is not None else chosen:
            take = min(left, atp.get((sku, place.id), 0))
            if take > 0:
                allocations.append(Allocation(sku, place.id, take))
                left -= take
    return tuple(allocations)


def _explain(
    ranked: Sequence[Location],
    chosen: Sequence[Location],
    allocations: Sequence[Allocation],
    shortfalls: Sequence[Shortfall],
    policy: SourcingPolicy,
    destination: Point | None,
) -> tuple[str, ...]:
    lines = [f"{policy.value}: {len(ranked)} locations may serve this method"]
    if not ranked:
        lines[0] = f"{policy.value}: no location may serve this method"
    for place in chosen:
        gives = ", ".join(f"{item.quantity} x {item.sku}" for item in allocations if item.location_id == place.id)
        away = f", {place.point.distance_km(destination):.0f} km away" if destination is not None else ""
        if gives:
            lines.append(f"{place.code} ({place.kind.value}{away}) gives {gives}")
    for item in shortfalls:
        lines.append(f"{item.sku}: {item.available} of {item.requested} units are free anywhere eligible")
    return tuple(lines)
