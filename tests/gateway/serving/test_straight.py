"""The straight way and the ordinary one give the same answers, and the straight one keeps a connection's promises."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.config import Limits
from gateway.serving import straight
from subgraphs.chassis.identity import IDENTITY_HEADER
from tests.gateway.serving.test_identity import settings, token
from tests.kit.running_gateway import RunningGateway, running_gateway

DEADLINE_S = 10.0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = {"content-type": "application/json"}
NAME = "{ thing(id: 1) { name } }"


class Connection:
    """A client that writes what it is told, byte for byte, and reads one answer after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, text: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        self.writer.write(text)
        return await self.answer()

    async def answer(self) -> tuple[int, list[tuple[str, str]], bytes]:
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.rstrip().split("\r\n")
            headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)]
            body = await self.reader.readexactly(int(dict(headers)["content-length"]))
        return int(status.split(" ")[1]), headers, body


@asynccontextmanager
async def connected(shop: RunningGateway) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def request(body: bytes | str | dict[str, Any], headers: dict[str, str] | None = None, path: str = "/graphql") -> bytes:
    if isinstance(body, str):
        body = {"query": body}
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"host": "x", **JSON, **(headers or {}), "content-length": str(len(text))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + text


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each request's head, in order: whether it went straight."""
    went: list[bool] = []
    headers_complete, start = straight.StraightHttp.on_headers_complete, straight.StraightHttp._start

    def on_headers_complete(self: Any) -> None:
        headers_complete(self)
        if self._arriving is None:
            went.append(False)

    def _start(self: Any, *given: Any) -> None:
        went.append(True)
        start(self, *given)

    monkeypatch.setattr(straight.StraightHttp, "on_headers_complete", on_headers_complete)
    monkeypatch.setattr(straight.StraightHttp, "_start", _start)
    return went


CASES: dict[str, tuple[Any, dict[str, str]]] = {
    "a query": (NAME, {}),
    "a query of two subgraphs": ("{ thing(id: 1) { name units } }", {}),
    "variables": ({"query": "query($i: ID!) { thing(id: $i) { name } }", "variables": {"i": "2"}}, {}),
    "a wrong variable": ({"query": "query($i: ID!) { thing(id: $i) { name } }", "variables": {"i": [1]}}, {}),
    "a missing variable": ("query($i: ID!) { thing(id: $i) { name } }", {}),
    "an enum that is none": ({"query": "query($c: Colour) { echo(colour: $c) }", "variables": {"c": "X"}}, {}),
    "a mutation": ('mutation { rename(id: 1, name: "x") { name } }', {}),
    "a subscription": ("subscription { changes(count: 1) { name } }", {}),
    "introspection": ("{ __schema { queryType { name } } }", {}),
    "a refused field": ("{ thing(id: 1) { name cost } }", {}),
    "an unknown field": ("{ thing(id: 1) { nam } }", {}),
    "no document": ("{ thing(", {}),
    "an unknown operation": ({"query": "query A { echo }", "operationName": "B"}, {}),
    "a named operation": ({"query": "query A { echo } query B { __typename }", "operationName": "B"}, {}),
    "too deep": ("{ thing(id: 1)" + " { twin" * 31 + "{ name }" + " }" * 31 + " }", {}),
    "deferred without being asked for": ("{ thing(id: 1) { name ... @defer { units } } }", {}),
    "an empty body": (b"", {}),
    "no JSON": (b"{", {}),
    "a batch": (b"[]", {}),
    "no object": (b"null", {}),
    "no query": ({}, {}),
    "variables that are none": ({"query": NAME, "variables": 3}, {}),
    "a body over the limit": (b" " * 5001, {}),
    "a body at the limit": (json.dumps({"query": NAME}).encode().ljust(5000), {}),
    "legacy": (NAME, {"accept": "application/json"}),
    "legacy, refused": ("{ nope }", {"accept": "application/json"}),
    "legacy, no JSON": (b"{", {"accept": "application/json"}),
    "any media type": (NAME, {"accept": "*/*"}),
    "charset": (NAME, {"content-type": "application/json; charset=utf-8"}),
    "another charset": (NAME, {"content-type": "application/json; charset=latin-1"}),
    "another content type": (NAME, {"content-type": "text/plain"}),
    "compressed": (NAME, {"content-encoding": "gzip"}),
    "an answer nobody can read": (NAME, {"accept": "text/html"}),
    "several parts, if need be": (NAME, {"accept": "application/json, multipart/mixed;q=0.5"}),
    "no bearer": (NAME, {"authorization": "Basic abc"}),
    "a bad token": (NAME, {"authorization": "Bearer nonsense"}),
    "a contract": ("{ thing(id: 1) { name } }", {"x-galleria-contract": "agent"}),
    "what a contract hides": ("{ thing(id: 1) { cost } }", {"x-galleria-contract": "agent"}),
    "an unknown contract": (NAME, {"x-galleria-contract": "nobody"}),
    "a context": ("{ echo }", {"x-uc-currency": "eur", "x-uc-channel": "web-eu"}),
    "a request id": (NAME, {"x-request-id": "abc-1"}),
    "a request id that is none": (NAME, {"x-request-id": "not plain"}),
    "a trace": ("{ echo }", {"traceparent": TRACE, "tracestate": "vendor=1", "x-request-id": "t"}),
    "the last of its connection": (NAME, {"connection": "close"}),
    "a browser": (NAME, {"origin": "https://shop.example"}),
    "another browser": (NAME, {"origin": "https://evil.example"}),
    "expecting": (NAME, {"expect": "200-ok"}),
}
OWN = {"x-request-id": r"[0-9A-Z]{26}|abc-1|t", "date": r".+"}


