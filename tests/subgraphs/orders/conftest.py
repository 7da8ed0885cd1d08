"""A running orders service over a database of its own, with catalog and inventory played by one small server."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from subgraphs.chassis.app import Resources, create_app
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.identity import IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.mongo import Database, DriverName, Mongo
from subgraphs.kernel.clock import FixedClock
from subgraphs.orders.app import SERVICE, assemble
from subgraphs.orders.service.faults import FaultPoints
from subgraphs.orders.service.services import Services
from tests.subgraphs.orders.peer import Peer, served

SECRET = "a secret of at least thirty-two bytes"
ANNA = Principal("anna", "customer", frozenset(), customer_id="cus_anna")
AGENT = Principal("anna", "agent", frozenset({"loyalty:redeem"}), customer_id="cus_anna", agent_id="agent-7")
BERT = Principal("bert", "customer", frozenset(), customer_id="cus_bert")
TILL = Principal("till-1", "staff", frozenset({"pos:write", "orders:read"}))
ASKED_AGAIN_MAX = 5
ADDRESS = {"name": "Anna", "line1": "Weg 1", "city": "Berlin", "postalCode": "10115", "country": "DE"}


@pytest.fixture
def mongo_driver() -> DriverName:
    """One driver is enough here; the store's tests use both."""
    return "motor"


@dataclass
class Shop:
    """The service, its peer, its clock, its fault points, and clients of it."""

    peer: Peer
    clock: FixedClock
    faults: FaultPoints
    services: Services
    database: Database
    client: httpx.AsyncClient
    signer: IdentitySigner

    async def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, principal: Principal = ANNA
    ) -> dict[str, Any]:
        """The data of an answer without errors. On a busy machine a neighbour may not answer in time; the answer then
        says to ask again, and that is done."""
        for _ in range(ASKED_AGAIN_MAX):
            answer = await self.raw(query, variables, principal)
            if [error["extensions"].get("code") for error in answer.get("errors", ())] != ["DEPENDENCY_UNAVAILABLE"]:
                break
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def raw(
        self, query: str, variables: Mapping[str, Any] | None = None, principal: Principal = ANNA
    ) -> dict[str, Any]:
        token = self.signer.sign(principal, RequestContext(channel="web-eu", currency=None, country=None))
        response = await self.client.post(
            "/graphql",
            json={"query": query, "variables": dict(variables or {})},
            headers={IDENTITY_HEADER: token},
        )
        answer: dict[str, Any] = response.json()
        return answer

    async def count(self, collection: str, **filter: Any) -> int:
        return await self.database.collection(collection).count(filter)

    async def settle(self) -> None:
        """Runs what money must do until nothing is left of it. Ends, or the test does."""
        for _ in range(30):
            self.clock.advance(21)
            if not await self.services.errands.run_due() and not await self.count("errands", done=False):
                return
        raise AssertionError("an errand does not come to its end")

    async def facts(self, order_id: str) -> list[tuple[str, dict[str, Any]]]:
        """What others hear of an order, in order: (type, data)."""
        rows = await self.database.collection("outbox").find({"data.order_id": order_id}, sort=[("_id", 1)])
        return [(row["type"], row["data"]) for row in rows]

    async def recover_all(self) -> None:
        """Lets leases run out and recovers until nothing is left to do. Ends, or the test does."""
        for _ in range(60):
            self.clock.advance(21)
            if not await self.services.completion.recover() and not await self.count("sagas", active=True):
                return
        raise AssertionError("a saga does not come to its end")


@pytest.fixture
async def shop(mongodb_uri: str, mongo_driver: DriverName) -> AsyncIterator[Shop]:
    clock, faults = FixedClock(datetime(2026, 6, 1, 12, tzinfo=UTC)), FaultPoints()

    async def build(resources: Resources) -> Services:
        return assemble(resources, faults)

    async with served(Peer(clock)) as peer:
        settings = ServiceSettings.model_validate(
            {
                "name": "orders",
                "MONGODB_URI": mongodb_uri,
                "mongodb_driver": mongo_driver,
                "database_prefix": f"test_{secrets.token_hex(6)}_",
                "identity_secret": SECRET,
                "development": True,
                "peers": dict.fromkeys(("catalog", "inventory", "loyalty", "customers"), peer.url),
            }
        )
        # No worker: tests recover by hand, when their clock says so.
        app = create_app(replace(SERVICE, build=build, background=()), settings, clock)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://orders") as client,
        ):
            resources: Resources = app.state.resources
            yield Shop(
                peer=peer,
                clock=clock,
                faults=faults,
                services=app.state.services,
                database=resources.database,
                client=client,
                signer=IdentitySigner(SECRET, "gateway"),
            )
        async with await Mongo.connect(mongodb_uri) as mongo:
            await mongo.database(settings.database_name).drop()
