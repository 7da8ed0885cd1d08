"""What is kept back from sale, in GraphQL.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import IdempotencyKey, Info, to_graphql_error
from subgraphs.inventory.schema.context import services_of
from subgraphs.inventory.schema.entities import StockLevelType
from subgraphs.inventory.schema.payloads import StockMutationPayload
from subgraphs.kernel.errors import DomainError


@strawberry.input(description="How much is kept back from sale.")
class SafetyStockInput:
    location_id: strawberry.ID = strawberry.field(description="Where.")
    sku: str = strawberry.field(description="Of which SKU.")
    safety: int = strawberry.field(description="Units, 0 or more; more than is there means that nothing is for sale.")
    channel: str | None = strawberry.field(
        default=None,
        description="Keep them from this channel alone, instead of the share that the location keeps from it; "
        "safety stock is kept from everybody.",
    )


@strawberry.type
class SafetyMutation:
    @strawberry.federation.mutation(
        description="Sets safety stock, or what is kept from one channel. What is held or sold already stays so.",
        requires_scopes=[["inventory:write"]],
        tags=["staff"],
    )
    async def safety_stock_set(
        self,
        info: Info,
        input: Annotated[SafetyStockInput, strawberry.argument(description="What to keep back.")],
        idempotency_key: Annotated[
            IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
        ],
    ) -> StockMutationPayload:
        services = services_of(info)
        try:
            level, replayed = await services.safety.set(
                info.context.principal,
                location_id=input.location_id,
                sku=input.sku,
                units=input.safety,
                channel=input.channel,
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input)},
            )
        except DomainError as refusal:
            return StockMutationPayload(errors=[to_graphql_error(refusal)])
        places = await services.places.all()
        return StockMutationPayload(levels=[StockLevelType.of(level, places)], replayed=replayed)
