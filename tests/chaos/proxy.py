"""A TCP proxy that does harm on demand: it stands in front of one server, whatever protocol is spoken.

What it can do to a connection, for as long as a ``Fault`` is set:

    delay           what comes back comes late
    lose replies    the server has answered, and the connection breaks before the client hears of it
    lose requests   the connection breaks before the server hears of anything
    stall           nothing passes, until the fault is over; the client may have given up by then
    cut             every connection breaks, and no new one is made

It knows no protocol, so a reply is lost somewhere in its bytes: in the head, in the middle, or after it all came.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from random import Random

CHUNK_BYTES = 65_536


class Harm(StrEnum):
    """What is done to connections."""

    DELAY = "delay"
    LOSE_REPLIES = "lose replies"
    LOSE_REQUESTS = "lose requests"
    STALL = "stall"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Fault:
    """``strength``: seconds at most of a delay, the chance that a piece is lost; of no meaning to the others."""

    harm: Harm
    strength: float = 0.0


class Proxy:
    """One server's front. ``fault`` may be set and taken away at any time; ``done`` counts what was done by it."""

    def __init__(self, name: str, upstream_port: int, chance: Random) -> None:
        self.name = name
        self.done: Counter[Harm] = Counter()
        self._upstream_port = upstream_port
        self._chance = chance
        self._fault: Fault | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        if fault is not None and fault.harm is Harm.STALL:
            self._quiet.clear()
        else:
            self._quiet.set()
        if fault is not None and fault.harm is Harm.CUT:
            self.done[Harm.CUT] += len(self._open)
            for writer in list(self._open):
                writer.transport.abort()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        """In place until the block ends."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._connected(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _aborted(writer):
            if self._fault is not None and self._fault.harm is Harm.CUT:
                self.done[Harm.CUT] += 1
                return
            try:
                behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            except OSError:
                return
            async with _aborted(behind_writer):
                self._open.update((writer, behind_writer))
                pumps = [
                    asyncio.ensure_future(self._pump(reader, behind_writer, replies=False)),
                    asyncio.ensure_future(self._pump(behind_reader, writer, replies=True)),
                ]
                try:
                    # The end of one direction is the end of both: neither HTTP nor MongoDB's protocol half-closes.
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._open.difference_update((writer, behind_writer))
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, replies: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                if not await self._passes(replies):
                    return
                writer.write(chunk)
                await writer.drain()
            # What was written is on its way before the connection is taken down.
            writer.close()
            await writer.wait_closed()

    async def _passes(self, replies: bool) -> bool:
        """Waits as long as the fault wants; whether the piece goes on at all."""
        fault = self._fault
        if fault is None:
            return True
        match fault.harm:
            case Harm.DELAY if replies:
                self.done[Harm.DELAY] += 1
                await asyncio.sleep(self._chance.uniform(0, fault.strength))
            case Harm.LOSE_REPLIES | Harm.LOSE_REQUESTS if replies == (fault.harm is Harm.LOSE_REPLIES):
                if self._chance.random() < fault.strength:
                    self.done[fault.harm] += 1
                    return False
            case Harm.STALL:
                self.done[Harm.STALL] += 1
                await self._quiet.wait()
            case _:
                pass
        return True


@asynccontextmanager
async def _aborted(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """The connection is gone at the end of the block, whatever was still to be sent."""
    try:
        yield
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
