"""Suggested moves of stock in GraphQL, and the questions and commands of demand, forecasts and moves.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import DateTime, Decimal, IdempotencyKey, Info, MoneyType, to_graphql_error
from subgraphs.inventory.model.forecast import HORIZON_DAYS
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.model.replenishment import Suggestion
from subgraphs.inventory.schema.context import services_of
from subgraphs.inventory.schema.demand import DemandForecast, ForecastQuality, PatternForecasts, exactly
from subgraphs.inventory.schema.entities import ProductVariant
from subgraphs.inventory.schema.payloads import InventoryError
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.service.prices import minor_of
from subgraphs.kernel.errors import DomainError

Horizon = Annotated[int, strawberry.argument(description=f"How many days ahead, 1 to {HORIZON_DAYS}.")]
_PLAN = [["inventory:plan"]]


@strawberry.type(description="Units that would sell better elsewhere, and what moving them brings.")
class TransferSuggestion:
    id: strawberry.ID = strawberry.field(description="Identity, sug_…; it stays while the suggestion is open.")
    sku: str = strawberry.field(description="The SKU.")
    from_: LocationType = strawberry.field(name="from", description="Where they are.")
    to: LocationType = strawberry.field(description="Where they would sell.")
    quantity: int = strawberry.field(description="Units to move; the source keeps its safety stock.")
    expected_benefit: MoneyType = strawberry.field(
        description="What more would be earned in the next 14 days, less what the move costs."
    )
    expected_units: Decimal = strawberry.field(description="Units more that would be sold in the next 14 days.")
    days_of_cover_from: Decimal = strawberry.field(
        description="Days the source's stock lasts after the move; 999 at most."
    )
    days_of_cover_to: Decimal = strawberry.field(description="Days the target's stock lasts after it.")
    days_of_cover_from_before: Decimal = strawberry.field(description="Days the source's stock lasts as it is.")
    days_of_cover_to_before: Decimal = strawberry.field(description="Days the target's stock lasts as it is.")
    reason: str = strawberry.field(description="The calculation.")
    as_of: DateTime = strawberry.field(description="When it was last worked out.")

    @strawberry.field(description="The variant.")
    def variant(self) -> ProductVariant | None:
        return ProductVariant(sku=self.sku)

    @classmethod
    def of(cls, found: Suggestion, places: Mapping[str, Place]) -> Self:
        return cls(
            id=strawberry.ID(found.id),
            sku=found.sku,
            from_=LocationType.of(places[found.source_id]),
            to=LocationType.of(places[found.target_id]),
            quantity=found.quantity,
            expected_benefit=MoneyType.of(found.benefit),
            expected_units=exactly(found.sold_more),
            days_of_cover_from=exactly(found.cover_source[1]),
            days_of_cover_to=exactly(found.cover_target[1]),
            days_of_cover_from_before=exactly(found.cover_source[0]),
            days_of_cover_to_before=exactly(found.cover_target[0]),
            reason=found.reason,
            as_of=found.as_of,
        )


@strawberry.type(description="What came of accepting a suggestion.")
class ReallocationPayload:
    suggestion: TransferSuggestion | None = strawberry.field(
        default=None, description="The suggestion; null if refused."
    )
    transfer_id: strawberry.ID | None = strawberry.field(
        default=None, description="The transfer it became, a draft: nothing has left yet."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type
class ReplenishmentQuery:
    @strawberry.federation.field(
        description="Moves of stock between locations that would raise sales, the greatest benefit first.",
        requires_scopes=_PLAN,
        tags=["staff"],
    )
    async def reallocation_suggestions(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only from or to there.")] = None,
        min_benefit: Annotated[
            Decimal | None, strawberry.argument(description="Only those that bring so much, in euro.")
        ] = None,
        first: Annotated[int, strawberry.argument(description="How many, 1 to 100.")] = 50,
    ) -> list[TransferSuggestion]:
        services = services_of(info)
        found = await services.replenishment.suggestions(
            info.context.principal,
            location_id=location_id,
            minor_min=minor_of(min_benefit) if min_benefit is not None else None,
            first=first,
        )
        places = await services.places.all()
        return [
            TransferSuggestion.of(each, places)
            for each in found
            if each.source_id in places and each.target_id in places
        ]

    @strawberry.federation.field(
        description="What a SKU is expected to sell at a location, or at all together.",
        requires_scopes=_PLAN,
        tags=["staff"],
    )
    async def demand_forecast(
        self,
        info: Info,
        sku: Annotated[str, strawberry.argument(description="The SKU.")],
        location_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Where; all locations together if not said.")
        ] = None,
        horizon_days: Horizon = HORIZON_DAYS,
    ) -> DemandForecast:
        services = services_of(info)
        found = await services.replenishment.forecast(info.context.principal, sku, location_id, horizon_days)
        return DemandForecast.of(found, horizon_days, await services.places.all())

    @strawberry.federation.field(
        description="How good forecasts are, by pattern of demand; null before the first daily run.",
        requires_scopes=_PLAN,
        tags=["staff"],
    )
    async def forecast_quality(self, info: Info) -> ForecastQuality | None:
        planned = await services_of(info).replenishment.quality(info.context.principal)
        if planned is None:
            return None
        return ForecastQuality(
            as_of=planned.day - timedelta(days=1),
            trained_at=planned.at,
            patterns=[PatternForecasts.of(row) for row in planned.quality],
        )


@strawberry.type
class ReplenishmentMutation:
    @strawberry.federation.mutation(
        description="Makes a suggested move a transfer, ready to be sent. Refused if the goods are no longer to spare.",
        requires_scopes=[["inventory:plan", "inventory:write"]],
        tags=["staff"],
    )
    async def reallocation_accept(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="sug_….")],
        idempotency_key: Annotated[
            IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
        ],
    ) -> ReallocationPayload:
        services = services_of(info)
        try:
            accepted, replayed = await services.replenishment.accept(
                info.context.principal, id, idempotency_key, {"id": id}
            )
        except DomainError as refusal:
            return ReallocationPayload(errors=[to_graphql_error(refusal)])
        return ReallocationPayload(
            suggestion=TransferSuggestion.of(accepted, await services.places.all()),
            transfer_id=strawberry.ID(accepted.transfer_id) if accepted.transfer_id is not None else None,
            replayed=replayed,
        )
