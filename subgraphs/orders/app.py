"""Wires orders: its schema, its services, and its workers: one recovers completion sagas, one runs what money must do,
one sends from elsewhere what a location rejected, one keeps the books. It hears nobody's events."""

from __future__ import annotations

from subgraphs.chassis.app import Resources, Service
from subgraphs.orders import store
from subgraphs.orders.payments import external, sandbox, stripe
from subgraphs.orders.payments.port import PaymentProvider
from subgraphs.orders.schema import SCHEMA
from subgraphs.orders.service.books import Bookkeeping
from subgraphs.orders.service.carts import Carts
from subgraphs.orders.service.checkouts import Checkouts
from subgraphs.orders.service.completion import Completion
from subgraphs.orders.service.errands import Errands
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.fulfilments import Fulfilments
from subgraphs.orders.service.ingestion import Ingestion
from subgraphs.orders.service.live import LiveOrders
from subgraphs.orders.service.orders import Orders
from subgraphs.orders.service.peers import Catalog, Customers, Inventory, Loyalty
from subgraphs.orders.service.quotes import Quotes
from subgraphs.orders.service.returns import Returns
from subgraphs.orders.service.runs import Runs
from subgraphs.orders.service.services import Services
from subgraphs.orders.store import Store
from subgraphs.orders.store import after_sales as after_sales_store
from subgraphs.orders.store import books as books_store
from subgraphs.orders.store.after_sales import AfterSales
from subgraphs.orders.store.books import Books


async def build(resources: Resources) -> Services:
    """The services of one process."""
    return assemble(resources, FaultPoints())


def assemble(resources: Resources, faults: FaultPoints) -> Services:
    """The services with these fault points; tests arm some."""
    cursors, tokens = resources.codec("cursors"), resources.codec("streams")
    kept = Store(resources.database)
    catalog, inventory = Catalog(resources.peers), Inventory(resources.peers)
    providers: dict[str, PaymentProvider] = {
        sandbox.NAME: sandbox.SandboxProvider(resources.database, clock=resources.clock)
    }
    if resources.settings.stripe_api_key is not None:
        providers[stripe.NAME] = stripe.StripeProvider(resources.settings.stripe_api_key.get_secret_value())
    # Nobody can say at a checkout of ours that they paid elsewhere.
    every_provider = providers | {external.NAME: external.ExternalProvider()}
    loyalty = Loyalty(resources.peers)
    completion = Completion(
        kept,
        resources.outbox,
        resources.clock,
        catalog,
        inventory,
        loyalty,
        Customers(resources.peers),
        every_provider,
        faults,
    )
    orders = Orders(kept, resources.outbox, resources.idempotency, resources.clock, catalog, inventory, cursors)
    quotes = Quotes(resources.clock, catalog, inventory, resources.codec("quotes"))
    after_sales = AfterSales(resources.database)
    errands = Errands(kept, after_sales, resources.outbox, resources.clock, every_provider, faults)
    fulfilments = Fulfilments(
        kept, resources.outbox, resources.idempotency, resources.clock, inventory, errands, cursors, faults
    )
    checkouts = Checkouts(
        kept,
        resources.idempotency,
        resources.clock,
        catalog,
        inventory,
        loyalty,
        completion,
        frozenset(providers),
        faults,
        quotes,
    )
    return Services(
        carts=Carts(kept, resources.idempotency, resources.clock, catalog),
        checkouts=checkouts,
        ingestion=Ingestion(kept, resources.idempotency, resources.clock, catalog, checkouts),
        orders=orders,
        fulfilments=fulfilments,
        returns=Returns(
            kept, after_sales, resources.outbox, resources.idempotency, resources.clock, inventory, errands
        ),
        errands=errands,
        books=Bookkeeping(
            kept, after_sales, Books(resources.database), resources.outbox, resources.idempotency, resources.clock
        ),
        quotes=quotes,
        runs=Runs(kept, resources.clock, cursors),
        live=LiveOrders(orders, fulfilments, resources.hub, resources.clock, tokens),
        completion=completion,
        loyalty=loyalty,
    )


async def recover(_: Resources, services: Services) -> None:
    """Takes over sagas whose worker is gone, for ever."""
    await services.completion.run()


async def move_money(_: Resources, services: Services) -> None:
    """Captures, voids and refunds what is wanted, for ever."""
    await services.errands.run()


async def keep_books(_: Resources, services: Services) -> None:
    """Writes the journal and the papers, for ever."""
    await services.books.run()


async def reroute(_: Resources, services: Services) -> None:
    """Sends from elsewhere what a location rejected, for ever."""
    await services.fulfilments.run()


SERVICE = Service(
    name="orders",
    schema=SCHEMA,
    build=build,
    indexes={**store.INDEXES, **after_sales_store.INDEXES, **books_store.INDEXES, **sandbox.INDEXES},
    background=[recover, move_money, reroute, keep_books],
)