async def told(shop: RunningGateway, text: bytes) -> tuple[Any, ...]:
    """Status, headers and body of the answer, and what the subgraphs were asked, without what is of this request alone."""
    before = len(shop.things.asked), len(shop.stock.asked)
    async with connected(shop) as one:
        status, headers, body = await one.ask(text)
        ends = "close" in dict(headers).get("connection", "")
        if ends:
            assert await one.reader.read() == b""
        else:
            # Whatever it was, the connection can be used again, and now knows the head.
            again = await one.ask(text)
            assert (again[0], again[2]) == (status, body)
    for name, value in headers:
        assert name not in OWN or re.fullmatch(OWN[name], value)
    given = dict(headers).get("x-request-id", "")
    theirs = TRACE.encode() in text
    kept = [
        (name, "?" if name in OWN and not (theirs and name == "x-request-id") else value) for name, value in headers
    ]
    asked = [
        (
            each.body,
            each.headers["x-request-id"] == given,
            each.headers.get("tracestate"),
            each.headers["traceparent"][: len("00-") + 32] if theirs else "",
        )
        for each in (*shop.things.asked[before[0] : before[0] + 1], *shop.stock.asked[before[1] : before[1] + 1])
    ]
    return status, kept, body, asked


CONTRACTS = {"agent": {"exclude": ["staff"]}}


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    limits = Limits(body_bytes_max=5000)
    async with running_gateway(limits=limits, contracts=CONTRACTS, cors_origins=("https://shop.example",)) as one:
        yield one


async def test_both_ways_answer_alike(shop: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    straight_on = {name: await told(shop, request(*case)) for name, case in CASES.items()}
    monkeypatch.setattr(straight.StraightHttp, "_is_free", lambda self: False)
    ordinary = {name: await told(shop, request(*case)) for name, case in CASES.items()}
    for name in CASES:
        assert straight_on[name] == ordinary[name], name


async def test_a_token_is_proved_alike_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: list[bool]
) -> None:
    async with running_gateway(**settings(tmp_path)) as shop:
        trusted = await token(shop, scopes=["root"])
        found = []
        for _ in range(2):
            ways.clear()
            for headers in (trusted, {}, await token(shop), trusted):
                found.append(await told(shop, request("{ thing(id: 1) { cost margin } }", headers)))
            found.append([each.headers[IDENTITY_HEADER].count(".") for each in shop.things.asked])
            shop.things.asked.clear()
            monkeypatch.setattr(straight.StraightHttp, "_is_free", lambda self: False)
        assert found[:5] == found[5:]
        assert [each[2] for each in found[:4]] != [found[0][2]] * 4


