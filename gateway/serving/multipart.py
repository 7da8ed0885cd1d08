"""Incremental delivery over HTTP: one response of several parts, the first answer and then what was deferred.

Each part is followed at once by its delimiter, so that a client need not wait for the next to know that it has this one.
The parts' form belongs to ``gateway.event_stream``, their JSON to ``gateway.incremental``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from starlette.responses import StreamingResponse

from gateway.event_stream import render_part
from gateway.exchange import GraphQLResponse
from gateway.incremental import Dialect, Payload, encode_only, encode_payload
from subgraphs.chassis.telemetry import logger

_log = logger("multipart")

# As the clients of each dialect expect it; all of them read the header, too.
_BOUNDARIES: Final = {Dialect.PENDING: "-", Dialect.PATHS: "graphql"}


def stream(
    first: GraphQLResponse,
    rest: AsyncGenerator[Payload, None],
    *,
    dialect: Dialect,
    on_failure: Callable[[Exception], GraphQLResponse],
) -> StreamingResponse:
    """The response with this first part. ``on_failure`` says what may be shown of a bug in a later one."""
    return StreamingResponse(
        _parts(first, rest, dialect, on_failure),
        media_type=f'multipart/mixed; boundary="{_BOUNDARIES[dialect]}"; {dialect.value}',
        headers={"cache-control": "no-store", "x-accel-buffering": "no", "vary": "accept"},
    )


async def _parts(
    first: GraphQLResponse,
    rest: AsyncGenerator[Payload, None],
    dialect: Dialect,
    on_failure: Callable[[Exception], GraphQLResponse],
) -> AsyncIterator[bytes]:
    boundary = _BOUNDARIES[dialect]
    async with aclosing(rest):
        if not first.pending:
            yield render_part(encode_only(first), boundary, first=True, last=True)
            return
        yield render_part(encode_payload(first, dialect), boundary, first=True)
        try:
            async for payload in rest:
                last = not isinstance(payload, GraphQLResponse) and not payload.has_next
                yield render_part(encode_payload(payload, dialect), boundary, last=last)
        except Exception as bug:  # noqa: BLE001  half-way through an answer, only the stream itself can tell
            _log.exception("stream failed")
            yield render_part(encode_only(on_failure(bug)), boundary, last=True)
