"""Live views through the real transport: joining late, coming back by token, and going on under a new supergraph."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import OperationUnknown
from gateway.execution.executable import Executable
from gateway.execution.subscription import Subscribed, Subscriptions
from gateway.execution.transport import FetchContext
from gateway.plan import Fetch, OperationKind
from gateway.supergraph import Live
from tests.gateway.execution.bench import Bench, bench, plan_of
from tests.gateway.execution.test_subscription import API as PLAIN
from tests.gateway.execution.test_subscription import (
    DOCUMENT,
    NAMES,
    UPSTREAM,
    Source,
    Watcher,
    catalog,
    change,
    inventory,
    subscribed,
)
from tests.kit.fake_subgraphs import FakeSubgraph

API = """
type Query { x: Int }
type Subscription { stock(since: String): News }
type News { kind: String! items: [Level!]! since: String! }
type Level { sku: ID! left: Int! }
"""
LIVE = {"stock": Live(items="items", key="sku", kind="kind", resume="since")}
WATCH = "subscription($since: String) { stock(since: $since) { kind items { sku left } since } }"
STREAM = Fetch(
    id=0, subgraph="stock", kind=OperationKind.SUBSCRIPTION, document=WATCH, variables=("since",)
)  # fmt: skip


def stock(source: Source) -> FakeSubgraph:
    return FakeSubgraph("stock", API, {"Subscription.stock": source})


def news(kind: str, since: str, **levels: int) -> dict[str, Any]:
    return {"kind": kind, "since": since, "items": [{"sku": sku, "left": left} for sku, left in levels.items()]}


def prepared(on: Bench) -> Executable:
    return on.prepare(WATCH, plan_of(kind=OperationKind.SUBSCRIPTION, subscription=STREAM))


class Looker:
    """One who takes what comes, as (kind, levels)."""

    def __init__(self, on: Bench, among: Subscriptions, executable: Executable, since: str | None = None) -> None:
        self.follower = among.follow(subscribed(on, executable, variables={"since": since} if since else {}))

    async def next(self) -> Any:
        async with asyncio.timeout(10):
            response = await self.follower.take()
        if response is None or response.data is None:
            return response
        said = response.data["stock"]
        return said["kind"], {each["sku"]: each["left"] for each in said["items"]}


async def test_late_joiners_and_those_who_come_back_share_the_one_stream() -> None:
    source = Source()
    async with bench(API, stock(source), live=LIVE) as on:
        among, executable = Subscriptions(on.transport, on.settings), prepared(on)
        early = Looker(on, among, executable)
        await source.has(1)
        source.streams[0].put_nowait(news("SNAPSHOT", "t1", a=1, b=1))
        assert await early.next() == ("SNAPSHOT", {"a": 1, "b": 1})
        source.streams[0].put_nowait(news("DELTA", "t2", b=2))
        assert await early.next() == ("DELTA", {"b": 2})
        late, back = Looker(on, among, executable), Looker(on, among, executable, since="t1")
        assert await late.next() == ("SNAPSHOT", {"a": 1, "b": 2})
        assert await back.next() == ("DELTA", {"b": 2})
        assert len(source.streams) == 1
        for each in (early, late, back):
            each.follower.leave()


async def test_a_token_from_elsewhere_is_the_subgraphs_to_understand() -> None:
    source = Source()
    store = stock(source)
    async with bench(API, store, live=LIVE) as on:
        among, executable = Subscriptions(on.transport, on.settings), prepared(on)
        one, other = (Looker(on, among, executable, since="yesterday") for _ in range(2))
        await source.has(1)
        source.streams[0].put_nowait(news("DELTA", "t9", a=3))
        assert await one.next() == await other.next() == ("DELTA", {"a": 3})
        assert [each["variables"] for each in store.requests] == [{"since": "yesterday"}]
        one.follower.leave()
        other.follower.leave()


async def test_after_a_cut_the_stream_is_taken_up_where_it_was() -> None:
    source = Source()
    store = stock(source)
    async with bench(API, store, live=LIVE) as on:
        among = Subscriptions(on.transport, on.settings)
        looker = Looker(on, among, prepared(on))
        await source.has(1)
        source.streams[0].put_nowait(news("SNAPSHOT", "t1", a=1))
        assert await looker.next() == ("SNAPSHOT", {"a": 1})
        source.streams[0].put_nowait(ConnectionAbortedError())
        await source.has(2)
        source.streams[1].put_nowait(news("DELTA", "t2", a=2))
        assert await looker.next() == ("DELTA", {"a": 2})
        assert [each.get("variables") for each in store.requests] == [None, {"since": "t1"}]
        looker.follower.leave()


class Renewed:
    """What the subscription is under the supergraph that is served now."""

    def __init__(self) -> None:
        self.now: Callable[[], Subscribed] | None = None

    async def __call__(self) -> Subscribed:
        assert self.now is not None
        return self.now()


async def _begun(on: Bench, among: Subscriptions, source: Source, renew: Renewed) -> Watcher:
    """A watcher that has had its first event."""
    first = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
    watcher = Watcher.__new__(Watcher)
    watcher.responses = among.subscribe(subscribed(on, first, renew=renew))
    soon = watcher.soon()
    await source.has(1)
    source.send(3)
    assert (await soon).data == change(3)
    return watcher


async def test_under_a_new_supergraph_the_same_stream_goes_on_with_the_new_enrichment() -> None:
    source, renew = Source(), Renewed()
    async with bench(PLAIN, inventory(source), catalog()) as on:
        among = Subscriptions(on.transport, on.settings)
        watcher = await _begun(on, among, source, renew)
        bare = on.prepare(DOCUMENT, plan_of(kind=OperationKind.SUBSCRIPTION, subscription=UPSTREAM))
        renew.now = lambda: subscribed(on, bare, renew=renew)
        await among.renew()
        source.send(2)
        assert (await watcher.next()).data == {"change": {"left": 2, "product": {"name": None}}}
        assert len(source.streams) == 1
        await watcher.stop()


async def test_where_the_stream_itself_is_another_the_new_one_takes_over_with_its_first_event() -> None:
    source, renew = Source(), Renewed()
    store = inventory(source)
    async with bench(PLAIN, store, catalog()) as on:
        among = Subscriptions(on.transport, on.settings)
        watcher = await _begun(on, among, source, renew)
        changed = Fetch(
            id=0, subgraph="inventory", kind=OperationKind.SUBSCRIPTION,
            document="subscription { stock { product { __typename sku } atp } }",
        )  # fmt: skip
        other = on.prepare(DOCUMENT, plan_of(NAMES, kind=OperationKind.SUBSCRIPTION, subscription=changed))
        renew.now = lambda: subscribed(on, other, renew=renew)
        await among.renew()
        await source.has(2)
        source.send(4, stream=0)
        assert (await watcher.next()).data == change(4)
        source.send(5, stream=1)
        assert (await watcher.next()).data == change(5)
        async with asyncio.timeout(10):
            await store.stream_ended.wait()
        source.send(6, stream=1)
        assert (await watcher.next()).data == change(6)
        await watcher.stop()


async def test_what_the_new_supergraph_refuses_ends_with_the_reason() -> None:
    source, renew = Source(), Renewed()

    def refuse() -> Subscribed:
        raise OperationUnknown("It is gone.")

    async with bench(PLAIN, inventory(source), catalog()) as on:
        among = Subscriptions(on.transport, on.settings)
        watcher = await _begun(on, among, source, renew)
        renew.now = refuse
        await among.renew()
        last = await watcher.next()
        assert (last.has_data, last.errors[0]["message"]) == (False, "It is gone.")
        with pytest.raises(StopAsyncIteration):
            await watcher.next()


async def test_identities_share_nothing() -> None:
    source = Source()
    async with bench(API, stock(source), live=LIVE) as on:
        among, executable = Subscriptions(on.transport, on.settings), prepared(on)
        ada, bob = (among.follow(subscribed(on, executable, FetchContext(identity=who))) for who in ("ada", "bob"))
        await source.has(2)
        ada.leave()
        bob.leave()
