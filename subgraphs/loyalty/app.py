"""Wires loyalty: its schema, its services, and the orders it hears of."""

from __future__ import annotations

import hashlib

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.kernel.events import Envelope, OrderConfirmed, PosOrderRecorded
from subgraphs.kernel.pages import CursorCodec
from subgraphs.loyalty.schema import SCHEMA
from subgraphs.loyalty.service import Loyalty
from subgraphs.loyalty.store import INDEXES, Store


async def build(resources: Resources) -> Loyalty:
    """The services of one process."""
    secret = resources.settings.identity_secret.get_secret_value()
    return Loyalty(
        Store(resources.database),
        resources.outbox,
        resources.hub,
        resources.idempotency,
        resources.clock,
        # A key of its own: a cursor must never pass for anything else that the same secret signs.
        CursorCodec(hashlib.sha256(f"loyalty cursors\0{secret}".encode()).digest()),
    )


async def hear_order(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """An order was confirmed."""
    await services.hear_order(session, envelope)


async def hear_counter_sale(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """A register told orders of a sale."""
    await services.hear_counter_sale(session, envelope)


SERVICE = Service(
    name="loyalty",
    schema=SCHEMA,
    build=build,
    indexes=INDEXES,
    hears={"orders": {OrderConfirmed.TYPE: hear_order, PosOrderRecorded.TYPE: hear_counter_sale}},
)
