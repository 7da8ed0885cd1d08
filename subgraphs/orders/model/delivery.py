"""Delivery: how goods get to the buyer, what that costs and when, and the fulfilments an order is carried out by.

A *method* is what the buyer chooses (ship, pick up, curbside). A *fulfilment group* is the part of a checkout that
leaves from one location, with the options the buyer may choose for it; a *fulfilment* is the same part of a placed
order, with a state of its own. A *hold* is what inventory keeps aside for the checkout, line by line and location.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from subgraphs.kernel.money import Money
from subgraphs.orders.model.lines import Line

Method = Literal["SHIP", "SHIP_FROM_STORE", "PICKUP", "CURBSIDE", "SAME_DAY", "DIGITAL"]
CHOSEN_METHODS: frozenset[Method] = frozenset({"SHIP", "PICKUP", "CURBSIDE"})
COLLECTED: frozenset[Method] = frozenset({"PICKUP", "CURBSIDE"})

FulfilmentState = Literal[
    "PLANNED",
    "ACCEPTED",
    "PICKING",
    "PACKED",
    "READY_FOR_PICKUP",
    "CUSTOMER_ARRIVED",
    "HANDED_OVER",
    "SHIPPED",
    "DELIVERED",
    "REJECTED",
    "CANCELED",
]


@dataclass(frozen=True, slots=True)
class HeldLine:
    """Units of a SKU kept aside at a location, whose country and kind inventory told."""

    sku: str
    quantity: int
    location_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Inventory's reservation for a checkout; it lapses at ``expires_at`` by inventory's clock."""

    reservation_id: str
    expires_at: datetime
    lines: tuple[HeldLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to ship to; ``country`` is ISO 3166-1 alpha-2, ``region`` the second half of ISO 3166-2."""

    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way and speed of delivery. ``cost`` is this group's part of what the whole delivery costs."""

    id: str
    title: str
    cost: Money
    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that leave together. ``location_id`` is missing while nothing is held."""

    id: str
    method: Method
    location_id: str | None
    line_ids: tuple[str, ...]
    options: tuple[Option, ...]
    selected_option_id: str | None


@dataclass(frozen=True, slots=True)
class _Service:
    id: str
    title: str
    earliest: timedelta
    latest: timedelta


_SERVICES: Mapping[Method, tuple[_Service, ...]] = {
    "SHIP": (
        _Service("ship-standard", "Standard delivery", timedelta(days=2), timedelta(days=4)),
        _Service("ship-express", "Express delivery", timedelta(days=1), timedelta(days=2)),
    ),
    "PICKUP": (_Service("pickup", "Pick up in store", timedelta(hours=2), timedelta(days=7)),),
    "CURBSIDE": (_Service("curbside", "Bring to my car", timedelta(hours=2), timedelta(days=7)),),
}

# What standard and express delivery cost, in minor units. A currency that is not here is not shipped in.
RATE_CARD: Mapping[str, tuple[int, int]] = {
    "EUR": (490, 1290),
    "USD": (590, 1490),
    "GBP": (390, 1090),
    "CHF": (690, 1590),
    "CAD": (790, 1890),
    "AUD": (890, 1990),
    "SEK": (4900, 12900),
    "NOK": (5900, 14900),
    "DKK": (3900, 9900),
    "PLN": (1990, 4990),
    "JPY": (600, 1500),
    "AED": (2000, 4500),
    "KWD": (1500, 3500),
}


def delivery_cost(method: Method, option_id: str | None, currency: str) -> Money | None:
    """What the chosen option costs for the whole order; nothing if it cannot be had."""
    if method in COLLECTED:
        return Money.zero(currency) if option_id == _SERVICES[method][0].id else None
    rates = RATE_CARD.get(currency)
    ids = [service.id for service in _SERVICES["SHIP"]]
    if rates is None or option_id not in ids:
        return None
    return Money(rates[ids.index(option_id)], currency)


def default_option(method: Method, currency: str) -> str | None:
    """The option chosen when the buyer has not: the first, if there is any."""
    offered = (service.id for service in _SERVICES[method])
    return next((option for option in offered if delivery_cost(method, option, currency) is not None), None)


def groups(
    lines: Sequence[Line],
    hold: Hold | None,
    method: Method,
    pickup_location_id: str | None,
    option_id: str | None,
    since: datetime,
) -> tuple[Group, ...]:
    """The lines parted by where they leave from.

    The buyer pays one delivery however many parcels the merchant makes of it: its cost is shared out over the groups
    by units, to the last minor unit. Without a hold all lines are one group.
    """
    if not lines:
        return ()
    currency = lines[0].unit.currency
    parts = _parts(lines, hold, pickup_location_id if method in COLLECTED else None)
    units = [sum(quantities.values()) for quantities in parts.values()]
    offered: list[list[Option]] = [[] for _ in parts]
    for service in _SERVICES[method]:
        cost = delivery_cost(method, service.id, currency)
        if cost is None:
            continue
        for options, share in zip(offered, cost.allocate(units), strict=True):
            options.append(
                Option(
                    id=service.id,
                    title=service.title,
                    cost=share,
                    earliest=since + service.earliest,
                    latest=since + service.latest,
                )
            )
    return tuple(
        Group(
            id=f"group:{location_id or 'unassigned'}",
            method=method,
            location_id=location_id,
            line_ids=tuple(line.id for line in lines if line.sku in quantities),
            options=tuple(options),
            selected_option_id=option_id if any(option.id == option_id for option in options) else None,
        )
        for (location_id, quantities), options in zip(parts.items(), offered, strict=True)
    )


def _parts(
    lines: Sequence[Line], hold: Hold | None, pickup_location_id: str | None
) -> dict[str | None, dict[str, int]]:
    parts: dict[str | None, dict[str, int]] = {}
    if hold is None:
        return {pickup_location_id: {line.sku: line.quantity for line in lines}}
    for held in sorted(hold.lines, key=lambda held: held.location_id):
        quantities = parts.setdefault(held.location_id, {})
        quantities[held.sku] = quantities.get(held.sku, 0) + held.quantity
    return parts


@dataclass(frozen=True, slots=True)
class FulfilmentLine:
    """Units of one order line that are fulfilled here."""

    order_line_id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an order or a fulfilment; ``actor`` is who did it, ``detail`` for people."""

    at: datetime
    type: str
    actor: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """The carrier's name and number for a parcel."""

    carrier: str
    number: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """The part of an order that one location carries out, promised for ``promised_by``."""

    id: str
    method: Method
    state: FulfilmentState
    location_id: str
    lines: tuple[FulfilmentLine, ...]
    promised_by: datetime
    tracking: Tracking | None
    happenings: tuple[Happening, ...]
    reservation_id: str | None = None
    """Its own, when it was planned in another's place; else the order's holds its goods."""
    pickup_code: str | None = None
    """What the buyer shows at the counter, once it waits there."""
    code_tries: int = 0
    """How often a wrong one was shown."""
    rerouting: bool = False
    """Rejected, and stock elsewhere is being asked for."""
    replaced: bool = False
    """Rejected, and what was to be done about it is done."""
