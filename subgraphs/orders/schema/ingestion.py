"""Orders placed elsewhere, in GraphQL. No decisions.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import IdempotencyKey, Info, MoneyInput, require_authenticated, to_graphql_error
from subgraphs.kernel.errors import DomainError
from subgraphs.orders.model.lines import LineRequest
from subgraphs.orders.schema.context import services_of
from subgraphs.orders.schema.entities import Order
from subgraphs.orders.schema.inputs import AddressInput
from subgraphs.orders.schema.payloads import OrderPayload
from subgraphs.orders.service.ingestion import INGEST, External


@strawberry.input(description="A line of an order that was placed elsewhere.")
class ExternalOrderLineInput:
    sku: str = strawberry.field(description="The SKU, once in an order.")
    quantity: int = strawberry.field(description="Units, 1 to 999.")
    unit_price: MoneyInput = strawberry.field(description="What the buyer paid for one.")


@strawberry.input(description="An order that was placed and paid on a marketplace or in a social network.")
class ExternalOrderInput:
    channel: str = strawberry.field(description="Our channel for it, of kind MARKETPLACE or SOCIAL.")
    external_id: str = strawberry.field(description="The order's identity there. It is made once, whoever tells of it.")
    email: str = strawberry.field(description="Where the buyer is reached.")
    address: AddressInput = strawberry.field(description="Where to ship to.")
    lines: list[ExternalOrderLineInput] = strawberry.field(description="What was bought.")
    delivery: MoneyInput = strawberry.field(description="What the buyer paid for the delivery.")
    total: MoneyInput = strawberry.field(description="What the buyer paid in all; the parts must come to it.")


@strawberry.type
class IngestionMutation:
    @strawberry.federation.mutation(
        description="Takes an order that was placed and paid elsewhere. OutOfStock means: refuse it there, or tell it again"
        " later; nothing of it is kept here.",
        requires_scopes=[[INGEST]],
        tags=["staff"],
    )
    async def order_ingest(
        self,
        info: Info,
        input: Annotated[ExternalOrderInput, strawberry.argument(description="The order.")],
        idempotency_key: Annotated[IdempotencyKey, strawberry.argument(description="Names this intention.")],
    ) -> OrderPayload:
        told = External(
            channel=input.channel,
            external_id=input.external_id,
            email=input.email,
            address=input.address.to_model(),
            lines=tuple(LineRequest(line.sku, line.quantity) for line in input.lines),
            unit_prices={line.sku: line.unit_price.to_money() for line in input.lines},
            delivery=input.delivery.to_money(),
            total=input.total.to_money(),
        )
        try:
            done = await services_of(info).ingestion.ingest(
                require_authenticated(info), told, idempotency_key, {"input": strawberry.asdict(input)}
            )
        except DomainError as refusal:
            return OrderPayload(errors=[to_graphql_error(refusal)])
        return OrderPayload(
            order=None if done.order is None else Order.of(done.order),
            replayed=done.replayed,
            errors=[] if done.refusal is None else [to_graphql_error(done.refusal)],
        )
