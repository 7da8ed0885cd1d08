"""Subgraphs over TLS: whose certificates are trusted, and HTTP/2 where the handshake offers it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

from gateway.config import Limits, SettingsInvalid, load
from gateway.errors import SubgraphTimedOut, SubgraphUnreachable
from gateway.execution.transport import FetchContext, SubgraphAddress, Transport

DEADLINE_S = 10
NOBODY = FetchContext()
AUTHORITY = trustme.CA()


@dataclass
class SecureSubgraph:
    """Answers every request with the body it was sent, by the protocol that was agreed on."""

    connections: int = 0
    agreed: list[str | None] = field(default_factory=list)
    resets: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, everyone waits."""
    serving: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = field(default_factory=dict)
    address: SubgraphAddress = field(default_factory=lambda: SubgraphAddress(name="stock", url=""))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving[writer] = asyncio.current_task()
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        self.agreed.append(agreed)
        try:
            await (self._two if agreed == "h2" else self._one)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            body = _answer(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
            writer.write(body)

    async def _two(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        bodies: dict[int, bytes] = {}
        answering: set[asyncio.Task[None]] = set()
        writer.write(connection.data_to_send())
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                match event:
                    case RequestReceived(stream_id=int(stream)):
                        bodies[stream] = b""
                    case DataReceived(stream_id=int(stream), data=bytes(part)):
                        bodies[stream] += part
                    case StreamEnded(stream_id=int(stream)):
                        answering.add(asyncio.create_task(self._answer(connection, writer, stream, bodies[stream])))
                    case StreamReset():
                        self.resets += 1
            writer.write(connection.data_to_send())

    async def _answer(self, connection: H2Connection, writer: asyncio.StreamWriter, stream: int, body: bytes) -> None:
        await self.released.wait()
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        connection.send_data(stream, _answer(body), end_stream=True)
        writer.write(connection.data_to_send())


def _answer(body: bytes) -> bytes:
    return json.dumps({"data": json.loads(body)}).encode()


@asynccontextmanager
async def serving(*protocols: str) -> AsyncIterator[SecureSubgraph]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(protocols)
    subgraph = SecureSubgraph()
    subgraph.released.set()
    server = await asyncio.start_server(subgraph.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/graphql"
    subgraph.address = SubgraphAddress(name="stock", url=url)
    try:
        yield subgraph
    finally:
        server.close()
        for writer, task in subgraph.serving.items():
            writer.transport.abort()
            assert task is not None
            await asyncio.wait({task})


@asynccontextmanager
async def trusting(authorities: bytes | None = AUTHORITY.cert_pem.bytes()) -> AsyncIterator[Transport]:
    transport = Transport(Limits(), authorities=authorities)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield transport
    finally:
        await transport.aclose()


async def test_two_is_spoken_where_it_is_offered_and_requests_share_a_connection() -> None:
    async with serving("h2", "http/1.1") as subgraph, trusting() as transport:
        await transport.fetch(subgraph.address, b'{"first":0}', NOBODY, repeatable=True)
        bodies = [b'{"n":%d}' % number for number in range(20)]
        found = await asyncio.gather(
            *[transport.fetch(subgraph.address, body, NOBODY, repeatable=False) for body in bodies]
        )
    assert [each["data"]["n"] for each in found] == list(range(20))
    assert (subgraph.agreed, subgraph.connections) == (["h2"], 1)


@pytest.mark.parametrize("offered", [["http/1.1"], []], ids=["one", "nothing"])
async def test_one_is_spoken_elsewhere(offered: list[str]) -> None:
    async with serving(*offered) as subgraph, trusting() as transport:
        assert await transport.fetch(subgraph.address, b'{"n":1}', NOBODY, repeatable=True) == {"data": {"n": 1}}
    assert "h2" not in subgraph.agreed


async def test_a_request_that_is_given_up_ends_its_stream_and_not_the_connection() -> None:
    async with serving("h2") as subgraph, trusting() as transport:
        await transport.fetch(subgraph.address, b'{"n":1}', NOBODY, repeatable=True)
        subgraph.released.clear()
        hurried = FetchContext(deadline=asyncio.get_running_loop().time() + 0.05)
        with pytest.raises(SubgraphTimedOut):
            await transport.fetch(subgraph.address, b'{"n":2}', hurried, repeatable=False)
        while not subgraph.resets:
            await asyncio.sleep(0.005)
        subgraph.released.set()
        assert await transport.fetch(subgraph.address, b'{"n":3}', NOBODY, repeatable=True) == {"data": {"n": 3}}
    assert subgraph.connections == 1


async def test_a_certificate_of_somebody_elses_is_not_trusted() -> None:
    for authorities in (None, trustme.CA().cert_pem.bytes()):
        async with serving("h2") as subgraph, trusting(authorities) as transport:
            with pytest.raises(SubgraphUnreachable):
                await transport.fetch(subgraph.address, b"{}", NOBODY, repeatable=False)


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(SettingsInvalid, match=r"GALLERIA_SUBGRAPH_AUTHORITIES: .*has no certificate in PEM"):
        load(subgraph_authorities=empty)
    with pytest.raises(SettingsInvalid, match="cannot be read: No such file"):
        load(subgraph_authorities=tmp_path / "none.pem")
