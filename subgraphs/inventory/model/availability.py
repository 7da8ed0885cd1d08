"""Whether a SKU can be had, how much of it as the public may know, by which method, where nearby and when.

Pure: levels, locations, a question and an instant in; an answer out. Exact figures are for those with the scope, which
the schema decides; everybody else sees bands, and so hears of a change only when a band changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from subgraphs.inventory.model.allotment import sellable
from subgraphs.inventory.model.dispatch import leaves_at
from subgraphs.inventory.model.places import Capability, Location, LocationKind, Point
from subgraphs.inventory.model.sourcing import AT_A_COUNTER, FulfilmentMethod, eligible
from subgraphs.inventory.model.stock import StockLevel
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.money import Money

LOW_STOCK_MAX = 5
NEARBY_MAX = 10
WITHIN_KM_DEFAULT = 50.0
COLLECTED_HOUR, EVENING_HOUR = 18, 20
"""When carriers take parcels away, and when goods of the same day are at the door, local."""
METHODS_DEFAULT = (FulfilmentMethod.SHIP, FulfilmentMethod.PICKUP, FulfilmentMethod.CURBSIDE)

# What sending a parcel costs the buyer, in minor units; collecting is free. A currency not named is not shipped in. These
# are the standard rates that orders charges: a test holds the two together.
PARCEL_MINOR: Mapping[str, int] = {
    "AED": 2000,
    "AUD": 890,
    "CAD": 790,
    "CHF": 690,
    "DKK": 3900,
    "EUR": 490,
    "GBP": 390,
    "JPY": 600,
    "KWD": 1500,
    "NOK": 5900,
    "PLN": 1990,
    "SEK": 4900,
    "USD": 590,
}
_SAME_DAY_FACTOR = 2
# The currency of a country's shoppers; every other country we ship from has the euro.
_CURRENCY_OF: Mapping[str, str] = {"GB": "GBP", "US": "USD"}
# (up to this many km, days on the road); a destination nobody named may be anywhere in the range.
_TRANSIT_DAYS: tuple[tuple[float, int], ...] = ((300.0, 1), (1200.0, 2), (float("inf"), 4))


class AvailabilityStatus(Enum):
    """Whether the wanted quantity can be had."""

    IN_STOCK = "IN_STOCK"
    LOW_STOCK = "LOW_STOCK"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    BACKORDER = "BACKORDER"


class QuantityBand(Enum):
    """How much there is, as the public may know it."""

    NONE = "NONE"
    ONE_TO_FIVE = "ONE_TO_FIVE"
    SIX_TO_TWENTY = "SIX_TO_TWENTY"
    PLENTY = "PLENTY"


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityQuestion:
    """What is asked of every SKU. Equal questions have equal answers, so they can share one computation."""

    channel: str | None = None
    near: Point | None = None
    within_km: float = WITHIN_KM_DEFAULT
    location_ids: tuple[str, ...] | None = None
    methods: tuple[FulfilmentMethod, ...] = METHODS_DEFAULT
    quantity: int = 1
    nearby: bool = True
    """Whether the locations nearby are wanted at all."""
    include_inbound: bool = False
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1:
            raise InvalidInput("quantity is at least 1", path=("input", "quantity"))
        if self.near is not None and not (-90 <= self.near.lat <= 90 and -180 <= self.near.lng <= 180):
            raise InvalidInput("lat is -90 to 90 and lng -180 to 180 degrees", path=("input", "near"))
        if not 0 < self.within_km <= 20_100:
            raise InvalidInput("withinKm is above 0, and at most half way round the Earth", path=("input", "withinKm"))


@dataclass(frozen=True, slots=True)
class MethodAnswer:
    """Whether a method can deliver the quantity, when at the earliest and latest, and for how much."""

    method: FulfilmentMethod
    available: bool
    earliest: datetime | None
    latest: datetime | None
    cost: Money | None


@dataclass(frozen=True, slots=True)
class NearbyAnswer:
    """What one location has, how far away, and when it could be collected there."""

    location_id: str
    distance_km: float | None
    status: AvailabilityStatus
    band: QuantityBand
    pickup_ready_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """The answer for one SKU. ``version`` grows with every movement of the SKU anywhere, so newer answers win."""

    sku: str
    status: AvailabilityStatus
    band: QuantityBand
    units: int
    by_method: tuple[MethodAnswer, ...]
    nearby: tuple[NearbyAnswer, ...]
    restock_at: datetime | None
    as_of: datetime
    version: int

    def face(self, exact: bool) -> object:
        """What a watcher would notice: two answers with equal faces are no news. Times that only pass are no news."""
        return (
            self.status,
            self.band,
            self.units if exact else None,
            tuple((answer.method, answer.available) for answer in self.by_method),
            tuple((answer.location_id, answer.status, answer.band) for answer in self.nearby),
            self.restock_at,
        )


def band(units: int) -> QuantityBand:
    """The band a number of units falls in."""
    if units <= 0:
        return QuantityBand.NONE
    if units <= LOW_STOCK_MAX:
        return QuantityBand.ONE_TO_FIVE
    return QuantityBand.SIX_TO_TWENTY if units <= 20 else QuantityBand.PLENTY


def status(units: int, quantity: int, units_with_inbound: int) -> AvailabilityStatus:
    """What ``units`` there and ``units_with_inbound`` there or coming mean to somebody who wants ``quantity``."""
    if units >= quantity:
        return AvailabilityStatus.LOW_STOCK if units <= LOW_STOCK_MAX else AvailabilityStatus.IN_STOCK
    return AvailabilityStatus.BACKORDER if units_with_inbound >= quantity else AvailabilityStatus.OUT_OF_STOCK


class Survey:
    """What a question means for every SKU alike, at one instant, found once: the locations it is about, how far away they
    are, what each method can promise from them."""

    def __init__(self, locations: Mapping[str, Location], question: AvailabilityQuestion, now: datetime) -> None:
        self.question = question
        self.now = now
        wanted = question.location_ids
        self._considered = [
            place
            for place in locations.values()
            if place.serves(question.channel) and (wanted is None or place.id in wanted)
        ]
        self._shipping_floors = any(place.shipping_floor for place in self._considered)
        near = question.near
        self._distance_km = {
            each.id: each.point.distance_km(near) if near is not None else 0.0 for each in self._considered
        }
        self._places = {method: self._serving(method) for method in question.methods}
        self._promises: dict[tuple[str, FulfilmentMethod], tuple[datetime, datetime] | None] = {}
        self._nearby = self._collected_at() if question.nearby and (near is not None or wanted is not None) else []
        self._ready: dict[str, datetime | None] = {}

    def answer(self, sku: str, levels: Sequence[StockLevel]) -> Availability:
        """The availability of one SKU, given all its levels everywhere."""
        by_location = {level.location_id: level for level in levels}
        there = [by_location[place.id] for place in self._considered if place.id in by_location]
        collected, shipped = self._for_sale(by_location)
        units = sum(collected.values())
        coming = sum(item.counted for level in there for item in level.inbound) if self.question.include_inbound else 0
        arrivals = sorted(
            item.eta for level in there for item in level.inbound if item.counted > 0 and item.eta > self.now
        )
        return Availability(
            sku=sku,
            status=status(units, self.question.quantity, units + coming),
            band=band(units),
            units=units,
            by_method=tuple(
                [
                    self._method(method, collected if method in AT_A_COUNTER else shipped)
                    for method in self.question.methods
                ]
            ),
            nearby=tuple([self._at(place, by_location.get(place.id), collected) for place in self._nearby]),
            restock_at=arrivals[0] if arrivals and units < self.question.quantity else None,
            as_of=self.now,
            version=sum(level.version for level in levels),
        )

    def _for_sale(self, levels: Mapping[str, StockLevel]) -> tuple[dict[str, int], dict[str, int]]:
        """Units by location that the channel may sell over a counter, and by a parcel."""
        channel = self.question.channel
        there = [(place, levels[place.id]) for place in self._considered if place.id in levels]
        collected = {place.id: sellable(level, place, channel) for place, level in there}
        if not self._shipping_floors:
            return collected, collected
        return collected, {place.id: sellable(level, place, channel, FulfilmentMethod.SHIP) for place, level in there}

    def _serving(self, method: FulfilmentMethod) -> list[Location]:
        return [
            place
            for place in eligible(self._considered, method, destination=self.question.near)
            if method not in AT_A_COUNTER or self._within(place)
        ]

    def _within(self, place: Location) -> bool:
        return self._distance_km[place.id] <= self.question.within_km

    def _method(self, method: FulfilmentMethod, atp: Mapping[str, int]) -> MethodAnswer:
        places = self._places[method]
        if method in AT_A_COUNTER:
            # Collected in one place, so one place must have it all.
            giving = [place for place in places if atp.get(place.id, 0) >= self.question.quantity]
        else:
            enough = sum(atp.get(place.id, 0) for place in places) >= self.question.quantity
            giving = [place for place in places if enough and atp.get(place.id, 0) > 0]
        spans = [span for place in giving if (span := self._promise(place, method)) is not None]
        return MethodAnswer(
            method=method,
            available=bool(spans),
            earliest=min((span[0] for span in spans), default=None),
            latest=min((span[1] for span in spans), default=None),
            cost=cost(method, self.question.currency or self._market_currency(giving)),
        )

    def _promise(self, place: Location, method: FulfilmentMethod) -> tuple[datetime, datetime] | None:
        key = (place.id, method)
        if key not in self._promises:
            self._promises[key] = promise(place, method, self.question.near, self.now)
        return self._promises[key]

    def _market_currency(self, giving: Sequence[Location]) -> str | None:
        """The currency of the country that the goods would come from, for who named none: the nearest place decides."""
        nearest = min(giving, key=lambda place: (self._distance_km[place.id], place.id), default=None)
        return _CURRENCY_OF.get(nearest.country, "EUR") if nearest is not None else None

    def _collected_at(self) -> list[Location]:
        serving = [
            place
            for place in self._considered
            if place.kind is not LocationKind.WAREHOUSE and place.can(Capability.PICKUP) and self._within(place)
        ]
        return sorted(serving, key=lambda place: (self._distance_km[place.id], place.id))[:NEARBY_MAX]

    def _at(self, place: Location, level: StockLevel | None, atp: Mapping[str, int]) -> NearbyAnswer:
        question = self.question
        units = atp.get(place.id, 0)
        coming = sum(item.counted for item in level.inbound) if level is not None and question.include_inbound else 0
        return NearbyAnswer(
            location_id=place.id,
            distance_km=round(self._distance_km[place.id], 1) if question.near is not None else None,
            status=status(units, question.quantity, units + coming),
            band=band(units),
            pickup_ready_by=self._ready_at(place) if units >= question.quantity else None,
        )

    def _ready_at(self, place: Location) -> datetime | None:
        if place.id not in self._ready:
            self._ready[place.id] = place.ready_after(self.now, place.pickup_lead_minutes or 0)
        return self._ready[place.id]


def promise(
    place: Location, method: FulfilmentMethod, destination: Point | None, now: datetime, *, full: bool = False
) -> tuple[datetime, datetime] | None:
    """When goods from ``place`` reach the buyer, at the earliest and latest; nothing if it never opens. A place that is
    ``full`` has no more picks today."""
    if method in AT_A_COUNTER:
        ready = place.ready_after(now, place.pickup_lead_minutes or 0)
        return (ready, ready) if ready is not None else None
    if method is FulfilmentMethod.SAME_DAY:
        evening = leaves_at(place, now, EVENING_HOUR, full=full)
        return (evening.astimezone(now.tzinfo), evening.astimezone(now.tzinfo)) if evening is not None else None
    leaves = leaves_at(place, now, COLLECTED_HOUR, full=full)
    if leaves is None:
        return None
    if destination is None:
        fastest, slowest = _TRANSIT_DAYS[0][1], _TRANSIT_DAYS[-1][1]
    else:
        distance = place.point.distance_km(destination)
        fastest = next(days for up_to, days in _TRANSIT_DAYS if distance <= up_to)
        slowest = fastest + 1
    return (
        (leaves + timedelta(days=fastest)).astimezone(now.tzinfo),
        (leaves + timedelta(days=slowest)).astimezone(now.tzinfo),
    )


def cost(method: FulfilmentMethod, currency: str | None) -> Money | None:
    """What the method costs the buyer, where a tariff for the currency exists."""
    if currency is None:
        return None
    if method in AT_A_COUNTER:
        return Money.zero(currency)
    parcel = PARCEL_MINOR.get(currency)
    if parcel is None or method is FulfilmentMethod.DIGITAL:
        return None
    return Money(parcel * (_SAME_DAY_FACTOR if method is FulfilmentMethod.SAME_DAY else 1), currency)
