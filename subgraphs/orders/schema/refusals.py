"""Refusals as data: one type an error of the model, with the facts a client needs to go on.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import (
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    MoneyType,
    NotFound,
    RequestInFlight,
    UserError,
    VersionConflict,
    register_error,
)
from subgraphs.orders.model import refusals
from subgraphs.orders.schema.entities import ProductVariant


@strawberry.type(description="Fewer units can be had than were asked for. Take fewer, or an alternative.")
class OutOfStock(UserError):
    sku: str = strawberry.field(description="The SKU.")
    available: int | None = strawberry.field(description="Units left; not told when it is more than 20 or unknown.")
    alternatives: list[ProductVariant] = strawberry.field(description="Variants of the product that can be had.")


@strawberry.type(description="The total is not what the buyer agreed to. Nothing was charged: ask the buyer again.")
class PriceChanged(UserError):
    quoted: MoneyType = strawberry.field(description="What the buyer agreed to.")
    current: MoneyType = strawberry.field(description="What it costs now; complete with this and a fresh key.")


@strawberry.type(description="An agent may not spend that much on its own. Nothing was charged: ask the person.")
class BudgetExceeded(UserError):
    limit: MoneyType = strawberry.field(description="The most it may spend.")
    remaining: MoneyType = strawberry.field(description="What it still could.")


@strawberry.type(description="A person must agree first. Nothing was charged.")
class ConsentRequired(UserError):
    purpose: str = strawberry.field(description="To what: AGENT_PURCHASE (a consent), or APPROVAL of this purchase.")
    continue_url: str = strawberry.field(description="Where the person can go on.")


@strawberry.type(description="The provider said no. The stock stays aside for as long as it was promised.")
class PaymentDeclined(UserError):
    decline_code: str = strawberry.field(description="The provider's reason.")
    retryable: bool = strawberry.field(description="Whether another card, or the same one later, may work.")


@strawberry.type(description="The buyer must confirm the payment at the provider; then the checkout goes on by itself.")
class PaymentActionRequired(UserError):
    action_url: str = strawberry.field(description="Where to send the buyer.")


@strawberry.type(description="It cannot go there from the state it is in.")
class IllegalTransition(UserError):
    from_: str = strawberry.field(name="from", description="The state it is in.")
    to: str = strawberry.field(description="The state that was asked for.")
    allowed: list[str] = strawberry.field(description="The states it may go to.")


@strawberry.type(description="The line may not come back, or not in that quantity.")
class NotReturnable(UserError):
    order_line_id: strawberry.ID = strawberry.field(description="The order's line.")
    rule: str = strawberry.field(description="The rule, as a stable word, such as DEADLINE_PASSED.")


register_error(
    refusals.NotReturnable,
    NotReturnable,
    lambda error: {"order_line_id": strawberry.ID(error.order_line_id), "rule": error.rule},
)
register_error(
    refusals.OutOfStock,
    OutOfStock,
    lambda error: {
        "sku": error.sku,
        "available": error.available,
        "alternatives": [ProductVariant(sku=sku) for sku in error.alternatives],
    },
)
register_error(
    refusals.PriceChanged,
    PriceChanged,
    lambda error: {"quoted": MoneyType.of(error.quoted), "current": MoneyType.of(error.current)},
)
register_error(
    refusals.BudgetExceeded,
    BudgetExceeded,
    lambda error: {"limit": MoneyType.of(error.limit), "remaining": MoneyType.of(error.remaining)},
)
register_error(
    refusals.ConsentRequired,
    ConsentRequired,
    lambda error: {"purpose": error.purpose, "continue_url": error.continue_url},
)
register_error(
    refusals.PaymentDeclined,
    PaymentDeclined,
    lambda error: {"decline_code": error.decline_code, "retryable": error.retryable},
)
register_error(refusals.PaymentActionRequired, PaymentActionRequired, lambda error: {"action_url": error.action_url})
register_error(
    refusals.IllegalTransition,
    IllegalTransition,
    lambda error: {"from_": error.current, "to": error.target, "allowed": list(error.allowed)},
)

OrderError = Annotated[
    InvalidInput
    | NotFound
    | Forbidden
    | IdempotencyConflict
    | RequestInFlight
    | VersionConflict
    | OutOfStock
    | PriceChanged
    | BudgetExceeded
    | ConsentRequired
    | PaymentDeclined
    | PaymentActionRequired
    | IllegalTransition
    | NotReturnable,
    strawberry.union("OrderError", description="Why something was refused, with the facts to go on."),
]
