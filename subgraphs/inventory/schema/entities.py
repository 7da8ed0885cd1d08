"""What a client reads: availability, stock levels, reservations, plans, and what inventory knows of a variant.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import DateTime, Info, MoneyType, PageInfo
from subgraphs.inventory.model import refusals
from subgraphs.inventory.model.availability import Availability, AvailabilityStatus, QuantityBand, Survey, promise
from subgraphs.inventory.model.forecast import HORIZON_DAYS
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.model.places import Point
from subgraphs.inventory.model.reservations import Reservation as Holding
from subgraphs.inventory.model.reservations import ReservationState
from subgraphs.inventory.model.sourcing import FulfilmentMethod, method_from
from subgraphs.inventory.model.sourcing import SourcingPlan as Plan
from subgraphs.inventory.model.stock import StockLevel as Level
from subgraphs.inventory.schema.context import question, services_of
from subgraphs.inventory.schema.demand import DemandForecast
from subgraphs.inventory.schema.inputs import AvailabilityInput
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.service.inventory import may_see_units
from subgraphs.inventory.service.replenishment import check_horizon
from subgraphs.inventory.service.rights import PLAN, READ, require
from subgraphs.inventory.store.demand import forecast_id


@strawberry.federation.type(description="Whether one method can deliver the wanted quantity.", tags=["partner"])
class MethodAvailability:
    method: FulfilmentMethod = strawberry.field(description="The method.")
    available: bool = strawberry.field(description="Whether the whole quantity can reach the buyer this way.")
    earliest: DateTime | None = strawberry.field(description="When it can be there, or collected, at the earliest.")
    latest: DateTime | None = strawberry.field(description="When it will be there at the latest.")
    cost: MoneyType | None = strawberry.field(
        description="What the method costs the buyer, in the currency of the request; null if it has no tariff."
    )


@strawberry.federation.type(description="What one location has of a SKU.", tags=["partner"])
class LocationAvailability:
    location: LocationType = strawberry.field(description="The location.")
    distance_km: float | None = strawberry.field(description="Kilometres from `near`; null without `near`.")
    status: AvailabilityStatus = strawberry.field(description="Whether the wanted quantity can be had there.")
    quantity_band: QuantityBand = strawberry.field(description="How much is there.")
    pickup_ready_by: DateTime | None = strawberry.field(
        description="When it could be collected if ordered now; null if it is not there."
    )


@strawberry.federation.type(description="Whether and how a SKU can be had.", tags=["partner"])
class VariantAvailability:
    sku: str = strawberry.field(description="The SKU.")
    status: AvailabilityStatus = strawberry.field(description="Whether the wanted quantity can be had at all.")
    quantity_band: QuantityBand = strawberry.field(description="How much there is over all locations considered.")
    available_to_sell: int | None = strawberry.federation.field(
        description="Units over all locations considered; null without the scope inventory:read.", tags=["staff"]
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


@strawberry.type(description="Units kept from one channel.")
class ChannelSafety:
    channel: str = strawberry.field(description="The channel's code.")
    safety: int = strawberry.field(description="Units it may not sell.")


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
    channel_safety: list[ChannelSafety] = strawberry.field(
        description="Units kept from single channels here; other channels may sell what the location's shares leave them."
    )
    quarantined: int = strawberry.field(
        description="Came back and may not be sold as they are; beside what is on hand, not part of it."
    )
    inbound: int = strawberry.field(description="On their way here.")
    atp: int = strawberry.field(description="Available to promise: on hand less the three above, never below zero.")
    version: int = strawberry.field(description="Counts the movements of this level.")
    updated_at: DateTime = strawberry.field(description="When it last moved.")

    @strawberry.field(
        description="Units on hand and on the way at which to order again; null while nothing is forecast."
    )
    async def reorder_point(self, info: Info) -> int | None:
        load = info.context.loaders.get("forecasts", services_of(info).replenishment.forecasts).load
        forecast = await load(str(self.id))
        return forecast.reorder.point if forecast is not None else None

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
            channel_safety=[
                ChannelSafety(channel=channel, safety=units) for channel, units in sorted(level.kept_from.items())
            ],
            quarantined=level.quarantined,
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
        services = services_of(info)
        held = await info.context.loaders.get("reservations", services.reservations).load(str(id))
        return cls.of(held, await services.places.all()) if held is not None else None


@strawberry.type(description="What is missing of a SKU.")
class Shortfall:
    sku: str = strawberry.field(description="The SKU.")
    requested: int = strawberry.field(description="Units asked for.")
    available: int = strawberry.field(
        description="Units that could have been had; without the scope inventory:read never more than 20 are told."
    )
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
        cls,
        plan: Plan,
        places: Mapping[str, Place],
        method: FulfilmentMethod,
        to: Point | None,
        now: DateTime,
        full: Collection[str],
    ) -> Self:
        allocations = []
        for item in plan.allocations:
            place = places[item.location_id]
            span = promise(place, method, to, now, full=place.id in full)
            allocations.append(
                SourcingAllocation(
                    location=LocationType.of(place),
                    sku=item.sku,
                    quantity=item.quantity,
                    method=method_from(place, method),
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
        services = services_of(info)
        levels = await info.context.loaders.get("levels", services.levels_of).load(self.sku)
        places = await services.places.all()
        survey = info.context.once(Survey, input, lambda: Survey(places, question(info, input), services.clock.now()))
        return VariantAvailability.of(survey.answer(self.sku, levels), places, may_see_units(info.context.principal))

    @strawberry.federation.field(
        description="Its exact figures, at these locations or all.",
        requires_scopes=[["inventory:read"]],
        tags=["staff"],
    )
    async def stock_levels(
        self,
        info: Info,
        location_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only at these locations.")
        ] = None,
    ) -> list[StockLevelType] | None:
        services = services_of(info)
        require(info.context.principal, READ)
        levels = await info.context.loaders.get("levels", services.levels_of).load(self.sku)
        places = await services.places.all()
        return [
            StockLevelType.of(level, places)
            for level in levels
            if level.location_id in places and (location_ids is None or level.location_id in location_ids)
        ]

    @strawberry.federation.field(
        description="What it is expected to sell at a location, or at all together; null while nothing is forecast.",
        requires_scopes=[["inventory:plan"]],
        tags=["staff"],
    )
    async def forecast(
        self,
        info: Info,
        location_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Where; all locations together if not said.")
        ] = None,
        horizon_days: Annotated[
            int, strawberry.argument(description=f"How many days ahead, 1 to {HORIZON_DAYS}.")
        ] = HORIZON_DAYS,
    ) -> DemandForecast | None:
        services = services_of(info)
        require(info.context.principal, PLAN)
        check_horizon(horizon_days)
        load = info.context.loaders.get("forecasts", services.replenishment.forecasts).load
        found = await load(forecast_id(self.sku, location_id))
        return DemandForecast.of(found, horizon_days, await services.places.all()) if found is not None else None


@strawberry.federation.type(keys=["code"], description="A place where sales are made, as inventory knows it.")
class Channel:
    code: str = strawberry.field(description="The channel's code.")

    @classmethod
    async def resolve_reference(cls, code: str) -> Self:
        return cls(code=code)

    @strawberry.federation.field(
        description="The locations whose stock it sells.", requires_scopes=[["inventory:read"]], tags=["staff"]
    )
    async def sourcing_locations(self, info: Info) -> list[LocationType] | None:
        found = await services_of(info).sourcing_locations(info.context.principal, self.code)
        return [LocationType.of(place) for place in found]
