"""One connection against every kind of reply, good and bad, over real sockets; then a storm of both."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from subgraphs.chassis.http_client.connection import (
    AROUND_BYTES_MAX,
    HEADERS_MAX,
    OTHER_BODY_BYTES_MAX,
    ConnectionBroken,
    Reply,
    ReplyRefused,
    Wanted,
    decompressed,
)
from subgraphs.chassis.http_client.deadlines import Deadlines
from subgraphs.chassis.http_client.pool import Pool
from tests.kit.raw_server import Handler, RawServer, raw_server, reply, saying

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY_BYTES_MAX = 50_000
PATIENCE_S = 5.0
"""More than anything here takes."""


@asynccontextmanager
async def pool_to(handler: Handler, *, connections_max: int = 8) -> AsyncIterator[tuple[Pool, RawServer]]:
    deadlines = Deadlines()
    async with raw_server(handler) as raw, asyncio.timeout(20):
        wanted = Wanted((b"application/json",), BODY_BYTES_MAX)
        pool = Pool("127.0.0.1", raw.port, wanted, deadlines, connections_max=connections_max)
        try:
            yield pool, raw
        finally:
            pool.close()
            deadlines.close()
            assert (pool.taken, pool.idle, pool.waiting) == (0, 0, 0)


async def ask(pool: Pool, body: bytes = b"{}", *, seconds: float = PATIENCE_S) -> Reply:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    return await pool.ask(head + body, seconds)


GOOD = reply(b'{"a":1}')
CHUNKED = JSON + b'Transfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;ext=1\r\n":1}\r\n0\r\n'


def gzipped(body: bytes) -> bytes:
    """Without the time of day, which would give a test another name in each worker of a parallel run."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize("pieces", [1, 3, 1000])
