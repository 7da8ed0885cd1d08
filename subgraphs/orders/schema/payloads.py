"""What came of a command or an audit, and the events of an order's stream.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Self

import strawberry

from subgraphs.chassis.graphql import DateTime, StreamEventKind
from subgraphs.orders.schema.entities import Cart, CheckoutSession, CommerceMessage, Order, OrderEventRecord
from subgraphs.orders.schema.refusals import OrderError
from subgraphs.orders.service.live import OrderNews


@strawberry.type(description="What came of a change of a cart.")
class CartPayload:
    cart: Cart | None = strawberry.field(default=None, description="The cart, unless it was refused.")
    warnings: list[CommerceMessage] = strawberry.field(default_factory=list, description="What the buyer should see.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="What came of a change of a checkout.")
class CheckoutPayload:
    checkout: CheckoutSession | None = strawberry.field(default=None, description="The session, unless refused.")
    warnings: list[CommerceMessage] = strawberry.field(default_factory=list, description="What the buyer should see.")
    replayed: bool = strawberry.field(default=False, description="Whether the key had been used for this before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="What came of a completion so far.")
class CheckoutCompletePayload:
    checkout: CheckoutSession | None = strawberry.field(
        default=None, description="The session; COMPLETE_IN_PROGRESS means: poll it."
    )
    order: Order | None = strawberry.field(default=None, description="The order, once there is one.")
    saga_id: strawberry.ID | None = strawberry.field(default=None, description="The completion's own identity.")
    replayed: bool = strawberry.field(default=False, description="Whether the key had been used for this before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why there is no order.")


@strawberry.type(description="What came of a command on an order.")
class OrderPayload:
    order: Order | None = strawberry.field(default=None, description="The order, unless refused.")
    replayed: bool = strawberry.field(default=False, description="Whether it had been recorded before.")
    errors: list[OrderError] = strawberry.field(default_factory=list, description="Why it was refused.")


@strawberry.type(description="An event of an order's stream.")
class OrderEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is.")
    order: Order = strawberry.field(description="The order as it is now.")
    change: OrderEventRecord | None = strawberry.field(description="For a DELTA: what happened.")
    resume_token: str = strawberry.field(description="To take the stream up again from here.")
    at: DateTime = strawberry.field(description="When it happened.")

    @classmethod
    def of(cls, news: OrderNews) -> Self:
        return cls(
            kind=StreamEventKind(news.kind),
            order=Order.of(news.order),
            change=None if news.change is None else OrderEventRecord.of(news.change),
            resume_token=news.resume_token,
            at=news.at,
        )


@strawberry.type(description="Orders compared with their payments and sagas, all at one moment.")
class OrdersAudit:
    ok: bool = strawberry.field(description="Whether nothing is wrong.")
    problems: list[str] = strawberry.field(description="What is wrong, a sentence each; at most 100.")
    orders: int = strawberry.field(description="Orders looked at.")
    payments: int = strawberry.field(description="Payments looked at.")
