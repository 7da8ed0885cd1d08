"""Wires customers: its schema, its services, and the orders it hears of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from subgraphs.chassis.app import Resources, Service
from subgraphs.chassis.mongo import Session
from subgraphs.customers.schema import SCHEMA
from subgraphs.customers.service import Customers
from subgraphs.customers.store import INDEXES, Store
from subgraphs.kernel.events import Envelope, OrderConfirmed, PosOrderRecorded

PRODUCTS = "query ProductsOf($skus: [String!]!) { variants(skus: $skus) { sku product { id } } }"


async def build(resources: Resources) -> Customers:
    """The services of one process."""

    async def products_by_catalog(skus: Sequence[str]) -> Mapping[str, str]:
        data = await resources.peers.execute("catalog", PRODUCTS, {"skus": list(skus)})
        return {found["sku"]: found["product"]["id"] for found in data["variants"] if found is not None}

    return Customers(
        Store(resources.database),
        resources.outbox,
        resources.idempotency,
        resources.clock,
        products_by_catalog,
    )


async def hear_order(services: Customers, session: Session, envelope: Envelope) -> None:
    """Somebody bought something."""
    await services.hear_order(session, envelope)


SERVICE = Service(
    name="customers",
    schema=SCHEMA,
    build=build,
    indexes=INDEXES,
    hears={"orders": {OrderConfirmed.TYPE: hear_order, PosOrderRecorded.TYPE: hear_order}},
)
