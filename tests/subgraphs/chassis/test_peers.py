"""Commands to another service whose connections break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from subgraphs.chassis.identity import IdentitySigner
from subgraphs.chassis.peers import TRIES, PeerClient, PeerFailed

REPLY = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{"data":{"done":1}}'


@asynccontextmanager
async def peer(breaks: int) -> AsyncIterator[tuple[PeerClient, list[bytes]]]:
    """A service that breaks off its first so many connections after it has heard the command, and what it heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        heard.append(await reader.readexactly(length))
        if len(heard) > breaks:
            writer.write(REPLY)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, httpx.AsyncClient(timeout=5) as client:
        port = server.sockets[0].getsockname()[1]
        signer = IdentitySigner("a secret of thirty-two bytes, at least", "orders")
        yield PeerClient(client, {"inventory": f"http://127.0.0.1:{port}"}, signer, "orders"), heard


async def test_a_command_is_sent_again_word_for_word_when_the_connection_broke() -> None:
    async with peer(breaks=TRIES - 1) as (peers, heard):
        assert await peers.execute("inventory", "mutation($key: String) { done }", {"key": "saga:1"}) == {"done": 1}
    assert len(heard) == TRIES
    assert len(set(heard)) == 1


async def test_after_so_many_tries_the_peer_has_failed() -> None:
    async with peer(breaks=TRIES) as (peers, heard):
        with pytest.raises(PeerFailed) as failed:
            await peers.execute("inventory", "mutation { done }")
    assert failed.value.peer == "inventory"
    assert len(heard) == TRIES