@pytest.mark.parametrize(
    ("answer", "status", "body", "kept"),
    [
        pytest.param(GOOD, 200, b'{"a":1}', True, id="a length"),
        pytest.param(reply(b""), 200, b"", True, id="a length of nothing"),
        pytest.param(reply(b"{}", status="500 Oh"), 500, b"{}", True, id="another status"),
        pytest.param(JSON + b"CONTENT-LENGTH: 2\r\n\r\n{}", 200, b"{}", True, id="loud headers"),
        pytest.param(CHUNKED + b"\r\n", 200, b'{"a":1}', True, id="chunks"),
        pytest.param(
            CHUNKED + b"content-type: text/html\r\ncontent-encoding: br\r\n\r\n",
            200,
            b'{"a":1}',
            True,
            id="trailers, which say nothing",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b"", True, id="304"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, 200, b'{"a":1}', True, id="100"),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\ncontent-type: text/html\r\nlink: </x>\r\n\r\n" * 2 + GOOD,
            200,
            b'{"a":1}',
            True,
            id="103 twice",
        ),
        pytest.param(reply(b"{}", more="Connection: close\r\n"), 200, b"{}", False, id="connection: close"),
        pytest.param(GOOD.replace(b"/1.1", b"/1.0"), 200, b'{"a":1}', False, id="HTTP/1.0"),
        pytest.param(
            reply(b"{}", more="Connection: keep-alive\r\n").replace(b"/1.1", b"/1.0"),
            200,
            b"{}",
            True,
            id="HTTP/1.0 that stays",
        ),
    ],
)
async def test_a_reply_ends_where_its_framing_says(
    answer: bytes, status: int, body: bytes, kept: bool, pieces: int
) -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        step = -(-len(answer) // pieces)
        for at in range(0, len(answer), step):
            writer.write(answer[at : at + step])
            await asyncio.sleep(0)

    async with pool_to(handler) as (pool, raw):
        for _ in range(2):
            found = await ask(pool)
            assert (found.status, found.body) == (status, body)
        assert raw.connections == (1 if kept else 2)
        assert pool.idle == pool.taken == (1 if kept else 0)


@pytest.mark.parametrize("head", [JSON, JSON.replace(b"/1.1", b"/1.0")])
async def test_a_reply_without_framing_ends_with_the_connection(head: bytes) -> None:
    async with pool_to(saying(head + b"\r\n" + b'{"a":1}', close=True)) as (pool, _):
        assert (await ask(pool)).body == b'{"a":1}'
        assert pool.taken == 0


async def test_a_connection_that_breaks_ends_no_reply() -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(JSON + b"\r\n" + b'{"a":')
        await writer.drain()
        await sent.wait()
        # Closing with this set resets the connection instead of ending it.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    sent = asyncio.Event()
    async with pool_to(handler) as (pool, _):
        asking = asyncio.create_task(ask(pool))
        await asyncio.sleep(0.02)
        sent.set()
        with pytest.raises(ConnectionBroken):
            await asking


@pytest.mark.parametrize("more", [b"x", b"\x00\xff", GOOD, GOOD[:20]])
async def test_with_more_bytes_than_announced_the_reply_counts_and_the_connection_is_not_used_again(
    more: bytes,
) -> None:
    async with pool_to(saying(GOOD + more)) as (pool, raw):
        for _ in range(2):
            assert (await ask(pool)).body == b'{"a":1}'
        assert raw.connections == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"", "before it replied", id="nothing"),
        pytest.param(GOOD[:-1], "in the middle of its reply", id="less than announced"),
        pytest.param(CHUNKED[:-3], "in the middle of its reply", id="no last chunk"),
        pytest.param(JSON[:-5], "in the middle of its reply", id="half a head"),
        pytest.param(JSON + b"transfer-encoding: chunked\r\n\r\nxyz\r\n", "no HTTP", id="a chunk of no size"),
    ],
)
async def test_what_is_no_whole_reply_is_told_and_closed(answer: bytes, reason: str) -> None:
    async with pool_to(saying(answer, close=True)) as (pool, _):
        with pytest.raises(ConnectionBroken, match=reason) as broken:
            await ask(pool)
        assert not broken.value.stale
        assert pool.taken == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"220 mail.example ESMTP\r\n", "did not answer with HTTP", id="another protocol"),
        pytest.param(
            JSON + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}", "did not answer with HTTP", id="two lengths"
        ),
        pytest.param(JSON + b"content-length: -1\r\n\r\n", "did not answer with HTTP", id="a negative length"),
        pytest.param(
            JSON + b"content-length: 99999999999999999999\r\n\r\n", "did not answer with HTTP", id="an absurd length"
        ),
        pytest.param(
            JSON + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
            "did not answer with HTTP",
            id="length and chunks",
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
            "HTTP status 101",
            id="101",
        ),
    ],
)
async def test_a_head_that_is_none_is_refused_and_not_the_connections_fault(answer: bytes, reason: str) -> None:
    async with pool_to(saying(answer, close=True)) as (pool, _):
        with pytest.raises(ReplyRefused, match=reason):
            await ask(pool)
        assert pool.taken == 0


