"""Incremental delivery on the wire: the slow subgraph answers only after the first part was read, in every protocol."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.config import Limits
from gateway.incremental import Dialect
from gateway.serving.http import EVENT_STREAM, GRAPHQL_RESPONSE, JSON, MULTIPART, accepted, dialect_of
from tests.kit.running_gateway import RunningGateway, running_gateway

QUERY = '{ thing(id: 1) { name ... @defer(label: "units") { units } } }'
LATER = ["multipart/mixed", "multipart/mixed;incrementalSpec=v0.2, application/json", "multipart/mixed, */*;q=0.1"]
OLDER = ["multipart/mixed;deferSpec=20220824", 'multipart/mixed; deferSpec="20220824", application/json']


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    async with running_gateway(sse_heartbeat_s=0.05) as running:
        yield running


class Parts:
    """Reads the parts of a multipart body as they come. Knows nothing of how they were written but RFC 2046."""

    def __init__(self, answer: httpx.Response) -> None:
        found = re.search('boundary="([^"]+)"', answer.headers["content-type"])
        assert found is not None
        self.delimiter = "--" + found[1]
        self.chunks = answer.aiter_text()
        self.text = ""

    async def next(self) -> dict[str, Any] | None:
        """The body of the next part as soon as it is known to be whole; None after the last."""
        while self.text.count(self.delimiter) < 2 and not self.text.startswith(self.delimiter + "--"):
            self.text += await anext(self.chunks)
        _, part, rest = self.text.split(self.delimiter, 2) if self.text.count(self.delimiter) > 1 else ("", "--", "")
        if part.startswith("--"):
            return None
        self.text = self.delimiter + rest
        head, _, body = part.partition("\r\n\r\n")
        assert "application/json" in head
        found: dict[str, Any] = json.loads(body)
        return found


class Events:
    """Reads the data of ``next`` events as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.aiter_lines()

    async def next(self) -> dict[str, Any] | None:
        async for line in self.lines:
            if line == "event: complete":
                return None
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line.removeprefix("data: "))
                return found
        raise AssertionError("the stream ended without complete")


@asynccontextmanager
async def asked(shop: RunningGateway, accept: str, query: str = QUERY) -> AsyncIterator[Parts | Events]:
    async with (
        asyncio.timeout(15),
        shop.http.stream("POST", "/graphql", json={"query": query}, headers={"accept": accept}) as answer,
    ):
        assert answer.status_code == 200
        is_multipart = answer.headers["content-type"].startswith("multipart/mixed")
        yield Parts(answer) if is_multipart else Events(answer)


@pytest.mark.parametrize("accept", [*LATER, "text/event-stream", "text/event-stream;incrementalSpec=v0.2"])
async def test_the_first_part_does_not_wait_for_what_is_pending(shop: RunningGateway, accept: str) -> None:
    shop.stock.released.clear()
    async with asked(shop, accept) as parts:
        assert await parts.next() == {
            "data": {"thing": {"name": "lamp"}},
            "pending": [{"id": "0", "path": ["thing"], "label": "units"}],
            "hasNext": True,
        }
        shop.stock.released.set()
        assert await parts.next() == {
            "incremental": [{"id": "0", "data": {"units": 10}}],
            "completed": [{"id": "0"}],
            "hasNext": False,
        }
        assert await parts.next() is None


@pytest.mark.parametrize("accept", [*OLDER, "text/event-stream;deferSpec=20220824"])
async def test_the_older_dialect_has_paths(shop: RunningGateway, accept: str) -> None:
    shop.stock.released.clear()
    async with asked(shop, accept) as parts:
        assert await parts.next() == {"data": {"thing": {"name": "lamp"}}, "hasNext": True}
        shop.stock.released.set()
        assert await parts.next() == {
            "incremental": [{"data": {"units": 10}, "path": ["thing"], "label": "units"}],
            "hasNext": False,
        }
        assert await parts.next() is None


@pytest.mark.parametrize("accept", ["multipart/mixed", "text/event-stream"])
async def test_the_first_items_do_not_wait_for_the_rest(shop: RunningGateway, accept: str) -> None:
    shop.stock.released.clear()
    async with asked(shop, accept, "{ things @stream(initialCount: 0) { name units } }") as parts:
        first = await parts.next()
        assert first == {"data": {"things": []}, "pending": [{"id": "0", "path": ["things"]}], "hasNext": True}
        shop.stock.released.set()
        second = await parts.next()
        assert second is not None
        lamp, chair = {"name": "lamp", "units": 10}, {"name": "chair", "units": 20}
        assert second["incremental"] == [{"id": "0", "items": [lamp, chair]}]
        assert await parts.next() is None


