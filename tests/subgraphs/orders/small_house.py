"""Orders in hand, with the real catalog and the real inventory behind ports of their own, on the seed's small world.

All in one event loop and at one clock, so that a test may stop time and kill a completion wherever it likes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import uvicorn
from starlette.applications import Starlette

from subgraphs.catalog.app import SERVICE as CATALOG
from subgraphs.chassis.app import Resources, Service, create_app, drain
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.identity import IdentitySigner
from subgraphs.chassis.mongo import Database, Mongo
from subgraphs.inventory.app import SERVICE as INVENTORY
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.kernel.clock import Clock
from subgraphs.orders.app import SERVICE, assemble
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.services import Services
from subgraphs.seed.documents import documents
from subgraphs.seed.world import SCALES, World
from tests.subgraphs.orders.conftest import SECRET, Shop
from tests.subgraphs.orders.peer import Peer


@dataclass(frozen=True, slots=True)
class SmallHouse:
    """Orders as a ``Shop`` (whose peer plays no part), inventory's services and database, and where to audit it all."""

    shop: Shop
    inventory: Inventory
    stock: Database
    mongo: Mongo
    prefix: str


@asynccontextmanager
async def small_house(mongodb_uri: str, clock: Clock, *, recovers: bool) -> AsyncIterator[SmallHouse]:
    """With ``recovers`` the worker of orders runs; without, a test recovers by hand."""
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

    faults = FaultPoints()

    async def build(resources: Resources) -> Services:
        return assemble(resources, faults)

    async with await Mongo.connect(mongodb_uri) as mongo:
        for batch in documents(World(SCALES["tiny"])):
            if batch.service in ("catalog", "inventory"):
                await mongo.database(prefix + batch.service).collection(batch.collection).insert_many(batch.documents)
        async with AsyncExitStack() as stack:
            catalog, _ = await stack.enter_async_context(_listening(CATALOG, settings("catalog"), clock))
            # Nobody serves orders' events here, so inventory has no one to hear.
            deaf = replace(INVENTORY, hears={})
            inventory, behind = await stack.enter_async_context(
                _listening(deaf, settings("inventory", catalog=catalog), clock)
            )
            orders = replace(SERVICE, build=build) if recovers else replace(SERVICE, build=build, background=())
            app = create_app(orders, settings("orders", catalog=catalog, inventory=inventory), clock)
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
            yield SmallHouse(shop, behind.state.services, mongo.database(prefix + "inventory"), mongo, prefix)
        for name in ("catalog", "inventory", "orders"):
            await mongo.database(prefix + name).drop()


@asynccontextmanager
async def _listening(service: Service, settings: ServiceSettings, clock: Clock) -> AsyncIterator[tuple[str, Starlette]]:
    """The whole service behind a port of its own."""
    app = create_app(service, settings, clock)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app
        finally:
            drain(app)
            server.should_exit = True
