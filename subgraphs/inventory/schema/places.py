"""Locations as a client reads them.

(No ``from __future__ import annotations``: Strawberry reads annotations at run time.)
"""

from typing import Self

import strawberry

from subgraphs.chassis.graphql import CountryCode, GeoPoint, Info, PageInfo
from subgraphs.inventory.model.places import Capability, LocationKind
from subgraphs.inventory.model.places import Location as Place
from subgraphs.inventory.schema.context import services_of


@strawberry.federation.type(name="Location", keys=["id"], description="A place with stock.", tags=["partner"])
class LocationType:
    place: strawberry.Private[Place]
    id: strawberry.ID = strawberry.field(description="Identity, loc_….")
    code: str = strawberry.field(description="Short name for people, such as S03.")
    name: str = strawberry.field(description="Name to show.")
    kind: LocationKind = strawberry.field(description="What the location is for.")
    geo: GeoPoint = strawberry.field(description="Where it is.")
    timezone: str = strawberry.field(description="IANA time zone its opening hours are in.")
    address: str = strawberry.field(description="Street and town.")
    country: CountryCode = strawberry.field(description="Country it is in.")
    capabilities: list[Capability] = strawberry.field(description="What it can do.")
    pickup_lead_minutes: int | None = strawberry.field(
        description="Opening minutes from an order to goods ready for pickup; null where nothing is handed over."
    )
    daily_pick_capacity: int | None = strawberry.federation.field(
        description="Orders it can pick a day; null if not limited.", tags=["staff"]
    )

    @strawberry.field(description="Whether the doors are open at this moment.")
    def open_now(self, info: Info) -> bool:
        return self.place.open_at(services_of(info).clock.now())

    @classmethod
    def of(cls, place: Place) -> Self:
        return cls(
            place=place,
            id=strawberry.ID(place.id),
            code=place.code,
            name=place.name,
            kind=place.kind,
            geo=GeoPoint(lat=place.point.lat, lng=place.point.lng),
            timezone=place.timezone,
            address=place.address,
            country=CountryCode(place.country),
            capabilities=list(place.capabilities),
            pickup_lead_minutes=place.pickup_lead_minutes,
            daily_pick_capacity=place.daily_pick_capacity,
        )

    @classmethod
    async def resolve_reference(cls, info: Info, id: strawberry.ID) -> Self | None:
        place = await services_of(info).location(id)
        return cls.of(place) if place is not None else None


@strawberry.type(description="A location in a list.")
class LocationEdge:
    cursor: str = strawberry.field(description="Where this item stands in the list.")
    distance_km: float | None = strawberry.field(
        description="Kilometres from `near` along the great circle, to one decimal; null without `near`."
    )
    node: LocationType = strawberry.field(description="The location.")


@strawberry.type(description="A page of locations.")
class LocationConnection:
    edges: list[LocationEdge] = strawberry.field(description="The locations of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
