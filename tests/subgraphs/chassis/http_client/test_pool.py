"""Which connection serves which request, and that none is ever lost: over real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from subgraphs.chassis.http_client import pool as pool_module
from subgraphs.chassis.http_client.connection import Connection, ConnectionBroken, Wanted
from subgraphs.chassis.http_client.deadlines import Deadlines
from subgraphs.chassis.http_client.pool import Pool
from subgraphs.chassis.http_client.request_head import header_lines, read_url
from tests.kit.raw_server import RawServer, raw_server, saying
from tests.subgraphs.chassis.http_client.test_connection import GOOD, ask, pool_to


class Held:
    """Answers to each request when the test says so."""

    def __init__(self) -> None:
        self.begun: list[bytes] = []
        self._begin = asyncio.Condition()
        self._may_end: dict[bytes, asyncio.Event] = {}

    async def __call__(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        async with self._begin:
            self.begun.append(body)
            self._begin.notify_all()
        await self._end(body).wait()
        writer.write(GOOD)

    def end(self, *bodies: bytes) -> None:
        for body in bodies:
            self._end(body).set()

    async def has_begun(self, count: int) -> None:
        async with self._begin:
            await self._begin.wait_for(lambda: len(self.begun) >= count)

    def _end(self, body: bytes) -> asyncio.Event:
        return self._may_end.setdefault(body, asyncio.Event())


async def until_idle(pool: Pool, count: int) -> None:
    async with asyncio.timeout(5):
        while pool.idle != count or pool.taken != count:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def held(connections_max: int = 8) -> AsyncIterator[tuple[Pool, RawServer, Held]]:
    answers = Held()
    async with pool_to(answers, connections_max=connections_max) as (pool, raw):
        yield pool, raw, answers


async def test_the_connection_used_last_is_used_next() -> None:
    async with held() as (pool, raw, answers):
        first, second = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2")]
        await answers.has_begun(2)
        answers.end(b"1")
        await first
        answers.end(b"2", b"3", b"4")
        await second
        before = list(pool._idle)
        await ask(pool, b"3")
        await ask(pool, b"4")
        assert pool._idle == before
        assert raw.connections == 2


async def test_an_idle_connection_is_dropped_after_a_while_and_a_used_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "IDLE_S", 0.15)
    async with pool_to(saying(GOOD)) as (pool, raw):
        await asyncio.gather(ask(pool), ask(pool))
        assert pool.idle == 2
        for _ in range(5):
            await asyncio.sleep(0.05)
            await ask(pool)
        assert (pool.idle, raw.connections) == (1, 2)
        await raw.hung_up.wait()
        await until_idle(pool, 0)


async def test_one_that_is_too_old_is_not_used_even_if_nobody_has_dropped_it_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pool_to(saying(GOOD)) as (pool, raw):
        await ask(pool)
        monkeypatch.setattr(pool_module, "IDLE_S", 0.0)
        await ask(pool)
        assert raw.connections == 2


async def test_no_more_idle_connections_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "IDLE_CONNECTIONS_MAX", 2)
    async with pool_to(saying(GOOD)) as (pool, raw):
        await asyncio.gather(*[ask(pool) for _ in range(4)])
        assert raw.connections == 4
        assert pool.idle == pool.taken == 2


async def test_when_all_are_in_use_whoever_came_first_is_served_first() -> None:
    async with held(connections_max=2) as (pool, raw, answers):
        bodies = [b"%d" % number for number in range(6)]
        asking = [asyncio.create_task(ask(pool, body)) for body in bodies]
        await answers.has_begun(2)
        assert (pool.taken, pool.waiting) == (2, 4)
        for ended in range(4):
            answers.end(answers.begun[ended])
            await answers.has_begun(ended + 3)
        assert answers.begun[2:] == bodies[2:]
        answers.end(*bodies)
        await asyncio.gather(*asking)
        assert raw.connections == pool.idle == 2


async def test_waiting_for_a_connection_counts_into_the_deadline() -> None:
    async with held(connections_max=1) as (pool, _, answers):
        first = asyncio.create_task(ask(pool, b"1"))
        await answers.has_begun(1)
        with pytest.raises(TimeoutError):
            await ask(pool, b"2", seconds=0.05)
        assert pool.waiting == 0
        answers.end(b"1")
        await first
        assert answers.begun == [b"1"]


async def test_whoever_gives_up_waiting_leaves_the_queue() -> None:
    async with held(connections_max=1) as (pool, raw, answers):
        first, second, third = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2", b"3")]
        await answers.has_begun(1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert pool.waiting == 1
        answers.end(b"1", b"3")
        await asyncio.gather(first, third)
        assert (answers.begun, raw.connections) == ([b"1", b"3"], 1)


async def test_what_is_given_to_somebody_who_gives_up_in_that_moment_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with held(connections_max=1) as (pool, raw, answers):
        first, second, third = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2", b"3")]
        await answers.has_begun(1)
        hand_on = pool._hand_on

        def hand_on_and_cancel(connection: Connection | None) -> None:
            hand_on(connection)
            # The second has it and does not know yet.
            second.cancel()

        monkeypatch.setattr(pool, "_hand_on", hand_on_and_cancel)
        answers.end(b"1", b"2", b"3")
        await asyncio.gather(first, third)
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (answers.begun, raw.connections) == ([b"1", b"3"], 1)
        assert pool.idle == pool.taken == 1


async def test_the_slot_of_a_connection_that_breaks_goes_to_the_next_who_waits() -> None:
    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        if body == b"1":
            writer.close()
        else:
            writer.write(GOOD)

    async with pool_to(handler, connections_max=1) as (pool, raw):
        first, second = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2")]
        with pytest.raises(ConnectionBroken):
            await first
        await second
        assert raw.connections == 2


@pytest.mark.parametrize("late", [False, True])
async def test_whoever_gives_up_takes_the_half_used_connection_along(late: bool) -> None:
    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        if body == b"1":
            writer.write(GOOD[:-3])
        else:
            writer.write(GOOD)

    async with pool_to(handler, connections_max=1) as (pool, raw):
        asking = asyncio.create_task(ask(pool, b"1", seconds=0.05 if late else 5))
        await raw.arrived.wait()
        if not late:
            asking.cancel()
        with pytest.raises(TimeoutError if late else asyncio.CancelledError):
            await asking
        assert pool.taken == 0
        await raw.hung_up.wait()
        assert (await ask(pool, b"2")).body == b'{"a":1}'


async def test_whoever_gives_up_when_the_reply_is_complete_leaves_the_connection_to_the_next() -> None:
    async with held(connections_max=1) as (pool, raw, answers):
        first, second = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2")]
        await answers.has_begun(1)
        # The reply is there, and with it the next asker has the connection; the first has not run since.
        pool._waiting[0].add_done_callback(lambda _: first.cancel())
        answers.end(b"1", b"2")
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
        assert raw.connections == 1


async def test_whoever_gives_up_connecting_frees_the_slot() -> None:
    async with pool_to(saying(GOOD), connections_max=1) as (pool, _):
        asking = asyncio.create_task(ask(pool))
        await asyncio.sleep(0)
        assert pool.taken == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert pool.taken == 0
        await ask(pool)


async def test_a_connection_that_its_peer_closes_while_idle_is_noticed() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(GOOD)

    async with pool_to(handler) as (pool, raw):
        await ask(pool)
        writers[0].close()
        await until_idle(pool, 0)
        await ask(pool)
        assert raw.connections == 2


async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(GOOD)

    async with pool_to(handler) as (pool, _):
        await ask(pool)
        writers[0].write(GOOD)
        await until_idle(pool, 0)


async def test_one_stale_connection_makes_the_other_idle_ones_suspect() -> None:
    answered = 0

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        if answered > 3:
            writer.close()
        else:
            writer.write(GOOD)

    async with pool_to(handler) as (pool, _):
        await asyncio.gather(ask(pool), ask(pool), ask(pool))
        assert pool.idle == 3
        with pytest.raises(ConnectionBroken, match="before it replied") as broken:
            await ask(pool)
        assert broken.value.stale
        assert pool.taken == 0


async def test_nobody_there_is_said_at_once() -> None:
    async with raw_server(saying(GOOD)) as raw:
        pass
    deadlines = Deadlines()
    pool = Pool("127.0.0.1", raw.port, Wanted((b"",), 10), deadlines, connections_max=1)
    for _ in range(3):
        with pytest.raises(ConnectionBroken, match=f"no connection to 127.0.0.1:{raw.port}"):
            await ask(pool)
    assert pool.taken == 0
    deadlines.close()


async def test_connecting_is_given_up_after_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "CONNECT_S", 0.1)
    deadlines = Deadlines()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        before = [socket.socket() for _ in range(4)]
        for each in before:
            # A full queue of connections that nobody accepts: the next one is not answered.
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        pool = Pool("127.0.0.1", full.getsockname()[1], Wanted((b"",), 10), deadlines, connections_max=1)
        with pytest.raises(TimeoutError):
            await ask(pool)
        assert pool.taken == 0
        for each in before:
            each.close()
    deadlines.close()


async def test_of_several_addresses_the_one_that_failed_last_is_tried_last(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines = Deadlines()
    async with raw_server(saying(GOOD)) as raw:
        pool = Pool("two.example", raw.port, Wanted((b"application/json",), 100), deadlines, connections_max=8)
        loop = asyncio.get_running_loop()

        async def both(*_: object, **__: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (address, raw.port)) for address in ("127.0.0.2", "127.0.0.1")]

        class Resolving:
            getaddrinfo = staticmethod(both)
            tried: list[str] = []

            def __getattr__(self, name: str) -> object:
                return getattr(loop, name)

            async def create_connection(self, factory: object, address: str, port: int) -> object:
                self.tried.append(address)
                return await loop.create_connection(factory, address, port)  # type: ignore[call-overload]

        monkeypatch.setattr(pool, "_loop", Resolving())
        await asyncio.gather(ask(pool))
        pool._drop(1)
        await ask(pool)
        pool.close()
        assert Resolving.tried == ["127.0.0.2", "127.0.0.1", "127.0.0.1"]
    deadlines.close()


async def test_closing_ends_what_is_under_way_and_what_waits() -> None:
    async with held(connections_max=1) as (pool, _, answers):
        asking = [asyncio.create_task(ask(pool, body)) for body in (b"1", b"2")]
        await answers.has_begun(1)
        pool.close()
        found = await asyncio.gather(*asking, ask(pool), return_exceptions=True)
        assert [type(each) for each in found] == [ConnectionBroken] * 3


async def test_deadlines_are_kept_in_any_order_by_one_timer() -> None:
    loop = asyncio.get_running_loop()
    deadlines, told, now = Deadlines(), list[float](), loop.time()
    waits = (0.06, 0.02, 0.04, 0.1)
    futures = [loop.create_future() for _ in waits]
    for future, wait in zip(futures, waits, strict=True):
        deadlines.add(future, now + wait)
        future.add_done_callback(lambda each, wait=wait: told.append(wait) or each.exception())  # type: ignore[misc]
    futures[3].set_result(None)
    deadlines.remove(futures[3])
    async with asyncio.timeout(5):
        while len(told) < 4:
            await asyncio.sleep(0.005)
    assert told == [0.1, 0.02, 0.04, 0.06]
    assert all(isinstance(future.exception(), TimeoutError) for future in futures[:3])
    assert loop.time() - now >= 0.06 - 0.002
    for future in futures[:3]:
        deadlines.remove(future)
    deadlines.close()


@pytest.mark.parametrize(
    ("url", "host", "port", "begins", "authority"),
    [
        ("http://stock/graphql", "stock", 80, "POST /graphql HTTP/1.1", "stock"),
        ("HTTP://Stock:80", "stock", 80, "POST / HTTP/1.1", "stock"),
        ("http://127.0.0.1:4001/a/b?c=d&e=/?#f", "127.0.0.1", 4001, "POST /a/b?c=d&e=/? HTTP/1.1", "127.0.0.1:4001"),
        ("http://[::1]:4001/", "::1", 4001, "POST / HTTP/1.1", "[::1]:4001"),
        ("http://[2001:DB8::1]?x", "2001:db8::1", 80, "POST /?x HTTP/1.1", "[2001:db8::1]"),
        ("http://us%20er:p%40ss@stock/", "stock", 80, "POST / HTTP/1.1", "stock"),
    ],
)
def test_a_url_is_read_once(url: str, host: str, port: int, begins: str, authority: str) -> None:
    target = read_url(url, {"accept": "x"})
    assert target is not None
    assert (target.host, target.port) == (host, port)
    lines = target.head.decode().split("\r\n")
    assert lines[0] == begins
    assert lines[1] == f"host: {authority}"
    assert lines[-2:] == ["accept: x", ""]
    assert ("authorization: Basic dXMgZXI6cEBzcw==" in lines) == ("@" in url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://",
        "https://stock/",
        "http://stock:0/",
        "http://stock:70000/",
        "http://stöck/",
        "http://stock/a b",
        "http://stock/\r\nx: y",
        "http://stock/\n",
        "http://[fe80::1%25eth0]/",
        "http://a@b@c/",
    ],
)
def test_a_url_that_would_have_to_be_rewritten_is_left_to_others(url: str) -> None:
    assert read_url(url, {}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        ("x", "é…"),
        ("x\r\ny", "z"),
        ("x y", "z"),
        ("", "z"),
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_a_header_that_would_be_something_else_is_not_sent(name: str, value: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be sent"):
            header_lines({"good": "one", name: value})


def test_headers_are_lines() -> None:
    assert re.fullmatch(rb"a: b\r\nc: \xe9 d\r\n", header_lines({"a": "b", "c": "é d"}))