async def test_a_socket_has_a_message_a_payload(shop: RunningGateway) -> None:
    shop.stock.released.clear()
    url = f"ws://127.0.0.1:{shop.port}/graphql"
    protocols = [Subprotocol("graphql-transport-ws")]
    async with asyncio.timeout(15), connect(url, subprotocols=protocols, proxy=None) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": QUERY}}))
        first = json.loads(await socket.recv())
        assert first["payload"]["data"] == {"thing": {"name": "lamp"}}
        assert first["payload"]["hasNext"] is True
        shop.stock.released.set()
        second = json.loads(await socket.recv())
        assert (second["type"], second["payload"]["hasNext"]) == ("next", False)
        assert second["payload"]["incremental"] == [{"id": "0", "data": {"units": 10}}]
        assert json.loads(await socket.recv()) == {"type": "complete", "id": "1"}


@pytest.mark.parametrize("accept", ["application/json", GRAPHQL_RESPONSE, "*/*"])
async def test_who_takes_one_answer_gets_the_whole_in_it(shop: RunningGateway, accept: str) -> None:
    answer = await shop.post(QUERY, accept=accept)
    assert answer.json() == {"data": {"thing": {"name": "lamp", "units": 10}}}


async def test_with_nothing_deferred_the_answer_is_plain_if_that_is_accepted(shop: RunningGateway) -> None:
    answer = await shop.post("{ thing(id: 1) { name } }", accept="multipart/mixed, application/json")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json() == {"data": {"thing": {"name": "lamp"}}}


async def test_with_nothing_deferred_and_nothing_else_accepted_there_is_one_part(shop: RunningGateway) -> None:
    async with asked(shop, "multipart/mixed", "{ thing(id: 1) { name } }") as parts:
        assert await parts.next() == {"data": {"thing": {"name": "lamp"}}, "hasNext": False}
        assert await parts.next() is None


async def test_a_dead_subgraph_is_told_in_its_own_part(shop: RunningGateway) -> None:
    await shop.stock.stop()
    async with asked(shop, "multipart/mixed") as parts:
        first = await parts.next()
        assert first is not None
        assert "errors" not in first
        second = await parts.next()
        assert second is not None
        (part,) = second["incremental"]
        assert part["data"] == {"units": None}
        assert part["errors"][0]["path"] == ["thing", "units"]


def fetching() -> bool:
    """Whether fetches of an answer in parts are under way in this process."""
    return any("run_graph" in repr(each.get_coro()) for each in asyncio.all_tasks())


@pytest.mark.parametrize("accept", ["multipart/mixed", "text/event-stream"])
async def test_a_client_that_leaves_ends_the_fetches(shop: RunningGateway, accept: str) -> None:
    shop.stock.released.clear()
    async with asked(shop, accept) as parts:
        assert await parts.next() is not None
        assert fetching()
    async with asyncio.timeout(10):
        while fetching():
            await asyncio.sleep(0)


async def test_a_refusal_is_plain(shop: RunningGateway) -> None:
    answer = await shop.post("{ nothing ... @defer { thing(id: 1) { name } } }", accept="multipart/mixed")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith(GRAPHQL_RESPONSE)


async def test_too_many_deferred_fragments_are_refused() -> None:
    async with running_gateway(limits=Limits(deferred_max=1)) as shop:
        query = "{ thing(id: 1) { ... @defer { units } ... @defer { name } } }"
        answer = await shop.post(query, accept="multipart/mixed, application/json;q=0.5")
        assert answer.json()["errors"][0]["extensions"]["code"] == "MAX_DEFERRED_EXCEEDED"
        assert (await shop.post(query)).json() == {"data": {"thing": {"units": 10, "name": "lamp"}}}


async def test_the_schema_shows_the_directives_unless_they_are_off(shop: RunningGateway) -> None:
    query = "{ __schema { directives { name } } }"

    def names(answer: httpx.Response) -> set[str]:
        return {each["name"] for each in answer.json()["data"]["__schema"]["directives"]}

    assert {"defer", "stream"} <= names(await shop.post(query))
    async with running_gateway(incremental_delivery=False) as plain:
        assert not {"defer", "stream"} & names(await plain.post(query))
        refused = await plain.post(QUERY)
        assert refused.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(
    ("header", "media_type", "dialect"),
    [
        (None, GRAPHQL_RESPONSE, None),
        ("*/*", GRAPHQL_RESPONSE, None),
        ("application/json", JSON, None),
        ("application/json, multipart/mixed;q=0.5", JSON, None),
        ("application/json, multipart/mixed;q=0", JSON, None),
        ("multipart/mixed;subscriptionSpec=1.0, application/json", JSON, None),
        ("multipart/mixed;deferSpec=20220824, application/json", JSON, Dialect.PATHS),
        (
            "multipart/mixed;q=0.5;deferSpec=20220824, multipart/mixed, application/json;q=0.1",
            MULTIPART,
            Dialect.PENDING,
        ),
        ("multipart/mixed", MULTIPART, Dialect.PENDING),
        ("text/event-stream", EVENT_STREAM, Dialect.PENDING),
        ("text/*", EVENT_STREAM, Dialect.PENDING),
        ("text/event-stream;deferSpec=20220824", EVENT_STREAM, Dialect.PATHS),
    ],
)
def test_the_dialect_is_the_one_that_is_asked_for(header: str | None, media_type: str, dialect: Dialect | None) -> None:
    assert accepted(header) == media_type
    assert dialect_of(header, media_type) is dialect
