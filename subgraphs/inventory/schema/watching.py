"""What staff watch: registers and their gaps, and levels that run low.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Self

import strawberry
from strawberry.federation.schema_directives import RequiresScopes, Tag

from subgraphs.chassis.graphql import DateTime, Info, Live, StreamEventKind, require_scopes
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.schema.context import services_of
from subgraphs.inventory.schema.entities import StockLevelType
from subgraphs.inventory.schema.places import LocationType
from subgraphs.inventory.service.low_stock import LowStockNews
from subgraphs.inventory.service.rights import READ
from subgraphs.inventory.store import Register

_READ = [[READ]]


@strawberry.type(description="A register, and which of its batches have not come.")
class PosRegister:
    id: strawberry.ID = strawberry.field(description="The register.")
    location: LocationType = strawberry.field(description="Where it stands.")
    sequence: int = strawberry.field(description="All batches up to this one have come.")
    missing_sequences: list[int] = strawberry.field(
        description="Batches that have not come although later ones have; at most 100."
    )

    @classmethod
    def of(cls, register: Register, places: Mapping[str, Place]) -> Self:
        return cls(
            id=strawberry.ID(register.id),
            location=LocationType.of(places[register.location_id]),
            sequence=register.sequence,
            missing_sequences=list(register.missing),
        )


@strawberry.type(description="An event of the stream of levels that run low.")
class LowStockEvent:
    kind: StreamEventKind = strawberry.field(
        description="SNAPSHOT once a level that is low at the start, DELTA when one becomes low or is so no more."
    )
    level: StockLevelType | None = strawberry.field(description="The level; none in a HEARTBEAT.")
    resume_token: str = strawberry.field(description="Give it back to go on from here after losing the stream.")
    at: DateTime = strawberry.field(description="When it was sent.")

    @classmethod
    def of(cls, news: LowStockNews, places: Mapping[str, Place]) -> Self:
        return cls(
            kind=StreamEventKind(news.kind),
            level=None if news.level is None else StockLevelType.of(news.level, places),
            resume_token=news.resume_token,
            at=news.at,
        )


@strawberry.type
class WatchingQuery:
    @strawberry.federation.field(
        description="Registers, with the batches that are missing.", requires_scopes=_READ, tags=["staff"]
    )
    async def pos_registers(
        self,
        info: Info,
        location_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only there.")] = None,
    ) -> list[PosRegister]:
        require_scopes(info, READ)
        services = services_of(info)
        places = await services.places.all()
        found = await services.store.all_registers(None if location_id is None else str(location_id))
        return [PosRegister.of(each, places) for each in found]


@strawberry.type
class WatchingSubscription:
    @strawberry.subscription(
        description="Levels that are at a threshold or below it, then each that comes to be, or is so no more.",
        directives=[
            RequiresScopes(scopes=_READ),
            Tag(name="staff"),
            Live(kind="kind", resume="resumeToken"),
        ],
    )
    async def low_stock(
        self,
        info: Info,
        location_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only there; at most 40.")
        ] = None,
        threshold: Annotated[int, strawberry.argument(description="Units that may still be sold, 0 to 1,000.")] = 3,
        resume_token: Annotated[
            str | None, strawberry.argument(description="From the last event seen, to go on from there.")
        ] = None,
    ) -> AsyncIterator[LowStockEvent]:
        require_scopes(info, READ)
        services = services_of(info)
        where = tuple(sorted(map(str, location_ids or ())))
        async for news in services.low_stock.watch(where, threshold, resume_token):
            yield LowStockEvent.of(news, await services.places.all())
