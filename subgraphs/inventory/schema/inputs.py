"""What a client writes, and the words of the model it may choose from.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

import strawberry

from subgraphs.chassis.graphql import DateTime, GeoPointInput
from subgraphs.chassis.inputs import built_once
from subgraphs.inventory.model.availability import WITHIN_KM_DEFAULT, AvailabilityStatus, QuantityBand
from subgraphs.inventory.model.places import Capability, LocationKind
from subgraphs.inventory.model.reservations import TTL_SECONDS_DEFAULT, ReservationState
from subgraphs.inventory.model.sourcing import FulfilmentMethod, SourcingPolicy

strawberry.enum(LocationKind, description="What a location is for. Only STORE and EVENT have a counter.")

strawberry.enum(
    Capability,
    name="LocationCapability",
    description="What a location can do: send parcels, hand over at a counter or at the kerb, take returns.",
)

strawberry.enum(
    FulfilmentMethod,
    description="How goods reach the buyer. PICKUP and CURBSIDE take everything from one named location.",
)

strawberry.enum(
    SourcingPolicy,
    description="What a sourcing plan keeps small: parcels (warehouses before stores), the way of each unit, what sending "
    "costs the house, or what stores give (only what nobody else has).",
)

strawberry.enum(
    AvailabilityStatus,
    description="Whether the wanted quantity can be had: now, now but few, not, or when stock on its way arrives.",
)

strawberry.enum(QuantityBand, description="How much there is, as the public may know it; PLENTY is above 20 units.")

strawberry.enum(
    ReservationState,
    description="HELD until its expiry; COMMITTED to an order, RELEASED by its owner and EXPIRED are final.",
)


@built_once
@strawberry.input(description="What is asked about the availability of SKUs.")
class AvailabilityInput:
    channel: str = strawberry.field(description="Code of the channel that would sell them.")
    near: GeoPointInput | None = strawberry.field(default=None, description="Where the buyer is.")
    within_km: float | None = strawberry.field(
        default=WITHIN_KM_DEFAULT, description="How far the buyer would go to collect, in kilometres."
    )
    location_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Consider these locations only; all that serve the channel by default."
    )
    methods: list[FulfilmentMethod] | None = strawberry.field(
        default=None, description="The methods to answer for; SHIP, PICKUP and CURBSIDE by default."
    )
    quantity: int | None = strawberry.field(default=1, description="Units wanted of each SKU.")
    include_inbound: bool | None = strawberry.field(
        default=False, description="Count stock on its way: what is not there yet but coming is BACKORDER."
    )


@strawberry.input(description="Units wanted of a SKU.")
class SourcingLineInput:
    sku: str = strawberry.field(description="The variant's SKU.")
    quantity: int = strawberry.field(description="Units, at least 1; lines of one SKU add up.")


@strawberry.input(description="What to set aside, for whom, and for how long.")
class ReserveInput:
    owner_ref: str = strawberry.field(description="The caller's own reference, such as a checkout's id.")
    lines: list[SourcingLineInput] = strawberry.field(description="What to hold: all of it, or nothing.")
    method: FulfilmentMethod = strawberry.field(description="How it is to reach the buyer: decides from where.")
    pickup_location_id: strawberry.ID | None = strawberry.field(
        default=None, description="Where it is collected; needed for PICKUP and CURBSIDE."
    )
    destination: GeoPointInput | None = strawberry.field(
        default=None, description="Where it is sent: nearer locations go first."
    )
    ttl_seconds: int | None = strawberry.field(
        default=TTL_SECONDS_DEFAULT, description="Seconds until the units are for sale again, 1 to 3600."
    )
    allow_partial: bool | None = strawberry.field(
        default=False, description="Hold what is there, and say what is missing, instead of refusing."
    )
    channel: str = strawberry.field(description="Code of the channel that sells.")
    without_location_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Locations that are not to give anything."
    )


@strawberry.input(description="One receipt of a register.")
class PosSaleInput:
    receipt_no: str = strawberry.field(description="The receipt's number, unique for its register for ever.")
    occurred_at: DateTime = strawberry.field(description="When the sale was made, by the register's clock.")
    lines: list[SourcingLineInput] = strawberry.field(description="What left the shop.")


@strawberry.input(description="Sales of one register, sent together.")
class PosSaleBatchInput:
    location_id: strawberry.ID = strawberry.field(description="Where the register stands.")
    register_id: str = strawberry.field(description="The register.")
    sequence: int = strawberry.field(
        description="The batch's number, counted by the register from 1. Gaps, repeats and late batches are fine."
    )
    sales: list[PosSaleInput] = strawberry.field(description="The sales, at most 500.")


@strawberry.input(description="A correction of what is on hand.")
class StockAdjustInput:
    location_id: strawberry.ID = strawberry.field(description="Where.")
    sku: str = strawberry.field(description="Of which SKU.")
    delta: int = strawberry.field(description="Units more (positive) or less (negative) than the books say.")
    reason: str = strawberry.field(description="Why, for the ledger; 1 to 200 characters.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VersionConflict unless the level is at this version."
    )
