"""The stream of levels that run low: what is low at the start, then every crossing, in either direction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from subgraphs.chassis.mongo import Database
from subgraphs.chassis.outbox import EventHub, Outbox, Relay
from subgraphs.chassis.supervision import Supervisor
from subgraphs.inventory import store
from subgraphs.inventory.service.inventory import Inventory
from subgraphs.inventory.service.low_stock import LowStock, LowStockNews
from subgraphs.kernel.clock import FixedClock
from subgraphs.kernel.errors import InvalidInput
from subgraphs.kernel.pages import CursorCodec
from tests.subgraphs.inventory.stockroom import S1, S2, SECRET, STAFF, furnish, instance


class Watched:
    """A stockroom whose facts are numbered and published."""

    def __init__(self, services: Inventory, watching: LowStock) -> None:
        self.services = services
        self.watching = watching
        self._changes = 0

    async def adjust(self, sku: str, delta: int) -> None:
        self._changes += 1
        await self.services.adjust(
            STAFF, location_id=S1.id, sku=sku, delta=delta, reason="r", expected_version=None,
            key=str(self._changes), arguments={"n": self._changes},
        )  # fmt: skip


@pytest.fixture
async def watched(database: Database, clock: FixedClock) -> AsyncIterator[Watched]:
    await furnish(database, {("A", S1): 10, ("B", S1): 2, ("C", S2): 1})
    box = Outbox(database, "inventory", clock)
    hub = EventHub(box)
    relay = Relay(box, hub, clock)
    watching = LowStock(store.Store(database), hub, CursorCodec(SECRET), clock)
    async with instance(database, clock) as services, Supervisor() as jobs:
        jobs.start("relay", relay.run)
        jobs.start("hub", hub.run)
        yield Watched(services, watching)


async def some(news: AsyncIterator[LowStockNews], count: int) -> list[tuple[str, str | None, int | None]]:
    """The next events, whatever the time; that it was quiet for a while (on a busy machine) is none."""
    found: list[LowStockNews] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            told = await anext(news)
            if told.kind != "HEARTBEAT":
                found.append(told)
    return [(each.kind, each.level and each.level.sku, each.level and each.level.free) for each in found]


async def test_what_is_low_is_told_then_every_crossing(watched: Watched) -> None:
    news = watched.watching.watch([S1.id], 3)
    assert await some(news, 1) == [("SNAPSHOT", "B", 2)]
    for delta in (-6, -1, -1, -1, 5):
        await watched.adjust("A", delta)
    await watched.adjust("B", 9)
    # The levels are told as they are when they are looked at; which of them crossed is exact.
    assert [(kind, sku) for kind, sku, _ in await some(news, 3)] == [("DELTA", "A"), ("DELTA", "A"), ("DELTA", "B")]


async def test_a_stream_is_taken_up_where_it_was_and_a_token_is_good_for_its_own_alone(watched: Watched) -> None:
    news = watched.watching.watch([], 3)
    async with asyncio.timeout(20):
        first = await anext(news)
    assert await some(watched.watching.watch([], 3), 2) == [("SNAPSHOT", "B", 2), ("SNAPSHOT", "C", 1)]
    await watched.adjust("A", -8)
    again = watched.watching.watch([], 3, first.resume_token)
    assert (await some(again, 1))[0][:2] == ("DELTA", "A")
    with pytest.raises(InvalidInput, match="token"):
        await anext(watched.watching.watch([S1.id], 3, first.resume_token))
    with pytest.raises(InvalidInput, match="threshold"):
        await anext(watched.watching.watch([], -1))
