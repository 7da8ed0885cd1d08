"""Queries, mutations and subscriptions: each hands what it was given to one use case.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any

import strawberry

from subgraphs.chassis.graphql import (
    GeoPointInput,
    IdempotencyKey,
    Info,
    Live,
    PageInfo,
    require_authenticated,
    to_graphql_error,
)
from subgraphs.inventory.model import refusals
from subgraphs.inventory.model.places import Capability, LocationKind
from subgraphs.inventory.model.reservations import TTL_SECONDS_DEFAULT
from subgraphs.inventory.model.sourcing import FulfilmentMethod, SourcingPolicy
from subgraphs.inventory.schema.context import point, question, services_of
from subgraphs.inventory.schema.entities import (
    InventoryAudit,
    ReservationType,
    SourcingPlan,
    StockLevelConnection,
    StockLevelEdge,
    StockLevelType,
    VariantAvailability,
)
from subgraphs.inventory.schema.inputs import (
    AvailabilityInput,
    PosSaleBatchInput,
    ReserveInput,
    SourcingLineInput,
    StockAdjustInput,
)
from subgraphs.inventory.schema.payloads import (
    AvailabilityEvent,
    PosIngestPayload,
    ReservePayload,
    StockMutationPayload,
)
from subgraphs.inventory.schema.places import LocationConnection, LocationEdge, LocationType
from subgraphs.inventory.schema.quarantine import QuarantineMutation
from subgraphs.inventory.schema.replenishment import ReplenishmentMutation, ReplenishmentQuery
from subgraphs.inventory.schema.safety import SafetyMutation
from subgraphs.inventory.schema.transfers import TransferMutation, TransferQuery
from subgraphs.inventory.schema.watching import WatchingQuery, WatchingSubscription
from subgraphs.inventory.service.inventory import CounterSale, Held, Hold, may_see_units
from subgraphs.inventory.service.live import Selector
from subgraphs.kernel.errors import DomainError

Key = Annotated[IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")]
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Cursor of the item to go on after.")]


@strawberry.type
class Query(ReplenishmentQuery, TransferQuery, WatchingQuery):
    @strawberry.field(description="A location by identity; null if there is none.")
    async def location(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="loc_….")]
    ) -> LocationType | None:
        place = await services_of(info).location(id)
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
        page = await services_of(info).locations(
            near=point(near), within_km=within_km, kinds=kinds, capability=capability, first=first, after=after
        )
        edges = [
            LocationEdge(cursor=cursor, distance_km=km, node=LocationType.of(place)) for place, km, cursor in page.items
        ]
        return LocationConnection(edges=edges, page_info=PageInfo.of(page))

    @strawberry.federation.field(
        description="Whether and how SKUs can be had, in the order asked; at most 200.", tags=["partner"]
    )
    async def availability(
        self,
        info: Info,
        skus: Annotated[list[str], strawberry.argument(description="The SKUs.")],
        input: Annotated[AvailabilityInput, strawberry.argument(description="What is asked of each.")],
    ) -> list[VariantAvailability]:
        services = services_of(info)
        found = await services.availability(skus, question(info, input))
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
        services = services_of(info)
        plan = await services.sourcing_plan(
            info.context.principal,
            [(line.sku, line.quantity) for line in lines],
            method,
            channel=info.context.request_context.channel,
            destination=point(destination),
            pickup_location_id=pickup_location_id,
            policy=policy,
        )
        return SourcingPlan.of(
            plan,
            await services.places.all(),
            method,
            point(destination),
            services.clock.now(),
            await services.dispatch.full(),
        )

    @strawberry.federation.field(
        description="A reservation, for whoever made it and for staff; null for everybody else.", authenticated=True
    )
    async def reservation(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")]
    ) -> ReservationType | None:
        services = services_of(info)
        held = await services.reservation(require_authenticated(info), id)
        return ReservationType.of(held, await services.places.all()) if held is not None else None

    @strawberry.federation.field(
        description="Exact stock levels, in the order of SKU.", requires_scopes=[["inventory:read"]], tags=["staff"]
    )
    async def stock_levels(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only there.")] = None,
        skus: Annotated[list[str] | None, strawberry.argument(description="Only of these SKUs.")] = None,
        first: First = 50,
        after: After = None,
    ) -> StockLevelConnection:
        services = services_of(info)
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
        tags=["staff"],
    )
    async def inventory_audit(self, info: Info) -> InventoryAudit:
        found = await services_of(info).audit(info.context.principal)
        return InventoryAudit(
            ok=found.ok, problems=list(found.problems[:100]), levels=found.levels, movements=found.movements
        )


@strawberry.type
class Mutation(ReplenishmentMutation, SafetyMutation, QuarantineMutation, TransferMutation):
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
            destination=point(input.destination),
            ttl_seconds=input.ttl_seconds or TTL_SECONDS_DEFAULT,
            allow_partial=bool(input.allow_partial),
            without=frozenset(map(str, input.without_location_ids or ())),
        )
        services, arguments = services_of(info), {"input": strawberry.asdict(input)}
        return await _holding(info, lambda: services.reserve(info.context.principal, hold, idempotency_key, arguments))

    @strawberry.federation.mutation(description="Gives held units back before their time.", authenticated=True)
    async def reservation_release(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")],
        idempotency_key: Key,
        reason: Annotated[str | None, strawberry.argument(description="Why, for the log.")] = None,
    ) -> ReservePayload:
        services, arguments = services_of(info), {"id": id, "reason": reason}
        return await _holding(info, lambda: services.release(info.context.principal, id, idempotency_key, arguments))

    @strawberry.federation.mutation(description="Holds units for longer.", authenticated=True)
    async def reservation_extend(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="rsv_….")],
        seconds: Annotated[int, strawberry.argument(description="Seconds from now, 1 to 3600; never shortens.")],
        idempotency_key: Key,
    ) -> ReservePayload:
        services, arguments = services_of(info), {"id": id, "seconds": seconds}
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
        services, arguments = services_of(info), {"id": id, "orderId": order_id}
        return await _holding(
            info, lambda: services.commit(info.context.principal, id, order_id, idempotency_key, arguments)
        )

    @strawberry.federation.mutation(
        description="Books what a register has sold. A receipt's units of a SKU go once, whichever way it is told.",
        requires_scopes=[["pos:write"]],
        tags=["staff"],
    )
    async def pos_sale_ingest(
        self,
        info: Info,
        batch: Annotated[PosSaleBatchInput, strawberry.argument(description="The sales.")],
        idempotency_key: Key,
    ) -> PosIngestPayload:
        services = services_of(info)
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
            missing_sequences=list(done.missing),
        )

    @strawberry.federation.mutation(
        description="Corrects what is on hand. Never below what is promised already.",
        requires_scopes=[["inventory:write"]],
        tags=["staff"],
    )
    async def stock_adjust(
        self,
        info: Info,
        input: Annotated[StockAdjustInput, strawberry.argument(description="The correction.")],
        idempotency_key: Key,
    ) -> StockMutationPayload:
        services = services_of(info)
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
class Subscription(WatchingSubscription):
    @strawberry.subscription(
        directives=[Live(items="availability", key="sku", kind="kind", resume="resumeToken")],
        description="Availability of SKUs as it is, then as it changes. Without inventory:read, only changes of "
        "what the public may see are told.",
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
        services, exact = services_of(info), may_see_units(info.context.principal)
        selector = Selector(tuple(sorted(set(skus))), question(info, input), exact)
        async for news in services.feed.watch(selector, resume_token, max_rate_hz):
            yield AvailabilityEvent.of(news, await services.places.all(), exact)


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
    places = await services_of(info).places.all()
    return ReservePayload(
        reservation=ReservationType.of(held.reservation, places), replayed=held.replayed, errors=errors
    )
