"""A server that reads requests as HTTP and writes back whatever bytes a test wants, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Handler: TypeAlias = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Given a request's body and where to write."""


class RawServer:
    """Reads one request after another off each connection; what is written back is up to the test."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.port = 0
        self.requests: list[bytes] = []
        self.arrived = asyncio.Event()
        self.connections = 0
        self.hung_up = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                body = await reader.readexactly(length)
                self.requests.append(head + body)
                self.arrived.set()
                await self.handler(body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        except asyncio.CancelledError:
            # The test is over. Python 3.11's streams would log the cancellation of their own task as an error.
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[RawServer]:
    raw = RawServer(handler)
    server = await asyncio.start_server(raw, "127.0.0.1", 0)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()


def reply(body: bytes, *, status: str = "200 OK", media_type: str = "application/json", more: str = "") -> bytes:
    """A whole reply; ``more`` are further header lines, each with its end."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def saying(answer: bytes, *, close: bool = False) -> Handler:
    """Says this to every request, and may hang up then."""

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if close:
            writer.close()

    return handler
