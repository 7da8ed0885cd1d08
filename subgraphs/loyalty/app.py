"""Wires loyalty: its schema, its services, and the orders it hears of."""

from __future__ import annotations

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.kernel.events import Envelope, OrderCancelled, OrderConfirmed, PosOrderRecorded, RefundIssued
from subgraphs.loyalty.schema import SCHEMA
from subgraphs.loyalty.service import Loyalty
from subgraphs.loyalty.service.redemptions import Redemptions
from subgraphs.loyalty.store import INDEXES, Store
from subgraphs.loyalty.store.redemptions import INDEXES as REDEMPTION_INDEXES
from subgraphs.loyalty.store.redemptions import RedemptionStore


async def build(resources: Resources) -> Loyalty:
    """The services of one process."""
    store = Store(resources.database)
    return Loyalty(
        store,
        resources.outbox,
        resources.hub,
        resources.idempotency,
        resources.clock,
        resources.codec("cursors"),
        Redemptions(
            store, RedemptionStore(resources.database), resources.outbox, resources.idempotency, resources.clock
        ),
    )


async def hear_order(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """An order was confirmed."""
    await services.hear_order(session, envelope)


async def hear_counter_sale(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """A register told orders of a sale."""
    await services.hear_counter_sale(session, envelope)


async def hear_refund(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """Money of an order went back."""
    await services.hear_refund(session, envelope)


async def hear_cancelled(services: Loyalty, session: Session, envelope: Envelope) -> None:
    """An order was given up."""
    await services.hear_cancelled(session, envelope)


SERVICE = Service(
    name="loyalty",
    schema=SCHEMA,
    build=build,
    indexes=INDEXES | REDEMPTION_INDEXES,
    hears={
        "orders": {
            OrderConfirmed.TYPE: hear_order,
            PosOrderRecorded.TYPE: hear_counter_sale,
            RefundIssued.TYPE: hear_refund,
            OrderCancelled.TYPE: hear_cancelled,
        }
    },
)
