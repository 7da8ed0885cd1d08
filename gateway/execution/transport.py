"""The only way to a subgraph: deadlines, size bounds, one retry, a circuit, shared requests, event streams.

What belongs here: which way a fetch takes, and naming what went wrong (``SubgraphError``). What does not: what is in a
request, and what an answer means beyond being a GraphQL response. Fetches over plain HTTP go through our own ``Pool``, at
less than half the CPU; https and event streams go through the ``WebClient``, which is loaded when it is first needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Container, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.config import Limits
from gateway.errors import (
    SubgraphCircuitOpen,
    SubgraphError,
    SubgraphReplyInvalid,
    SubgraphTimedOut,
    SubgraphUnreachable,
)
from gateway.event_stream import Event
from gateway.execution.circuit import Circuit
from gateway.execution.fetch_headers import JSON_HEADERS, USER_AGENT
from gateway.execution.replies import MEDIA_TYPES, media_type, no_json, response_in, timed_out, unreachable
from gateway.execution.socket_stream import OPENED, socket_stream
from subgraphs.chassis.http_client.connection import ConnectionBroken, ReplyRefused, Wanted
from subgraphs.chassis.http_client.deadlines import Deadlines
from subgraphs.chassis.http_client.pool import Pool
from subgraphs.chassis.http_client.request_head import Target, header_lines, read_url

if TYPE_CHECKING:
    from gateway.execution.web_client import WebClient

RETRY_PAUSE_S: Final = 0.05
"""Before the one retry of a query: enough for a closed listener to be replaced, too short for a person to notice."""

# Compressing costs the subgraph and us more than the way between us does.
_PLAIN_HTTP: Final = {**JSON_HEADERS, "user-agent": USER_AGENT, "accept-encoding": "identity"}
_WANTED: Final = tuple(each.encode() for each in MEDIA_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphAddress:
    """Where a subgraph is, and how it serves subscriptions."""

    name: str
    url: str
    streams: str = "auto"
    """``auto``, ``sse``, ``websocket``, or the socket's own URL."""


def _no_headers() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContext:
    """On whose behalf a fetch is sent, and until when."""

    headers: Callable[[], Mapping[str, str]] = _no_headers
    """Asked for every fetch: a signed identity grows old, and a subscription outlives many of them."""
    identity: str = ""
    """Everything about the asker that may change an answer. Requests of different identities are never shared."""
    deadline: float | None = None
    """By the running loop's clock."""


class Way:
    """To one URL: by which client, and whether at all."""

    __slots__ = ("circuit", "head", "pool")

    def __init__(self, pool: Pool | None, head: bytes) -> None:
        self.circuit = Circuit()
        self.pool = pool
        """None for what the web client does."""
        self.head = head
        """What every request begins with."""


