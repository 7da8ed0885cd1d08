"""Inventory's GraphQL: types, resolvers, reference resolvers through loaders. No decisions, no queries.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Self

import strawberry

from subgraphs.chassis.graphql import (
    CountryCode,
    DateTime,
    Forbidden,
    GeoPoint,
    GeoPointInput,
    IdempotencyConflict,
    IdempotencyKey,
    Info,
    InvalidInput,
    MoneyType,
    NotFound,
    PageInfo,
    RequestInFlight,
    StreamEventKind,
    UserError,
    VersionConflict,
    build_schema,
    register_error,
    require_authenticated,
    to_graphql_error,
)
from subgraphs.inventory.model import refusals
from subgraphs.inventory.model.availability import (
    METHODS_DEFAULT,
    WITHIN_KM_DEFAULT,
    Availability,
    AvailabilityQuestion,
    AvailabilityStatus,
    QuantityBand,
    promise,
)
from subgraphs.inventory.model.places import Capability, LocationKind, Point
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.model.reservations import TTL_SECONDS_DEFAULT, ReservationState
from subgraphs.inventory.model.reservations import Reservation as Holding
from subgraphs.inventory.model.sourcing import FulfilmentMethod, SourcingPolicy
from subgraphs.inventory.model.sourcing import SourcingPlan as Plan
from subgraphs.inventory.model.stock import StockLevel as Level
from subgraphs.inventory.service.inventory import (
    CounterSale,
    Held,
    Hold,
    Inventory,
    may_see_units,
    require,
)
from subgraphs.inventory.service.live import AvailabilityNews, Selector
from subgraphs.kernel.errors import DomainError

strawberry.enum(LocationKind, description="What a location is for. Only STORE and EVENT have a counter.")
strawberry.enum(
    Capability,
    name="LocationCapability",
    description="What a location can do: send parcels, hand over at a counter or at the kerb, take returns.",
)
strawberry.enum(
    FulfilmentMethod,
    description="How goods reach the buyer. PICKUP and CURBSIDE take everything from one named location.",
)
strawberry.enum(
    SourcingPolicy,
    description="What a sourcing plan prefers: fewest parcels and warehouses first, the nearest, or stores last.",
)
strawberry.enum(
    AvailabilityStatus,
    description="Whether the wanted quantity can be had: now, now but few, not, or when stock on its way arrives.",
)
strawberry.enum(QuantityBand, description="How much there is, as the public may know it; PLENTY is above 20 units.")
strawberry.enum(
    ReservationState,
    description="HELD until its expiry; COMMITTED to an order, RELEASED by its owner and EXPIRED are final.",
)


def _services(info: Info) -> Inventory:
    services: Inventory = info.context.services
    return services


def _point(given: GeoPointInput | None) -> Point | None:
    return Point(given.lat, given.lng) if given is not None else None


# Inputs


@strawberry.input(description="What is asked about the availability of SKUs.")
class AvailabilityInput:
    channel: str = strawberry.field(description="Code of the channel that would sell them.")
    near: GeoPointInput | None = strawberry.field(default=None, description="Where the buyer is.")
    within_km: float | None = strawberry.field(
        default=WITHIN_KM_DEFAULT, description="How far the buyer would go to collect, in kilometres."
    )
    location_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Consider these locations only; all that serve the channel by default."
    )
    methods: list[FulfilmentMethod] | None = strawberry.field(
        default=None, description="The methods to answer for; SHIP, PICKUP and CURBSIDE by default."
    )
    quantity: int | None = strawberry.field(default=1, description="Units wanted of each SKU.")
    include_inbound: bool | None = strawberry.field(
        default=False, description="Count stock on its way: what is not there yet but coming is BACKORDER."
    )


@strawberry.input(description="Units wanted of a SKU.")
class SourcingLineInput:
    sku: str = strawberry.field(description="The variant's SKU.")
    quantity: int = strawberry.field(description="Units, at least 1; lines of one SKU add up.")


@strawberry.input(description="What to set aside, for whom, and for how long.")
class ReserveInput:
    owner_ref: str = strawberry.field(description="The caller's own reference, such as a checkout's id.")
    lines: list[SourcingLineInput] = strawberry.field(description="What to hold: all of it, or nothing.")
    method: FulfilmentMethod = strawberry.field(description="How it is to reach the buyer: decides from where.")
    pickup_location_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it is collected; needed for PICKUP and CURBSIDE."
    )
    destination: GeoPointInput | None = strawberry.field(
        default=None, description="Where it is sent: nearer locations go first."
    )
    ttl_seconds: int | None = strawberry.field(
        default=TTL_SECONDS_DEFAULT, description="Seconds until the units are for sale again, 1 to 3600."
    )
    allow_partial: bool | None = strawberry.field(
        default=False, description="Hold what is there, and say what is missing, instead of refusing."
    )
    channel: str = strawberry.field(description="Code of the channel that sells.")


@strawberry.input(description="One receipt of a register.")
class PosSaleInput:
    receipt_no: str = strawberry.field(description="The receipt's number, unique for its register for ever.")
    occurred_at: DateTime = strawberry.field(description="When the sale was made, by the register's clock.")
    lines: list[SourcingLineInput] = strawberry.field(description="What left the shop.")


@strawberry.input(description="Sales of one register, sent together.")
class PosSaleBatchInput:
    location_id: strawberry.ID = strawberry.field(description="Where the register stands.")
    register_id: str = strawberry.field(description="The register.")
    sequence: int = strawberry.field(
        description="The batch's number, counted by the register from 1. Gaps, repeats and late batches are fine."
    )
    sales: list[PosSaleInput] = strawberry.field(description="The sales, at most 500.")


@strawberry.input(description="A correction of what is on hand.")
class StockAdjustInput:
    location_id: strawberry.ID = strawberry.field(description="Where.")
    sku: str = strawberry.field(description="Of which SKU.")
    delta: int = strawberry.field(description="Units more (positive) or less (negative) than the books say.")
    reason: str = strawberry.field(description="Why, for the ledger; 1 to 200 characters.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VersionConflict unless the level is at this version."
    )


# Types


@strawberry.federation.type(name="Location", keys=["id"], description="A place with stock.")
class LocationType:
    place: strawberry.Private[Place]
    id: strawberry.ID = strawberry.field(description="Identity, loc_….")
    code: str = strawberry.field(description="Short name for people, such as S03.")
    name: str = strawberry.field(description="Name to show.")
    kind: LocationKind = strawberry.field(description="What the location is for.")
    geo: GeoPoint = strawberry.field(description="Where it is.")
    timezone: str = strawberry.field(description="IANA time zone its opening hours are in.")
    address: str = strawberry.field(description="Street and town.")
    country: CountryCode = strawberry.field(description="Country it is in.")
    capabilities: list[Capability] = strawberry.field(description="What it can do.")
    pickup_lead_minutes: int | None = strawberry.field(
        description="Opening minutes from an order to goods ready for pickup; null where nothing is handed over."
    )
    daily_pick_capacity: int | None = strawberry.field(description="Orders it can pick a day; null if not limited.")

    @strawberry.field(description="Whether the doors are open at this moment.")
    def open_now(self, info: Info) -> bool:
        return self.place.open_at(_services(info).clock.now())

    @classmethod
    def of(cls, place: Place) -> Self:
        return cls(
            place=place,
            id=strawberry.ID(place.id),
            code=place.code,
            name=place.name,
            kind=place.kind,
            geo=GeoPoint(lat=place.point.lat, lng=place.point.lng),
            timezone=place.timezone,
            address=place.address,
            country=CountryCode(place.country),
            capabilities=list(place.capabilities),
            pickup_lead_minutes=place.pickup_lead_minutes,
            daily_pick_capacity=place.daily_pick_capacity,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        place = await _services(info).location(id)
        return cls.of(place) if place is not None else None


@strawberry.type(description="A location in a list.")
class LocationEdge:
    cursor: str = strawberry.field(description="Where this item stands in the list.")
    distance_km: float | None = strawberry.field(
        description="Kilometres from `near` along the great circle, to one decimal; null without `near`."
    )
    node: LocationType = strawberry.field(description="The location.")


@strawberry.type(description="A page of locations.")
class LocationConnection:
    edges: list[LocationEdge] = strawberry.field(description="The locations of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")


@strawberry.type(description="Whether one method can deliver the wanted quantity.")
class MethodAvailability:
    method: FulfilmentMethod = strawberry.field(description="The method.")
    available: bool = strawberry.field(description="Whether the whole quantity can reach the buyer this way.")
    earliest: DateTime | None = strawberry.field(description="When it can be there, or collected, at the earliest.")
    latest: DateTime | None = strawberry.field(description="When it will be there at the latest.")
    cost: MoneyType | None = strawberry.field(
        description="What the method costs the buyer, in the currency of the request; null if it has no tariff."
    )


@strawberry.type(description="What one location has of a SKU.")
class LocationAvailability:
    location: LocationType = strawberry.field(description="The location.")
    distance_km: float | None = strawberry.field(description="Kilometres from `near`; null without `near`.")
    status: AvailabilityStatus = strawberry.field(description="Whether the wanted quantity can be had there.")
    quantity_band: QuantityBand = strawberry.field(description="How much is there.")
    pickup_ready_by: DateTime | None = strawberry.field(
        description="When it could be collected if ordered now; null if it is not there."
    )


@strawberry.type(description="Whether and how a SKU can be had.")
class VariantAvailability:
    sku: str = strawberry.field(description="The SKU.")
    status: AvailabilityStatus = strawberry.field(description="Whether the wanted quantity can be had at all.")
    quantity_band: QuantityBand = strawberry.field(description="How much there is over all locations considered.")
    available_to_sell: int | None = strawberry.field(
        description="Units over all locations considered; null without the scope inventory:read."
    )
    by_method: list[MethodAvailability] = strawberry.field(description="The answer for each method asked about.")
    nearby: list[LocationAvailability] = strawberry.field(
        description="Up to 10 locations where it can be collected, nearest first; empty without near or locationIds."
    )
    restock_at: DateTime | None = strawberry.field(
        description="When more is expected, if the quantity is not there; null if nobody knows."
    )
    as_of: DateTime = strawberry.field(description="When the answer was computed.")
    version: str = strawberry.field(
        description="A whole number that grows with every movement of the SKU: of two answers, keep the higher."
    )

    @strawberry.field(description="The variant.")
    def variant(self) -> "ProductVariant | None":
        return ProductVariant(sku=self.sku)

    @classmethod
    def of(cls, found: Availability, places: Mapping[str, Place], exact: bool) -> Self:
        return cls(
            sku=found.sku,
            status=found.status,
            quantity_band=found.band,
            available_to_sell=found.units if exact else None,
            by_method=[
                MethodAvailability(
                    method=item.method,
                    available=item.available,
                    earliest=item.earliest,
                    latest=item.latest,
                    cost=MoneyType.of(item.cost) if item.cost is not None else None,
                )
                for item in found.by_method
            ],
            nearby=[
                LocationAvailability(
                    location=LocationType.of(places[item.location_id]),
                    distance_km=item.distance_km,
                    status=item.status,
                    quantity_band=item.band,
                    pickup_ready_by=item.pickup_ready_by,
                )
                for item in found.nearby
                if item.location_id in places
            ],
            restock_at=found.restock_at,
            as_of=found.as_of,
            version=str(found.version),
        )


@strawberry.type(name="StockLevel", description="The exact figures of one SKU at one location, in units.")
class StockLevelType:
    id: strawberry.ID = strawberry.field(description="Identity: SKU|location.")
    sku: str = strawberry.field(description="The SKU.")
    location: LocationType = strawberry.field(description="The location.")
    on_hand: int = strawberry.field(
        description="Physically there; below zero only after a counter sold what the books did not know of."
    )
    reserved: int = strawberry.field(description="Of those, held until a time.")
    allocated: int = strawberry.field(description="Of those, promised to orders and not yet gone.")
    safety: int = strawberry.field(description="Of those, kept back from sale.")
    inbound: int = strawberry.field(description="On their way here.")
    atp: int = strawberry.field(description="Available to promise: on hand less the three above, never below zero.")
    version: int = strawberry.field(description="Counts the movements of this level.")
    updated_at: DateTime = strawberry.field(description="When it last moved.")

    @strawberry.field(description="The variant.")
    def variant(self) -> "ProductVariant | None":
        return ProductVariant(sku=self.sku)

    @classmethod
    def of(cls, level: Level, places: Mapping[str, Place]) -> Self:
        return cls(
            id=strawberry.ID(level.id),
            sku=level.sku,
            location=LocationType.of(places[level.location_id]),
            on_hand=level.on_hand,
            reserved=level.reserved,
            allocated=level.allocated,
            safety=level.safety,
            inbound=level.inbound_units,
            atp=level.atp,
            version=level.version,
            updated_at=level.updated_at,
        )


@strawberry.type(description="A stock level in a list.")
class StockLevelEdge:
    cursor: str = strawberry.field(description="Where this item stands in the list.")
    node: StockLevelType = strawberry.field(description="The level.")


@strawberry.type(description="A page of stock levels, in the order of SKU.")
class StockLevelConnection:
    edges: list[StockLevelEdge] = strawberry.field(description="The levels of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="Levels in the whole list.")


@strawberry.type(description="Units held at one location.")
class ReservationLine:
    sku: str = strawberry.field(description="The SKU.")
    quantity: int = strawberry.field(description="Units held.")
    location: LocationType = strawberry.field(description="Where they are held.")

    @strawberry.field(description="The variant.")
    def variant(self) -> "ProductVariant | None":
        return ProductVariant(sku=self.sku)


@strawberry.federation.type(
    name="Reservation", keys=["id"], description="Units set aside for an owner until a time: nobody else can buy them."
)
class ReservationType:
    id: strawberry.ID = strawberry.field(description="Identity, rsv_….")
    state: ReservationState = strawberry.field(description="Where it stands.")
    owner: str = strawberry.field(description="The reference its maker gave, such as a checkout's id.")
    lines: list[ReservationLine] = strawberry.field(description="What is held and where.")
    expires_at: DateTime = strawberry.field(
        description="When a HELD reservation ends; decided by inventory's clock alone."
    )
    created_at: DateTime = strawberry.field(description="When it was made.")

    @classmethod
    def of(cls, held: Holding, places: Mapping[str, Place]) -> Self:
        return cls(
            id=strawberry.ID(held.id),
            state=held.state,
            owner=held.owner,
            lines=[
                ReservationLine(
                    sku=line.sku, quantity=line.quantity, location=LocationType.of(places[line.location_id])
                )
                for line in held.lines
            ],
            expires_at=held.expires_at,
            created_at=held.created_at,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        services = _services(info)
        held = await info.context.loaders.get("reservations", services.reservations).load(str(id))
        return cls.of(held, await services.places.all()) if held is not None else None


@strawberry.type(description="What is missing of a SKU.")
class Shortfall:
    sku: str = strawberry.field(description="The SKU.")
    requested: int = strawberry.field(description="Units asked for.")
    available: int = strawberry.field(description="Units that could have been had.")
    restock_at: DateTime | None = strawberry.field(description="When more is expected, if known.")

    @classmethod
    def of(cls, missing: refusals.Shortfall) -> Self:
        return cls(
            sku=missing.sku,
            requested=missing.requested,
            available=missing.available,
            restock_at=missing.restock_at,
        )


@strawberry.type(description="What one location gives of a SKU.")
class SourcingAllocation:
    location: LocationType = strawberry.field(description="The location.")
    sku: str = strawberry.field(description="The SKU.")
    quantity: int = strawberry.field(description="Units it gives.")
    method: FulfilmentMethod = strawberry.field(description="How they reach the buyer.")
    distance_km: float | None = strawberry.field(description="Kilometres to the destination, if it is known.")
    promise_by: DateTime | None = strawberry.field(
        description="When they are there at the latest; null if the location will not open in the next fortnight."
    )


@strawberry.type(description="From where the lines of an order would come, and why.")
class SourcingPlan:
    feasible: bool = strawberry.field(description="Whether everything can be had.")
    splits: int = strawberry.field(description="Parcels or places: the number of locations that give something.")
    allocations: list[SourcingAllocation] = strawberry.field(description="What each location gives.")
    shortfalls: list[Shortfall] = strawberry.field(description="What is missing.")
    explanation: list[str] = strawberry.field(description="The reasons, a sentence each.")

    @classmethod
    def of(
        cls, plan: Plan, places: Mapping[str, Place], method: FulfilmentMethod, to: Point | None, now: DateTime
    ) -> Self:
        allocations = []
        for item in plan.allocations:
            place = places[item.location_id]
            span = promise(place, method, to, now)
            allocations.append(
                SourcingAllocation(
                    location=LocationType.of(place),
                    sku=item.sku,
                    quantity=item.quantity,
                    method=method,
                    distance_km=round(place.point.distance_km(to), 1) if to is not None else None,
                    promise_by=span[1] if span is not None else None,
                )
            )
        return cls(
            feasible=plan.feasible,
            splits=len(plan.location_ids),
            allocations=allocations,
            shortfalls=[Shortfall.of(item) for item in plan.shortfalls],
            explanation=list(plan.explanation),
        )


@strawberry.type(description="Levels compared with movements and reservations, all at one moment.")
class InventoryAudit:
    ok: bool = strawberry.field(description="Whether nothing is wrong.")
    problems: list[str] = strawberry.field(description="What is wrong, a sentence each; at most 100.")
    levels: int = strawberry.field(description="Stock levels looked at.")
    movements: int = strawberry.field(description="Movements added up.")


@strawberry.federation.type(keys=["sku"], description="A thing that can be sold, as inventory knows it.")
class ProductVariant:
    sku: str = strawberry.field(description="The stock keeping unit.")

    @classmethod
    async def resolve_reference(cls, sku: str) -> Self:
        return cls(sku=sku)

    @strawberry.field(description="Whether and how it can be had; for the channel of the request by default.")
    async def availability(
        self,
        info: Info,
        input: Annotated[AvailabilityInput | None, strawberry.argument(description="What is asked.")] = None,
    ) -> VariantAvailability | None:
        services = _services(info)
        levels = await info.context.loaders.get("levels", services.levels_of).load(self.sku)
        found = await services.judge(self.sku, levels, _question(info, input))
        return VariantAvailability.of(found, await services.places.all(), may_see_units(info.context.principal))

    @strawberry.federation.field(
        description="Its exact figures, at these locations or all.", requires_scopes=[["inventory:read"]]
    )
    async def stock_levels(
        self,
        info: Info,
        location_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only at these locations.")
        ] = None,
    ) -> list[StockLevelType] | None:
        services = _services(info)
        require(info.context.principal, "inventory:read")
        levels = await info.context.loaders.get("levels", services.levels_of).load(self.sku)
        places = await services.places.all()
        return [
            StockLevelType.of(level, places)
            for level in levels
            if level.location_id in places and (location_ids is None or level.location_id in location_ids)
        ]


@strawberry.federation.type(keys=["code"], description="A place where sales are made, as inventory knows it.")
class Channel:
    code: str = strawberry.field(description="The channel's code.")

    @classmethod
    async def resolve_reference(cls, code: str) -> Self:
        return cls(code=code)

    @strawberry.federation.field(
        description="The locations whose stock it sells.", requires_scopes=[["inventory:read"]]
    )
    async def sourcing_locations(self, info: Info) -> list[LocationType] | None:
        found = await _services(info).sourcing_locations(info.context.principal, self.code)
        return [LocationType.of(place) for place in found]


# Refusals and payloads


@strawberry.type(description="Not everything asked for is there.")
class InsufficientStock(UserError):
    shortfalls: list[Shortfall] = strawberry.field(description="What is missing of each SKU.")


@strawberry.type(description="The hold's time had run out; its units are for sale again.")
class ReservationExpired(UserError):
    reservation_id: strawberry.ID = strawberry.field(description="The reservation.")


@strawberry.type(description="This principal may not hold more at once.")
class HoldLimitExceeded(UserError):
    limit: int = strawberry.field(description="The most it may hold.")


register_error(
    refusals.InsufficientStock,
    InsufficientStock,
    lambda error: {"shortfalls": [Shortfall.of(item) for item in error.shortfalls]},
)
register_error(refusals.ReservationExpired, ReservationExpired, lambda error: {"reservation_id": error.reservation_id})
register_error(refusals.HoldLimitExceeded, HoldLimitExceeded, lambda error: {"limit": error.limit})

InventoryError = Annotated[
    InvalidInput
    | NotFound
    | Forbidden
    | IdempotencyConflict
    | RequestInFlight
    | VersionConflict
    | InsufficientStock
    | ReservationExpired
    | HoldLimitExceeded,
    strawberry.union("InventoryError", description="Why inventory said no."),
]


@strawberry.type(description="What came of a command on a reservation.")
class ReservePayload:
    reservation: ReservationType | None = strawberry.field(
        default=None, description="The reservation as the command left it; null if it was refused."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[InventoryError] = strawberry.field(
        default_factory=list, description="Why not, or what is missing of a partial hold."
    )


@strawberry.type(description="What came of a register's batch.")
class PosIngestPayload:
    accepted: int = strawberry.field(default=0, description="Receipts that had an effect.")
    duplicates: int = strawberry.field(default=0, description="Receipts that had had theirs before.")
    negative_on_hand: list[StockLevelType] = strawberry.field(
        default_factory=list, description="Levels below zero now: somebody should count them."
    )
    next_expected_sequence: int = strawberry.field(
        default=0, description="The lowest batch number not yet received; 0 if the batch was refused."
    )
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type(description="What came of a change of stock.")
class StockMutationPayload:
    levels: list[StockLevelType] = strawberry.field(default_factory=list, description="The levels changed.")
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type(description="One event of a live stream of availability.")
class AvailabilityEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is.")
    availability: list[VariantAvailability] = strawberry.field(
        description="All SKUs in a SNAPSHOT, those that changed in a DELTA, none otherwise."
    )
    resume_token: str = strawberry.field(description="Give it back to go on from here after losing the stream.")
    sequence: int = strawberry.field(description="Number of the last stock event this one reflects.")
    at: DateTime = strawberry.field(description="When it was sent.")
    coalesced: int = strawberry.field(description="Changes that were overtaken before they were sent.")

    @classmethod
    def of(cls, news: AvailabilityNews, places: Mapping[str, Place], exact: bool) -> Self:
        return cls(
            kind=StreamEventKind[news.kind],
            availability=[VariantAvailability.of(item, places, exact) for item in news.items],
            resume_token=news.resume_token,
            sequence=news.position,
            at=news.at,
            coalesced=news.coalesced,
        )


# Operations

Key = Annotated[IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")]
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor of the item to go on after.")]


@strawberry.type
class Query:
    @strawberry.field(description="A location by identity; null if there is none.")
    async def location(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="loc_….")]
    ) -> LocationType | None:
        place = await _services(info).location(id)
        return LocationType.of(place) if place is not None else None

    @strawberry.field(description="Locations, nearest first; by code if nobody says from where.")
    async def locations(
        self,
        info: Info,
        near: Annotated[GeoPointInput | None, strawberry.argument(description="From where to measure.")] = None,
        within_km: Annotated[float | None, strawberry.argument(description="At most so far from `near`.")] = None,
        kinds: Annotated[list[LocationKind] | None, strawberry.argument(description="Only of these kinds.")] = None,
        capability: Annotated[Capability | None, strawberry.argument(description="Only those that can.")] = None,
        first: First = 20,
        after: After = None,
    ) -> LocationConnection:
        page = await _services(info).locations(
            near=_point(near), within_km=within_km, kinds=kinds, capability=capability, first=first, after=after
        )
        edges = [
            LocationEdge(cursor=cursor, distance_km=km, node=LocationType.of(place)) for place, km, cursor in page.items
        ]
        return LocationConnection(edges=edges, page_info=PageInfo.of(page))

    @strawberry.field(description="Whether and how SKUs can be had, in the order asked; at most 200.")
    async def availability(
        self,
        info: Info,
        skus: Annotated[list[str], strawberry.argument(description="The SKUs.")],
        input: Annotated[AvailabilityInput, strawberry.argument(description="What is asked of each.")],
    ) -> list[VariantAvailability]:
        services = _services(info)
        found = await services.availability(skus, _question(info, input))
        places, exact = await services.places.all(), may_see_units(info.context.principal)
        return [VariantAvailability.of(item, places, exact) for item in found]

    @strawberry.field(description="From where an order's lines would come as things stand. Holds nothing.")
    async def sourcing_plan(
        self,
        info: Info,
        lines: Annotated[list[SourcingLineInput], strawberry.argument(description="What is wanted.")],
        method: Annotated[FulfilmentMethod, strawberry.argument(description="How it is to reach the buyer.")],
        destination: Annotated[GeoPointInput | None, strawberry.argument(description="Where it is sent.")] = None,
        pickup_location_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Where it is collected.")
        ] = None,
        policy: Annotated[
            SourcingPolicy, strawberry.argument(description="What to prefer.")
        ] = SourcingPolicy.MIN_SPLITS,
    ) -> SourcingPlan:
        services = _services(info)
        plan = await services.sourcing_plan(
            [(line.sku, line.quantity) for line in lines],
            method,
            channel=info.context.request_context.channel,
            destination=_point(destination),
            pickup_location_id=pickup_location_id,
            policy=policy,
        )
        return SourcingPlan.of(plan, await services.places.all(), method, _point(destination), services.clock.now())

    @strawberry.federation.field(
        description="A reservation, for whoever made it and for staff; null for everybody else.", authenticated=True
    )
    async def reservation(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")]
    ) -> ReservationType | None:
        services = _services(info)
        held = await services.reservation(require_authenticated(info), id)
        return ReservationType.of(held, await services.places.all()) if held is not None else None

    @strawberry.federation.field(
        description="Exact stock levels, in the order of SKU.", requires_scopes=[["inventory:read"]]
    )
    async def stock_levels(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only there.")] = None,
        skus: Annotated[list[str] | None, strawberry.argument(description="Only of these SKUs.")] = None,
        first: First = 50,
        after: After = None,
    ) -> StockLevelConnection:
        services = _services(info)
        page = await services.stock_levels(
            info.context.principal, location_id=location_id, skus=skus, first=first, after=after
        )
        places = await services.places.all()
        edges = [
            StockLevelEdge(cursor=cursor, node=StockLevelType.of(level, places))
            for level, _, cursor in page.items
            if level.location_id in places
        ]
        return StockLevelConnection(edges=edges, page_info=PageInfo.of(page), total_count=page.total or 0)

    @strawberry.federation.field(
        description="Recomputes every level from its movements and reservations. Reads everything: for operations.",
        requires_scopes=[["inventory:read"]],
    )
    async def inventory_audit(self, info: Info) -> InventoryAudit:
        found = await _services(info).audit(info.context.principal)
        return InventoryAudit(
            ok=found.ok, problems=list(found.problems[:100]), levels=found.levels, movements=found.movements
        )


@strawberry.type
class Mutation:
    @strawberry.federation.mutation(
        description="Sets units aside: nobody else can buy them until the hold ends. All lines, or none.",
        authenticated=True,
    )
    async def reserve(
        self,
        info: Info,
        input: Annotated[ReserveInput, strawberry.argument(description="What to hold.")],
        idempotency_key: Key,
    ) -> ReservePayload:
        hold = Hold(
            owner=input.owner_ref,
            lines=_lines(input.lines),
            method=input.method,
            channel=input.channel,
            pickup_location_id=input.pickup_location_id,
            destination=_point(input.destination),
            ttl_seconds=input.ttl_seconds or TTL_SECONDS_DEFAULT,
            allow_partial=bool(input.allow_partial),
        )
        services, arguments = _services(info), {"input": strawberry.asdict(input)}
        return await _holding(info, lambda: services.reserve(info.context.principal, hold, idempotency_key, arguments))

    @strawberry.federation.mutation(description="Gives held units back before their time.", authenticated=True)
    async def reservation_release(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")],
        idempotency_key: Key,
        reason: Annotated[str | None, strawberry.argument(description="Why, for the log.")] = None,
    ) -> ReservePayload:
        services, arguments = _services(info), {"id": id, "reason": reason}
        return await _holding(info, lambda: services.release(info.context.principal, id, idempotency_key, arguments))

    @strawberry.federation.mutation(description="Holds units for longer.", authenticated=True)
    async def reservation_extend(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")],
        seconds: Annotated[int, strawberry.argument(description="Seconds from now, 1 to 3600; never shortens.")],
        idempotency_key: Key,
    ) -> ReservePayload:
        services, arguments = _services(info), {"id": id, "seconds": seconds}
        return await _holding(
            info, lambda: services.extend(info.context.principal, id, seconds, idempotency_key, arguments)
        )

    @strawberry.federation.mutation(
        description="Makes held units an order's own. For services: a hold that has run out is refused, whoever is late.",
        inaccessible=True,
    )
    async def reservation_commit(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")],
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order that owns them now.")],
        idempotency_key: Key,
    ) -> ReservePayload:
        services, arguments = _services(info), {"id": id, "orderId": order_id}
        return await _holding(
            info, lambda: services.commit(info.context.principal, id, order_id, idempotency_key, arguments)
        )

    @strawberry.federation.mutation(
        description="Books what a register has sold. A receipt's units of a SKU go once, whichever way it is told.",
        requires_scopes=[["pos:write"]],
    )
    async def pos_sale_ingest(
        self,
        info: Info,
        batch: Annotated[PosSaleBatchInput, strawberry.argument(description="The sales.")],
        idempotency_key: Key,
    ) -> PosIngestPayload:
        services = _services(info)
        try:
            done = await services.ingest(
                info.context.principal,
                location_id=batch.location_id,
                register_id=batch.register_id,
                sequence=batch.sequence,
                sales=[CounterSale(sale.receipt_no, sale.occurred_at, _lines(sale.lines)) for sale in batch.sales],
                key=idempotency_key,
                arguments={"batch": strawberry.asdict(batch)},
            )
        except DomainError as refusal:
            return PosIngestPayload(errors=[to_graphql_error(refusal)])
        places = await services.places.all()
        return PosIngestPayload(
            accepted=done.accepted,
            duplicates=done.duplicates,
            negative_on_hand=[StockLevelType.of(level, places) for level in done.negative],
            next_expected_sequence=done.next_sequence,
        )

    @strawberry.federation.mutation(
        description="Corrects what is on hand. Never below what is promised already.",
        requires_scopes=[["inventory:write"]],
    )
    async def stock_adjust(
        self,
        info: Info,
        input: Annotated[StockAdjustInput, strawberry.argument(description="The correction.")],
        idempotency_key: Key,
    ) -> StockMutationPayload:
        services = _services(info)
        try:
            level, replayed = await services.adjust(
                info.context.principal,
                location_id=input.location_id,
                sku=input.sku,
                delta=input.delta,
                reason=input.reason,
                expected_version=input.expected_version,
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input)},
            )
        except DomainError as refusal:
            return StockMutationPayload(errors=[to_graphql_error(refusal)])
        places = await services.places.all()
        return StockMutationPayload(levels=[StockLevelType.of(level, places)], replayed=replayed)


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="Availability of SKUs as it is, then as it changes. Without inventory:read, only changes of "
        "what the public may see are told."
    )
    async def availability_changed(
        self,
        info: Info,
        skus: Annotated[list[str], strawberry.argument(description="The SKUs, at most 50.")],
        input: Annotated[AvailabilityInput, strawberry.argument(description="What is asked of each.")],
        resume_token: Annotated[
            str | None, strawberry.argument(description="From the last event seen, to go on from there.")
        ] = None,
        max_rate_hz: Annotated[
            float, strawberry.argument(description="Most events a second, up to 10; the newest state wins.")
        ] = 2.0,
    ) -> AsyncIterator[AvailabilityEvent]:
        services, exact = _services(info), may_see_units(info.context.principal)
        selector = Selector(tuple(sorted(set(skus))), _question(info, input), exact)
        async for news in services.feed.watch(selector, resume_token, max_rate_hz):
            yield AvailabilityEvent.of(news, await services.places.all(), exact)


def _question(info: Info, given: AvailabilityInput | None) -> AvailabilityQuestion:
    stands = info.context.request_context
    if given is None:
        return AvailabilityQuestion(channel=stands.channel, currency=stands.currency)
    return AvailabilityQuestion(
        channel=given.channel,
        near=_point(given.near),
        within_km=given.within_km if given.within_km is not None else WITHIN_KM_DEFAULT,
        location_ids=tuple(sorted(set(given.location_ids))) if given.location_ids is not None else None,
        methods=tuple(dict.fromkeys(given.methods)) if given.methods is not None else METHODS_DEFAULT,
        quantity=given.quantity if given.quantity is not None else 1,
        include_inbound=bool(given.include_inbound),
        currency=stands.currency,
    )


def _lines(lines: Sequence[SourcingLineInput]) -> tuple[tuple[str, int], ...]:
    return tuple((line.sku, line.quantity) for line in lines)


async def _holding(info: Info, work: Callable[[], Awaitable[Held]]) -> ReservePayload:
    try:
        held = await work()
    except DomainError as refusal:
        return ReservePayload(errors=[to_graphql_error(refusal)])
    errors: list[Any] = []
    if held.shortfalls:
        errors.append(to_graphql_error(refusals.InsufficientStock(held.shortfalls)))
    places = await _services(info).places.all()
    return ReservePayload(
        reservation=ReservationType.of(held.reservation, places), replayed=held.replayed, errors=errors
    )


SCHEMA = build_schema(Query, Mutation, Subscription, [ProductVariant, Channel, LocationType, ReservationType])