@pytest.mark.parametrize(
    ("head", "endless", "reason"),
    [
        pytest.param(JSON + b"x: ", b"y" * 1000, f"{AROUND_BYTES_MAX} bytes of headers", id="a header's value"),
        pytest.param(JSON, b"y" * 1000, f"{AROUND_BYTES_MAX} bytes of headers", id="a header's name"),
        pytest.param(JSON, b"x: y\r\n", f"{HEADERS_MAX} headers", id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", f"{AROUND_BYTES_MAX} bytes of headers", id="interim replies"),
        pytest.param(CHUNKED, b"x: y\r\n", f"{HEADERS_MAX} headers", id="trailers"),
        pytest.param(
            JSON + b"transfer-encoding: chunked\r\n\r\n1;", b"x" * 1000, f"{AROUND_BYTES_MAX} bytes", id="a chunk's extension"
        ),
        pytest.param(JSON + b"\r\n", b"x" * 1000, f"more than {BODY_BYTES_MAX} bytes", id="a body without framing"),
        pytest.param(
            JSON + b"transfer-encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
            f"more than {BODY_BYTES_MAX} bytes",
            id="a body of tiny chunks",
        ),
    ],
)  # fmt: skip
async def test_what_has_no_end_is_given_up_while_it_arrives(head: bytes, endless: bytes, reason: str) -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(endless * 50)
            await writer.drain()

    async with pool_to(handler) as (pool, raw):
        with pytest.raises(ReplyRefused, match=reason):
            await ask(pool)
        assert pool.taken == 0
        await raw.hung_up.wait()


async def test_an_announced_body_that_is_too_large_is_not_waited_for() -> None:
    async with pool_to(saying(JSON + b"content-length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1))) as (pool, raw):
        with pytest.raises(ReplyRefused, match=f"more than {BODY_BYTES_MAX} bytes"):
            await ask(pool)
        await raw.hung_up.wait()


async def test_a_body_of_the_largest_size_is_taken_however_it_comes() -> None:
    body = b"x" * BODY_BYTES_MAX
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [body[:1], body[1:777], body[777:]])
    answers = iter([reply(body), JSON + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"])

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))

    async with pool_to(handler) as (pool, raw):
        for _ in range(2):
            assert (await ask(pool)).body == body
        assert raw.connections == 1


async def test_of_another_media_type_only_the_beginning_is_read() -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 9999999\r\n\r\n")
        while True:
            writer.write(b"<html>" * 1000)
            await writer.drain()

    async with pool_to(handler) as (pool, raw):
        found = await ask(pool)
        assert (found.status, found.media_type, found.body[:6]) == (502, "text/html", b"<html>")
        assert len(found.body) >= OTHER_BODY_BYTES_MAX
        await raw.hung_up.wait()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzipped(b'{"a":1}')), ("Deflate", zlib.compress(b'{"a":1}')), ("identity", b'{"a":1}')],
)
async def test_a_compressed_reply_is_read_though_none_was_asked_for(encoding: str, body: bytes) -> None:
    async with pool_to(saying(reply(body, more=f"content-encoding: {encoding}\r\n"))) as (pool, _):
        assert (await ask(pool)).body == b'{"a":1}'
        assert pool.idle == 1


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"{}", "content coding 'br'"),
        ("gzip, gzip", b"{}", "content coding"),
        ("gzip", b"{}", "damaged"),
        ("gzip", gzipped(b"{}" * 100)[:-9], "damaged"),
        ("gzip", gzipped(b"{}") + b"x", "damaged"),
        ("gzip", gzipped(b" " * (BODY_BYTES_MAX + 1)), f"more than {BODY_BYTES_MAX} bytes"),
    ],
)
async def test_a_compressed_reply_that_cannot_be_read_is_refused(encoding: str, body: bytes, reason: str) -> None:
    async with pool_to(saying(reply(body, more=f"content-encoding: {encoding}\r\n"))) as (pool, _):
        with pytest.raises(ReplyRefused, match=reason):
            await ask(pool)


def test_of_a_compressed_body_that_is_cut_there_is_what_there_is() -> None:
    body = gzipped(random.Random(1).randbytes(1000))
    assert 0 < len(decompressed(body[:500], b"gzip", 2000, cut=True)) < 1000


async def test_another_transfer_coding_is_refused() -> None:
    async with pool_to(saying(JSON + b"transfer-encoding: gzip, chunked\r\n\r\n")) as (pool, _):
        with pytest.raises(ReplyRefused, match="transfer coding"):
            await ask(pool)


async def test_a_large_request_arrives_whole_however_slowly_it_is_read() -> None:
    body = random.Random(2).randbytes(5_000_000)
    async with pool_to(saying(GOOD)) as (pool, raw):
        assert (await ask(pool, body)).body == b'{"a":1}'
        assert raw.requests[0].endswith(body)
        assert pool.idle == 1


async def test_a_connection_that_has_not_taken_its_whole_request_is_not_used_again() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(b"{}", status="413 Content Too Large"))
        await gone.wait()
        writer.close()

    gone = asyncio.Event()
    server = await asyncio.start_server(hasty, "127.0.0.1", 0)
    deadlines = Deadlines()
    wanted = Wanted((b"application/json",), BODY_BYTES_MAX)
    pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1], wanted, deadlines, connections_max=1)
    assert (await ask(pool, b" " * 20_000_000)).status == 413
    assert pool.taken == 0
    gone.set()
    pool.close()
    deadlines.close()
    server.close()


@dataclass(frozen=True, slots=True)
class Act:
    """What the peer does with one request of the storm."""

    pieces: tuple[bytes, ...]
    close: bool
    body: bytes | None
    """What must arrive; None where nothing does, or who knows what."""
    leaves_over: bool
    """There may be bytes after what the reply says is its end."""


