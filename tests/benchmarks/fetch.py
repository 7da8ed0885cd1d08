"""What one fetch costs the gateway: ``python -m tests.benchmarks.fetch``. CPU µs of this process, all its threads; by our
own client and by pyreqwest, in turns.

One transport, fetches that are not shared, and a server in a process of its own that answers with the same bytes whatever
it is asked; the two are pinned to cores of their own where the machine has two. A probe for whoever works on the
transport: its figures go into no page.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time

import httptools
import orjson
import uvloop

from gateway.config import Limits
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport, Way
from tests.benchmarks.pinning import cores, starting_on

SIZES = (2_000, 20_000)
"""Bytes of a reply's body."""
OURS, PYREQWEST = "ours", "pyreqwest"
AT_ONCE = 50
FETCHES = 20_000
ROUNDS = 5
"""Of each size and client; the cheapest counts, since the machine is shared."""
BODY = orjson.dumps({"query": "query($id: ID!) { product(id: $id) { name } }", "variables": {"id": "x" * 400}})
HEADERS = {
    "traceparent": "00-f8d660120bccd164acec592015428ad3-3ac23207416a59bc-03",
    "x-request-id": "01M84Q5ABP19XDRDKDJ2F42TRE",
    "x-galleria-identity": "e" * 400,
}


class Connection(asyncio.Protocol):
    """Answers by the path: ``/2000`` is a reply of about so many bytes."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._size = int(url[1:])

    def on_message_complete(self) -> None:
        body = orjson.dumps({"data": {"text": "x" * self._size}})
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\nserver: uvicorn\r\n"
            b"content-length: %d\r\ncontent-type: application/json\r\n\r\n%b" % (len(body), body)
        )


async def serve(listener: socket.socket) -> None:
    await asyncio.get_running_loop().create_server(Connection, sock=listener)
    await asyncio.get_running_loop().create_future()


async def measure(port: int, size: int, client: str) -> tuple[float, float]:
    """CPU µs and wall µs of one fetch."""
    transport = Transport(Limits(), share=False)
    address = SubgraphAddress(name="bench", url=f"http://127.0.0.1:{port}/{size}")
    context = FetchContext(headers=lambda: HEADERS)
    if client == PYREQWEST:
        # As if the URL were not ours to read.
        transport.ways[address.url] = Way(None, b"")

    async def some(count: int) -> None:
        for _ in range(count):
            await transport.fetch(address, BODY, context, repeatable=True)

    async def all_of(count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(some(count // AT_ONCE))

    await all_of(AT_ONCE * 10)
    cpu, wall = time.process_time(), time.perf_counter()
    await all_of(FETCHES)
    spent = (time.process_time() - cpu) / FETCHES * 1e6, (time.perf_counter() - wall) / FETCHES * 1e6
    await transport.aclose()
    return spent


def main() -> None:
    if len(sys.argv) > 1:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(socket.socket(fileno=int(sys.argv[1]))))
    division = cores()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, starting_on(division.others):
        port = listener.getsockname()[1]
        given = str(listener.fileno())
        server = subprocess.Popen([sys.executable, "-m", __spec__.name, given], pass_fds=(listener.fileno(),))
    try:
        # The server has its cores; what is measured has the other for itself, its threads too.
        with starting_on(division.gateway), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            for size in SIZES:
                found: dict[str, list[tuple[float, float]]] = {OURS: [], PYREQWEST: []}
                for _ in range(ROUNDS):
                    for client, figures in found.items():
                        figures.append(runner.run(measure(port, size, client)))
                for client, figures in found.items():
                    cpu, wall = (min(each) for each in zip(*figures, strict=True))
                    print(
                        f"{size:>6} B, {AT_ONCE} at once, {client:>9}: {cpu:5.1f} µs CPU, {wall:6.1f} µs of the clock"
                    )
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
