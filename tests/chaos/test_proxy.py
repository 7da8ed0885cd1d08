"""The proxy does the harm it is told to, and none otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from tests.chaos.faults import draw
from tests.chaos.proxy import Fault, Harm, Proxy
from tests.chaos.site import LINKS


@pytest.fixture
async def heard() -> list[bytes]:
    """What the server behind the proxy has got."""
    return []


@pytest.fixture
async def proxy(heard: list[bytes]) -> AsyncIterator[Proxy]:
    """Before a server that answers each line with itself."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                heard.append(line)
                writer.write(line)
        await _end(writer)

    served: list[Any] = []
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy("echo", server.sockets[0].getsockname()[1], Random(1)).listening() as before:
        yield before
    await asyncio.gather(*served)


async def _ask(proxy: Proxy, line: bytes = b"hello\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        async with asyncio.timeout(5):
            writer.write(line)
            return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        await _end(writer)


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_without_a_fault_everything_passes(proxy: Proxy) -> None:
    long = b"x" * 60_000 + b"\n"
    assert await _ask(proxy, long) == long
    assert not proxy.done


async def test_a_lost_request_is_not_heard_and_a_lost_reply_was(proxy: Proxy, heard: list[bytes]) -> None:
    proxy.fault = Fault(Harm.LOSE_REQUESTS, 1.0)
    assert await _ask(proxy) == b""
    assert heard == []
    proxy.fault = Fault(Harm.LOSE_REPLIES, 1.0)
    assert await _ask(proxy) == b""
    assert heard == [b"hello\n"]
    proxy.fault = None
    assert await _ask(proxy) == b"hello\n"
    assert proxy.done == {Harm.LOSE_REQUESTS: 1, Harm.LOSE_REPLIES: 1}


async def test_what_is_stalled_passes_when_the_fault_is_over(proxy: Proxy, heard: list[bytes]) -> None:
    proxy.fault = Fault(Harm.STALL)
    asked = asyncio.ensure_future(_ask(proxy))
    async with asyncio.timeout(5):
        while not proxy.done[Harm.STALL]:
            await asyncio.sleep(0)
    assert (heard, asked.done()) == ([], False)
    proxy.fault = None
    assert await asked == b"hello\n"


async def test_a_cut_breaks_open_connections_and_lets_no_new_one_in(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one\n")
    assert await reader.readline() == b"one\n"
    proxy.fault = Fault(Harm.CUT)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    await _end(writer)
    assert await _ask(proxy) == b""


def test_a_seed_is_a_schedule_and_every_victim_is_killed() -> None:
    assert draw(5, 60, LINKS) == draw(5, 60, LINKS)
    assert draw(5, 60, LINKS) != draw(6, 60, LINKS)
    schedule = draw(5, 60, LINKS, ("orders", "database"))
    assert {kill.victim for kill in schedule.kills} == {"orders", "database"}
    moments = [(kill.at_s, kill.at_s + kill.down_s) for kill in schedule.kills]
    assert all(ended < begun for (_, ended), (begun, _) in pairwise(moments))
