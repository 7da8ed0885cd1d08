"""Why loyalty says no, as GraphQL."""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import (
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    RequestInFlight,
    UserError,
    VersionConflict,
    register_error,
)
from subgraphs.loyalty import model


@strawberry.type(description="The account has fewer points than that to give.")
class InsufficientPoints(UserError):
    balance: int = strawberry.field(description="Points that could be spent.")
    required: int = strawberry.field(description="Points that would be needed.")


register_error(
    model.InsufficientPoints,
    InsufficientPoints,
    lambda error: {"balance": error.balance, "required": error.required},
)

LoyaltyError = Annotated[
    InvalidInput | NotFound | Forbidden | IdempotencyConflict | RequestInFlight | VersionConflict | InsufficientPoints,
    strawberry.union("LoyaltyError", description="Why loyalty said no."),
]
