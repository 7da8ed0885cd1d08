"""Goods in quarantine, in GraphQL.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import IdempotencyKey, Info, to_graphql_error
from subgraphs.inventory.model.returns import QuarantineOutcome
from subgraphs.inventory.schema.context import services_of
from subgraphs.inventory.schema.entities import StockLevelType
from subgraphs.inventory.schema.payloads import StockMutationPayload
from subgraphs.kernel.errors import DomainError

strawberry.enum(
    QuarantineOutcome,
    description="What becomes of quarantined goods: sold again, or gone (scrapped, or sent to whoever made them).",
)


@strawberry.input(description="What has become of quarantined goods.")
class QuarantineInput:
    location_id: strawberry.ID = strawberry.field(description="Where they are.")
    sku: str = strawberry.field(description="Of which SKU.")
    quantity: int = strawberry.field(description="Units, at most as many as are quarantined there.")
    outcome: QuarantineOutcome = strawberry.field(description="What becomes of them.")
    reason: str = strawberry.field(description="Why, for the ledger; 1 to 200 characters.")


@strawberry.type
class QuarantineMutation:
    @strawberry.federation.mutation(
        description="Takes goods out of quarantine: up for sale again, or off the books.",
        requires_scopes=[["inventory:write"]],
        tags=["staff"],
    )
    async def quarantine_resolve(
        self,
        info: Info,
        input: Annotated[QuarantineInput, strawberry.argument(description="What has become of them.")],
        idempotency_key: Annotated[
            IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")
        ],
    ) -> StockMutationPayload:
        services = services_of(info)
        try:
            level, replayed = await services.quarantine.resolve(
                info.context.principal,
                location_id=input.location_id,
                sku=input.sku,
                quantity=input.quantity,
                outcome=input.outcome,
                reason=input.reason,
                key=idempotency_key,
                arguments={"input": strawberry.asdict(input) | {"outcome": input.outcome.value}},
            )
        except DomainError as refusal:
            return StockMutationPayload(errors=[to_graphql_error(refusal)])
        places = await services.places.all()
        return StockMutationPayload(levels=[StockLevelType.of(level, places)], replayed=replayed)
