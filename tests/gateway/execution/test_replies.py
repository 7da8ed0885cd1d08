"""Replies of every kind a subgraph may send, byte by byte: which are read, which are refused, and that none costs more
than its bound."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import resource
import zlib
from typing import Any

import pytest

from gateway.errors import SubgraphReplyInvalid, SubgraphUnreachable
from tests.gateway.execution.raw import ANONYMOUS, GOOD, Handler, reply, saying, serving

X = b'{"data":{"x":1}}'
NESTED = 100_000
BOMB_MEGABYTES = 300


def answering(*headers: str, body: bytes = X, status: str = "200 OK") -> bytes:
    """A reply of JSON with these headers alone."""
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def encoded(encoding: str, body: bytes) -> bytes:
    return answering(f"content-encoding: {encoding}", f"content-length: {len(body)}", body=body)


def saying_goodbye(answer: bytes) -> Handler:
    """Answers, and closes the connection without a word about it."""

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return handler


async def fetched(handler: Handler, **limits: int) -> Any:
    async with asyncio.timeout(10), serving(handler, **limits) as (transport, address, _):
        return await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)


@pytest.mark.parametrize(
    "answer",
    [
        reply(X, media_type="Application/JSON; Charset=UTF-8"),
        reply(X, media_type="application/graphql-response+json ; charset=utf-8"),
        encoded("gzip", gzip.compress(X)),
        encoded("deflate", zlib.compress(X)),
        answering("transfer-encoding: chunked", body=b"1\r\n{\r\nf;why=not\r\n" + X[1:] + b"\r\n0\r\nx: y\r\n\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
        b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n" * 20 + GOOD,
        reply(X, status="500 Internal Server Error"),
        reply(b'{"data":{"x":2,"x":1}}'),
        reply(b' \n{"data":{"x":1},"errors":null,"extensions":7}\t'),
    ],
    ids=["cases", "space", "gzip", "deflate", "chunks", "100", "103", "500", "twice", "blanks"],
)
async def test_what_http_and_json_allow_is_read(answer: bytes) -> None:
    assert (await fetched(saying(answer)))["data"] == {"x": 1}


@pytest.mark.parametrize(
    "answer",
    [answering("connection: close"), answering("connection: close", f"content-length: {len(X)}")],
    ids=["the end of the body", "after the body"],
)
async def test_a_subgraph_may_close_after_it_answered(answer: bytes) -> None:
    async with serving(saying_goodbye(answer)) as (transport, address, raw):
        for _ in range(3):
            assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False) == {"data": {"x": 1}}
    assert (len(raw.requests), raw.connections) == (3, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"data"',
        b"null",
        b"7",
        b"{}",
        b'{"data":"x"}',
        b'{"data":[]}',
        b'{"errors":"no"}',
        b'{"data":{},"errors":{"message":"no"}}',
        X[:-1],
        X + b"x",
        b"\xef\xbb\xbf" + X,
        b"\x1f\x8b" + X,
        b'{"data":{"x":NaN}}',
        b'{"data":{"x":-Infinity}}',
        b'{"data":{"x":1e999}}',
        b'{"data":{"x":' + b"9" * 400 + b"}}",
        b'{"data":{"x":"\xff\xfe"}}',
        b'{"data":{"x":"\\ud800"}}',
        b"[" * NESTED,
        b'{"data":{"x":' + b"[" * NESTED + b"]" * NESTED + b"}}",
        b'{"data":' * NESTED + b"1" + b"}" * NESTED,
    ],
    ids=lambda body: body[:30].decode(errors="replace") or "empty",
)
async def test_a_body_that_is_no_graphql_response_in_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(SubgraphReplyInvalid, match="did not answer with") as refused:
        await fetched(saying(reply(body)))
    assert len(refused.value.detail) < 1000


@pytest.mark.parametrize(
    "answer",
    [
        reply(X, media_type="text/html"),
        reply(X, media_type="application/jsonp"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n" + X,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad",
    ],
    ids=["html", "jsonp", "no type", "204", "101", "502"],
)
async def test_another_media_type_is_refused_and_the_status_is_told(answer: bytes) -> None:
    with pytest.raises(SubgraphReplyInvalid, match=f"HTTP status {answer[9:12].decode()}"):
        await fetched(saying(answer))


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        answering("content-length: -1"),
        answering("content-length: 16", "content-length: 17"),
        answering("x-long: " + "a" * 1_000_000),
        answering(*(f"x-{number}: a" for number in range(5000))),
    ],
    ids=["no HTTP", "negative length", "two lengths", "long header", "many headers"],
)
async def test_a_head_that_is_no_http_is_refused_and_asked_for_once(answer: bytes) -> None:
    async with serving(saying(answer)) as (transport, address, raw):
        with pytest.raises(SubgraphReplyInvalid, match=r"did not answer with HTTP|bytes of headers|256 headers"):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
    assert len(raw.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        answering("content-length: 100"),
        answering("transfer-encoding: chunked", body=b"10\r\n" + X + b"\r\n"),
        answering("transfer-encoding: chunked", body=b"64\r\n" + X),
        answering("transfer-encoding: chunked", body=b"what\r\n" + X),
        b"HTTP/1.1 200",
        b"",
    ],
    ids=["length", "no last chunk", "chunk", "chunk size", "head", "nothing"],
)
@pytest.mark.parametrize(("repeatable", "times"), [(True, 2), (False, 1)], ids=["query", "mutation"])
async def test_a_reply_that_breaks_off_is_none_and_only_a_query_is_sent_again(
    answer: bytes, repeatable: bool, times: int
) -> None:
    async with serving(saying_goodbye(answer)) as (transport, address, raw):
        with pytest.raises(SubgraphUnreachable):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=repeatable)
    assert len(raw.requests) == times


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (encoded("gzip", b"this is no gzip"), "damaged"),
        (encoded("gzip", gzip.compress(X * 50)[:-12]), "damaged"),
        (encoded("deflate", b"this is no zlib"), "damaged"),
        (encoded("br", b"whatever"), "content coding 'br', unasked"),
    ],
    ids=["gzip", "cut gzip", "deflate", "br"],
)
async def test_a_compressed_reply_that_cannot_be_read_is_refused(answer: bytes, message: str) -> None:
    with pytest.raises(SubgraphReplyInvalid, match=message):
        await fetched(saying(answer))


def bomb(window_bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    parts = [packer.compress(b'{"data":{"x":"')]
    parts += [packer.compress(b"a" * 1_000_000) for _ in range(BOMB_MEGABYTES)]
    return b"".join([*parts, packer.compress(b'"}}'), packer.flush()])


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", bomb(31)), ("deflate", bomb(15))],
    ids=["gzip", "deflate"],
)
async def test_what_unpacks_to_more_than_the_bound_is_given_up_before_it_is_unpacked(
    encoding: str, body: bytes
) -> None:
    assert len(body) < 1_000_000
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SubgraphReplyInvalid, match="more than 1000000 bytes"):
        await fetched(saying(encoded(encoding, body)), subgraph_reply_bytes_max=1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kilobytes < 50_000


async def test_the_next_request_is_answered_whatever_the_last_reply_was() -> None:
    answers = [
        reply(b"[" * NESTED),
        answering("content-length: -1"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        GOOD + b"more",
    ]
    following = iter([answer for each in answers for answer in (each, GOOD)])

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(next(following))

    async with serving(handler) as (transport, address, _):
        for _ in answers:
            with contextlib.suppress(SubgraphReplyInvalid):
                await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False)
            assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False) == {"data": {"x": 1}}
