"""Connections to subgraphs as they fail, go stale, hang and are given up: what is sent again, what never is, who waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from gateway.errors import SubgraphReplyInvalid, SubgraphTimedOut, SubgraphUnreachable
from gateway.execution.transport import FetchContext
from tests.gateway.execution.raw import ANONYMOUS, GOOD, Handler, saying, serving

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


async def silence(_: bytes, __: asyncio.StreamWriter) -> None:
    """Nothing is answered and nothing closed."""


@pytest.mark.parametrize("hard", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("repeatable", [True, False], ids=["query", "mutation"])
async def test_a_connection_closed_between_two_requests_costs_nobody_an_answer(hard: bool, repeatable: bool) -> None:
    async def answer_and_go(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await writer.drain()
        writer.transport.abort() if hard else writer.close()

    async with serving(answer_and_go) as (transport, address, raw):
        for _ in range(20):
            assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=repeatable) == {"data": {"x": 1}}
            # The subgraph's goodbye is on its way; a client that looked later would always see it.
            await asyncio.sleep(0.005)
    assert len(raw.requests) == 20


@pytest.mark.parametrize(("repeatable", "times"), [(True, 3), (False, 2)], ids=["query", "mutation"])
async def test_a_kept_connection_that_dies_with_a_request_on_it_is_a_second_try_for_a_query_alone(
    repeatable: bool, times: int
) -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        if len(raw.requests) == 2:
            writer.transport.abort()
        else:
            writer.write(GOOD)

    async with serving(handler) as (transport, address, raw):
        await transport.fetch(address, b"{}", ANONYMOUS, repeatable=repeatable)
        with contextlib.nullcontext() if repeatable else pytest.raises(SubgraphUnreachable):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=repeatable)
    assert len(raw.requests) == times


async def _drip(writer: asyncio.StreamWriter, start: bytes) -> None:
    writer.write(start)
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.01)


async def slow_status(_: bytes, writer: asyncio.StreamWriter) -> None:
    await _drip(writer, b"HTTP/1.1 200 ")


async def slow_header(_: bytes, writer: asyncio.StreamWriter) -> None:
    await _drip(writer, HEAD + b"x-slow: ")


async def slow_body(_: bytes, writer: asyncio.StreamWriter) -> None:
    await _drip(writer, HEAD + b'content-length: 100000\r\n\r\n{"data":"')


async def slow_hints(_: bytes, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("handler", [silence, slow_status, slow_header, slow_body, slow_hints])
async def test_drops_that_keep_coming_buy_no_time(handler: Handler) -> None:
    async with asyncio.timeout(5), serving(handler, subgraph_ms_max=150) as (transport, address, raw):
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
        await raw.hung_up.wait()
    assert len(raw.requests) == 1


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 x", "308 x"])
async def test_a_redirect_is_told_and_not_followed(status: str) -> None:
    async with serving(saying(GOOD)) as (_, elsewhere, other):
        moved = f"HTTP/1.1 {status}\r\nlocation: {elsewhere.url}\r\ncontent-length: 0\r\n\r\n".encode()
        async with serving(saying(moved)) as (transport, address, _):
            with pytest.raises(SubgraphReplyInvalid, match=f"HTTP status {status[:3]}"):
                await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
    assert other.requests == []


async def until(so: Callable[[], bool], news: asyncio.Event) -> None:
    while not so():
        news.clear()
        await news.wait()


async def test_no_more_requests_than_allowed_are_sent_at_once_and_the_rest_take_their_turn() -> None:
    release, most = asyncio.Event(), 0

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        most = max(most, len(raw.requests) - answered)
        await release.wait()
        writer.write(GOOD)

    answered = 0
    async with asyncio.timeout(5), serving(handler, subgraph_connections_max=3) as (transport, address, raw):

        async def ask(number: int) -> None:
            nonlocal answered
            await transport.fetch(address, b'{"n":%d}' % number, ANONYMOUS, repeatable=True)
            answered += 1

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(ask(number))
            await until(lambda: len(raw.requests) == 3, raw.arrived)
            release.set()
    assert (most, answered, len(raw.requests)) == (3, 10, 10)


async def test_who_waits_for_a_turn_waits_no_longer_than_its_time_and_takes_nobody_elses() -> None:
    async with asyncio.timeout(5), serving(silence, subgraph_connections_max=1) as (transport, address, raw):
        first = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=False))
        await raw.arrived.wait()
        hurried = FetchContext(deadline=asyncio.get_running_loop().time() + 0.05)
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"{}", hurried, repeatable=False)
        given_up = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=False))
        await asyncio.sleep(0)
        for each in (given_up, first):
            each.cancel()
            with pytest.raises(asyncio.CancelledError):
                await each
        raw.handler = saying(GOOD)
        assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False) == {"data": {"x": 1}}
    assert len(raw.requests) == 2


@pytest.mark.parametrize("handler", [silence, slow_header])
async def test_a_request_that_is_given_up_keeps_its_connection_no_longer_than_its_time(handler: Handler) -> None:
    async with asyncio.timeout(5), serving(handler, subgraph_ms_max=300) as (transport, address, raw):
        asked = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        await raw.arrived.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await raw.hung_up.wait()
    assert len(raw.requests) == 1


async def test_a_subgraph_that_hangs_holds_up_no_other() -> None:
    async with serving(silence) as (transport, hanging, _), serving(saying(GOOD)) as (_, other, _):
        stuck = [
            asyncio.create_task(transport.fetch(hanging, b"%d" % n, ANONYMOUS, repeatable=True)) for n in range(50)
        ]
        async with asyncio.timeout(2):
            for _ in range(20):
                assert await transport.fetch(other, b"{}", ANONYMOUS, repeatable=True) == {"data": {"x": 1}}
        for each in stuck:
            each.cancel()
        await asyncio.wait(stuck)
