"""What stands between two services and makes a network of it: replies that come late, or never.

A reply is a stretch of bytes from the server after bytes from the client. One that is lost has had its effect: the request
went through, and both sides then see the connection end. HTTP is not understood here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

READ_BYTES = 65_536


@dataclass(slots=True)
class Faults:
    """How a network misbehaves; nothing, until told to."""

    random: Random
    lost: float = 0.0
    """The share of replies that are lost."""
    late: float = 0.0
    """The share that comes late."""
    late_s_max: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)

    def calm(self) -> None:
        self.lost = self.late = 0.0


@asynccontextmanager
async def proxy(port: int, target: int, faults: Faults) -> AsyncIterator[None]:
    """Listens at ``port`` and passes everything on to ``target``, both of this machine."""
    open_ends: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ends.add(task)
        try:
            await _pass_on(reader, writer, target, faults)
        finally:
            open_ends.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in open_ends:
            task.cancel()
        await asyncio.gather(*open_ends, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int, faults: Faults) -> None:
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        return  # It is down: the client sees its connection end.
    asked = asyncio.Event()

    async def there() -> None:
        while data := await reader.read(READ_BYTES):
            asked.set()
            upstream_writer.write(data)
            await upstream_writer.drain()

    async def back() -> None:
        while data := await upstream_reader.read(READ_BYTES):
            if asked.is_set():
                asked.clear()
                if faults.random.random() < faults.lost:
                    faults.happened["replies lost"] += 1
                    return
                if faults.random.random() < faults.late:
                    faults.happened["replies late"] += 1
                    await asyncio.sleep(faults.random.uniform(0, faults.late_s_max))
            writer.write(data)
            await writer.drain()

    ways = [asyncio.create_task(there()), asyncio.create_task(back())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        upstream_writer.close()
        with contextlib.suppress(OSError):
            await upstream_writer.wait_closed()
