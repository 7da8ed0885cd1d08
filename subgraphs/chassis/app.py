"""A service as an ASGI application: one ``Service`` note in, routes and a life cycle out.

Routes: ``POST /graphql`` (JSON; ``Accept: text/event-stream`` for a subscription as distinct-connection SSE; WebSocket
with ``graphql-transport-ws``), ``GET /events`` for other services, ``/health``, ``/ready``, ``/metrics``. Requests to the
first two without a valid identity are refused before a byte of their body is read. What a service *does* is the domain's.

Life cycle: connect, make indexes, build the domain's services, start relay, hub, change stream, consumers and the
domain's own jobs under one supervisor, then serve. At a stop ``drain`` ends all streams first, so that the server can
wait for the rest; then jobs are cancelled, the relay gives its lease back, the clients close.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import NoneType
from typing import Any

import httpx
import orjson
from cross_web import HTTPException
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from subgraphs.chassis import idempotency, inbox, orphans, outbox
from subgraphs.chassis.config import ServiceSettings
from subgraphs.chassis.graphql import ServiceContext, ServiceSchema
from subgraphs.chassis.health import Health
from subgraphs.chassis.idempotency import Idempotency
from subgraphs.chassis.identity import (
    IDENTITY_HEADER,
    Identity,
    IdentityRefused,
    IdentitySigner,
    IdentityVerifier,
)
from subgraphs.chassis.inbox import EventConsumer
from subgraphs.chassis.loaders import Loaders
from subgraphs.chassis.mongo import Database, Index, Mongo, Session
from subgraphs.chassis.outbox import EventHub, Outbox, OutboxWatch, Relay, event_frames
from subgraphs.chassis.peers import PeerClient
from subgraphs.chassis.supervision import Supervisor
from subgraphs.chassis.telemetry import (
    METRICS_MEDIA_TYPE,
    Asgi,
    Receive,
    RequestsTold,
    RequestTelemetry,
    Scope,
    Send,
    logger,
    metrics_text,
    request_id,
)
from subgraphs.kernel.clock import Clock, SystemClock
from subgraphs.kernel.events import Envelope
from subgraphs.kernel.pages import CursorCodec

GUARDED = frozenset({"/graphql", "/events"})
QUIET = frozenset({"/health", "/ready", "/metrics"})

_log = logger(__name__)

# A domain's reaction to a peer's event: (the domain's services, the transaction to join, the event).
EventHandler = Callable[[Any, Session, Envelope], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a domain's services are built from."""

    settings: ServiceSettings
    database: Database
    outbox: Outbox
    hub: EventHub
    idempotency: Idempotency
    clock: Clock
    signer: IdentitySigner
    verifier: IdentityVerifier
    peers: PeerClient

    def codec(self, purpose: str) -> CursorCodec:
        """Signs for one purpose with a key of its own: a cursor must never pass for a quote or a resume token."""
        secret = self.settings.identity_secret.get_secret_value()
        return CursorCodec(hashlib.sha256(f"{self.settings.name} {purpose}\0{secret}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One subgraph, for ``create_app``.

    ``build`` makes the domain's services object, reached by resolvers as ``info.context.services``. ``hears`` names the
    producers and event types it reacts to. ``background`` jobs get the resources and the services object and run until
    cancelled; one that fails is started again.
    """

    name: str
    schema: ServiceSchema
    build: Callable[[Resources], Awaitable[Any]]
    indexes: Mapping[str, Sequence[Index]] = field(default_factory=dict)
    hears: Mapping[str, Mapping[str, EventHandler]] = field(default_factory=dict)
    background: Sequence[Callable[[Resources, Any], Awaitable[None]]] = ()


def all_indexes(service: Service) -> dict[str, Sequence[Index]]:
    """The chassis's collections and the domain's."""
    return {**outbox.INDEXES, **inbox.INDEXES, **idempotency.INDEXES, **orphans.INDEXES, **service.indexes}


def create_app(service: Service, settings: ServiceSettings, clock: Clock | None = None) -> Starlette:
    """The application; nothing is connected before its lifespan starts."""
    secret = settings.identity_secret.get_secret_value()
    verifier = IdentityVerifier(secret)
    health = Health(service.name)
    service.schema.development = settings.development
    view = _GraphQLView(service.schema, settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            await Mongo.connect(settings.mongodb_uri, settings.mongodb_driver) as mongo,
            httpx.AsyncClient(timeout=settings.peer_timeout_ms / 1000) as client,
            AsyncExitStack() as at_end,
        ):
            resources = _resources(service, settings, mongo, client, verifier, clock or SystemClock())
            at_end.callback(resources.peers.close)
            _log.info("database", describe=await mongo.describe(), name=settings.database_name)
            await resources.database.ensure_indexes(all_indexes(service))
            mongo.sessions = kin = orphans.Orphans(resources.database, resources.clock)
            await resources.hub.start()
            services = await service.build(resources)
            view.services = services
            app.state.resources = resources
            app.state.services = services
            async with Supervisor() as jobs:
                jobs.start("orphans", kin.run)
                _start_jobs(service, resources, services, client, jobs, health)
                yield
                resources.hub.close()

    async def events(request: Request) -> Response:
        return await _events(request, app.state.resources)

    async def metrics(_: Request) -> Response:
        return Response(metrics_text(), media_type=METRICS_MEDIA_TYPE)

    app = Starlette(
        routes=[
            Route("/events", events, methods=["GET"]),
            Route("/health", health.health),
            Route("/ready", health.ready),
            Route("/metrics", metrics),
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
        ],
        lifespan=lifespan,
        exception_handlers={StarletteHTTPException: _http_error},
    )
    app.add_middleware(_Guard, verifier=verifier, body_bytes_max=settings.body_bytes_max)
    app.add_middleware(RequestTelemetry, told=RequestsTold(service.name, QUIET))
    return app


def drain(app: Starlette) -> None:
    """Ends every stream of the application, as the first step of a stop."""
    resources: Resources | None = getattr(app.state, "resources", None)
    if resources is not None:
        resources.hub.close()


def _resources(
    service: Service,
    settings: ServiceSettings,
    mongo: Mongo,
    client: httpx.AsyncClient,
    verifier: IdentityVerifier,
    clock: Clock,
) -> Resources:
    database = mongo.database(settings.database_name)
    signer = IdentitySigner(settings.identity_secret.get_secret_value(), issuer=service.name)
    box = Outbox(database, service.name, clock)
    return Resources(
        settings=settings,
        database=database,
        outbox=box,
        hub=EventHub(box),
        idempotency=Idempotency(database, clock),
        clock=clock,
        signer=signer,
        verifier=verifier,
        peers=PeerClient(client, settings.peers, signer, service.name, timeout_s=settings.peer_timeout_ms / 1000),
    )


def _start_jobs(
    service: Service,
    resources: Resources,
    services: Any,
    client: httpx.AsyncClient,
    jobs: Supervisor,
    health: Health,
) -> None:
    relay = Relay(resources.outbox, resources.hub)
    watch = OutboxWatch(resources.outbox, relay, resources.hub)
    jobs.start("relay", relay.run)
    jobs.start("hub", resources.hub.run)
    jobs.start("outbox watch", watch.run)
    for producer, handlers in service.hears.items():
        consumer = EventConsumer(
            resources.settings.peers[producer],
            producer,
            {type_: partial(handler, services) for type_, handler in handlers.items()},
            resources.database,
            client=client,
            signer=resources.signer,
            service=service.name,
            clock=resources.clock,
        )
        jobs.start(f"hear {producer}", consumer.run)
    for number, job in enumerate(service.background, 1):
        name = getattr(job, "__name__", f"job {number}")
        jobs.start(name, partial(job, resources, services))

    async def database_answers() -> bool:
        await resources.database.ping()
        return True

    async def stream_is_open() -> bool:
        return watch.open

    health.check("mongodb", database_answers)
    health.check("change stream", stream_is_open)


class _GraphQLView(GraphQL[ServiceContext, None]):
    """Strawberry's view with our context, orjson, and refusals in JSON."""

    def __init__(self, schema: ServiceSchema, settings: ServiceSettings) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            max_subscriptions_per_connection=settings.subscriptions_per_socket_max,
        )
        self._service_schema = schema
        self._settings = settings
        self.services: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await self._simply(request) if _is_simple(request) else None
        if response is None:
            try:
                response = await self.run(request)
            except HTTPException as refusal:
                response = _error_response(refusal.status_code, refusal.reason, "BAD_REQUEST")
        await response(scope, receive, send)

    async def _simply(self, request: Request) -> Response | None:
        """The answer to what a gateway asks all day; None for anything else, whose body the request remembers."""
        try:
            asked = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return None
        match asked:
            case {"query": str(query)} if isinstance(variables := asked.get("variables"), (dict, NoneType)):
                name = asked.get("operationName")
                prepared = self._service_schema.prepared(query, name)
            case _:
                return None
        if prepared is None:
            return None
        result = await self._service_schema.answer(prepared, variables, self._context(request.scope, remember=True))
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return Response(orjson.dumps(answer), media_type="application/json")

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> ServiceContext:
        streams = request.scope["type"] == "websocket" or "text/event-stream" in request.headers.get("accept", "")
        return self._context(request.scope, remember=not streams)

    def _context(self, scope: Scope, *, remember: bool) -> ServiceContext:
        identity: Identity = scope["galleria.identity"]
        return ServiceContext(
            identity=identity,
            services=self.services,
            loaders=Loaders(batch_max=self._settings.loader_batch_max, remember=remember),
            request_id=request_id() or "",
            entities_max=self._settings.entities_max,
        )

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        return Response(orjson.dumps(response_data), media_type="application/json")


def _is_simple(request: Request) -> bool:
    """Whether it is a post of JSON by somebody who asks for no stream."""
    headers = request.headers
    accept = headers.get("accept", "")
    return (
        request.method == "POST"
        and headers.get("content-type", "").startswith("application/json")
        and "event-stream" not in accept
        and "multipart" not in accept
    )


class _BodyTooLarge(Exception):
    pass


class _Guard:
    """Refuses what has no valid identity, and bodies beyond the bound, before anything is parsed or held."""

    def __init__(self, app: Asgi, verifier: IdentityVerifier, body_bytes_max: int) -> None:
        self._app = app
        self._verifier = verifier
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"].rstrip("/") not in GUARDED:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            token = headers.get(IDENTITY_HEADER.encode())
            if token is None:
                raise IdentityRefused("the identity header is missing")
            identity = self._verifier.verify(token.decode("latin-1"))
        except IdentityRefused as refusal:
            await self._refuse(scope, receive, send, 401, str(refusal), "UNAUTHENTICATED")
            return
        scope["galleria.identity"] = identity
        scope["galleria.facts"] = {"principal": identity.principal.kind, "issuer": identity.issuer}
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._body_bytes_max:
            await self._refuse(scope, receive, send, 413, "the request body is too large", "PAYLOAD_TOO_LARGE")
            return
        seen = 0

        async def bounded() -> Any:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._body_bytes_max:
                raise _BodyTooLarge
            return message

        try:
            await self._app(scope, bounded if scope["type"] == "http" else receive, send)
        except _BodyTooLarge:
            await self._refuse(scope, receive, send, 413, "the request body is too large", "PAYLOAD_TOO_LARGE")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, message: str, code: str) -> None:
        if scope["type"] == "websocket":
            # Closing before accepting answers the handshake with 403.
            await receive()
            await send({"type": "websocket.close", "code": 4401, "reason": message})
            return
        await _error_response(status, message, code)(scope, receive, send)


async def _events(request: Request, resources: Resources) -> Response:
    identity: Identity = request.scope["galleria.identity"]
    if identity.principal.kind != "service":
        return _error_response(403, "events are for services", "FORBIDDEN")
    after = request.query_params.get("after", "0")
    if not after.isdigit():
        return _error_response(400, "after is a sequence number", "BAD_USER_INPUT")
    wanted = [name for name in request.query_params.get("types", "").split(",") if name]
    frames = event_frames(
        resources.outbox, resources.hub, after=int(after), types=frozenset(wanted) if wanted else None
    )
    return StreamingResponse(
        frames, media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    return _error_response(error.status_code, str(error.detail), "BAD_REQUEST")


def _error_response(status: int, message: str, code: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "extensions": {"code": code}}]}, status_code=status)
