"""A real gateway on a real port in front of two small subgraphs that do as they are told, all in one event loop.

``things`` owns things and streams them; ``stock`` adds how many there are. A subgraph can be made slow, made to answer
rubbish, or taken away, and remembers what it was sent.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from graphql import GraphQLSchema, build_schema, execute, parse, subscribe, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.composition.compose import compose
from gateway.composition.result import SubgraphSource
from gateway.config import Settings
from gateway.serving.files import at_addresses
from gateway.serving.server import Extend, Gateway
from gateway.supergraph import Supergraph

LINK = """
extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",
  import: ["@key", "@tag", "@authenticated", "@requiresScopes"])
"""
THINGS = """
type Query { thing(id: ID!): Thing @tag(name: "partner"), things(filter: Filter, first: Int): [Thing!]!, echo(colour: Colour, text: String): String }
type Mutation { rename(id: ID!, name: String!): Thing }
type Subscription { changes(count: Int!): Thing! }
input Filter { colour: Colour, atLeast: Int! = 1 }
enum Colour { RED BLUE @tag(name: "staff") }
type Thing @key(fields: "id") {
  id: ID! @tag(name: "keys")
  name: String! @tag(name: "partner")
  twin: Thing
  cost: Int @authenticated @tag(name: "staff")
  margin: Int! @requiresScopes(scopes: [["money:read", "money:deep"], ["root"]]) @tag(name: "staff")
}
"""
STOCK = """
type Thing @key(fields: "id") { id: ID!, units: Int @tag(name: "partner") }
"""
MACHINERY = """
directive @key(fields: String!) on OBJECT
directive @tag(name: String!) repeatable on FIELD_DEFINITION | ENUM_VALUE
directive @authenticated on FIELD_DEFINITION
directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION
scalar _Any
union _Entity = Thing
extend type Query { _entities(representations: [_Any!]!): [_Entity]! }
"""
NAMES = {"1": "lamp", "2": "chair"}


@lru_cache
def supergraph() -> Supergraph:
    return Supergraph.parse(supergraph_sdl())


@lru_cache
def supergraph_sdl() -> str:
    result = compose(
        [
            SubgraphSource("things", "http://things.invalid/graphql", LINK + THINGS),
            SubgraphSource("stock", "http://stock.invalid/graphql", LINK + STOCK),
        ]
    )
    assert result.supergraph is not None, result.errors
    return result.supergraph


def _thing(id: str) -> dict[str, Any] | None:
    return {"__typename": "Thing", "id": id, "name": NAMES[id], "cost": 3, "margin": 40} if id in NAMES else None


async def _changes(_info: Any, count: int) -> AsyncIterator[dict[str, Any]]:
    """So many changes, then the end; 0 is one change and no end."""
    for number in range(count or 1):
        yield {"changes": _thing(str(1 + number % 2))}
    if count == 0:
        await asyncio.Event().wait()


def _things_roots() -> dict[str, Callable[..., Any]]:
    return {
        "thing": lambda _info, id: _thing(id),
        "things": lambda _info, filter=None, first=None: [_thing("1"), _thing("2")][:first],
        "echo": lambda _info, colour=None, text=None: f"{colour} {text}",
        "rename": lambda _info, id, name: {**(_thing(id) or {}), "name": name},
        "changes": _changes,
        "_entities": lambda _info, representations: [_thing(one["id"]) for one in representations],
    }


def _stock_roots() -> dict[str, Callable[..., Any]]:
    return {
        "_entities": lambda _info, representations: [
            {"__typename": "Thing", "id": one["id"], "units": 10 * int(one["id"])} for one in representations
        ]
    }


@dataclass
class Asked:
    """One request a subgraph got."""

    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FakeSubgraph:
    schema: GraphQLSchema
    roots: dict[str, Callable[..., Any]]
    asked: list[Asked] = field(default_factory=list)
    rubbish: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, the subgraph keeps everyone waiting."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an event stream has ended, from whichever side."""
    url: str = ""
    server: uvicorn.Server | None = None

    async def answer(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.asked.append(Asked(dict(request.headers), body))
        await self.released.wait()
        if self.rubbish:
            return PlainTextResponse("<h1>It works!</h1>")
        document = parse(body["query"])
        wrong = validate(self.schema, document)
        if wrong:
            return JSONResponse({"errors": [error.formatted for error in wrong]}, 400)
        if request.headers["accept"].startswith("text/event-stream"):
            return StreamingResponse(self._events(document, body), media_type="text/event-stream")
        result = execute(self.schema, document, self.roots, variable_values=body.get("variables"))
        assert not asyncio.iscoroutine(result)
        return JSONResponse(result.formatted)  # type: ignore[union-attr]

    async def _events(self, document: Any, body: dict[str, Any]) -> AsyncIterator[str]:
        stream = subscribe(self.schema, document, self.roots, variable_values=body.get("variables"))
        if asyncio.iscoroutine(stream):
            stream = await stream
        try:
            async for result in stream:  # type: ignore[union-attr]
                yield f"event: next\ndata: {json.dumps(result.formatted)}\n\n"
            yield "event: complete\ndata:\n\n"
        finally:
            self.left.set()

    async def stop(self) -> None:
        """Gone from the network, as after ``kill``: the listener and every open connection."""
        assert self.server is not None
        for listener in self.server.servers:
            listener.close()
        for connection in list(self.server.server_state.connections):
            connection.transport.abort()


@dataclass
class RunningGateway:
    gateway: Gateway
    url: str
    http: httpx.AsyncClient
    things: FakeSubgraph
    stock: FakeSubgraph

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    async def post(self, query: str, variables: Any = None, **headers: str) -> httpx.Response:
        body = {"query": query} | ({"variables": variables} if variables is not None else {})
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/graphql", json=body, headers=named)


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one


@asynccontextmanager
async def _serving(subgraph: FakeSubgraph) -> AsyncIterator[FakeSubgraph]:
    app = Starlette(routes=[Route("/graphql", subgraph.answer, methods=["POST"])])
    server = subgraph.server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    with listening() as one:
        subgraph.url = f"http://127.0.0.1:{one.getsockname()[1]}/graphql"
        serving = asyncio.ensure_future(server._serve([one]))
        try:
            yield subgraph
        finally:
            subgraph.released.set()
            server.should_exit = True
            await serving


@asynccontextmanager
async def running_gateway(
    *, operations: Path | None = None, extend: Extend | None = None, file: Path | None = None, **settings: Any
) -> AsyncIterator[RunningGateway]:
    """A gateway with these settings, and all its subgraphs, until the block ends. A ``file`` it watches for another
    supergraph of these subgraphs."""
    things = FakeSubgraph(build_schema(THINGS + MACHINERY), _things_roots())
    machinery = MACHINERY.replace("extend type Query", "type Query")
    stock = FakeSubgraph(build_schema(STOCK + machinery), _stock_roots())
    things.released.set()
    stock.released.set()
    async with _serving(things), _serving(stock):
        graph = at_addresses(supergraph(), {"things": things.url, "stock": stock.url})
        if file is not None:
            settings |= {"supergraph": file, "subgraph_urls": {"things": things.url, "stock": stock.url}}
        gateway = Gateway(Settings(operations=operations, stop_grace_s=2, **settings), graph, extend=extend)
        started = asyncio.Event()
        with listening() as one:
            url = f"http://127.0.0.1:{one.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=15) as http:
                serving = asyncio.ensure_future(gateway.serve(one, on_start=started.set))
                try:
                    async with asyncio.timeout(10):
                        await started.wait()
                    yield RunningGateway(gateway, url, http, things, stock)
                finally:
                    # All at once: each takes a moment to notice.
                    for subgraph in (things, stock):
                        subgraph.released.set()
                        assert subgraph.server is not None
                        subgraph.server.should_exit = True
                    gateway.stop()
                    await http.aclose()
                    await serving
