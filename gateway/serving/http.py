"""GraphQL over HTTP: the request is read, refused or answered; media types and status codes are settled here, for the
ordinary way of a request (``app``) and for the straight one (``straight``).

The rules are those of the *GraphQL over HTTP* draft. The answer's media type is negotiated first, because refusals are
answers too: with ``application/graphql-response+json`` a request that was not executed is a 4xx; with the legacy
``application/json`` a well-formed request is a 200 whatever became of it. Without an ``Accept`` header, or with a
wildcard, the former is used.

Bodies with the content types that browsers send across origins without asking first (forms, plain text) are refused,
which together with the CORS policy is the protection against forged requests; GET runs queries only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.config import Limits
from gateway.errors import (
    BodyTooLarge,
    BodyTooSlow,
    DocumentInvalid,
    GatewayError,
    LimitExceeded,
    MediaTypeNotAcceptable,
    MediaTypeUnsupported,
    MethodNotAllowed,
    OperationUnknown,
    RequestMalformed,
    VariableInvalid,
)
from gateway.event_stream import render_event
from gateway.exchange import GraphQLRequest, GraphQLResponse, decode, read_request
from gateway.incremental import Dialect
from gateway.pipeline.cache import Cache
from subgraphs.chassis.telemetry import REQUEST_ID_HEADER

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"
CLOSE: Final = ("connection", "close")

_REMEMBERED: Final = 256
"""Headers whose meaning is remembered, of each kind; clients say the same few again and again."""
_REMEMBERED_CHARACTERS_MAX: Final = 256
_BODY_WEIGHT: Final = 1_000
"""What a remembered body weighs beside its text, in bytes."""

# What a well-formed request can still be refused for; the legacy media type and event streams answer these with 200.
_WELL_FORMED = (DocumentInvalid, OperationUnknown, VariableInvalid, LimitExceeded)


class Answer(NamedTuple):
    """What is sent back, whichever way the request came."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those that every answer has: the media type, the length, and that ``Accept`` chose it."""


@dataclass(frozen=True, slots=True)
class Range:
    """One entry of an ``Accept`` header."""

    media_type: str
    quality: float
    precision: int
    """2 for ``a/b``, 1 for ``a/*``, 0 for ``*/*``."""
    parameters: frozenset[str] = frozenset()
    """As written, in lower case."""


def negotiated(header: str | None) -> tuple[str, Dialect | None]:
    """``accepted`` and ``dialect_of`` for an ``Accept`` header."""
    if header is not None and len(header) > _REMEMBERED_CHARACTERS_MAX:
        return _negotiate(header)
    return _negotiated(header)


def _negotiate(header: str | None) -> tuple[str, Dialect | None]:
    media_type = accepted(header)
    return media_type, dialect_of(header, media_type)


_negotiated = lru_cache(_REMEMBERED)(_negotiate)


def accepted(header: str | None) -> str:
    """Which of our media types answers best; raises MediaTypeNotAcceptable. Equal wishes: ours first, in this order."""
    if header is None or not header.strip():
        return GRAPHQL_RESPONSE
    ranges = _ranges(header)
    best, best_quality = "", 0.0
    for offered in (GRAPHQL_RESPONSE, JSON, EVENT_STREAM, MULTIPART):
        quality = _quality(ranges, offered)
        if quality > best_quality:
            best, best_quality = offered, quality
    if not best:
        raise MediaTypeNotAcceptable(
            f"This endpoint answers with {GRAPHQL_RESPONSE}, {JSON}, {EVENT_STREAM} or {MULTIPART}."
        )
    return best


def dialect_of(header: str | None, media_type: str) -> Dialect | None:
    """How to write what is deferred, or None where the client takes one answer alone.

    An event stream may have many answers anyway. Beside the chosen media type, ``multipart/mixed`` is used for an answer in
    parts if it is named and wished no less.
    """
    ranges = _ranges(header or "")
    streamed = EVENT_STREAM if media_type == EVENT_STREAM else MULTIPART
    named = [wish for wish in ranges if wish.media_type == streamed and wish.quality]
    if streamed == MULTIPART:
        named = [wish for wish in named if wish.quality >= _quality(ranges, media_type)]
    elif not named:
        return Dialect.PENDING
    if not named:
        return None
    wish = max(named, key=lambda wish: wish.quality)
    return Dialect.PATHS if Dialect.PATHS.value.lower() in wish.parameters else Dialect.PENDING


def _quality(ranges: list[Range], offered: str) -> float:
    group = offered.partition("/")[0] + "/*"
    fits = [wish for wish in ranges if wish.media_type in (offered, group, "*/*")]
    # The most precise range speaks for a media type, whatever vaguer ones say.
    precision = max((wish.precision for wish in fits), default=0)
    return max((wish.quality for wish in fits if wish.precision == precision), default=0.0)


def _ranges(header: str) -> list[Range]:
    return [found for part in header.split(",") if (found := _range(part)) is not None]


def _range(text: str) -> Range | None:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    if "/" not in media_type:
        return None
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                return None
    precision = 0 if media_type == "*/*" else 1 if media_type.endswith("/*") else 2
    said = frozenset(parameter.replace('"', "") for parameter in parameters)
    if any(parameter.startswith("subscriptionspec=") for parameter in said):
        return None  # Another protocol under the same media type.
    return Range(media_type, quality, precision, said)


