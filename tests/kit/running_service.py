"""One subgraph, whole, in this process: its app with relay, hub and change stream, and a client that signs for anybody."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from subgraphs.chassis.app import Service, create_app
from subgraphs.chassis.config import ServiceSettings, local_peers
from subgraphs.chassis.identity import ANONYMOUS, IDENTITY_HEADER, IdentitySigner, Principal, RequestContext
from subgraphs.chassis.mongo import Database, DriverName, Mongo
from subgraphs.kernel.clock import Clock

SECRET = "a secret of thirty-two bytes, at least"


@dataclass(frozen=True, slots=True)
class RunningService:
    client: httpx.AsyncClient
    services: Any
    """What the domain's ``build`` made."""
    asker: Principal
    """Who asks where a test names nobody."""

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        principal: Principal | None = None,
        context: RequestContext | None = None,
    ) -> dict[str, Any]:
        """The whole answer to an operation."""
        token = IdentitySigner(SECRET, "gateway").sign(principal or self.asker, context)
        response = await self.client.post(
            "/graphql", json={"query": query, "variables": dict(variables or {})}, headers={IDENTITY_HEADER: token}
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def data(self, query: str, variables: Mapping[str, Any] | None = None, **who: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.ask(query, variables, **who)
        assert not answer.get("errors"), answer
        found: dict[str, Any] = answer["data"]
        return found


@asynccontextmanager
async def database_of(mongo: Mongo, service: Service) -> AsyncIterator[Database]:
    """An empty database that the whole service can find by its name, dropped at the end."""
    own = mongo.database(f"test_{secrets.token_hex(6)}_{service.name}")
    yield own
    await own.drop()


@asynccontextmanager
async def running_service(
    service: Service,
    uri: str,
    driver: DriverName,
    database: Database,
    clock: Clock | None = None,
    *,
    asker: Principal = ANONYMOUS,
) -> AsyncIterator[RunningService]:
    """The service over ``database``, whose name ends in the service's. Its peers are away."""
    settings = ServiceSettings(
        name=service.name,
        mongodb_uri=uri,
        mongodb_driver=driver,
        database_prefix=database.name.removesuffix(service.name),
        identity_secret=SECRET,
        peers=dict.fromkeys(local_peers(), "http://127.0.0.1:9"),
    )
    assert settings.database_name == database.name
    app = create_app(service, settings, clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{service.name}") as client,
    ):
        yield RunningService(client, app.state.services, asker)