class Transport:
    """Sends fetches. One a process; every subgraph of every snapshot goes through it."""

    def __init__(self, limits: Limits, *, share: bool = True, authorities: bytes | None = None) -> None:
        """``authorities``: certificates in PEM that are trusted to sign those of subgraphs, besides the system's."""
        self._authorities = authorities
        self._share = share
        self._fetch_s = limits.subgraph_ms_max / 1000
        self._reply_bytes_max = limits.subgraph_reply_bytes_max
        self._connections_max = limits.subgraph_connections_max
        self._deadlines = Deadlines()
        self._pools: dict[tuple[str, int], Pool] = {}
        self.ways: dict[str, Way] = {}
        """By URL."""
        self._web_client: WebClient | None = None
        self._on_socket: set[str] = set()
        """Addresses that refused SSE and took a socket."""
        self._in_flight: dict[tuple[str, str, bytes], list[asyncio.Future[bytes | None]]] = {}
        """Requests that others may share, each with those who wait for its reply. None instead of a reply says that it
        did not come to its end, and is no word about the subgraph."""

    async def aclose(self) -> None:
        """Ends every request under way and gives the connections back."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self.ways.clear()
        self._deadlines.close()
        if self._web_client is not None:
            await self._web_client.aclose()

    async def fetch(
        self, address: SubgraphAddress, body: bytes, context: FetchContext, *, repeatable: bool
    ) -> dict[str, Any]:
        """The subgraph's GraphQL response to this JSON body, or a ``SubgraphError``; otherwise as ``reply``."""
        return response_in(address.name, await self.reply(address, body, context, repeatable=repeatable))

    async def reply(self, address: SubgraphAddress, body: bytes, context: FetchContext, *, repeatable: bool) -> bytes:
        """What the subgraph answers to this JSON body, unread, or a ``SubgraphError``.

        ``repeatable`` says that it changes nothing (a query): it may be sent twice when a connection breaks, and shares
        the answer with an identical request under way, unless sharing is off.
        """
        if repeatable and self._share:
            return await self._shared(address, body, context)
        return await self._send(address, body, context, retry=repeatable)

    async def _shared(self, address: SubgraphAddress, body: bytes, context: FetchContext) -> bytes:
        """The first asker sends; others wait for the same bytes, and one of them takes over when the first gives up."""
        key = (address.url, context.identity, body)
        loop = asyncio.get_running_loop()
        while (waiting := self._in_flight.get(key)) is not None:
            seconds = self._seconds(context, address.name)
            follower: asyncio.Future[bytes | None] = loop.create_future()
            waiting.append(follower)
            self._deadlines.add(follower, loop.time() + seconds)
            try:
                reply = await follower
            except TimeoutError:
                raise timed_out(address.name, seconds) from None
            finally:
                self._deadlines.remove(follower)
            if reply is not None:
                return reply
        seconds = self._seconds(context, address.name)
        followers = self._in_flight[key] = []
        found: bytes | None = None
        wrong: SubgraphError | None = None
        try:
            found = await self._send(address, body, context, retry=True)
            return found
        except SubgraphError as error:
            # With less than the full time, a time-out says nothing to those who have more.
            if not (isinstance(error, SubgraphTimedOut) and seconds < self._fetch_s):
                wrong = error
            raise
        finally:
            del self._in_flight[key]
            for follower in followers:
                if follower.done():
                    continue
                if wrong is None:
                    follower.set_result(found)
                else:
                    # A copy: one exception raised in several tasks would gather all their tracebacks.
                    follower.set_exception(type(wrong)(wrong.subgraph, wrong.message, detail=wrong.detail))

    async def _send(
        self, address: SubgraphAddress, body: bytes, context: FetchContext, *, retry: bool = False
    ) -> bytes:
        way = self.ways.get(address.url) or self._new_way(address.url)
        circuit = way.circuit
        now = asyncio.get_running_loop().time
        if not circuit.allows(now()):
            raise SubgraphCircuitOpen(address.name, f"The subgraph {address.name!r} is given a moment to recover.")
        seconds = self._seconds(context, address.name)
        try:
            try:
                reply = await self._post(way, address, body, context, seconds)
            except SubgraphUnreachable:
                if not retry:
                    raise
                await asyncio.sleep(RETRY_PAUSE_S)
                reply = await self._post(way, address, body, context, self._seconds(context, address.name))
        except SubgraphTimedOut:
            # With less than the full time there is nothing to hold against the subgraph.
            if seconds == self._fetch_s:
                circuit.failed(now())
            raise
        except SubgraphUnreachable:
            circuit.failed(now())
            raise
        except SubgraphReplyInvalid:
            circuit.answered()
            raise
        circuit.answered()
        return reply

    def _new_way(self, url: str) -> Way:
        target = read_url(url, _PLAIN_HTTP)
        way = Way(None, b"") if target is None else Way(self._pool(target), target.head)
        self.ways[url] = way
        return way

    def keep_ways(self, urls: Container[str]) -> None:
        """Forget how to get anywhere else. A request under way gets there and back; idle connections close in their time."""
        self.ways = {url: way for url, way in self.ways.items() if url in urls}
        used = {id(way.pool) for way in self.ways.values()}
        self._pools = {place: pool for place, pool in self._pools.items() if id(pool) in used or pool.taken > pool.idle}
        self._on_socket = {url for url in self._on_socket if url in urls}

    def _pool(self, target: Target) -> Pool:
        place = (target.host, target.port)
        if place not in self._pools:
            self._pools[place] = Pool(
                *place,
                Wanted(_WANTED, self._reply_bytes_max),
                self._deadlines,
                connections_max=self._connections_max,
            )
        return self._pools[place]

    async def _post(
        self, way: Way, address: SubgraphAddress, body: bytes, context: FetchContext, seconds: float
    ) -> bytes:
        if way.pool is None:
            return await self._web().post(address.name, address.url, body, context.headers(), seconds)
        name = address.name
        try:
            request = b"%b%bcontent-length: %d\r\n\r\n%b" % (way.head, header_lines(context.headers()), len(body), body)
            reply = await way.pool.ask(request, seconds)
        except TimeoutError:
            raise timed_out(name, seconds) from None
        except ReplyRefused as refused:
            raise SubgraphReplyInvalid(name, f"The subgraph {name!r} {refused}") from None
        except (ConnectionBroken, ValueError) as wrong:
            raise unreachable(name, wrong) from wrong
        if media_type(reply.media_type) not in MEDIA_TYPES:
            raise no_json(name, reply.status, reply.media_type, reply.body)
        return reply.body

    def _web(self) -> WebClient:
        """For https, for URLs that have to be rewritten before they can be sent, and for event streams."""
        if self._web_client is None:
            from gateway.execution.web_client import WebClient

            self._web_client = WebClient(
                open_s=self._fetch_s, reply_bytes_max=self._reply_bytes_max, authorities=self._authorities
            )
        return self._web_client

    def _seconds(self, context: FetchContext, name: str) -> float:
        """How long this fetch may take."""
        if context.deadline is None:
            return self._fetch_s
        seconds = min(self._fetch_s, context.deadline - asyncio.get_running_loop().time())
        if seconds <= 0:
            raise timed_out(name, 0)
        return seconds

    def stream(self, address: SubgraphAddress, body: bytes, context: FetchContext) -> AsyncGenerator[Event, None]:
        """The subscription that this body asks for: ``OPENED``, a ``next`` for each event, ``complete``.

        A stream that breaks before ``complete`` raises a ``SubgraphError``.
        """
        match address.streams:
            case "sse":
                return self._event_stream(address, body, context)
            case "auto":
                return self._either_stream(address, body, context)
            case "websocket":
                return self._socket_stream(address, address.url, body, context)
            case url:
                return self._socket_stream(address, url, body, context)

    async def _either_stream(
        self, address: SubgraphAddress, body: bytes, context: FetchContext
    ) -> AsyncGenerator[Event, None]:
        """SSE, and where the subgraph answers with something else, ``graphql-transport-ws`` at the same URL.

        A socket that opened is taken at once the next time. When neither opens, the answer to SSE counts: a subgraph
        that speaks SSE and refuses this one subscription looks the same, and says why.
        """
        answer: Event | None = None
        refusal: SubgraphError | None = None
        if address.url not in self._on_socket:
            async with aclosing(self._event_stream(address, body, context)) as events:
                try:
                    answer = await anext(events)
                except SubgraphReplyInvalid as wrong:
                    refusal = wrong
                if answer is OPENED:
                    yield answer
                    async for event in events:
                        yield event
                    return
        # Remembered again only if it opens: the subgraph may have been replaced by one that speaks SSE.
        self._on_socket.discard(address.url)
        async with aclosing(self._socket_stream(address, address.url, body, context)) as events:
            try:
                opened = await anext(events)
            except SubgraphError as wrong:
                if answer is None:
                    raise refusal or wrong from None
                yield answer
                yield Event("complete", b"")
                return
            self._on_socket.add(address.url)
            yield opened
            async for event in events:
                yield event

    def _socket_stream(
        self, address: SubgraphAddress, url: str, body: bytes, context: FetchContext
    ) -> AsyncGenerator[Event, None]:
        return socket_stream(
            address.name,
            url,
            body,
            context.headers(),
            open_s=self._fetch_s,
            message_bytes_max=self._reply_bytes_max,
        )

    def _event_stream(
        self, address: SubgraphAddress, body: bytes, context: FetchContext
    ) -> AsyncGenerator[Event, None]:
        return self._web().event_stream(address.name, address.url, body, context.headers())
