"""Why customers says no, as GraphQL."""

from typing import Annotated

import strawberry

from subgraphs.chassis.graphql import (
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    RequestInFlight,
    VersionConflict,
)

CustomerError = Annotated[
    InvalidInput | NotFound | Forbidden | IdempotencyConflict | RequestInFlight | VersionConflict,
    strawberry.union(name="CustomerError", description="Why customers said no."),
]