async def test_the_ordinary_request_goes_straight_and_a_known_head_past_the_parser(
    shop: RunningGateway, ways: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    begin = straight.StraightHttp.on_message_begin
    monkeypatch.setattr(straight.StraightHttp, "on_message_begin", lambda self: (parsed.append(1), begin(self))[1])
    async with connected(shop) as one:
        for _ in range(3):
            assert (await one.ask(request(NAME)))[0] == 200
    assert (ways, len(parsed)) == ([True] * 3, 1)
    async with connected(shop) as one:
        for _ in range(2):
            assert (await one.ask(request(NAME, {"traceparent": TRACE})))[0] == 200
    assert (ways, len(parsed)) == ([True] * 5, 3)


async def test_a_body_may_come_in_pieces(shop: RunningGateway, ways: list[bool]) -> None:
    text = request({"query": NAME, "variables": {"unused": "x" * 100}})
    async with connected(shop) as one:
        for size in (1, 7, 60, len(text) - 1):
            for at in range(0, len(text), size):
                one.writer.write(text[at : at + size])
                await one.writer.drain()
                await asyncio.sleep(0)
            assert (await one.answer())[2] == b'{"data":{"thing":{"name":"lamp"}}}'
    assert ways == [True] * 4


async def test_a_body_that_trickles_is_given_up(ways: list[bool]) -> None:
    async with running_gateway(limits=Limits(body_ms_max=50)) as shop, connected(shop) as one:
        status, headers, _ = await one.ask(request(NAME)[:-1])
        assert (status, ways) == (408, [True])
        assert ("connection", "close") in headers
        assert await one.reader.read() == b""


async def test_what_is_pipelined_is_answered_in_its_order(shop: RunningGateway) -> None:
    shop.stock.released.clear()
    slow, quick = request("{ thing(id: 1) { units } }"), request(NAME)
    get = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    async with connected(shop) as one:
        one.writer.write(quick + slow + quick + get + quick)
        assert b"lamp" in (await one.answer())[2]
        async with asyncio.timeout(DEADLINE_S):
            while not shop.stock.asked:
                await asyncio.sleep(0)
        one.writer.write(quick)
        shop.stock.released.set()
        assert b"units" in (await one.answer())[2]
        assert [b"lamp" in (await one.answer())[2] for _ in range(4)] == [True, False, True, True]


@pytest.mark.parametrize(
    "head",
    [
        # Each of these has an empty line of its own idea, or hides one; what is remembered must not differ from the parser.
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\n\r\n",
        b"POST /graphql HTTP/1.1\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\n",
        b"\r\n\r\nPOST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n",
    ],
)
async def test_a_head_of_unusual_form_is_not_remembered(shop: RunningGateway, head: bytes) -> None:
    async with connected(shop) as one:
        one.writer.write(head + b"{}")
        async with asyncio.timeout(DEADLINE_S):
            await one.reader.read(1)
    assert len(shop.gateway._straight.heads) == 0


async def asked(shop: RunningGateway) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not shop.stock.asked and not shop.things.asked:
            await asyncio.sleep(0)


def under_way() -> float:
    return REGISTRY.get_sample_value("galleria_requests_now", {"service": "gateway"}) or 0.0


def seen(status: int) -> float:
    labels = {"service": "gateway", "route": "/graphql", "status": str(status)}
    return REGISTRY.get_sample_value("galleria_request_seconds_count", labels) or 0.0


async def ended(before: float) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while under_way() > before:
            await asyncio.sleep(0)


async def test_a_client_that_leaves_ends_its_query(shop: RunningGateway) -> None:
    before, left = under_way(), seen(499)
    shop.things.released.clear()
    async with connected(shop) as one:
        one.writer.write(request(NAME))
        await asked(shop)
    await ended(before)
    assert seen(499) == left + 1
    await asyncio.sleep(0)
    assert not shop.gateway._server.server_state.tasks


async def test_a_client_that_leaves_at_once_is_told_of_too(shop: RunningGateway) -> None:
    before, left = under_way(), seen(499)
    async with connected(shop) as one:
        await one.ask(request(NAME))
        one.writer.write(request("{ thing(id: 2) { name } }"))
    async with asyncio.timeout(DEADLINE_S):
        while seen(499) == left and seen(200) < 2:
            await asyncio.sleep(0)
    await ended(before)


async def test_a_client_that_leaves_does_not_stop_its_mutation(shop: RunningGateway) -> None:
    before, done = under_way(), seen(200)
    shop.things.released.clear()
    async with connected(shop) as one:
        one.writer.write(request('mutation { rename(id: 1, name: "x") { name } }'))
        await asked(shop)
    await asyncio.sleep(0.01)
    assert under_way() == before + 1
    shop.things.released.set()
    await ended(before)
    assert seen(200) == done + 1


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_told_of(shop: RunningGateway) -> None:
    before, refused = under_way(), seen(400)
    async with connected(shop) as one:
        one.writer.write(request(NAME)[:-1])
        await one.writer.drain()
        async with asyncio.timeout(DEADLINE_S):
            while under_way() == before:
                await asyncio.sleep(0)
    await ended(before)
    assert seen(400) == refused + 1


async def test_a_stop_waits_for_what_is_under_way(shop: RunningGateway) -> None:
    shop.things.released.clear()
    async with connected(shop) as one, connected(shop) as idle:
        await idle.ask(request("{ __typename }"))
        one.writer.write(request(NAME))
        await asked(shop)
        shop.gateway.stop()
        assert await idle.reader.read() == b""
        shop.things.released.set()
        status, headers, body = await one.answer()
        assert (status, body) == (200, b'{"data":{"thing":{"name":"lamp"}}}')
        assert ("connection", "close") in headers
        assert await one.reader.read() == b""


async def test_a_stop_whose_patience_ends_says_so(shop: RunningGateway) -> None:
    shop.things.released.clear()
    async with connected(shop) as one:
        one.writer.write(request(NAME))
        await asked(shop)
        shop.gateway.stop()
        status, headers, body = await one.answer()
        assert (status, body) == (500, b"Internal Server Error")
        assert ("connection", "close") in headers


async def test_a_client_that_reads_nothing_is_not_answered_without_end(
    shop: RunningGateway, ways: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(shop) as one:
        await one.ask(request(NAME))
        (connection,) = (
            each
            for each in shop.gateway._server.server_state.connections
            if each.client == one.writer.get_extra_info("sockname")
        )
        connection.pause_writing()
        one.writer.write(request(NAME))
        async with asyncio.timeout(DEADLINE_S):
            while len(ways) < 2:
                await asyncio.sleep(0)
        assert ways == [True, False]
        connection.resume_writing()
        assert (await one.answer())[0] == 200


async def test_an_expired_token_is_refused_though_its_head_is_known(tmp_path: Path) -> None:
    async with (
        running_gateway(**settings(tmp_path), dev_token_s=1, jwt_leeway_s=0) as shop,
        connected(shop) as one,
        asyncio.timeout(DEADLINE_S),
    ):
        text = request("{ __typename }", await token(shop))
        assert (await one.ask(text))[0] == 200
        while (answer := await one.ask(text))[0] == 200:
            await asyncio.sleep(0.05)
        assert (answer[0], json.loads(answer[2])["errors"][0]["message"]) == (401, "The token has expired.")
