"""Wires inventory: its schema, its services, what it hears, the job that takes back holds whose time is over, and the
one that forecasts demand once a day."""

from __future__ import annotations

import asyncio

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.inventory.schema import SCHEMA
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.inventory.service.prices import prices_of
from subgraphs.inventory.store import INDEXES, Store, demand, returns, suggestions
from subgraphs.kernel.events import Envelope, GoodsFreed, GoodsLeft, PosOrderRecorded, ReturnReceived

# A hold may outlive its expiry by this and the time of one sweep; the promise is five seconds.
SWEEP_EVERY_S = 0.5
# A day is over at a different hour in every season and zone; asking costs one small read.
PLAN_LOOK_EVERY_S = 60.0


async def build(resources: Resources) -> Inventory:
    """The services of one process."""
    return Inventory(
        Store(resources.database),
        resources.outbox,
        resources.hub,
        resources.idempotency,
        resources.clock,
        resources.codec("cursors"),
    )


async def sweep(_: Resources, services: Inventory) -> None:
    """Takes back holds whose time is over, for ever."""
    while True:
        await services.sweep()
        await asyncio.sleep(SWEEP_EVERY_S)


async def replenish(resources: Resources, services: Inventory) -> None:
    """Learns, forecasts and proposes moves, once for each day that is over everywhere."""
    prices = prices_of(resources.peers)
    while True:
        await services.replenishment.plan_when_due(prices)
        await asyncio.sleep(PLAN_LOOK_EVERY_S)


async def hear_counter_sale(services: Inventory, session: Session, envelope: Envelope) -> None:
    """A register told orders of a sale: the goods are gone."""
    await services.hear_counter_sale(session, envelope)


async def hear_goods_left(services: Inventory, session: Session, envelope: Envelope) -> None:
    """A parcel left, or a pickup was handed over."""
    await services.goods.hear_left(session, envelope)


async def hear_goods_freed(services: Inventory, session: Session, envelope: Envelope) -> None:
    """An order wants its goods no more, or has them sent from elsewhere."""
    await services.goods.hear_freed(session, envelope)


async def hear_return(services: Inventory, session: Session, envelope: Envelope) -> None:
    """Goods came back."""
    await services.goods.hear_returned(session, envelope)


SERVICE = Service(
    name="inventory",
    schema=SCHEMA,
    build=build,
    indexes={**INDEXES, **demand.INDEXES, **suggestions.INDEXES, **returns.INDEXES},
    hears={
        "orders": {
            PosOrderRecorded.TYPE: hear_counter_sale,
            GoodsLeft.TYPE: hear_goods_left,
            GoodsFreed.TYPE: hear_goods_freed,
            ReturnReceived.TYPE: hear_return,
        }
    },
    background=[sweep, replenish],
)
