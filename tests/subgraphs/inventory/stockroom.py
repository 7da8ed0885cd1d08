"""A small stockroom to test in: two warehouses, three stores, and levels put there with their opening movements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from subgraphs.chassis import idempotency, inbox, outbox
from subgraphs.chassis.idempotency import Idempotency
from subgraphs.chassis.identity import Principal
from subgraphs.chassis.mongo import Database
from subgraphs.chassis.outbox import EventHub, Outbox
from subgraphs.inventory import store
from subgraphs.inventory.model.places import Capability, Hours, Location, LocationKind, Point
from subgraphs.inventory.model.sourcing import FulfilmentMethod
from subgraphs.inventory.model.stock import Cause, Delta, Movement, StockLevel
from subgraphs.inventory.service.inventory import Hold, Inventory
from subgraphs.kernel.clock import Clock
from subgraphs.kernel.ids import deterministic_id
from subgraphs.kernel.pages import CursorCodec

SECRET = "a secret of at least thirty-two bytes"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""

BUYER = Principal("ada", "customer", customer_id="cus_1")
STAFF = Principal("bert", "staff", frozenset({"inventory:read", "inventory:write", "pos:write"}))
PLANNER = Principal("paula", "staff", frozenset({"inventory:plan", "inventory:write", "inventory:read", "pos:write"}))
ORDERS = Principal("orders", "service")

_ALWAYS = (Hours(0, 24 * 60),) * 7
_SHOP_HOURS = (*(Hours(9 * 60, 20 * 60),) * 6, None)


def place(code: str, kind: LocationKind, point: Point, capabilities: tuple[Capability, ...], **other: Any) -> Location:
    """A location of the stockroom."""
    return Location(
        id=deterministic_id("loc", code, at_ms=0),
        code=code,
        name=f"Galleria {code}",
        kind=kind,
        point=point,
        timezone="Europe/Berlin",
        address="1 Market Street",
        country="DE",
        capabilities=capabilities,
        week=_ALWAYS if kind is LocationKind.WAREHOUSE else _SHOP_HOURS,
        pickup_lead_minutes=60 if Capability.PICKUP in capabilities else None,
        **other,
    )


COUNTER = (Capability.PICKUP, Capability.CURBSIDE, Capability.RETURNS)
W1 = place("W1", LocationKind.WAREHOUSE, Point(51.34, 12.37), (Capability.SHIP,))
W2 = place("W2", LocationKind.WAREHOUSE, Point(50.11, 8.68), (Capability.SHIP,))
S1 = place("S1", LocationKind.STORE, Point(52.52, 13.40), (*COUNTER, Capability.SHIP))
S2 = place("S2", LocationKind.STORE, Point(52.40, 13.06), COUNTER)
S3 = place("S3", LocationKind.STORE, Point(53.55, 9.99), (*COUNTER, Capability.SHIP))
LOCATIONS = (W1, W2, S1, S2, S3)
BERLIN = Point(52.52, 13.405)


async def furnish(
    database: Database,
    stock: Mapping[tuple[str, Location], int],
    *,
    safety: int = 0,
    locations: Sequence[Location] = LOCATIONS,
) -> None:
    """Indexes, locations and levels, each level with the movement that opened it."""
    await database.ensure_indexes({**outbox.INDEXES, **inbox.INDEXES, **idempotency.INDEXES, **store.INDEXES})
    known = {doc["_id"] for doc in await database.collection(store.LOCATIONS).find({})}
    await database.collection(store.LOCATIONS).insert_many(
        [store.location_to_doc(spot) for spot in locations if spot.id not in known]
    )
    levels, movements = [], []
    for (sku, spot), units in stock.items():
        level = StockLevel(sku=sku, location_id=spot.id, on_hand=units, safety=safety, version=1, updated_at=NOON)
        levels.append(store.level_to_doc(level))
        movements.append(
            store.movement_to_doc(
                Movement(
                    id=deterministic_id("mov", level.id, at_ms=0),
                    sku=sku,
                    location_id=spot.id,
                    delta=Delta(on_hand=units),
                    cause=Cause.OPENING,
                    ref=None,
                    version=1,
                    at=NOON,
                )
            )
        )
    await database.collection(store.STOCK).insert_many(levels)
    await database.collection(store.MOVEMENTS).insert_many(movements)


@asynccontextmanager
async def instance(database: Database, clock: Clock) -> AsyncIterator[Inventory]:
    """One process's services over a database, without relay and hub."""
    box = Outbox(database, "inventory", clock)
    services = Inventory(
        store.Store(database),
        box,
        EventHub(box),
        Idempotency(database, clock),
        clock,
        CursorCodec(SECRET),
    )
    try:
        yield services
    finally:
        await services.book.aclose()


def hold(sku: str, quantity: int = 1, **other: Any) -> Hold:
    """A hold of one SKU, to be shipped unless said otherwise."""
    given: dict[str, Any] = {"method": FulfilmentMethod.SHIP, "channel": "web-eu", "owner": "checkout"} | other
    return Hold(lines=((sku, quantity),), **given)


async def planned(services: Inventory) -> None:
    """Returns when the background job has planned the day."""
    async with asyncio.timeout(60):
        while await services.replenishment.quality(PLANNER) is None:
            await asyncio.sleep(0.05)
