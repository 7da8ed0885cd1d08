"""Wires orders: its schema, its services, and the worker that recovers completion sagas. It hears nobody's events."""

from __future__ import annotations

from subgraphs.chassis.app import Resources, Service
from subgraphs.orders import store
from subgraphs.orders.payments import sandbox
from subgraphs.orders.payments.port import PaymentProvider
from subgraphs.orders.schema import SCHEMA
from subgraphs.orders.service.carts import Carts
from subgraphs.orders.service.checkouts import Checkouts
from subgraphs.orders.service.completion import Completion
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.live import LiveOrders
from subgraphs.orders.service.orders import Orders
from subgraphs.orders.service.peers import Catalog, Inventory, Loyalty
from subgraphs.orders.service.services import Services
from subgraphs.orders.store import Store


async def build(resources: Resources) -> Services:
    """The services of one process."""
    return assemble(resources, FaultPoints())


def assemble(resources: Resources, faults: FaultPoints) -> Services:
    """The services with these fault points; tests arm some."""
    cursors, tokens = resources.codec("cursors"), resources.codec("streams")
    kept = Store(resources.database)
    catalog, inventory = Catalog(resources.peers), Inventory(resources.peers)
    providers: dict[str, PaymentProvider] = {sandbox.NAME: sandbox.SandboxProvider(resources.database)}
    completion = Completion(kept, resources.outbox, resources.clock, catalog, inventory, providers, faults)
    orders = Orders(kept, resources.outbox, resources.idempotency, resources.clock, catalog, inventory, cursors)
    return Services(
        carts=Carts(kept, resources.idempotency, resources.clock, catalog),
        checkouts=Checkouts(
            kept, resources.idempotency, resources.clock, catalog, inventory, completion, frozenset(providers)
        ),
        orders=orders,
        live=LiveOrders(orders, resources.hub, resources.clock, tokens),
        completion=completion,
        loyalty=Loyalty(resources.peers),
    )


async def recover(_: Resources, services: Services) -> None:
    """Takes over sagas whose worker is gone, for ever."""
    await services.completion.run()


SERVICE = Service(
    name="orders",
    schema=SCHEMA,
    build=build,
    indexes={**store.INDEXES, **sandbox.INDEXES},
    background=[recover],
)
