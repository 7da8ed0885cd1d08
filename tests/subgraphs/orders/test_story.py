"""Orders with the real catalog and the real inventory over loopback, on the seed's small world."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx
import pytest
import uvicorn

from subgraphs.catalog.app import SERVICE as CATALOG
from subgraphs.chassis.app import Resources, Service, create_app, drain
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.identity import IdentitySigner
from subgraphs.chassis.mongo import Database, Mongo
from subgraphs.inventory.app import SERVICE as INVENTORY
from subgraphs.inventory.service.audit import audit
from subgraphs.kernel.clock import SystemClock
from subgraphs.orders.app import SERVICE, assemble
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.services import Services
from subgraphs.seed.documents import documents
from subgraphs.seed.world import SCALES, World
from tests.subgraphs.orders.conftest import SECRET, Shop
from tests.subgraphs.orders.peer import Peer
from tests.subgraphs.orders.test_api import CHECKOUT, complete, key, ready

pytestmark = pytest.mark.story

BUYERS = 12
UNITS = 4


@asynccontextmanager
async def listening(service: Service, settings: ServiceSettings) -> AsyncIterator[str]:
    """The whole service behind a port of its own."""
    app = create_app(service, settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            drain(app)
            server.should_exit = True


@pytest.fixture
async def house(mongodb_uri: str) -> AsyncIterator[tuple[Shop, Database]]:
    """Orders in hand, catalog and inventory behind ports; and inventory's database, to audit."""
    prefix = f"test_{secrets.token_hex(6)}_"

    def settings(name: str, **peers: str) -> ServiceSettings:
        return ServiceSettings.model_validate(
            {
                "name": name,
                "MONGODB_URI": mongodb_uri,
                "database_prefix": prefix,
                "identity_secret": SECRET,
                "development": True,
                "peers": {"orders": "http://127.0.0.1:9", **peers},
            }
        )

    world, faults, clock = World(SCALES["tiny"]), FaultPoints(), SystemClock()

    async def build(resources: Resources) -> Services:
        return assemble(resources, faults)

    async with await Mongo.connect(mongodb_uri) as mongo:
        for batch in documents(world):
            if batch.service in ("catalog", "inventory"):
                await mongo.database(prefix + batch.service).collection(batch.collection).insert_many(batch.documents)
        async with AsyncExitStack() as stack:
            catalog = await stack.enter_async_context(listening(CATALOG, settings("catalog")))
            # Nobody serves orders' events here, so inventory has no one to hear.
            deaf = replace(INVENTORY, hears={})
            inventory = await stack.enter_async_context(listening(deaf, settings("inventory")))
            app = create_app(
                replace(SERVICE, build=build), settings("orders", catalog=catalog, inventory=inventory), clock
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app=app)
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://orders"))
            shop = Shop(
                peer=Peer(clock),  # type: ignore[arg-type]
                clock=clock,  # type: ignore[arg-type]
                faults=faults,
                services=app.state.services,
                database=app.state.resources.database,
                client=client,
                signer=IdentitySigner(SECRET, "gateway"),
            )
            yield shop, mongo.database(prefix + "inventory")
        for name in ("catalog", "inventory", "orders"):
            await mongo.database(prefix + name).drop()


async def test_the_last_units_are_sold_exactly_once(house: tuple[Shop, Database]) -> None:
    shop, stock = house
    sku = await scarce(shop, stock)

    async def buys() -> str:
        given = ready(lines=[{"sku": sku, "quantity": 1}])
        opened = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]
        if opened["errors"]:
            return str(opened["errors"][0]["__typename"])
        payload = await complete(shop, opened["checkout"])
        return "order" if payload["order"] else str(payload["errors"][0]["__typename"])

    outcomes = await asyncio.gather(*(buys() for _ in range(BUYERS)))
    assert sorted(outcomes) == ["OutOfStock"] * (BUYERS - UNITS) + ["order"] * UNITS
    assert await shop.count("orders") == UNITS
    assert await shop.count("sandbox_ledger", state="AUTHORIZED") == UNITS
    assert await stock.collection("reservations").count({"state": "COMMITTED"}) == UNITS
    assert await audit(stock) == []


async def scarce(shop: Shop, stock: Database) -> str:
    """A SKU that is sold on the web, of which other checkouts have left just ``UNITS`` to ship."""
    levels = await stock.collection("stock").find({"free": {"$gt": 2 * UNITS}}, limit=200)
    for sku in dict.fromkeys(level["_id"].split("|")[0] for level in levels):
        left: int | None = None
        while left is None:
            given = ready(lines=[{"sku": sku, "quantity": 20}])
            errors = (await shop.ask(CHECKOUT, {"input": given, "key": key()}))["checkoutCreate"]["errors"]
            if errors:
                left = errors[0].get("available") or 0
        if left <= UNITS:
            continue
        rest = ready(lines=[{"sku": sku, "quantity": left - UNITS}])
        held = (await shop.ask(CHECKOUT, {"input": rest, "key": key()}))["checkoutCreate"]
        assert held["errors"] == []
        return str(sku)
    raise AssertionError("the seed has no such SKU")
