"""How much of a level a channel may sell by a method: ATP(channel). What a location keeps for itself is not for others.

Three things are kept back, and only what is above all of them is sold:

- *safety* stock, from everybody (it is in ``free`` already);
- a *share* of what is on hand that a location keeps for some channels (20 % for its own registers, say), or, where the
  level says so for a channel, that number of units instead of the share;
- the *shipping floor* of a store: so many units stay on its shelves whatever is to be shipped. Who collects may have them.
"""

from __future__ import annotations

from subgraphs.inventory.model.places import Location, LocationKind
from subgraphs.inventory.model.sourcing import AT_A_COUNTER, FulfilmentMethod
from subgraphs.inventory.model.stock import StockLevel


def kept_from(level: StockLevel, place: Location, channel: str | None) -> int:
    """Units of the level that the channel may not sell; of several shares the largest counts. A channel nobody named is
    no channel that anything is kept for."""
    if channel is not None and channel in level.kept_from:
        return level.kept_from[channel]
    percent = max((share.percent for share in place.shares if channel not in share.channels), default=0)
    return -(-max(0, level.on_hand) * percent // 100)


def sellable(level: StockLevel, place: Location, channel: str | None, method: FulfilmentMethod | None = None) -> int:
    """Units the channel may sell now by the method, never below zero; by any method that collects, if none is named."""
    units = level.free
    if place.shares or level.kept_from:
        units -= kept_from(level, place, channel)
    if method is not None and method not in AT_A_COUNTER and place.kind is LocationKind.STORE:
        # Safety stock stands on the shelf, too, so it counts towards the floor.
        units = min(units, level.free + level.safety - place.shipping_floor)
    return max(0, units)
