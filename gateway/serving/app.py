"""The ASGI application: which path is served by what, telemetry, start and stop.

What belongs here: wiring. What does not: the rules of HTTP (``http``), of sockets (``websocket``), of operations
(``pipeline``). Other rooms' endpoints (the agents') are handed in as routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, parse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from gateway.errors import GatewayError, MethodNotAllowed, RequestError, RequestMalformed
from gateway.exchange import GraphQLResponse, decode
from gateway.pipeline.issuer import KINDS, Claims, DevelopmentIssuer
from gateway.pipeline.pipeline import ANY, HARMLESS, ONE_ANSWER, QUERIES, Pipeline
from gateway.plan import render_json, render_text
from gateway.serving import event_source, http, multipart, websocket
from gateway.serving.origins import Origins
from subgraphs.chassis.telemetry import METRICS_MEDIA_TYPE, RequestsTold, RequestTelemetry, logger, metrics_text

CONSOLE = Path(__file__).parent / "console"
_QUIET = frozenset({"/health", "/ready", "/metrics"})
_PAGE_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_log = logger("serving")

Probe = Callable[[], Awaitable[dict[str, bool]]]


class Application:
    """The endpoints around one pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        issuer: DevelopmentIssuer | None = None,
        operations: Path | None = None,
        probe: Probe | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._settings = pipeline.settings
        self._issuer = issuer
        self._operations = operations
        self._probe = probe
        self.stopping = asyncio.Event()
        """Set when the server begins to stop: streams end, so that it can."""
        self.told = RequestsTold("gateway", _QUIET)
        self.origins = Origins(self._settings)
        self.bodies = http.Bodies(self._settings.request_cache_bytes_max)

    async def graphql(self, request: Request) -> Response:
        media_type = http.GRAPHQL_RESPONSE
        facts = request.scope.setdefault("galleria.facts", {})
        try:
            media_type, dialect = http.negotiated(request.headers.get("accept"))
            if request.method not in ("GET", "POST"):
                raise MethodNotAllowed("GraphQL is served by GET and POST.")
            caller = await self._pipeline.caller(request.headers)
            exchange = await http.read(request, self._settings.limits, self.bodies)
            left = partial(http.left, request)
            if media_type == http.EVENT_STREAM:
                results = await self._pipeline.stream(
                    exchange, caller, kinds=HARMLESS if request.method == "GET" else ANY, incremental=True, left=left
                )
                assert dialect is not None
                return event_source.stream(
                    results,
                    dialect=dialect,
                    heartbeat_s=self._settings.sse_heartbeat_s,
                    stopping=self.stopping,
                    expires_at=caller.expires_at,
                    on_failure=self._pipeline.refusal,
                )
            kinds = QUERIES if request.method == "GET" else ONE_ANSWER
            if dialect is None:
                response = await self._pipeline.answer(exchange, caller, kinds=kinds, left=left)
            else:
                results = await self._pipeline.stream(exchange, caller, kinds=kinds, incremental=True, left=left)
                first = await anext(results)
                assert isinstance(first, GraphQLResponse)
                response = first
                facts["errors"] = len(response.errors)
                if response.pending or media_type == http.MULTIPART:
                    return multipart.stream(response, results, dialect=dialect, on_failure=self._pipeline.refusal)
                await results.aclose()
            facts["errors"] = len(response.errors)
            return http.as_response(http.respond(response, media_type))
        except Exception as wrong:  # noqa: BLE001  the last line of defence
            return http.as_response(self.refused(wrong, media_type, facts))

    def refused(self, wrong: Exception, media_type: str, facts: dict[str, Any]) -> http.Answer:
        """The answer to a request that raised, to be asked where it is caught: a bug is logged whole, and shown as nothing
        but a code."""
        refusal = self._pipeline.refusal(wrong)
        if not isinstance(wrong, GatewayError):
            _log.exception("request failed")
            return http.refuse(GatewayError("Internal server error."), media_type, refusal)
        facts["code"] = refusal.errors[0]["extensions"]["code"]
        if not isinstance(wrong, RequestError):
            _log.error("request failed", code=facts["code"], reason=wrong.message)
        return http.refuse(wrong, media_type, refusal)

    async def graphql_socket(self, socket: WebSocket) -> None:
        await websocket.serve(socket, self._pipeline, self._settings.limits, self.stopping)

    async def health(self, request: Request) -> Response:
        """The process is up."""
        return JSONResponse({"status": "up"})

    async def ready(self, request: Request) -> Response:
        """A supergraph is loaded. ``?subgraphs`` asks them too and tells, but does not make us unready: a gateway
        without one of its subgraphs still answers the rest."""
        loaded = self._pipeline.snapshot is not None and not self.stopping.is_set()
        body: dict[str, Any] = {"status": "ready" if loaded else "not ready"}
        if self._probe is not None and "subgraphs" in request.query_params:
            body["subgraphs"] = await self._probe()
        return JSONResponse(body, 200 if loaded else 503)

    async def metrics(self, request: Request) -> Response:
        return Response(metrics_text(), media_type=METRICS_MEDIA_TYPE)

    async def plan(self, request: Request) -> Response:
        """``{"query", "operationName"?}`` → the plan, for people and programs. Development only."""
        try:
            caller = await self._pipeline.caller(request.headers)
            exchange = await http.read(request, self._settings.limits, self.bodies)
            planned = await self._pipeline.plan(exchange, caller)
        except GatewayError as error:
            return http.as_response(http.refuse(error, http.GRAPHQL_RESPONSE, self._pipeline.refusal(error)))
        return JSONResponse({**render_json(planned.plan), "text": render_text(planned.plan)})

    async def token(self, request: Request) -> Response:
        """``{"sub", "scopes"?, "kind"?, "customer_id"?, "agent_id"?, "contract"?}`` → ``{"token"}``. Development only."""
        assert self._issuer is not None
        try:
            http.check_json(request.headers)
            body = decode(await http.read_body(request, self._settings.limits))
            return JSONResponse({"token": self._issuer.issue(_claims(body))}, headers={"cache-control": "no-store"})
        except RequestError as error:
            return http.as_response(http.refuse(error, http.JSON, self._pipeline.refusal(error)))

    async def page(self, request: Request) -> Response:
        if (CONSOLE / "index.html").is_file():
            return FileResponse(CONSOLE / "index.html", headers=_PAGE_HEADERS)
        return HTMLResponse("<!doctype html><title>Galleria</title><p>GraphQL is at <code>/graphql</code>.")

    async def named_operations(self, request: Request) -> Response:
        """The named operations that are published beside the supergraph, for the console's menu."""
        return JSONResponse(_read_operations(self._operations))

    def routes(self) -> list[BaseRoute]:
        routes: list[BaseRoute] = [
            Route("/graphql", self.graphql, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
            WebSocketRoute("/graphql", self.graphql_socket),
            Route("/health", self.health),
            Route("/ready", self.ready),
            Route("/metrics", self.metrics),
        ]
        if self._settings.console:
            routes += [
                Route("/", self.page),
                Route("/console/operations.json", self.named_operations),
                Mount("/console", StaticFiles(directory=CONSOLE, check_dir=False)),
            ]
        if self._settings.development:
            routes.append(Route("/plan", self.plan, methods=["POST"]))
            if self._issuer is not None:
                routes.append(Route("/dev/token", self.token, methods=["POST"]))
        return routes


def create_app(
    application: Application,
    *,
    routes: Sequence[BaseRoute] = (),
    lifespans: Sequence[AbstractAsyncContextManager[Any]] = (),
) -> Starlette:
    """The ASGI application. ``lifespans`` are entered in order at start and left in reverse at stop."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in lifespans:
                await stack.enter_async_context(each)
            yield

    middleware = [Middleware(RequestTelemetry, told=application.told), *application.origins.middleware]
    return Starlette(routes=[*application.routes(), *routes], middleware=middleware, lifespan=lifespan)


def _claims(body: Any) -> Claims:
    if not isinstance(body, dict) or not isinstance(body.get("sub"), str) or not body["sub"]:
        raise RequestMalformed("sub must say whom the token is for.")
    scopes = body.get("scopes") or []
    kind = body.get("kind") or "customer"
    ids = [body.get("customer_id"), body.get("agent_id"), body.get("contract")]
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise RequestMalformed("scopes must be a list of strings.")
    if kind not in KINDS:
        raise RequestMalformed(f"kind must be one of {', '.join(KINDS)}.")
    if not all(isinstance(each, str | None) for each in ids):
        raise RequestMalformed("customer_id, agent_id and contract must be strings.")
    return Claims(
        sub=body["sub"], scopes=tuple(scopes), kind=kind, customer_id=ids[0], agent_id=ids[1], contract=ids[2]
    )


def _read_operations(directory: Path | None) -> list[dict[str, Any]]:
    """Each ``NAME.graphql`` with its document, and with ``NAME.variables.json`` as an example where there is one."""
    found: list[dict[str, Any]] = []
    for file in sorted(directory.glob("*.graphql")) if directory is not None else ():
        document = file.read_text()
        for node in parse(document).definitions:
            if isinstance(node, OperationDefinitionNode) and node.name is not None:
                example = file.with_suffix(".variables.json")
                variables = decode(example.read_bytes()) if example.is_file() else {}
                found.append({"name": node.name.value, "document": document, "variables": variables})
                break
    return found
