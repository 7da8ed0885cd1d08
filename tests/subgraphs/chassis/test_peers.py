"""Commands to another service whose connections break, or which answers late or with something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import httpx
import pytest

from subgraphs.chassis.identity import IdentitySigner
from subgraphs.chassis.peers import TRIES, PeerClient, PeerFailed
from tests.kit.raw_server import Handler, RawServer, raw_server, reply, saying

GOOD = reply(b'{"data":{"done":1}}')


@asynccontextmanager
async def peer(handler: Handler, timeout_s: float = 5.0) -> AsyncIterator[tuple[PeerClient, RawServer]]:
    """A client of a service that answers each command as the handler does."""
    async with raw_server(handler) as raw, httpx.AsyncClient() as client:
        signer = IdentitySigner("a secret of thirty-two bytes, at least", "orders")
        url = f"http://127.0.0.1:{raw.port}"
        with closing(PeerClient(client, {"inventory": url}, signer, "orders", timeout_s=timeout_s)) as peers:
            yield peers, raw


def breaking(breaks: int) -> Handler:
    """Breaks off its first so many connections after it has heard the command."""
    left = [None] * breaks

    async def handle(_: bytes, writer: asyncio.StreamWriter) -> None:
        if left:
            left.pop()
            writer.close()
        else:
            writer.write(GOOD)

    return handle


async def test_a_command_is_sent_again_word_for_word_when_the_connection_broke() -> None:
    async with peer(breaking(TRIES - 1)) as (peers, raw):
        assert await peers.execute("inventory", "mutation($key: String) { done }", {"key": "saga:1"}) == {"done": 1}
    assert len(raw.requests) == TRIES
    assert len(set(raw.requests)) == 1


async def test_after_so_many_tries_the_peer_has_failed() -> None:
    async with peer(breaking(TRIES)) as (peers, raw):
        with pytest.raises(PeerFailed) as failed:
            await peers.execute("inventory", "mutation { done }")
    assert failed.value.peer == "inventory"
    assert len(raw.requests) == TRIES


async def test_one_connection_serves_one_command_after_the_other() -> None:
    async with peer(saying(GOOD)) as (peers, raw):
        for _ in range(3):
            await peers.execute("inventory", "mutation { done }")
    assert (len(raw.requests), raw.connections) == (3, 1)


async def test_a_peer_that_is_late_is_not_asked_again() -> None:
    async def never(_: bytes, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with peer(never, timeout_s=0.05) as (peers, raw):
        with pytest.raises(PeerFailed, match=r"within 0\.05 s"):
            await peers.execute("inventory", "mutation { done }")
    assert len(raw.requests) == 1


async def test_an_answer_that_is_no_json_tells_its_status() -> None:
    lost = reply(b"lost", status="502 Bad Gateway", media_type="text/plain")
    async with peer(saying(lost)) as (peers, _):
        with pytest.raises(PeerFailed, match="status 502, no JSON"):
            await peers.execute("inventory", "mutation { done }")


async def test_nobody_waits_for_a_peer_once_the_client_is_closed() -> None:
    async def never(_: bytes, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with peer(never) as (peers, raw):
        asked = asyncio.ensure_future(peers.execute("inventory", "mutation { done }"))
        await raw.arrived.wait()
        peers.close()
        with pytest.raises(PeerFailed):
            await asked
