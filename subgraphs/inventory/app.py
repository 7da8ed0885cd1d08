"""Wires inventory: its schema, its services, what it hears, and the job that takes back holds whose time is over."""

from __future__ import annotations

import asyncio

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.inventory.schema import SCHEMA
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.inventory.store import INDEXES, Store
from subgraphs.kernel.events import Envelope, PosOrderRecorded

# A hold may outlive its expiry by this and the time of one sweep; the promise is five seconds.
SWEEP_EVERY_S = 0.5


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


async def hear_counter_sale(services: Inventory, session: Session, envelope: Envelope) -> None:
    """A register told orders of a sale: the goods are gone."""
    await services.hear_counter_sale(session, envelope)


SERVICE = Service(
    name="inventory",
    schema=SCHEMA,
    build=build,
    indexes=INDEXES,
    hears={"orders": {PosOrderRecorded.TYPE: hear_counter_sale}},
    background=[sweep],
)
