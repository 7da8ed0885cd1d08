"""A transport, and a subgraph down to its bytes: ``tests.kit.raw_server`` writes back whatever a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.config import Limits
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport
from tests.kit.raw_server import Handler, RawServer, raw_server, reply, saying

ANONYMOUS = FetchContext()
GOOD = reply(b'{"data":{"x":1}}')


@asynccontextmanager
async def serving(handler: Handler, **limits: int) -> AsyncIterator[tuple[Transport, SubgraphAddress, RawServer]]:
    """The server, and a transport to reach it by."""
    async with raw_server(handler) as raw:
        transport = Transport(Limits(**limits))
        try:
            yield transport, SubgraphAddress(name="stock", url=f"http://127.0.0.1:{raw.port}/graphql"), raw
        finally:
            await transport.aclose()


__all__ = ["ANONYMOUS", "GOOD", "Handler", "reply", "saying", "serving"]
