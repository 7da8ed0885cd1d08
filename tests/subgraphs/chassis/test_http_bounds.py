"""What surrounds a body has bounds too: raw clients that never stop sending, or never finish a head."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn

from subgraphs.chassis import http_bounds
from subgraphs.chassis.http_bounds import HEAD_BYTES_MAX, BoundedHttp
from subgraphs.chassis.telemetry import Receive, Scope, Send

DEADLINE_S = 10.0


async def echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes in the body."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    text = str(size).encode()
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(echo_length, http=BoundedHttp, lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server._serve([listening]))  # without taking over the test's signals
        async with asyncio.timeout(DEADLINE_S):
            while not server.started:
                await asyncio.sleep(0)
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


async def _flood(port: int, start: bytes, more: bytes) -> tuple[int, bytes]:
    """Sends ``start``, then ``more`` until the server has had enough; how much went out, and what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    async with asyncio.timeout(DEADLINE_S):
        try:
            writer.write(start)
            while sent < 100 * 1024 * 1024:
                writer.write(more)
                await writer.drain()
                sent += len(more)
        except ConnectionError:
            pass
        answer = b""
        with suppress(ConnectionError):
            answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return sent, answer


HEADERS = b"x-more: and more\r\n" * 1000
CHUNKED = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"


@pytest.mark.parametrize(
    ("start", "more"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: a\r\n", HEADERS, id="headers"),
        pytest.param(b"GET / HTTP/1.1\r\nx-long: ", b"a" * 16_384, id="one header"),
        pytest.param(b"GET /", b"a" * 16_384, id="request line"),
        pytest.param(CHUNKED + b"0\r\n", HEADERS, id="trailers"),
        pytest.param(CHUNKED + b"1;", b"a" * 16_384, id="chunk extension"),
    ],
)
async def test_a_client_that_never_ends_what_surrounds_the_body_is_cut_off(
    port: int, start: bytes, more: bytes
) -> None:
    sent, answer = await _flood(port, start, more)
    # The sockets' own buffers hold a few megabytes that the server never reads.
    assert sent < 20 * 1024 * 1024
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_large_body_is_not_mistaken_for_a_large_head(port: int) -> None:
    body = b"b" * (HEAD_BYTES_MAX * 8)
    head = f"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):
            writer.write(head + body)
            answer = await reader.readuntil(str(len(body)).encode())
            assert answer.startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: a\r\n"], ids=["nothing", "half a head"])
async def test_a_head_that_does_not_arrive_in_time_ends_the_connection(
    port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "HEAD_S_MAX", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
