"""Server-Sent Events in the distinct-connections mode of the GraphQL over SSE protocol: one operation, one response.

Every result is an ``event: next``, the end an ``event: complete``; a comment keeps idle connections open through
proxies. The frames' form belongs to ``gateway.event_stream``, what is in them to the pipeline.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse

from gateway.errors import NotAuthenticated
from gateway.event_stream import render_comment, render_event
from gateway.exchange import GraphQLResponse
from gateway.incremental import Dialect, Payload, encode_payload
from subgraphs.chassis.telemetry import logger

_log = logger("event_source")

_HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would collect the events otherwise
    "vary": "accept",
}


def stream(
    results: AsyncGenerator[Payload, None],
    *,
    dialect: Dialect,
    heartbeat_s: float,
    stopping: asyncio.Event,
    expires_at: float | None = None,
    on_failure: Callable[[Exception], GraphQLResponse],
) -> StreamingResponse:
    """An event stream of these results; it completes when they end, when the server stops, or when the credentials
    expire (seconds since 1970). ``on_failure`` says what may be shown of an expiry or of a bug."""
    return StreamingResponse(
        _frames(results, dialect, heartbeat_s, stopping, expires_at, on_failure),
        media_type="text/event-stream; charset=utf-8",
        headers=_HEADERS,
    )


async def _frames(
    results: AsyncGenerator[Payload, None],
    dialect: Dialect,
    heartbeat_s: float,
    stopping: asyncio.Event,
    expires_at: float | None,
    on_failure: Callable[[Exception], GraphQLResponse],
) -> AsyncIterator[bytes]:
    # A comment at once: the client's "open" must not wait for the first event, which may be hours away.
    yield render_comment("")
    coming: asyncio.Task[Payload] | None = None
    stop: asyncio.Task[bool] = asyncio.ensure_future(stopping.wait())
    try:
        while True:
            left_s = math.inf if expires_at is None else expires_at - time.time()
            if left_s <= 0:
                expiry = on_failure(NotAuthenticated("The token has expired."))
                yield render_event("next", expiry.encode())
                break
            coming = coming or asyncio.ensure_future(_next(results))
            waiting: set[asyncio.Task[Any]] = {coming, stop}
            await asyncio.wait(waiting, timeout=min(heartbeat_s, left_s), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                try:
                    result = coming.result()
                except StopAsyncIteration:
                    break
                except Exception as bug:  # noqa: BLE001  half-way through an answer, only the stream itself can tell
                    _log.exception("stream failed")
                    yield render_event("next", on_failure(bug).encode())
                    break
                coming = None
                yield render_event("next", encode_payload(result, dialect))
            elif stop.done():
                break
            else:
                yield render_comment("")
        yield render_event("complete", b"")
    finally:
        stop.cancel()
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})
        await results.aclose()


async def _next(iterator: AsyncIterator[Payload]) -> Payload:
    return await anext(iterator)
