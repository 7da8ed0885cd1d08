"""A subgraph down to its bytes: a TCP server that reads HTTP requests and writes back whatever a test tells it to.

It shares no code with the gateway's HTTP client. What belongs here: the server and well-formed replies to vary. What does
not: what the replies should lead to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.config import Limits
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
ANONYMOUS = FetchContext()


class RawServer:
    """Reads one request after another off each connection; what is written back is up to the test."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
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
async def listening_raw(handler: Handler) -> AsyncIterator[tuple[str, RawServer]]:
    """The server, with the URL of its one endpoint."""
    raw = RawServer(handler)
    server = await asyncio.start_server(raw, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql", raw
    finally:
        server.close()


@asynccontextmanager
async def serving(handler: Handler, **limits: int) -> AsyncIterator[tuple[Transport, SubgraphAddress, RawServer]]:
    """The server, and a transport to reach it by."""
    async with listening_raw(handler) as (url, raw):
        transport = Transport(Limits(**limits))
        try:
            yield transport, SubgraphAddress(name="stock", url=url), raw
        finally:
            await transport.aclose()


def reply(body: bytes, *, status: str = "200 OK", media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def saying(answer: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return handler


GOOD = reply(b'{"data":{"x":1}}')
