"""Refusals as data, what came of a command, and the events of the live stream.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Mapping
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import (
    DateTime,
    Forbidden,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    RequestInFlight,
    StreamEventKind,
    UserError,
    VersionConflict,
    register_error,
)
from subgraphs.inventory.model import refusals
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.schema.entities import ReservationType, Shortfall, StockLevelType, VariantAvailability
from subgraphs.inventory.service.live import AvailabilityNews


@strawberry.type(description="Not everything asked for is there.")
class InsufficientStock(UserError):
    shortfalls: list[Shortfall] = strawberry.field(description="What is missing of each SKU.")


@strawberry.type(description="The hold's time had run out; its units are for sale again.")
class ReservationExpired(UserError):
    reservation_id: strawberry.ID = strawberry.field(description="The reservation.")


@strawberry.type(description="This principal may not hold more at once.")
class HoldLimitExceeded(UserError):
    limit: int = strawberry.field(description="The most it may hold.")


register_error(
    refusals.InsufficientStock,
    InsufficientStock,
    lambda error: {"shortfalls": [Shortfall.of(item) for item in error.shortfalls]},
)
register_error(refusals.ReservationExpired, ReservationExpired, lambda error: {"reservation_id": error.reservation_id})
register_error(refusals.HoldLimitExceeded, HoldLimitExceeded, lambda error: {"limit": error.limit})

InventoryError = Annotated[
    InvalidInput
    | NotFound
    | Forbidden
    | IdempotencyConflict
    | RequestInFlight
    | VersionConflict
    | InsufficientStock
    | ReservationExpired
    | HoldLimitExceeded,
    strawberry.union("InventoryError", description="Why inventory said no."),
]


@strawberry.type(description="What came of a command on a reservation.")
class ReservePayload:
    reservation: ReservationType | None = strawberry.field(
        default=None, description="The reservation as the command left it; null if it was refused."
    )
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[InventoryError] = strawberry.field(
        default_factory=list, description="Why not, or what is missing of a partial hold."
    )


@strawberry.type(description="What came of a register's batch.")
class PosIngestPayload:
    accepted: int = strawberry.field(default=0, description="Receipts that had an effect.")
    duplicates: int = strawberry.field(default=0, description="Receipts that had had theirs before.")
    negative_on_hand: list[StockLevelType] = strawberry.field(
        default_factory=list, description="Levels below zero now: somebody should count them."
    )
    next_expected_sequence: int = strawberry.field(
        default=0, description="The lowest batch number not yet received; 0 if the batch was refused."
    )
    missing_sequences: list[int] = strawberry.field(
        default_factory=list, description="Batches that have not come although later ones have; at most 100."
    )
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type(description="What came of a change of stock.")
class StockMutationPayload:
    levels: list[StockLevelType] = strawberry.field(default_factory=list, description="The levels changed.")
    replayed: bool = strawberry.field(
        default=False, description="Whether the same command was done before, and this is its answer of then."
    )
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.type(description="One event of a live stream of availability.")
class AvailabilityEvent:
    kind: StreamEventKind = strawberry.field(description="What the event is.")
    availability: list[VariantAvailability] = strawberry.field(
        description="All SKUs in a SNAPSHOT, those that changed in a DELTA, none otherwise."
    )
    resume_token: str = strawberry.field(description="Give it back to go on from here after losing the stream.")
    sequence: int = strawberry.field(description="Number of the last stock event this one reflects.")
    at: DateTime = strawberry.field(description="When it was sent.")
    coalesced: int = strawberry.field(description="Changes that were overtaken before they were sent.")

    @classmethod
    def of(cls, news: AvailabilityNews, places: Mapping[str, Place], exact: bool) -> Self:
        return cls(
            kind=StreamEventKind[news.kind],
            availability=[VariantAvailability.of(item, places, exact) for item in news.items],
            resume_token=news.resume_token,
            sequence=news.position,
            at=news.at,
            coalesced=news.coalesced,
        )
