"""What a process says about itself: structured logs, request ids, trace context, metrics. No web framework here.

One summary line a request, constant messages with data in fields, never the values of variables, never tokens. The
request id (``x-request-id``) and the W3C trace context (``traceparent``) come in, are known to everything the request
does through context variables, and go out with every call and every event.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
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

from subgraphs.kernel.ids import ulid

REQUEST_ID_HEADER = "x-request-id"
TRACEPARENT_HEADER = "traceparent"
METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST
WORKERS_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own name for the directory where the workers of one server keep what they count. Set before it is imported."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# A client's request id is believed if it is short and plain: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("galleria", tracer_provider=TracerProvider())

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
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_service(service),
    ]
    renderer: list[Any] = (
        [structlog.processors.ExceptionRenderer(_TRACEBACK), structlog.processors.JSONRenderer()]
        if format == "json"
        else [_console(sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
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
    """Facts for every line that this request, or this task, still writes; the summary line among them."""
    structlog.contextvars.bind_contextvars(**facts)


def request_id() -> str | None:
    """The id of the request this code runs for, if it runs for one."""
    return _request_id.get()


def traceparent() -> str | None:
    """The W3C trace context of the current span, if there is one."""
    return _outgoing_trace().get(TRACEPARENT_HEADER)


def outgoing_headers() -> dict[str, str]:
    """The headers that carry the request id and the trace on to whoever is called."""
    headers = _outgoing_trace()
    current = _request_id.get()
    if current is not None:
        headers[REQUEST_ID_HEADER] = current
    return headers


@contextmanager
def request_scope(name: str, headers: Mapping[str, str]) -> Iterator[str]:
    """Everything inside belongs to one request: its id (the caller's, or a new one) and a span of the caller's trace.

    ``headers`` have lower-case names. Yields the request id.
    """
    given = headers.get(REQUEST_ID_HEADER, "")
    identity = given if _REQUEST_ID.fullmatch(given) else ulid()
    token = _request_id.set(identity)
    try:
        with _tracer.start_as_current_span(name, context=_propagator.extract(headers)):
            yield identity
    finally:
        _request_id.reset(token)


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


class RequestTelemetry:
    """ASGI middleware: a request scope, one summary line and one histogram entry around every request.

    ``quiet`` paths (probes, scrapes) get their metrics but no line.
    """

    def __init__(self, app: Asgi, service: str, quiet: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._service = service
        self._quiet = quiet
        self._log = logger("request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        status = 101 if scope["type"] == "websocket" else 500
        started = time.perf_counter()
        with (
            request_scope(f"{scope.get('method', 'WEBSOCKET')} {path}", headers) as identity,
            REQUESTS_NOW.labels(self._service).track_inprogress(),
        ):

            async def observed(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message.setdefault("headers", [])
                    message["headers"] = [*message["headers"], (REQUEST_ID_HEADER.encode(), identity.encode())]
                await send(message)

            try:
                await self._app(scope, receive, observed)
            finally:
                elapsed_s = time.perf_counter() - started
                REQUEST_SECONDS.labels(self._service, _route(scope), str(status)).observe(elapsed_s)
                if path not in self._quiet:
                    facts = scope.get("galleria.facts", {})
                    self._log.info(
                        "request", path=path, status=status, ms=round(elapsed_s * 1000, 2), request_id=identity, **facts
                    )


def _route(scope: Scope) -> str:
    # Only paths that were routed become label values, or any client could make a million of them.
    return str(scope["path"]) if "endpoint" in scope else "other"


def _outgoing_trace() -> dict[str, str]:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier


def _with_service(service: str) -> Any:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add
