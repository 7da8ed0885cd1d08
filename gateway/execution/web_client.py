"""Https and event streams, by pyreqwest, to which this is the one door.

Transport imports this file when the first fetch needs it, and not before: the library is seven megabytes that a gateway does
not hold whose subgraphs speak plain HTTP and are asked for no subscription. What does not belong here: which way a fetch
takes, and what is done when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final, TypeVar

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BodyDecodeError, DecodeError, PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from gateway.errors import SubgraphReplyInvalid, SubgraphUnreachable
from gateway.event_stream import Event, EventParser, FrameTooLarge
from gateway.execution.fetch_headers import JSON_HEADERS, USER_AGENT
from gateway.execution.replies import (
    DETAIL_CHARACTERS_MAX,
    MEDIA_TYPES,
    detail,
    media_type,
    no_json,
    response_in,
    timed_out,
    too_large,
    unreachable,
)
from gateway.execution.socket_stream import OPENED
from subgraphs.chassis.http_client.pool import CONNECT_S, IDLE_CONNECTIONS_MAX, IDLE_S

T = TypeVar("T")

SILENCE_S: Final = 90.0
"""An event stream with not even a heartbeat for this long is dead, whatever TCP believes."""
_EVENTS: Final = {"content-type": "application/json", "accept": "text/event-stream", "cache-control": "no-cache"}


class WebClient:
    """One a transport. What it raises are SubgraphErrors."""

    def __init__(self, *, open_s: float, reply_bytes_max: int, authorities: bytes | None) -> None:
        """``open_s``: how long a stream may take to begin."""
        self._open_s = open_s
        self._reply_bytes_max = reply_bytes_max
        self._authorities = authorities
        self._client: Client | None = None
        self._stream_client: Client | None = None

    async def aclose(self) -> None:
        for client in (self._client, self._stream_client):
            if client is not None:
                await client.close()
        self._client = self._stream_client = None

    async def post(self, name: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> bytes:
        """The reply of the subgraph with this name and URL to one fetch."""
        if self._client is None:
            self._client = self._builder().pool_max_idle_per_host(IDLE_CONNECTIONS_MAX).build()
        try:
            request = self._client.post(url).headers({**JSON_HEADERS, **headers}).body_bytes(body)
            # The client's own clock: a cancelled request would keep its connection until the subgraph answers.
            async with AsyncExitStack() as open_until:
                streamed = request.timeout(timedelta(seconds=seconds)).build_streamed()
                response = await _not_lost(open_until.enter_async_context(streamed))
                return await self._body(name, response)
        except RequestTimeoutError:
            raise timed_out(name, seconds) from None
        except BodyDecodeError as wrong:
            # A body that was cut off and one that cannot be decompressed are one to the client.
            raise unreachable(name, wrong) from wrong
        except DecodeError as wrong:
            message = f"The subgraph {name!r} did not answer with HTTP."
            raise SubgraphReplyInvalid(name, message, detail=detail(wrong)) from wrong
        except (PyreqwestError, ValueError) as wrong:
            raise unreachable(name, wrong) from wrong

    async def _body(self, name: str, response: Response) -> bytes:
        """The whole body; given up as soon as it is known to be too large, or to be no JSON."""
        limit = self._reply_bytes_max
        announced = response.get_header("content-length")
        if announced is not None and announced.isdigit() and int(announced) > limit:
            raise too_large(name, limit)
        given = response.get_header("content-type") or ""
        if media_type(given) not in MEDIA_TYPES:
            beginning = bytes(await _not_lost(response.body_reader.read(DETAIL_CHARACTERS_MAX)) or b"")
            raise no_json(name, response.status, given, beginning)
        read = response.body_reader.read_chunk
        first = await _not_lost(read())
        if first is None:
            return b""
        chunks = [bytes(first)]
        size = len(first)
        while (chunk := await _not_lost(read())) is not None:
            size += len(chunk)
            if size > limit:
                raise too_large(name, limit)
            chunks.append(bytes(chunk))
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _builder(self) -> ClientBuilder:
        """Of a client that speaks HTTP/2 where the TLS handshake offers it."""
        builder = (
            ClientBuilder()
            .http2(True)
            .follow_redirects(False)
            .no_proxy()
            .connect_timeout(timedelta(seconds=CONNECT_S))
            .pool_idle_timeout(timedelta(seconds=IDLE_S))
            .user_agent(USER_AGENT)
        )
        return builder if self._authorities is None else builder.add_root_certificate_pem(self._authorities)

    async def event_stream(
        self, name: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncGenerator[Event, None]:
        """The distinct-connections mode of GraphQL over SSE.

        A subgraph may answer a subscription it refuses with plain JSON: that is one ``next`` and the end.
        """
        if self._stream_client is None:
            self._stream_client = self._builder().read_timeout(timedelta(seconds=SILENCE_S)).build()
        try:
            async with AsyncExitStack() as open_until:
                request = self._stream_client.post(url).headers({**_EVENTS, **headers})
                # The client would fill a buffer before it hands out anything; an event must not wait for the next.
                streamed = request.body_bytes(body).streamed_read_buffer_limit(0).build_streamed()
                async with asyncio.timeout(self._open_s):
                    response = await _not_lost(open_until.enter_async_context(streamed))
                    plain = media_type(response.get_header("content-type") or "") != "text/event-stream"
                    refusal = await self._body(name, response) if plain else b""
                if plain:
                    # What is no GraphQL response either (a proxy's 503) counts as a stream that did not open.
                    response_in(name, refusal)
                    yield Event("next", refusal)
                    yield Event("complete", b"")
                    return
                yield OPENED
                parser = EventParser(self._reply_bytes_max)
                while (chunk := await _not_lost(response.body_reader.read_chunk())) is not None:
                    for event in parser.feed(bytes(chunk)):
                        yield event
                        if event.type == "complete":
                            return
                raise SubgraphUnreachable(name, f"The subgraph {name!r} broke off its event stream.")
        except FrameTooLarge:
            raise too_large(name, self._reply_bytes_max) from None
        except (RequestTimeoutError, TimeoutError):
            raise timed_out(name, self._open_s) from None
        except (PyreqwestError, ValueError) as wrong:
            raise unreachable(name, wrong) from wrong


async def _not_lost(result: Awaitable[T]) -> T:
    """The library's result. Where both come at one moment, it gives the result and forgets the cancellation; who cancels
    would then wait for ever."""
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    found = await result
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return found
