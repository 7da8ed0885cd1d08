"""What a process says about itself: structured logs, request ids, trace context, metrics. No web framework here.

One summary line a request, constant messages with data in fields, never the values of variables, never tokens. The
request id (``x-request-id``) and the W3C trace context (``traceparent``) come in, are known to everything the request
does through context variables, and go out with every call and every event.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import orjson
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from subgraphs.chassis.trace_context import TRACEPARENT_HEADER, TRACESTATE_HEADER, Trace, continued
from subgraphs.kernel.ids import ulid

REQUEST_ID_HEADER = "x-request-id"
METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST
WORKERS_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own name for the directory where the workers of one server keep what they count. Set before it is imported."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# A client's request id is believed if it is short and plain: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


class RequestScope(NamedTuple):
    """One request, as everything that is done for it knows it."""

    id: str
    trace: Trace
    facts: Mapping[str, str] = MappingProxyType({})
    """What is told of it in every line."""


_scope: ContextVar[RequestScope | None] = ContextVar("request", default=None)

REQUEST_SECONDS = Histogram(
    "galleria_request_seconds",
    "Time to answer a request; a stream counts until it ends.",
    ("service", "route", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REQUESTS_NOW = Gauge("galleria_requests_now", "Requests being answered.", ("service",), multiprocess_mode="livesum")
EVENTS_SEQUENCED = Counter("galleria_events_sequenced", "Outbox rows given their place in the order.", ("service",))
EVENTS_HEARD = Counter("galleria_events_heard", "Events taken from a peer.", ("service", "producer", "outcome"))
OUTBOX_POSITION = Gauge("galleria_outbox_position", "Sequence number of the latest event published.", ("service",))


# Tracebacks without local variables: those hold what clients sent.
_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def _console(colors: bool) -> Any:
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def configure_logging(format: Literal["json", "console"], level: str, service: str) -> None:
    """Sends every log line of the process, the libraries' too, to standard error in one format."""
    shared: list[Any] = [
        _with_facts,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
    ]
    handler = logging.StreamHandler(sys.stderr)
    if format == "json":
        renderer: list[Any] = [structlog.processors.ExceptionRenderer(_TRACEBACK), _render_json]
        # Our own lines go straight to the stream: by way of the standard library each costs several times as much.
        processors = [*shared, *renderer]
        loggers: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
        rendered: list[Any] = [*renderer[:-1], _render_text]
    else:
        rendered = [_console(sys.stderr.isatty())]
        processors = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
        loggers = structlog.stdlib.LoggerFactory()
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=loggers,
        cache_logger_on_first_use=True,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Their per-request lines would double our own; their warnings stay.
    for chatty in ("httpx", "httpcore", "uvicorn.access", "pymongo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def logger(name: str) -> Any:
    """The structured logger of a module."""
    return structlog.stdlib.get_logger(name)


def note(**facts: str) -> None:
    """Facts for every line that this request, or this task of it, still writes; the summary line among them."""
    scope = _scope.get()
    if scope is not None:
        # A new one, not a changed one: the tasks of one request (a socket's operations) do not tell each other's facts.
        _scope.set(RequestScope(scope.id, scope.trace, {**scope.facts, **facts} if scope.facts else facts))


def request_id() -> str | None:
    """The id of the request this code runs for, if it runs for one."""
    scope = _scope.get()
    return None if scope is None else scope.id


def traceparent() -> str | None:
    """The W3C trace context of the request this code runs for, if it runs for one."""
    scope = _scope.get()
    return None if scope is None else scope.trace.parent


def outgoing_headers() -> dict[str, str]:
    """The headers that carry the request id and the trace on to whoever is called."""
    scope = _scope.get()
    if scope is None:
        return {}
    headers = scope.trace.headers()
    headers[REQUEST_ID_HEADER] = scope.id
    return headers


def enter_request(given_id: str | None, parent: str | None = None, state: str | None = None) -> RequestScope:
    """From here on this task works for one request: the caller's id, or a new one; a new span of the caller's trace."""
    identity = given_id if given_id and _REQUEST_ID.fullmatch(given_id) else ulid()
    scope = RequestScope(identity, continued(parent, state))
    _scope.set(scope)
    return scope


@contextmanager
def request_scope(headers: Mapping[str, str]) -> Iterator[str]:
    """Everything inside belongs to one request: its id (the caller's, or a new one) and a span of the caller's trace.

    ``headers`` have lower-case names. Yields the request id.
    """
    before = _scope.get()
    try:
        yield enter_request(
            headers.get(REQUEST_ID_HEADER), headers.get(TRACEPARENT_HEADER), headers.get(TRACESTATE_HEADER)
        ).id
    finally:
        _scope.set(before)


def one_more(metric: Counter | Gauge) -> Callable[[], None]:
    """Counts one, as ``metric.inc()`` does, at a third of what that costs: for what every request counts several times."""
    # The library checks at each call that the metric has its labels and the amount is not negative.
    return partial(metric._value.inc, 1)


def metrics_text() -> bytes:
    """All metrics in the Prometheus text format: of the process, or of all workers of a server that has several."""
    if WORKERS_METRICS not in os.environ:
        return generate_latest(REGISTRY)
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
    return generate_latest(everybody)


def forget_worker(pid: int) -> None:
    """A worker has ended: what it had open counts no more; what it did stays counted."""
    if WORKERS_METRICS in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


class RequestsTold:
    """What is told of every request of one service: how many there are, how long each took, one line.

    ``quiet`` paths (probes, scrapes) get their metrics but no line.
    """

    def __init__(self, service: str, quiet: frozenset[str] = frozenset()) -> None:
        self._service = service
        self._quiet = quiet
        self._log = logger("request")
        self._one_more = one_more(REQUESTS_NOW.labels(service))
        self._one_less = partial(REQUESTS_NOW.labels(service)._value.inc, -1)
        self._seconds: dict[tuple[str, int], Histogram] = {}

    def begin(self) -> float:
        """The clock's reading that ``end`` wants back."""
        self._one_more()
        return time.perf_counter()

    def end(
        self, started: float, *, route: str, path: str, status: int, identity: str, facts: Mapping[str, Any]
    ) -> None:
        """``route`` becomes a label: it is one of few, whatever clients ask for."""
        elapsed_s = time.perf_counter() - started
        self._one_less()
        seconds = self._seconds.get((route, status))
        if seconds is None:
            seconds = self._seconds[route, status] = REQUEST_SECONDS.labels(self._service, route, str(status))
        seconds.observe(elapsed_s)
        if path not in self._quiet:
            self._log.info(
                "request", path=path, status=status, ms=round(elapsed_s * 1000, 2), request_id=identity, **facts
            )


class RequestTelemetry:
    """ASGI middleware: a request scope around every request, which is told."""

    def __init__(self, app: Asgi, told: RequestsTold) -> None:
        self._app = app
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status = 101 if scope["type"] == "websocket" else 500
        with request_scope(headers) as identity:

            async def observed(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message.setdefault("headers", [])
                    message["headers"] = [*message["headers"], (REQUEST_ID_HEADER.encode(), identity.encode())]
                await send(message)

            started = self._told.begin()
            try:
                await self._app(scope, receive, observed)
            finally:
                self._told.end(
                    started,
                    route=_route(scope),
                    path=scope["path"],
                    status=status,
                    identity=identity,
                    facts=scope.get("galleria.facts", {}),
                )


def _route(scope: Scope) -> str:
    # Only paths that were routed become label values, or any client could make a million of them.
    return str(scope["path"]) if "endpoint" in scope else "other"


def _with_facts(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    scope = _scope.get()
    if scope is not None:
        for name, fact in scope.facts.items():
            event.setdefault(name, fact)
    return event


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(event, default=repr)
    except TypeError:
        # Integers of more than 64 bits, halves of surrogate pairs: a line that is odd is better than none.
        return json.dumps(event, default=repr).encode()


def _render_text(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return _render_json(_, __, event).decode()


def _with_service(service: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add