class Bodies:
    """Bodies as GraphQL requests. What one without variables means is remembered by its bytes, whoever sends it."""

    def __init__(self, bytes_max: int) -> None:
        self._known: Cache[bytes, GraphQLRequest] = Cache("bodies", weight_max=bytes_max)

    def read(self, body: bytes) -> GraphQLRequest:
        """Raises RequestMalformed."""
        known = self._known.find(body)
        if known is not None:
            return known
        found = decode(body)
        if isinstance(found, list):
            raise RequestMalformed("Batches of requests are not supported; send each request by itself.")
        request = read_request(found)
        if not request.variables and not request.extensions:
            # The text stands there twice: in the body, and in the request.
            self._known.keep(body, request, 2 * len(body) + _BODY_WEIGHT)
        return request


async def read(request: Request, limits: Limits, bodies: Bodies) -> GraphQLRequest:
    """The GraphQL request in an HTTP request, or the RequestError that says why there is none."""
    if request.method == "GET":
        return _from_query_string(request.url.query)
    check_json(request.headers)
    return bodies.read(await read_body(request, limits))


async def left(request: Request) -> None:
    """Returns when the client of a request that has been read closes its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def check_json(headers: Mapping[str, str]) -> None:
    """Raises MediaTypeUnsupported unless the body, by these headers, is JSON in UTF-8."""
    content_type = headers.get("content-type", "")
    if content_type != JSON:
        _check_content_type(content_type)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise MediaTypeUnsupported("Compressed request bodies are not supported.")


def _check_content_type(text: str) -> None:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    if media_type != JSON:
        raise MediaTypeUnsupported(f"The content type must be {JSON}, not {media_type or 'nothing'}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') != "utf-8":
            raise MediaTypeUnsupported("The charset must be utf-8.")


def too_large(bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {bytes_max} bytes.")


def too_slow(ms_max: int) -> BodyTooSlow:
    return BodyTooSlow(f"The body did not arrive within {ms_max} ms.")


def ended_early() -> RequestMalformed:
    return RequestMalformed("The body ended early.")


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body, or BodyTooLarge as soon as it is known to be: by its announced length, or by what has arrived."""
    bytes_max = limits.body_bytes_max
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > bytes_max:
        raise too_large(bytes_max)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_ms_max / 1000):
            async for part in request.stream():
                size += len(part)
                if size > bytes_max:
                    raise too_large(bytes_max)
                parts.append(part)
    except TimeoutError:
        raise too_slow(limits.body_ms_max) from None
    except ClientDisconnect:
        raise ended_early() from None
    return b"".join(parts)


def _from_query_string(text: str) -> GraphQLRequest:
    parameters = dict(parse_qsl(text, keep_blank_values=True))
    body: dict[str, Any] = {"query": parameters.get("query")}
    if parameters.get("operationName"):
        body["operationName"] = parameters["operationName"]
    for name in ("variables", "extensions"):
        if parameters.get(name):
            body[name] = decode(parameters[name])
    return read_request(body)


def status_of(error: GatewayError, media_type: str) -> int:
    """The HTTP status of a request that was not executed."""
    if media_type == JSON and isinstance(error, _WELL_FORMED):
        return 200
    return error.http_status


def respond(
    response: GraphQLResponse, media_type: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    return Answer(status, media_type, response.encode(), headers)


def refuse(error: GatewayError, media_type: str, response: GraphQLResponse) -> Answer:
    """A refusal as an HTTP answer, with the headers HTTP wants beside some status codes."""
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, MethodNotAllowed):
        headers += (("allow", "GET, POST"),)
    if error.http_status == 401:
        headers += (("www-authenticate", "Bearer"),)
    if error.http_status == 503:
        headers += (("retry-after", "5"),)
    if isinstance(error, BodyTooLarge | BodyTooSlow):
        # What is still on its way would be read as the next request.
        headers += (CLOSE,)
    if media_type == EVENT_STREAM and isinstance(error, _WELL_FORMED):
        # GraphQL over SSE, distinct connections: a browser's EventSource can read nothing of a 400.
        frames = render_event("next", response.encode()) + render_event("complete", b"")
        return Answer(200, EVENT_STREAM, frames, headers)
    shown = GRAPHQL_RESPONSE if media_type in (EVENT_STREAM, MULTIPART) else media_type
    return respond(response, shown, status_of(error, shown), headers)


def as_response(answer: Answer) -> Response:
    """For the ordinary way."""
    headers = {**dict(answer.headers), "vary": "accept"}
    return Response(answer.body, answer.status, headers, f"{answer.media_type}; charset=utf-8")


@lru_cache(_REMEMBERED)
def _around_length(
    status: int, media_type: str, headers: tuple[tuple[str, str], ...], cross_origin: tuple[tuple[str, str], ...]
) -> tuple[bytes, bytes]:
    vary, *rest = cross_origin
    before = "".join(f"{name}: {value}\r\n" for name, value in (*headers, vary))
    after = f"\r\ncontent-type: {media_type}; charset=utf-8\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in rest
    )
    return f"{before}content-length: ".encode("latin-1"), f"{after}{REQUEST_ID_HEADER}: ".encode("latin-1")


def as_bytes(
    answer: Answer,
    server_head: bytes,
    cross_origin: tuple[tuple[str, str], ...],
    request_id: str,
    *,
    last: bool,
) -> bytes:
    """For the straight way: all of the answer as it goes over the wire, after the server's status line and headers.

    ``cross_origin`` is what ``Origins`` has for the request; ``last`` says that the connection closes after the answer.
    """
    before, after = _around_length(answer.status, answer.media_type, answer.headers, cross_origin)
    close = b"\r\nconnection: close" if last and CLOSE not in answer.headers else b""
    return b"%b%b%d%b%b%b\r\n\r\n%b" % (
        server_head, before, len(answer.body), after, request_id.encode(), close, answer.body,
    )  # fmt: skip
