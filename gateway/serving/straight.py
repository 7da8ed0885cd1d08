"""The straight way of an ordinary ``POST /graphql``: from the connection's bytes to the pipeline and back in one write.

Theory of operation
-------------------
Nearly all requests are alike: a POST with a JSON body of announced length to ``/graphql``, which wants one answer as JSON.
The ordinary way (ASGI messages, middleware, routing, request and response objects) costs such a request several times
what the pipeline does with it. Here the protocol that parses HTTP hands it to the pipeline itself.

*What may go straight is decided by the head alone*, in ``Straight.head_of``. Whatever is unusual (another path, method or
version, chunks, ``Expect``, an upgrade, a wrong media type, a header said twice, a stream as the answer, a request that was sent before the one ahead of it was answered) goes the ordinary way, which
knows what to do and how to refuse it. So the two ways never disagree about what they both serve: the rules of HTTP are
those of ``http``, what is told of a request is told by the same ``RequestsTold``, and a test sends a table of requests
both ways.

*Known heads.* On a connection that stays open a client says the same head again and again. What a head meant is remembered
by its bytes, and a segment that is one known head with the whole body it announces does not pass the parser. That is sound
because it is done only between two messages, when the parser keeps nothing that could change the meaning of the next; and
because a head is remembered only if each of its lines was a header the parser reported, so both agree where it ends. Heads
with an identity of their own (request id, trace) are not remembered: none of them comes again. A remembered head holds
its caller, who is proved again when the token has expired or the keys have changed.

*uvicorn's state.* The request under way is ``self.cycle`` for uvicorn, which asks an ``Exchange`` whether it is complete and
tells it not to keep the connection; its task is among the server's, so that a stop waits for it. What is pipelined behind it
waits in uvicorn's own queue.

*A client that leaves* ends its query: nobody waits for the answer. A mutation that has begun is brought to its end, for
half of one is worse than one nobody heard of.

What does not belong here: rules of HTTP (``http``), of operations (``pipeline``), of connections (the chassis' bounds).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.config import Settings
from gateway.errors import RequestError
from gateway.pipeline.cache import Cache
from gateway.pipeline.pipeline import ONE_ANSWER, Caller, Pipeline
from gateway.plan import OperationKind
from gateway.serving import http
from gateway.serving.app import Application
from subgraphs.chassis.http_bounds import BoundedHttp
from subgraphs.chassis.telemetry import REQUEST_ID_HEADER, enter_request
from subgraphs.chassis.trace_context import TRACEPARENT_HEADER, TRACESTATE_HEADER

PATH: Final = "/graphql"
_REQUEST_LINE: Final = b"POST /graphql HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"
_HEAD_WEIGHT: Final = 2_000
"""What a remembered head weighs beside its text, in bytes."""
_ELSEWHERE: Final = frozenset({"transfer-encoding", "expect", "upgrade"})
_OWN: Final = frozenset({REQUEST_ID_HEADER, TRACEPARENT_HEADER, TRACESTATE_HEADER})
_CLIENT_LEFT: Final = 499
"""The status that is told of a request whose client did not wait; no client sees it."""
_INTERRUPTED: Final = (
    STATUS_LINE[500] + b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\nconnection: close\r\n\r\n"
    b"Internal Server Error"
)
"""What uvicorn says, too, when its patience at the stop has ended."""


class Head:
    """What the head of a request said that goes straight."""

    __slots__ = ("caller", "cross_origin", "headers", "length", "media_type")

    def __init__(
        self, headers: Mapping[str, str], media_type: str, length: int, cross_origin: tuple[tuple[str, str], ...]
    ) -> None:
        self.cross_origin = cross_origin
        self.headers = headers
        self.media_type = media_type
        self.length = length
        self.caller: Caller | None = None
        """As proved when the head was last heard."""


class Straight:
    """What the connections of one server have in common."""

    def __init__(self, application: Application, pipeline: Pipeline, settings: Settings) -> None:
        self.application = application
        self.pipeline = pipeline
        self.body_bytes_max = settings.limits.body_bytes_max
        self.body_ms_max = settings.limits.body_ms_max
        self.dated: tuple[list[tuple[bytes, bytes]], bytes] = [], b""
        """uvicorn's own headers, and as they go over the wire."""
        self.heads: Cache[bytes, Head] = Cache("heads", weight_max=settings.request_cache_bytes_max)

    def head_of(self, said: list[tuple[bytes, bytes]]) -> Head | None:
        """These headers' meaning, or None when the request goes the ordinary way."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in said}
        length = headers.get("content-length", "")
        if len(headers) != len(said) or not _ELSEWHERE.isdisjoint(headers) or not length.isdecimal():
            return None
        try:
            http.check_json(headers)
            media_type, dialect = http.negotiated(headers.get("accept"))
        except RequestError:
            return None
        if dialect is not None or int(length) > self.body_bytes_max:
            return None
        return Head(headers, media_type, int(length), self.application.origins.headers(headers.get("origin")))

    async def caller(self, head: Head) -> Caller:
        caller = head.caller
        if caller is None or not self.pipeline.still(caller):
            caller = head.caller = await self.pipeline.caller(head.headers)
        return caller


class Exchange:
    """The request under way, and what uvicorn asks of it as of a cycle of its own."""

    __slots__ = ("body", "facts", "head", "keep_alive", "kind", "response_complete", "started", "task")

    def __init__(self, head: Head, started: float, keep_alive: bool) -> None:
        self.head = head
        self.started = started
        self.keep_alive = keep_alive
        self.response_complete = False
        self.body: bytes | bytearray = b""
        self.kind: OperationKind | None = None
        self.facts: dict[str, Any] = {}
        self.task: asyncio.Task[None] | None = None

    def take(self, part: bytes) -> None:
        if not self.body:
            self.body = part
            return
        if not isinstance(self.body, bytearray):
            self.body = bytearray(self.body)
        self.body += part

    def runs(self, kind: OperationKind) -> None:
        self.kind = kind

    def give_up(self) -> None:
        if self.task is not None and self.kind is not OperationKind.MUTATION:
            self.task.cancel()


class StraightHttp(BoundedHttp):
    """One connection. uvicorn is given the class with its ``Straight``."""

    cycle: Any  # uvicorn's own, or an ``Exchange``

    def __init__(self, straight: Straight, **given: Any) -> None:
        super().__init__(**given)
        self._straight = straight
        self._told = straight.application.told
        # The server may be told not to take everything, or to live below a path: that is not for here.
        self._open = self.limit_concurrency is None and not self.root_path
        self._between = True
        """Whether the parser has seen the end of the last message and nothing of the next."""
        self._segment: bytes | None = None
        """What has come with the beginning of a message, while the parser looks at it."""
        self._arriving: Exchange | None = None
        """Its head has come, its body not yet."""
        self._under_way: Exchange | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._between and self._is_free():
            end = data.find(_END) + len(_END)
            head = self._straight.heads.find(data[:end]) if data.startswith(_REQUEST_LINE) else None
            if head is not None and len(data) - end == head.length:
                self._unset_keepalive_if_required()
                self._head_arrived()
                exchange = Exchange(head, self._told.begin(), True)
                exchange.body = data[end:]
                self._start(exchange)
                return
            self._segment = data
        super().data_received(data)
        self._segment = None
        if self._arriving is not None and self._body_timer is None and not self.transport.is_closing():
            self._body_timer = self.loop.call_later(self._straight.body_ms_max / 1000, self._body_is_late)

    def on_message_begin(self) -> None:
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        head, segment = self._head(), self._segment
        self._segment = None  # What else is in it belongs to another message.
        if head is None:
            super().on_headers_complete()
            return
        self._head_arrived()
        keep_alive = self.parser.should_keep_alive()
        if keep_alive and segment is not None:
            self._remember(head, segment)
        self._arriving = Exchange(head, self._told.begin(), keep_alive)
        self.cycle = self._arriving

    def on_body(self, body: bytes) -> None:
        if self._arriving is None:
            super().on_body(body)
            return
        self._around_body_bytes -= len(body)
        self._arriving.take(body)

    def on_message_complete(self) -> None:
        # After an upgrade the parser takes nothing more, and what comes is not a message.
        self._between = not self.parser.should_upgrade()
        if self._arriving is None:
            super().on_message_complete()
        else:
            self._start(self._arriving)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._arriving is not None:
            self._start(self._arriving, http.ended_early())
        elif self._under_way is not None:
            # Soon, not now: a task that is cancelled before its first step tells nobody that it was there.
            self.loop.call_soon(self._under_way.give_up)
        self._under_way = None
        if isinstance(self.cycle, Exchange):
            self.cycle = None  # As uvicorn has it before the first request: there is nobody to be told.
        super().connection_lost(exc)

    def _is_free(self) -> bool:
        """Whether a request could be answered at once: the one before has its answer, and the client takes its answers."""
        cycle = self.cycle
        return (
            self._open
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _head(self) -> Head | None:
        if (
            self.url != PATH.encode()
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.parser.should_upgrade()
            or not self._is_free()
        ):
            return None
        return self._straight.head_of(self.headers)

    def _remember(self, head: Head, segment: bytes) -> None:
        if not segment.startswith(_REQUEST_LINE) or not _OWN.isdisjoint(head.headers):
            return
        text = segment[: segment.find(_END) + len(_END)]
        # Request line, headers, empty line: as many as the parser has seen, each ended as HTTP wants it.
        if text.count(b"\r\n") == text.count(b"\n") == len(self.headers) + 2:
            self._straight.heads.keep(text, head, 3 * len(text) + _HEAD_WEIGHT)

    def _body_is_late(self) -> None:
        if self._arriving is not None:
            self._start(self._arriving, http.too_slow(self._straight.body_ms_max))

    def _start(self, exchange: Exchange, wrong: RequestError | None = None) -> None:
        self._arriving = None
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None
        self._under_way = exchange
        self.cycle = exchange
        exchange.task = task = self.loop.create_task(self._answer(exchange, wrong))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _answer(self, exchange: Exchange, wrong: RequestError | None) -> None:
        headers, status = exchange.head.headers, _CLIENT_LEFT
        scope = enter_request(
            headers.get(REQUEST_ID_HEADER), headers.get(TRACEPARENT_HEADER), headers.get(TRACESTATE_HEADER)
        )
        try:
            answer = await self._ask(exchange, wrong)
            status = answer.status
            if http.CLOSE in answer.headers:
                exchange.keep_alive = False
            last = not exchange.keep_alive
            head = STATUS_LINE[status] + self._dated()
            self._end(exchange, http.as_bytes(answer, head, exchange.head.cross_origin, scope.id, last=last))
        except BaseException:
            if self._under_way is exchange:
                status = 500
                exchange.keep_alive = False
                self._end(exchange, _INTERRUPTED)
            raise
        finally:
            self._told.end(
                exchange.started, route=PATH, path=PATH, status=status, identity=scope.id, facts=exchange.facts
            )

    async def _ask(self, exchange: Exchange, wrong: RequestError | None) -> http.Answer:
        straight, head, facts = self._straight, exchange.head, exchange.facts
        try:
            caller = await straight.caller(head)
            if wrong is not None:
                raise wrong
            # The connection may idle with this exchange for a long time.
            body, exchange.body = bytes(exchange.body), b""
            request = straight.application.bodies.read(body)
            response = await straight.pipeline.answer(request, caller, kinds=ONE_ANSWER, on_run=exchange.runs)
            facts["errors"] = len(response.errors)
            return http.respond(response, head.media_type)
        except Exception as raised:  # noqa: BLE001  the last line of defence
            return straight.application.refused(raised, head.media_type, facts)

    def _dated(self) -> bytes:
        """The server's own headers, of which the date changes once a second."""
        headers, straight = self.server_state.default_headers, self._straight
        if headers is not straight.dated[0]:
            straight.dated = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return straight.dated[1]

    def _end(self, exchange: Exchange, answer: bytes) -> None:
        exchange.response_complete = True
        if self._under_way is not exchange:
            return  # The client has left.
        self._under_way = None
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()
