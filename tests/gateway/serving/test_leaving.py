"""Clients that leave before they have their answer: what is done for a query ends, what a mutation began is finished."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.config import Limits
from tests.kit.running_gateway import RunningGateway, running_gateway

QUERY = '{ thing(id: "1") { name units } }'
ACCEPTED = ["application/graphql-response+json", "multipart/mixed, application/json", "text/event-stream"]


@pytest.fixture
async def shop() -> AsyncIterator[RunningGateway]:
    async with running_gateway() as running:
        yield running


async def counted(shop: RunningGateway, kind: str, outcome: str) -> float:
    """How many operations ended like this so far."""
    line = f'galleria_operations_total{{kind="{kind}",outcome="{outcome}"}} '
    text = (await shop.http.get("/metrics")).text
    return sum(float(each.removeprefix(line)) for each in text.splitlines() if each.startswith(line))


async def leave_while_asked(shop: RunningGateway, query: str, accept: str = ACCEPTED[0]) -> None:
    """A client that is gone while the first subgraph still thinks."""
    shop.things.released.clear()
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False) as client:
        asking = asyncio.ensure_future(client.post("/graphql", json={"query": query}, headers={"accept": accept}))
        while not shop.things.asked:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})


@pytest.mark.parametrize("accept", ACCEPTED)
async def test_a_query_ends_when_its_client_leaves_and_asks_nobody_else(shop: RunningGateway, accept: str) -> None:
    before = await counted(shop, "query", "left")
    async with asyncio.timeout(10):
        await leave_while_asked(shop, QUERY, accept)
        while await counted(shop, "query", "left") == before:
            pass
    shop.things.released.set()
    assert (await shop.post('{ thing(id: "2") { name } }')).json() == {"data": {"thing": {"name": "chair"}}}
    assert shop.stock.asked == []


async def test_nothing_is_left_of_clients_that_left(shop: RunningGateway) -> None:
    await shop.post(QUERY)
    shop.things.asked.clear()
    before, tasks = await counted(shop, "query", "left"), len(asyncio.all_tasks())
    async with asyncio.timeout(10):
        for number in range(5):
            await leave_while_asked(shop, f'{{ thing(id: "{number}") {{ name units }} }}')
            shop.things.asked.clear()
        while await counted(shop, "query", "left") < before + 5:
            pass
        # The subgraph's own five are still at it, until they are let go.
        shop.things.released.set()
        while len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0)


async def test_a_mutation_goes_on_to_its_last_field_though_its_client_has_left(shop: RunningGateway) -> None:
    before = await counted(shop, "mutation", "whole")
    async with asyncio.timeout(10):
        await leave_while_asked(
            shop, 'mutation { rename(id: "1", name: "x") { units } b: rename(id: "2", name: "y") { id } }'
        )
        shop.things.released.set()
        while await counted(shop, "mutation", "whole") == before:
            pass
    assert len(shop.things.asked) == 2
    assert len(shop.stock.asked) == 1


async def test_who_stays_is_answered_in_time_though_a_subgraph_hangs() -> None:
    async with running_gateway(limits=Limits(request_ms_max=300)) as shop:
        shop.stock.released.clear()
        async with asyncio.timeout(5):
            answer = (await shop.post(QUERY)).json()
    assert answer["data"] == {"thing": {"name": "lamp", "units": None}}
    assert [each["extensions"]["code"] for each in answer["errors"]] == ["SUBGRAPH_TIMEOUT"]
