"""Wires orders: its schema, its services, and its workers: one recovers completion sagas, one runs what money must do,
one sends from elsewhere what a location rejected. It hears nobody's events."""

from __future__ import annotations

from subgraphs.chassis.app import Resources, Service
from subgraphs.orders import store
from subgraphs.orders.payments import sandbox
from subgraphs.orders.payments.port import PaymentProvider
from subgraphs.orders.schema import SCHEMA
from subgraphs.orders.service.carts import Carts
from subgraphs.orders.service.checkouts import Checkouts
from subgraphs.orders.service.completion import Completion
from subgraphs.orders.service.errands import Errands
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.fulfilments import Fulfilments
from subgraphs.orders.service.live import LiveOrders
from subgraphs.orders.service.orders import Orders
from subgraphs.orders.service.peers import Catalog, Inventory, Loyalty
from subgraphs.orders.service.returns import Returns
from subgraphs.orders.service.services import Services
from subgraphs.orders.store import Store
from subgraphs.orders.store import after_sales as after_sales_store
from subgraphs.orders.store.after_sales import AfterSales


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
    after_sales = AfterSales(resources.database)
    errands = Errands(kept, after_sales, resources.outbox, resources.clock, providers, faults)
    fulfilments = Fulfilments(
        kept, resources.outbox, resources.idempotency, resources.clock, inventory, errands, cursors
    )
    return Services(
        carts=Carts(kept, resources.idempotency, resources.clock, catalog),
        checkouts=Checkouts(
            kept, resources.idempotency, resources.clock, catalog, inventory, completion, frozenset(providers), faults
        ),
        orders=orders,
        fulfilments=fulfilments,
        returns=Returns(
            kept, after_sales, resources.outbox, resources.idempotency, resources.clock, inventory, errands
        ),
        errands=errands,
        live=LiveOrders(orders, fulfilments, resources.hub, resources.clock, tokens),
        completion=completion,
        loyalty=Loyalty(resources.peers),
    )


async def recover(_: Resources, services: Services) -> None:
    """Takes over sagas whose worker is gone, for ever."""
    await services.completion.run()


async def move_money(_: Resources, services: Services) -> None:
    """Captures, voids and refunds what is wanted, for ever."""
    await services.errands.run()


async def reroute(_: Resources, services: Services) -> None:
    """Sends from elsewhere what a location rejected, for ever."""
    await services.fulfilments.run()


SERVICE = Service(
    name="orders",
    schema=SCHEMA,
    build=build,
    indexes={**store.INDEXES, **after_sales_store.INDEXES, **sandbox.INDEXES},
    background=[recover, move_money, reroute],
)
