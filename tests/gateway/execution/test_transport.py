"""The transport against servers that behave badly, over real sockets."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from gateway.config import Limits
from gateway.errors import (
    SubgraphCircuitOpen,
    SubgraphReplyInvalid,
    SubgraphTimedOut,
    SubgraphUnreachable,
)
from gateway.execution.circuit import FAILURES_MAX, PAUSE_S, Circuit
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport
from tests.gateway.execution.raw import ANONYMOUS, GOOD, reply, saying, serving


async def test_connections_are_kept_and_used_again() -> None:
    async with serving(saying(GOOD)) as (transport, address, raw):
        for _ in range(5):
            assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True) == {"data": {"x": 1}}
    assert (len(raw.requests), raw.connections) == (5, 1)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error", "200 OK"])
async def test_a_graphql_answer_counts_whatever_the_status(status: str) -> None:
    answer = reply(b'{"errors":[{"message":"no"}]}', status=status, media_type="application/graphql-response+json")
    async with serving(saying(answer)) as (transport, address, _):
        assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True) == {"errors": [{"message": "no"}]}


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html>bad gateway</html>", status="502 Bad Gateway", media_type="text/html"),
        reply(b"{not json"),
        reply(b""),
        reply(b"[]"),
        reply(b'{"detail":"not found"}', status="404 Not Found"),
        reply(b'{"data":[1]}'),
        reply(b'{"data":{},"errors":{}}'),
    ],
)
async def test_what_is_no_graphql_answer_is_refused(answer: bytes) -> None:
    async with serving(saying(answer)) as (transport, address, _):
        with pytest.raises(SubgraphReplyInvalid) as refused:
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
    assert refused.value.subgraph == "stock"


@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_beyond_the_limit_is_given_up_while_it_arrives(announced: bool) -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        if announced:
            writer.write(head + b"content-length: 100000\r\n\r\n" + b" " * 80_000)
            return
        writer.write(head + b"transfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"3e8\r\n" + b" " * 1000 + b"\r\n")
            await writer.drain()

    async with serving(handler, subgraph_reply_bytes_max=50_000) as (transport, address, raw):
        with pytest.raises(SubgraphReplyInvalid, match="more than 50000 bytes"):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
        async with asyncio.timeout(5):
            await raw.hung_up.wait()


async def test_a_slow_subgraph_times_out_and_its_connection_is_given_up() -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    async with serving(never, subgraph_ms_max=50) as (transport, address, raw):
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
        async with asyncio.timeout(5):
            await raw.hung_up.wait()


async def test_a_body_that_stalls_counts_against_the_same_time() -> None:
    async def stall(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"data"')

    async with serving(stall, subgraph_ms_max=50) as (transport, address, _):
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)


async def test_the_requests_own_deadline_is_kept_too() -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    async with serving(never) as (transport, address, _):
        now = asyncio.get_running_loop().time()
        async with asyncio.timeout(5):
            with pytest.raises(SubgraphTimedOut):
                await transport.fetch(address, b"{}", FetchContext(deadline=now + 0.05), repeatable=True)
            with pytest.raises(SubgraphTimedOut):
                await transport.fetch(address, b"{}", FetchContext(deadline=now - 1), repeatable=False)


async def test_a_query_whose_connection_breaks_is_sent_once_more_and_a_mutation_is_not() -> None:
    answers = iter([None, GOOD, None])

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        answer = next(answers)
        if answer is None:
            writer.close()
        else:
            writer.write(answer)

    async with serving(handler) as (transport, address, raw):
        assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True) == {"data": {"x": 1}}
        assert len(raw.requests) == 2
        with pytest.raises(SubgraphUnreachable):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False)
        assert len(raw.requests) == 3


async def test_identical_queries_under_way_are_one_request_and_each_asker_owns_its_answer() -> None:
    release = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(GOOD)

    async with serving(handler) as (transport, address, raw):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            ada = FetchContext(identity="ada")
            same = [group.create_task(transport.fetch(address, b"{}", ada, repeatable=True)) for _ in range(3)]
            group.create_task(transport.fetch(address, b"{}", FetchContext(identity="bob"), repeatable=True))
            group.create_task(transport.fetch(address, b'{"a":1}', ada, repeatable=True))
            group.create_task(transport.fetch(address, b"{}", ada, repeatable=False))
            while len(raw.requests) < 4:
                raw.arrived.clear()
                await raw.arrived.wait()
            release.set()
        first, second, _ = [each.result() for each in same]
        assert first == second == {"data": {"x": 1}}
        assert first is not second
        assert len(raw.requests) == 4


async def test_with_sharing_off_identical_queries_are_requests_of_their_own_and_still_sent_again() -> None:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        if len(raw.requests) == 1:
            writer.close()
        else:
            writer.write(GOOD)

    async with serving(handler) as (_, address, raw):
        transport = Transport(Limits(), share=False)
        try:
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        finally:
            await transport.aclose()
        assert len(raw.requests) == 4


async def test_when_the_one_who_sent_gives_up_another_who_waits_takes_over() -> None:
    release = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(GOOD)

    async with serving(handler) as (transport, address, raw), asyncio.timeout(5):
        leader = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        await raw.arrived.wait()
        follower = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        raw.arrived.clear()
        await asyncio.sleep(0)
        leader.cancel()
        await raw.arrived.wait()
        release.set()
        assert await follower == {"data": {"x": 1}}
        with pytest.raises(asyncio.CancelledError):
            await leader


async def test_one_who_waits_with_more_time_than_the_one_who_sent_asks_again() -> None:
    answers = iter([None, GOOD])

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        if (answer := next(answers)) is not None:
            writer.write(answer)

    async with serving(handler) as (transport, address, raw), asyncio.timeout(5):
        hurried = FetchContext(deadline=asyncio.get_running_loop().time() + 0.1)
        leader = asyncio.create_task(transport.fetch(address, b"{}", hurried, repeatable=True))
        await raw.arrived.wait()
        follower = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        with pytest.raises(SubgraphTimedOut):
            await leader
        assert await follower == {"data": {"x": 1}}


async def test_a_shared_request_that_times_out_in_full_times_out_for_all() -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    async with serving(never, subgraph_ms_max=100) as (transport, address, raw), asyncio.timeout(5):
        patient = FetchContext(deadline=asyncio.get_running_loop().time() + 60)
        both = [asyncio.create_task(transport.fetch(address, b"{}", patient, repeatable=True)) for _ in range(2)]
        found = await asyncio.gather(*both, return_exceptions=True)
        assert [type(each) for each in found] == [SubgraphTimedOut] * 2
        assert len(raw.requests) == 1


async def test_a_shared_request_that_fails_fails_for_all_who_wait() -> None:
    release = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(reply(b"nope", media_type="text/plain"))

    async with serving(handler) as (transport, address, raw), asyncio.timeout(5):
        both = [asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)) for _ in range(2)]
        await raw.arrived.wait()
        release.set()
        found = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in found] == [SubgraphReplyInvalid] * 2
    assert len(raw.requests) == 1


async def test_a_subgraph_that_keeps_failing_is_left_alone() -> None:
    address = SubgraphAddress(name="gone", url="http://127.0.0.1:1/graphql")
    transport = Transport(Limits())
    for _ in range(FAILURES_MAX):
        with pytest.raises(SubgraphUnreachable):
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False)
    with pytest.raises(SubgraphCircuitOpen):
        await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)
    await transport.aclose()


def test_after_its_pause_a_circuit_lets_one_try_and_an_answer_closes_it() -> None:
    circuit = Circuit()
    for _ in range(FAILURES_MAX):
        assert circuit.allows(0.0)
        circuit.failed(0.0)
    assert not circuit.allows(PAUSE_S / 2)
    assert circuit.allows(PAUSE_S)
    assert not circuit.allows(PAUSE_S)
    circuit.answered()
    assert circuit.allows(PAUSE_S)


async def test_a_bad_address_is_unreachable_not_a_crash() -> None:
    transport = Transport(Limits())
    for url in ("", "nonsense", "http://"):
        with pytest.raises(SubgraphUnreachable):
            await transport.fetch(SubgraphAddress(name="x", url=url), b"{}", ANONYMOUS, repeatable=False)
    await transport.aclose()


async def test_redirects_are_not_followed() -> None:
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(saying(answer)) as (transport, address, _):
        with pytest.raises(SubgraphReplyInvalid) as refused:
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False)
    assert "307" in refused.value.detail


async def test_headers_of_the_context_are_sent() -> None:
    async with serving(saying(GOOD)) as (transport, address, raw):
        context = FetchContext(headers=lambda: {"x-galleria-identity": "signed"})
        await transport.fetch(address, json.dumps({"query": "{x}"}).encode(), context, repeatable=True)
    assert b"x-galleria-identity: signed" in raw.requests[0].lower()


async def test_a_kept_connection_that_is_dead_by_now_costs_a_query_nothing_and_fails_a_mutation() -> None:
    answered = 0

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        if answered in (2, 4):
            writer.close()
        else:
            writer.write(GOOD)

    async with serving(handler) as (transport, address, raw):
        for _ in range(2):
            assert await transport.fetch(address, b"{}", ANONYMOUS, repeatable=True) == {"data": {"x": 1}}
        with pytest.raises(SubgraphUnreachable) as unreachable:
            await transport.fetch(address, b"{}", ANONYMOUS, repeatable=False)
        assert "before it replied" in unreachable.value.detail
        assert (len(raw.requests), raw.connections) == (4, 2)


async def test_fetches_wait_for_one_of_few_connections_within_their_time() -> None:
    async def slow(body: bytes, writer: asyncio.StreamWriter) -> None:
        if body != b"1":
            writer.write(GOOD)

    async with serving(slow, subgraph_connections_max=1, subgraph_ms_max=300) as (transport, address, raw):
        first = asyncio.create_task(transport.fetch(address, b"1", ANONYMOUS, repeatable=False))
        await raw.arrived.wait()
        soon = FetchContext(deadline=asyncio.get_running_loop().time() + 0.05)
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"2", soon, repeatable=False)
        third = asyncio.create_task(transport.fetch(address, b"3", ANONYMOUS, repeatable=False))
        with pytest.raises(SubgraphTimedOut):
            await first
        assert await third == {"data": {"x": 1}}
        assert len(raw.requests) == 2


async def test_two_subgraphs_behind_one_host_share_its_connections() -> None:
    async with serving(saying(GOOD)) as (transport, address, raw):
        other = SubgraphAddress(name="other", url=address.url.replace("/graphql", "/other?x=1"))
        for each in (address, other):
            await transport.fetch(each, b"{}", ANONYMOUS, repeatable=True)
        assert [request.split(b" ", 2)[1] for request in raw.requests] == [b"/graphql", b"/other?x=1"]
        assert raw.connections == 1


async def test_a_request_says_what_it_is_and_no_more() -> None:
    async with serving(saying(GOOD)) as (transport, address, raw):
        context = FetchContext(headers=lambda: {"x-request-id": "1"})
        await transport.fetch(address, b'{"query":"{x}"}', context, repeatable=True)
        assert raw.requests[0].decode().split("\r\n") == [
            "POST /graphql HTTP/1.1",
            f"host: 127.0.0.1:{raw.port}",
            "content-type: application/json",
            "accept: application/graphql-response+json, application/json",
            "user-agent: galleria-gateway",
            "accept-encoding: identity",
            "x-request-id: 1",
            "content-length: 15",
            "",
            '{"query":"{x}"}',
        ]


async def test_a_header_that_would_be_another_request_is_not_sent() -> None:
    async with serving(saying(GOOD)) as (transport, address, raw):
        context = FetchContext(headers=lambda: {"x-request-id": "1\r\n\r\nPOST /"})
        with pytest.raises(SubgraphUnreachable) as refused:
            await transport.fetch(address, b"{}", context, repeatable=True)
        assert "POST" not in refused.value.detail
        assert not raw.connections


async def test_https_is_spoken_to_https() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readexactly(2))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    transport = Transport(Limits())
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"
    with pytest.raises(SubgraphUnreachable):
        await transport.fetch(SubgraphAddress(name="stock", url=url), b"{}", ANONYMOUS, repeatable=False)
    # The beginning of a TLS handshake.
    assert await heard == b"\x16\x03"
    await transport.aclose()
    server.close()


async def test_closing_ends_what_is_under_way_for_all_who_wait() -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    async with serving(never) as (transport, address, raw), asyncio.timeout(5):
        both = [asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True)) for _ in range(2)]
        await raw.arrived.wait()
        await transport.aclose()
        found = await asyncio.gather(*both, return_exceptions=True)
        assert [type(each) for each in found] == [SubgraphUnreachable] * 2
        assert raw.connections == 1


async def test_a_follower_that_has_less_time_leaves_alone() -> None:
    release = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.write(GOOD)

    async with serving(handler) as (transport, address, raw), asyncio.timeout(5):
        leader = asyncio.create_task(transport.fetch(address, b"{}", ANONYMOUS, repeatable=True))
        await raw.arrived.wait()
        hurried = FetchContext(deadline=asyncio.get_running_loop().time() + 0.05)
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(address, b"{}", hurried, repeatable=True)
        release.set()
        assert await leader == {"data": {"x": 1}}
        assert len(raw.requests) == 1


def test_what_plain_http_does_not_need_is_not_loaded() -> None:
    program = "import sys, gateway.serving.server; sys.exit('pyreqwest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
