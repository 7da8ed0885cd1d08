"""Subscriptions through the real transport: sharing, enrichment, slow subscribers, cuts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from graphql import build_schema, parse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gateway.exchange import GraphQLResponse
from gateway.execution.executable import Executable
from gateway.execution.subscription import Subscribed, Subscriptions
from gateway.execution.transport import FetchContext
from gateway.plan import Fetch, OperationKind
from tests.gateway.execution.bench import Bench, bench, entity_fetch, plan_of, representation
from tests.kit.fake_subgraphs import FakeSubgraph, listening

pytestmark = pytest.mark.usefixtures("way")

API = """
type Query { x: Int }
type Subscription { stock(of: ID): Level }
type Level { atp: Int! product: Product }
type Product { sku: ID! name: String }
"""
DOCUMENT = "subscription { change: stock { left: atp product { name } } }"
UPSTREAM = Fetch(
    id=0,
    subgraph="inventory",
    kind=OperationKind.SUBSCRIPTION,
    document="subscription { stock { atp product { __typename sku } } }",
)
NAMES = entity_fetch(
    1, "catalog", ("stock", "product"), "... on Product { name }", representation("Product", "sku"), depends_on=()
)


class Source:
    """Events that a test sends by hand, to each stream that is open."""

    def __init__(self) -> None:
        self.streams: list[asyncio.Queue[Any]] = []
        self.opened = asyncio.Event()

    async def __call__(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.streams.append(queue)
        self.opened.set()
        while (event := await queue.get()) is not None:
            if isinstance(event, ConnectionAbortedError):
                raise event
            yield event

    def send(self, atp: int, stream: int = -1) -> None:
        self.streams[stream].put_nowait({"atp": atp, "product": {"sku": "a"}})

    def complete(self) -> None:
        for queue in self.streams:
            queue.put_nowait(None)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.streams) < count:
                self.opened.clear()
                await self.opened.wait()


def inventory(source: Source) -> FakeSubgraph:
    return FakeSubgraph(
        "inventory",
        'type Query { x: Int } type Subscription { stock(of: ID): Level } type Level { atp: Int! product: Product } type Product @key(fields: "sku") { sku: ID! }',
        {"Subscription.stock": source},
        {"Product": lambda given: {}},
    )


def catalog() -> FakeSubgraph:
    return FakeSubgraph(
        "catalog",
        'type Product @key(fields: "sku") { sku: ID! name: String }',
        {},
        {"Product": lambda given: {"name": "Anvil"}},
    )


def subscribed(on: Bench, executable: Executable, context: FetchContext | None = None, **given: Any) -> Subscribed:
    return Subscribed(
        executor=on.executor,
        executable=executable,
        context=context or FetchContext(),
        **{"variables": {}, **given},
    )


class Watcher:
    """One subscriber that takes responses as the test asks for them."""

    def __init__(self, on: Bench, subscriptions: Subscriptions, executable: Executable, context: FetchContext) -> None:
        self.responses = subscriptions.subscribe(subscribed(on, executable, context))

    async def next(self) -> GraphQLResponse:
        async with asyncio.timeout(10):
            return await anext(self.responses)

    def soon(self) -> asyncio.Task[GraphQLResponse]:
        """Starts to wait for the first event: a subscription begins when somebody listens."""
        return asyncio.create_task(self.next())

    async def stop(self) -> None:
        await self.responses.aclose()


def change(atp: int) -> dict[str, Any]:
    return {"change": {"left": atp, "product": {"name": "Anvil"}}}


async def test_an_event_is_enriched_by_the_rest_of_the_plan() -> None:
    source = Source()
    async with bench(API, inventory(source), catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        watcher = Watcher(on, subscriptions, executable, FetchContext())
        first = watcher.soon()
        await source.has(1)
        source.send(3)
        assert (await first).data == change(3)
        source.send(2)
        assert (await watcher.next()).data == change(2)
        source.complete()
        with pytest.raises(StopAsyncIteration):
            await watcher.next()


async def test_equal_subscriptions_share_the_stream_and_its_enrichment_and_others_do_not() -> None:
    source, names = Source(), catalog()
    async with bench(API, inventory(source), names) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        ada = [Watcher(on, subscriptions, executable, FetchContext(identity="ada")) for _ in range(3)]
        firsts = [each.soon() for each in ada]
        await source.has(1)
        bob = Watcher(on, subscriptions, executable, FetchContext(identity="bob"))
        bobs = bob.soon()
        await source.has(2)
        source.send(5, stream=0)
        assert [(await each).data for each in firsts] == [change(5)] * 3
        assert len(names.requests) == 1
        source.send(6, stream=1)
        assert (await bobs).data == change(6)
        assert len(source.streams) == 2
        for each in (*ada, bob):
            await each.stop()


async def test_who_comes_after_the_first_event_gets_a_stream_from_its_beginning() -> None:
    source = Source()
    async with bench(API, inventory(source), catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        early = Watcher(on, subscriptions, executable, FetchContext())
        first = early.soon()
        await source.has(1)
        source.send(9)
        await first
        late = Watcher(on, subscriptions, executable, FetchContext())
        snapshot = late.soon()
        await source.has(2)
        source.send(8, stream=1)
        assert (await snapshot).data == change(8)
        await early.stop()
        await late.stop()


async def test_where_events_stand_on_their_own_a_late_joiner_shares_the_stream() -> None:
    source = Source()
    async with bench(API, inventory(source), catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings.model_copy(update={"subscription_join": "any"}))
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        early, late = (Watcher(on, subscriptions, executable, FetchContext()) for _ in range(2))
        first = early.soon()
        await source.has(1)
        source.send(9)
        assert (await first).data == change(9)
        both = [early.soon(), late.soon()]
        # Both are listening once each has had its turn.
        await asyncio.sleep(0)
        source.send(8)
        assert [(await each).data for each in both] == [change(8)] * 2
        assert len(source.streams) == 1
        await early.stop()
        await late.stop()


async def test_the_upstream_is_closed_when_the_last_subscriber_leaves() -> None:
    source = Source()
    store = inventory(source)
    async with bench(API, store, catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        one, other = (Watcher(on, subscriptions, executable, FetchContext()) for _ in range(2))
        firsts = [one.soon(), other.soon()]
        await source.has(1)
        source.send(1)
        await asyncio.gather(*firsts)
        await one.stop()
        assert store.streams_open == 1
        await other.stop()
        async with asyncio.timeout(10):
            await store.stream_ended.wait()
        assert store.streams_open == 0


async def test_a_slow_subscriber_keeps_the_newest_events_and_is_told_what_it_missed() -> None:
    source = Source()
    async with bench(API, inventory(source), catalog(), subscription_queue_max=2) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        slow = Watcher(on, subscriptions, executable, FetchContext())
        quick = Watcher(on, subscriptions, executable, FetchContext())
        firsts = [slow.soon(), quick.soon()]
        await source.has(1)
        for number in range(6):
            source.send(number)
            if number:
                assert (await quick.next()).data == change(number)
            else:
                await asyncio.gather(*firsts)
        late = await slow.next()
        assert late.data == change(4)
        assert late.extensions == {"gap": {"dropped": 3}}
        newest = await slow.next()
        assert (newest.data, newest.extensions) == (change(5), {})
        await slow.stop()
        await quick.stop()


async def test_an_error_in_the_enrichment_of_one_event_leaves_the_stream_alive() -> None:
    source, names = Source(), catalog()
    failures = iter([ValueError("moved"), None])
    names.entities = {"Product": lambda given: next(failures) or {"name": "Anvil"}}
    async with bench(API, inventory(source), names) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        watcher = Watcher(on, subscriptions, executable, FetchContext())
        first = watcher.soon()
        await source.has(1)
        source.send(1)
        broken = await first
        assert broken.data == {"change": {"left": 1, "product": {"name": None}}}
        assert [each["path"] for each in broken.errors] == [["change", "product", "name"]]
        source.send(2)
        assert (await watcher.next()).data == change(2)
        await watcher.stop()


async def test_a_refused_subscription_is_one_response_with_the_subgraphs_errors() -> None:
    store = inventory(Source())

    async def refuse(_: Request) -> Response:
        return JSONResponse({"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]}, status_code=403)

    store.behaviour = refuse
    async with bench(API, store, catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        async with aclosing(subscriptions.subscribe(subscribed(on, executable))) as responses:
            found = [each async for each in responses]
    assert [each.data for each in found] == [{"change": None}]
    assert found[0].errors[0]["extensions"]["code"] == "FORBIDDEN"
    assert found[0].errors[0]["path"] == ["change"]


async def test_a_cut_stream_is_asked_for_until_the_subgraph_has_started_up() -> None:
    source = Source()
    store = inventory(source)
    refusals = iter(
        [PlainTextResponse("starting", status_code=503), JSONResponse({"detail": "starting"}, status_code=503)]
    )

    async def starting(_: Request) -> Response | None:
        return next(refusals, None)

    async with bench(API, store, catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        watcher = Watcher(on, subscriptions, executable, FetchContext())
        first = watcher.soon()
        await source.has(1)
        source.send(1)
        await first
        store.behaviour = starting
        # Without a "complete" the stream was cut, however politely the connection was closed.
        source.streams[0].put_nowait(ConnectionAbortedError())
        following = watcher.soon()
        await source.has(2)
        source.send(2)
        assert (await following).data == change(2)
        assert next(refusals, None) is None
        await watcher.stop()


async def test_a_subgraph_that_is_not_there_is_an_error_at_once() -> None:
    store = inventory(Source())
    async with bench(API, catalog()) as on:
        store.url = "http://127.0.0.1:1/graphql"
        other = Bench(API, [store], on.settings)
        subscriptions = Subscriptions(other.transport, on.settings)
        executable = other.prepare(DOCUMENT, plan_of(kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        found = [each async for each in subscriptions.subscribe(subscribed(other, executable))]
        await other.transport.aclose()
    assert [(each.has_data, each.errors[0]["extensions"]["code"]) for each in found] == [
        (False, "SUBGRAPH_UNREACHABLE")
    ]


async def test_a_stream_that_was_cut_is_taken_up_again_and_the_gap_is_told() -> None:
    source = Source()
    store = inventory(source)
    settings_bench = bench(API, catalog())
    async with settings_bench as on:
        async with listening(store.app()) as base:
            port = int(base.rpartition(":")[2])
            store.url = f"{base}/graphql"
            other = Bench(API, [store], on.settings)
            other.executor.addresses.update(on.executor.addresses)
            subscriptions = Subscriptions(other.transport, on.settings)
            executable = other.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
            watcher = Watcher(other, subscriptions, executable, FetchContext())
            first = watcher.soon()
            await source.has(1)
            source.send(1)
            assert (await first).data == change(1)
            following = watcher.soon()
        async with listening(store.app(), port=port):
            await source.has(2)
            source.send(2)
            again = await following
            assert again.data == change(2)
            assert again.extensions == {"gap": {"dropped": 0, "reconnected": True}}
            await watcher.stop()
        await other.transport.aclose()


async def test_closing_all_subscriptions_ends_each_plainly() -> None:
    source = Source()
    async with bench(API, inventory(source), catalog()) as on:
        subscriptions = Subscriptions(on.transport, on.settings)
        executable = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        watcher = Watcher(on, subscriptions, executable, FetchContext())
        first = watcher.soon()
        await source.has(1)
        await subscriptions.aclose()
        with pytest.raises((StopAsyncIteration, RuntimeError)):
            await first


def socket_subgraph(received: list[Any], plain: Response | None = None) -> Starlette:
    """Streams over a socket, and answers a POST with ``plain``."""
    schema = build_schema("type Query { x: Int } type Subscription { stock: Int }")

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept("graphql-transport-ws")
        assert (await socket.receive_json())["type"] == "connection_init"
        await socket.send_json({"type": "ping"})
        assert (await socket.receive_json())["type"] == "pong"
        await socket.send_json({"type": "connection_ack"})
        message = await socket.receive_json()
        received.append((message, socket.headers.get("x-who")))
        parse(message["payload"]["query"])
        assert schema.subscription_type is not None
        for atp in itertools.islice(itertools.count(1), 2):
            await socket.send_json({"id": message["id"], "type": "next", "payload": {"data": {"stock": {"atp": atp}}}})
        await socket.send_json({"id": message["id"], "type": "complete"})
        await socket.close()

    async def post(request: Request) -> Response:
        received.append(request.headers["accept"])
        return plain or JSONResponse({})

    return Starlette(
        routes=[WebSocketRoute("/graphql", endpoint), Route("/graphql", post, methods=["POST"])],
    )


async def everything(url: str, streams: str | None) -> list[GraphQLResponse]:
    """What a stock subscription gets from this subgraph, asked twice by one gateway."""
    async with bench(API) as on:
        settings = on.settings.model_copy(update={"subgraph_streams": {"inventory": streams} if streams else {}})
        other = Bench(API, [FakeSubgraph("inventory", "type Query { x: Int }", url=url)], settings)
        plan = plan_of(kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM)
        executable = other.prepare("subscription { stock { atp } }", plan)
        subscriptions = Subscriptions(other.transport, settings)
        return [each for _ in range(2) async for each in subscriptions.subscribe(subscribed(other, executable))]


TWO = [{"stock": {"atp": 1}}, {"stock": {"atp": 2}}]


@pytest.mark.parametrize(
    "plain",
    [
        JSONResponse({"data": {"stock": None}}),
        JSONResponse({"errors": [{"message": "no subscriptions over HTTP"}]}, 400),
        PlainTextResponse("not acceptable", 406),
        PlainTextResponse("", 404),
    ],
    ids=["json", "refused", "not acceptable", "not found"],
)
async def test_a_subgraph_without_sse_is_asked_over_a_socket_and_at_once_the_next_time(plain: Response) -> None:
    received: list[Any] = []
    async with listening(socket_subgraph(received, plain)) as base:
        found = await everything(f"{base}/graphql", None)
    assert [each.data for each in found] == TWO + TWO
    assert not any(each.errors for each in found)
    assert [one for one in received if isinstance(one, str)] == ["text/event-stream"]


async def test_where_neither_way_opens_the_plain_answer_says_why() -> None:
    async def post(_: Request) -> Response:
        return JSONResponse({"errors": [{"message": "not for you", "extensions": {"code": "FORBIDDEN"}}]}, 403)

    async with listening(Starlette(routes=[Route("/graphql", post, methods=["POST"])])) as base:
        found = await everything(f"{base}/graphql", None)
    assert [each.errors[0]["extensions"]["code"] for each in found] == ["FORBIDDEN"] * 2


async def test_a_subgraphs_socket_may_have_a_url_of_its_own() -> None:
    received: list[Any] = []
    async with listening(socket_subgraph(received)) as base:
        found = await everything("http://127.0.0.1:9/graphql", f"ws{base.removeprefix('http')}/graphql")
    assert [each.data for each in found] == TWO + TWO


async def test_a_subgraph_held_to_sse_is_not_asked_over_a_socket() -> None:
    received: list[Any] = []
    async with listening(socket_subgraph(received, JSONResponse({"data": {"stock": {"atp": 9}}}))) as base:
        found = await everything(f"{base}/graphql", "sse")
    assert [each.data for each in found] == [{"stock": {"atp": 9}}] * 2
    assert received == ["text/event-stream"] * 2


async def test_a_subgraph_may_serve_its_events_over_a_websocket() -> None:
    received: list[Any] = []
    async with listening(socket_subgraph(received)) as base, bench(API) as on:
        settings = on.settings.model_copy(update={"subgraph_streams": {"inventory": "websocket"}})
        store = FakeSubgraph("inventory", "type Query { x: Int }", url=f"{base}/graphql")
        other = Bench(API, [store], settings)
        executable = other.prepare(
            "subscription { stock { atp } }", plan_of(kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM)
        )
        subscriptions = Subscriptions(other.transport, settings)
        context = FetchContext(headers=lambda: {"x-who": "ada"})
        found = [each.data async for each in subscriptions.subscribe(subscribed(other, executable, context))]
    assert found == [{"stock": {"atp": 1}}, {"stock": {"atp": 2}}]
    message, who = received[0]
    assert message["payload"] == {"query": UPSTREAM.document}
    assert who == "ada"
