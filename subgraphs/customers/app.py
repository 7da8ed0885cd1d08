"""Wires customers: its schema, its services, and the orders it hears of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.chassis.peers import PeerFailed
from subgraphs.customers.schema import SCHEMA
from subgraphs.customers.service import Customers
from subgraphs.customers.service.mandates import Mandates
from subgraphs.customers.store import INDEXES, Store
from subgraphs.customers.store.mandates import INDEXES as MANDATE_INDEXES
from subgraphs.customers.store.mandates import MandateStore
from subgraphs.kernel.errors import RequestInFlight
from subgraphs.kernel.events import Envelope, OrderCancelled, OrderConfirmed, PosOrderRecorded

PRODUCTS = "query ProductsOf($skus: [String!]!) { variants(skus: $skus) { sku product { id } } }"
SKUS_ASKED_MAX = 200
CATALOG_AWAY_MS = 1000


async def build(resources: Resources) -> Customers:
    """The services of one process."""

    async def products_by_catalog(skus: Sequence[str]) -> Mapping[str, str]:
        known: dict[str, str] = {}
        for begin in range(0, len(skus), SKUS_ASKED_MAX):
            asked = list(skus[begin : begin + SKUS_ASKED_MAX])
            try:
                data = await resources.peers.execute("catalog", PRODUCTS, {"skus": asked})
            except PeerFailed as failed:
                if failed.codes:
                    raise
                # Catalog is away, which is no fault of the order: it waits, where a fault would park it.
                raise RequestInFlight("catalog does not answer", CATALOG_AWAY_MS) from failed
            known |= {found["sku"]: found["product"]["id"] for found in data["variants"] if found is not None}
        return known

    store = Store(resources.database)
    return Customers(
        store,
        resources.outbox,
        resources.idempotency,
        resources.clock,
        products_by_catalog,
        Mandates(MandateStore(resources.database), store, resources.idempotency, resources.clock),
    )


async def hear_order(services: Customers, session: Session, envelope: Envelope) -> None:
    """Somebody bought something, perhaps through an agent."""
    await services.hear_order(session, envelope)
    if envelope.type == OrderConfirmed.TYPE:
        await services.mandates.hear_confirmed(session, envelope)


async def hear_cancelled(services: Customers, session: Session, envelope: Envelope) -> None:
    """An order was given up."""
    await services.mandates.hear_cancelled(session, envelope)


SERVICE = Service(
    name="customers",
    schema=SCHEMA,
    build=build,
    indexes=INDEXES | MANDATE_INDEXES,
    hears={
        "orders": {
            OrderConfirmed.TYPE: hear_order,
            PosOrderRecorded.TYPE: hear_order,
            OrderCancelled.TYPE: hear_cancelled,
        }
    },
)
