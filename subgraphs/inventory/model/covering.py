"""Which of the locations that have goods are to give them: the choice, by what it is to keep small.

Theory. Locations come ranked, and every choice is a pure function of that ranking, so equal inputs give equal choices.

- *fewest*: all subsets of one, two, then three locations that can give everything are tried in the order of rank, so up
  to three parcels there is none with fewer. Beyond, locations are taken greedily by how much of what is left they can
  give, which is within a factor of ln(lines) of the fewest (set cover).
- *nearest*: every unit comes from the first in rank that still has one. Units do not compete for anything but stock, so
  this is the least sum of unit-kilometres.
- *cheapest*: a parcel costs something, its way costs more, and a unit costs less to pick in a warehouse than in a shop.
  All subsets of up to three are priced; if none can give everything, the fewest do.

A line is taken whole from one location if one of those chosen has it all, before it is split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from subgraphs.inventory.model.places import Location, LocationKind, Point

EXACT_PARCELS_MAX = 3
EXACT_CANDIDATES_MAX = 16

PARCEL_COST = 400
COST_PER_KM = 1
_PICK_COST: Mapping[LocationKind, int] = {
    LocationKind.WAREHOUSE: 40,
    LocationKind.VENDOR: 60,
    LocationKind.DARK_STORE: 80,
    LocationKind.STORE: 160,
    LocationKind.EVENT: 160,
}
"""What it costs the house, in hundredths of the unit of account: a parcel, each kilometre of its way, each unit's pick."""

Stock = Mapping[tuple[str, str], int]
"""Units that may be taken, by (SKU, location id)."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """``quantity`` units of a SKU from one location."""

    sku: str
    location_id: str
    quantity: int


def fewest(wanted: Mapping[str, int], ranked: Sequence[Location], stock: Stock) -> list[Allocation]:
    """As few locations as can give what is wanted."""
    group = next(_covering(wanted, ranked, stock), None)
    return take(wanted, group if group is not None else _greedily(wanted, ranked, stock), stock)


def nearest(wanted: Mapping[str, int], ranked: Sequence[Location], stock: Stock) -> list[Allocation]:
    """Every unit from the first location in rank that has it, however many parcels that makes."""
    return [each for sku, quantity in wanted.items() for each in _in_order(sku, quantity, ranked, stock)]


def cheapest(
    wanted: Mapping[str, int], ranked: Sequence[Location], stock: Stock, destination: Point | None
) -> list[Allocation]:
    """What costs the house least to send; of equal costs the one with fewer parcels, then the first in rank."""
    best: list[Allocation] | None = None
    least: tuple[int, int] | None = None
    places = {place.id: place for place in ranked}
    for group in _covering(wanted, ranked, stock):
        by_pick = sorted(group, key=lambda place: (_PICK_COST[place.kind], place.id))
        chosen = nearest(wanted, by_pick, stock)
        price = (cost(chosen, places, destination), len(group))
        if least is None or price < least:
            best, least = chosen, price
    return best if best is not None else fewest(wanted, ranked, stock)


def cost(allocations: Sequence[Allocation], places: Mapping[str, Location], destination: Point | None) -> int:
    """What sending it all costs the house, in hundredths of the unit of account."""
    parcels = {each.location_id for each in allocations}
    ways = [places[each].point.distance_km(destination) for each in sorted(parcels)] if destination is not None else []
    picks = sum(each.quantity * _PICK_COST[places[each.location_id].kind] for each in allocations)
    return len(parcels) * PARCEL_COST + round(sum(ways) * COST_PER_KM) + picks


def take(wanted: Mapping[str, int], chosen: Sequence[Location], stock: Stock) -> list[Allocation]:
    """What is wanted, from the chosen locations in their order; a line whole from one of them where one has it all."""
    allocations: list[Allocation] = []
    for sku, quantity in wanted.items():
        whole = [place for place in chosen if stock.get((sku, place.id), 0) >= quantity]
        allocations += _in_order(sku, quantity, whole[:1] or chosen, stock)
    return allocations


def _in_order(sku: str, quantity: int, places: Sequence[Location], stock: Stock) -> list[Allocation]:
    allocations = []
    for place in places:
        units = min(quantity, stock.get((sku, place.id), 0))
        if units > 0:
            allocations.append(Allocation(sku, place.id, units))
            quantity -= units
    return allocations


def _covering(wanted: Mapping[str, int], ranked: Sequence[Location], stock: Stock) -> Iterator[tuple[Location, ...]]:
    for size in range(1, EXACT_PARCELS_MAX + 1):
        for group in combinations(ranked[:EXACT_CANDIDATES_MAX], size):
            if all(sum(stock.get((sku, place.id), 0) for place in group) >= q for sku, q in wanted.items()):
                yield group


def _greedily(wanted: Mapping[str, int], ranked: Sequence[Location], stock: Stock) -> list[Location]:
    left, chosen, rest = dict(wanted), [], list(ranked)
    while any(left.values()) and rest:
        gives = [sum(min(q, stock.get((sku, place.id), 0)) for sku, q in left.items()) for place in rest]
        best = gives.index(max(gives))
        if not gives[best]:
            break
        place = rest.pop(best)
        chosen.append(place)
        left = {sku: q - min(q, stock.get((sku, place.id), 0)) for sku, q in left.items()}
    return chosen
