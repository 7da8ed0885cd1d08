"""What orders asks of loyalty to take points as payment. No decisions.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import CurrencyCode, IdempotencyKey, Info, MoneyType, to_graphql_error
from subgraphs.kernel.errors import DomainError
from subgraphs.loyalty.schema.refusals import LoyaltyError
from subgraphs.loyalty.service import Loyalty

Key = Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")]


def _services(info: Info) -> Loyalty:
    services: Loyalty = info.context.services
    return services


@strawberry.federation.type(inaccessible=True, description="What a customer's points would pay. For orders.")
class PointsWorth:
    spendable: int = strawberry.field(description="How many could be spent.")
    worth: MoneyType | None = strawberry.field(
        description="What the points asked about are worth; null for no member, or a currency without a rate."
    )


@strawberry.federation.type(inaccessible=True, description="What came of holding points. For orders.")
class PointsHoldPayload:
    errors: list[LoyaltyError] = strawberry.field(default_factory=list, description="Why not; empty when it is so.")


@strawberry.type
class RedemptionQuery:
    @strawberry.federation.field(inaccessible=True, description="What a customer's points would pay. For services.")
    async def points_worth(
        self,
        info: Info,
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="cus_….")],
        points: Annotated[int, strawberry.argument(description="How many.")],
        currency: Annotated[CurrencyCode, strawberry.argument(description="In which currency.")],
    ) -> PointsWorth:
        services = _services(info)
        found = await services.redemptions.purse(
            info.context.principal, await services.program(), customer_id, points, currency
        )
        return PointsWorth(
            spendable=found.spendable, worth=MoneyType.of(found.worth) if found.worth is not None else None
        )


@strawberry.type
class RedemptionMutation:
    @strawberry.federation.mutation(
        inaccessible=True, description="Holds a customer's points for an order. For services; once an order."
    )
    async def points_hold(
        self,
        info: Info,
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="cus_….")],
        points: Annotated[int, strawberry.argument(description="How many.")],
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order to be.")],
        idempotency_key: Key,
    ) -> PointsHoldPayload:
        arguments = {"customerId": customer_id, "points": points, "orderId": order_id}
        try:
            await _services(info).redemptions.hold(
                info.context.principal, customer_id, points, order_id, idempotency_key, arguments
            )
        except DomainError as refusal:
            return PointsHoldPayload(errors=[to_graphql_error(refusal)])
        return PointsHoldPayload()

    @strawberry.federation.mutation(
        inaccessible=True, description="Gives back the points held for an order that will not be. For services."
    )
    async def points_release(
        self,
        info: Info,
        order_id: Annotated[strawberry.ID, strawberry.argument(description="The order that will not be.")],
        idempotency_key: Key,
    ) -> PointsHoldPayload:
        try:
            await _services(info).redemptions.release(
                info.context.principal, order_id, idempotency_key, {"orderId": order_id}
            )
        except DomainError as refusal:
            return PointsHoldPayload(errors=[to_graphql_error(refusal)])
        return PointsHoldPayload()
