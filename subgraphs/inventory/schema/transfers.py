"""Transfers and counts in GraphQL.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Self

import strawberry

from subgraphs.chassis.graphql import DateTime, IdempotencyKey, Info, to_graphql_error
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.model.transfers import Transfer as Model
from subgraphs.inventory.model.transfers import TransferState
from subgraphs.inventory.schema.context import services_of
from subgraphs.inventory.schema.entities import StockLevelType
from subgraphs.inventory.schema.payloads import InventoryError, StockMutationPayload
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.service.rights import READ, WRITE
from subgraphs.kernel.errors import DomainError

strawberry.enum(TransferState, description="Where a transfer stands.")
Key = Annotated[IdempotencyKey, strawberry.argument(description="The same key with the same arguments is done once.")]
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
_READ, _WRITE = [[READ]], [[WRITE]]


@strawberry.type(description="Units of a SKU in a transfer.")
class TransferLine:
    sku: str = strawberry.field(description="The SKU.")
    shipped: int = strawberry.field(description="Units that left, or are to.")
    received: int = strawberry.field(description="Units that arrived.")


@strawberry.type(description="Goods on their way from one location to another.")
class Transfer:
    id: strawberry.ID = strawberry.field(description="Identity, trf_….")
    from_: LocationType = strawberry.field(name="from", description="Where they come from.")
    to: LocationType = strawberry.field(description="Where they go.")
    state: TransferState = strawberry.field(description="Where it stands.")
    lines: list[TransferLine] = strawberry.field(description="What is in it.")

    @classmethod
    def of(cls, found: Model, places: Mapping[str, Place]) -> Self:
        return cls(
            id=strawberry.ID(found.id),
            from_=LocationType.of(places[found.source_id]),
            to=LocationType.of(places[found.target_id]),
            state=found.state,
            lines=[TransferLine(sku=line.sku, shipped=line.shipped, received=line.received) for line in found.lines],
        )


@strawberry.type(description="What came of a command on a transfer.")
class TransferPayload:
    transfer: Transfer | None = strawberry.field(default=None, description="The transfer, unless refused.")
    replayed: bool = strawberry.field(default=False, description="Whether it had been done before.")
    errors: list[InventoryError] = strawberry.field(default_factory=list, description="Why not.")


@strawberry.input(description="Units of a SKU.")
class TransferLineInput:
    sku: str = strawberry.field(description="The SKU.")
    quantity: int = strawberry.field(description="Units.")


@strawberry.input(description="Goods to send.")
class TransferInput:
    from_location_id: strawberry.ID = strawberry.field(description="From where.")
    to_location_id: strawberry.ID = strawberry.field(description="To where.")
    lines: list[TransferLineInput] = strawberry.field(description="What; the source keeps its safety stock.")
    suggestion_id: strawberry.ID | None = strawberry.field(default=None, description="The open suggestion it follows.")


@strawberry.input(description="What was counted of a SKU.")
class CountLineInput:
    sku: str = strawberry.field(description="The SKU.")
    counted: int = strawberry.field(description="Units on the shelf at that moment.")


@strawberry.input(description="A count of a moment. Sales since then stay.")
class CycleCountInput:
    location_id: strawberry.ID = strawberry.field(description="Where.")
    counted_at: DateTime = strawberry.field(description="When it was counted; told within two days.")
    lines: list[CountLineInput] = strawberry.field(description="What was counted, each SKU once.")


@strawberry.type
class TransferQuery:
    @strawberry.federation.field(
        description="Transfers, newest first; from or to a location, if one is named.",
        requires_scopes=_READ,
        tags=["staff"],
    )
    async def transfers(
        self,
        info: Info,
        state: Annotated[TransferState | None, strawberry.argument(description="In this state.")] = None,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="From it or to it.")] = None,
        first: First = 50,
    ) -> list[Transfer]:
        services = services_of(info)
        place = None if location_id is None else str(location_id)
        found = await services.transfers.listed(info.context.principal, state, place, first)
        places = await services.places.all()
        return [Transfer.of(each, places) for each in found]

    @strawberry.federation.field(
        description="Levels that a register has overdrawn: somebody should count them.",
        requires_scopes=_READ,
        tags=["staff"],
    )
    async def count_tasks(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only there.")] = None,
        first: First = 50,
    ) -> list[StockLevelType]:
        services = services_of(info)
        place = None if location_id is None else str(location_id)
        found = await services.transfers.to_count(info.context.principal, place, first)
        places = await services.places.all()
        return [StockLevelType.of(level, places) for level in found]


@strawberry.type
class TransferMutation:
    @strawberry.federation.mutation(
        description="Sends goods from one location to another: they are in transit, and inbound where they go.",
        requires_scopes=_WRITE,
        tags=["staff"],
    )
    async def transfer_create(
        self,
        info: Info,
        input: Annotated[TransferInput, strawberry.argument(description="What to send.")],
        idempotency_key: Key,
    ) -> TransferPayload:
        services = services_of(info)
        return await _done(
            info,
            lambda: services.transfers.create(
                info.context.principal,
                str(input.from_location_id),
                str(input.to_location_id),
                _lines(input.lines),
                None if input.suggestion_id is None else str(input.suggestion_id),
                idempotency_key,
                {"input": strawberry.asdict(input)},
            ),
        )

    @strawberry.federation.mutation(
        description="Sends a draft, such as an accepted suggestion is.", requires_scopes=_WRITE, tags=["staff"]
    )
    async def transfer_ship(
        self,
        info: Info,
        transfer_id: Annotated[strawberry.ID, strawberry.argument(description="trf_….")],
        idempotency_key: Key,
    ) -> TransferPayload:
        identity, services = str(transfer_id), services_of(info)
        return await _done(
            info,
            lambda: services.transfers.ship(
                info.context.principal, identity, idempotency_key, {"transferId": identity}
            ),
        )

    @strawberry.federation.mutation(description="Gives a draft up.", requires_scopes=_WRITE, tags=["staff"])
    async def transfer_cancel(
        self,
        info: Info,
        transfer_id: Annotated[strawberry.ID, strawberry.argument(description="trf_….")],
        idempotency_key: Key,
    ) -> TransferPayload:
        identity, services = str(transfer_id), services_of(info)
        return await _done(
            info,
            lambda: services.transfers.cancel(
                info.context.principal, identity, idempotency_key, {"transferId": identity}
            ),
        )

    @strawberry.federation.mutation(
        description="Takes a transfer in as it was counted at the dock; more or less than left is a variance.",
        requires_scopes=_WRITE,
        tags=["staff"],
    )
    async def transfer_receive(
        self,
        info: Info,
        transfer_id: Annotated[strawberry.ID, strawberry.argument(description="trf_….")],
        lines: Annotated[
            list[TransferLineInput], strawberry.argument(description="What came; a SKU left out did not.")
        ],
        idempotency_key: Key,
    ) -> TransferPayload:
        identity, services = str(transfer_id), services_of(info)
        given = _lines(lines)
        return await _done(
            info,
            lambda: services.transfers.receive(
                info.context.principal,
                identity,
                given,
                idempotency_key,
                {"transferId": identity, "lines": [list(line) for line in given]},
            ),
        )

    @strawberry.federation.mutation(
        description="Corrects what is on hand by a count of a moment; what was sold since stays sold.",
        requires_scopes=_WRITE,
        tags=["staff"],
    )
    async def cycle_count_submit(
        self,
        info: Info,
        input: Annotated[CycleCountInput, strawberry.argument(description="The count.")],
        idempotency_key: Key,
    ) -> StockMutationPayload:
        services = services_of(info)
        try:
            counted = await services.transfers.count(
                info.context.principal,
                str(input.location_id),
                input.counted_at,
                [(line.sku, line.counted) for line in input.lines],
                idempotency_key,
                {"input": strawberry.asdict(input)},
            )
        except DomainError as refusal:
            return StockMutationPayload(errors=[to_graphql_error(refusal)])
        places = await services.places.all()
        return StockMutationPayload(
            levels=[StockLevelType.of(level, places) for level in counted.levels], replayed=counted.replayed
        )


def _lines(given: Sequence[TransferLineInput]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in given]


async def _done(info: Info, work: Callable[[], Awaitable[tuple[Model, bool]]]) -> TransferPayload:
    try:
        transfer, replayed = await work()
    except DomainError as refusal:
        return TransferPayload(errors=[to_graphql_error(refusal)])
    return TransferPayload(transfer=Transfer.of(transfer, await services_of(info).places.all()), replayed=replayed)