def act(chance: random.Random, number: int) -> Act:
    """A reply that names the request, framed somehow, cut up anywhere, and every other time damaged."""
    body = b'{"number":%d,"x":"%b","again":%d}' % (number, b"x" * chance.choice([0, 10, 5_000, 30_000]), number)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * chance.choice([0, 0, 0, 2])
    framing = chance.choice(["length", "chunks", "close"])
    if framing == "length":
        wire = interim + reply(body)
    elif framing == "close":
        wire = interim + JSON + b"connection: close\r\n\r\n" + body
    else:
        cuts = sorted(chance.sample(range(1, len(body)), 3))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        wire = interim + JSON + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\nx: y\r\n\r\n"
    close = framing == "close"
    damage = chance.choice(["", "", "", "cut", "garbage", "flip", "more"])
    expected: bytes | None = body
    if damage == "cut":
        # Where only the end of the connection ends a body, nobody can tell.
        end = len(wire) - (len(body) if framing == "close" else 0)
        wire, close, expected = wire[: chance.randrange(end)], True, None
        if framing == "close" and wire.endswith(b"\r\n\r\n"):
            wire = b""
    elif damage == "garbage":
        wire, close, expected = chance.randbytes(chance.randrange(1, 300)), chance.random() < 0.5, None
    elif damage == "flip":
        at = chance.randrange(len(wire))
        wire, expected = wire[:at] + chance.randbytes(1) + wire[at + 1 :], None
    elif damage == "more" and framing == "length":
        wire += chance.randbytes(chance.randrange(1, 20))
    cuts = sorted(chance.choices(range(len(wire) + 1), k=chance.choice([0, 1, 5, 40])))
    return Act(
        tuple(wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)),
        close,
        expected,
        damage in ("flip", "more"),
    )


@pytest.mark.parametrize("seed", range(4))
async def test_in_a_storm_nobody_hangs_and_nobody_is_given_what_is_not_theirs(seed: int) -> None:
    chance = random.Random(seed)
    acts = [act(chance, number) for number in range(150)]
    innocent: list[int] = []
    hurries = [chance.choice([PATIENCE_S, PATIENCE_S, PATIENCE_S, 0.02]) for _ in acts]
    cancelled = {number for number in range(len(acts)) if chance.random() < 0.1}

    async def handler(body: bytes, writer: asyncio.StreamWriter) -> None:
        mine = acts[int(body)]
        for piece in mine.pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        if mine.close:
            writer.close()

    async def one(number: int) -> None:
        # Damage may leave a reply without an end; only those may take up their time.
        damaged = acts[number].body is None
        asking = asyncio.create_task(ask(pool, b"%d" % number, seconds=0.2 if damaged else hurries[number]))
        if number in cancelled:
            for _ in range(number % 7):
                await asyncio.sleep(0)
            asking.cancel()
        try:
            found = await asking
        except ConnectionBroken as broken:
            # A connection may have died of what came before, or still carry what was left over of it.
            wrong = False
            innocent.extend([number] * (not (damaged or broken.stale)))
        except ReplyRefused:
            wrong = False
            innocent.extend([number] * (not damaged))
        except TimeoutError:
            wrong = not (damaged or hurries[number] < PATIENCE_S)
        except asyncio.CancelledError:
            wrong = number not in cancelled
        else:
            marks = b'"number":%d,' % number, b'"again":%d}' % number
            ours = len(found.body) < 20 or any(mark in found.body for mark in marks)
            wrong = not (ours if damaged else found.body == acts[number].body)
        assert not wrong, f"request {number}: {acts[number]}"

    async def some(first: int) -> None:
        for number in range(first, len(acts), 6):
            await one(number)

    async with pool_to(handler, connections_max=3) as (pool, _):
        async with asyncio.TaskGroup() as group:
            for first in range(6):
                group.create_task(some(first))
        # What is sent beyond a reply can spoil the next one on that connection, and nothing else.
        assert len(innocent) <= sum(each.leaves_over for each in acts)
        assert pool.taken == pool.idle <= 3
        assert pool.waiting == 0
