"""Equal requests at the same time: what is asked once for several, and what never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.serving.test_identity import settings, token
from tests.kit.running_gateway import RunningGateway, running_gateway

QUERY = "query ($id: ID!) { thing(id: $id) { name units } }"
DEADLINE_S = 10


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """It shares answers; fetches go out one by one, so that what is asked tells how often the query was executed."""
    async with running_gateway(**settings(tmp_path), share_answers=True, share_fetches=False) as running:
        yield running


async def at_once(shop: RunningGateway, *requests: tuple[str, dict[str, Any], dict[str, str]]) -> list[Any]:
    """The answers to requests that are all under way before the first subgraph answers."""
    shop.things.released.clear()
    asking = [asyncio.ensure_future(shop.post(query, variables, **headers)) for query, variables, headers in requests]
    for _ in requests:
        # By then the others have come as far: the gateway has answered something they were sent before.
        await shop.http.get("/health")
    async with asyncio.timeout(DEADLINE_S):
        while not shop.things.asked:
            await asyncio.sleep(0)
    shop.things.released.set()
    return [answer.json() for answer in await asyncio.gather(*asking)]


LAMP = {"data": {"thing": {"name": "lamp", "units": 10}}}


async def test_equal_queries_are_executed_once(shop: RunningGateway) -> None:
    answers = await at_once(shop, *[(QUERY, {"id": "1"}, {})] * 5)
    assert answers == [LAMP] * 5
    assert (len(shop.things.asked), len(shop.stock.asked)) == (1, 1)
    await shop.post(QUERY, {"id": "1"})
    assert len(shop.things.asked) == 2


async def test_only_by_choice(tmp_path: Path) -> None:
    async with running_gateway(**settings(tmp_path), share_fetches=False) as shop:
        assert await at_once(shop, *[(QUERY, {"id": "1"}, {})] * 3) == [LAMP] * 3
        assert len(shop.things.asked) == 3


@pytest.mark.parametrize(
    ("query", "variables", "headers"),
    [
        (QUERY, {"id": "2"}, {}),
        (QUERY.replace("name units", "units name"), {"id": "1"}, {}),
        (QUERY, {"id": "1"}, {"x_uc_currency": "eur"}),
    ],
    ids=["other variables", "another query", "elsewhere"],
)
async def test_what_may_have_another_answer_is_executed_apart(
    shop: RunningGateway, query: str, variables: dict[str, Any], headers: dict[str, str]
) -> None:
    await at_once(shop, (QUERY, {"id": "1"}, {}), (query, variables, headers))
    assert len(shop.things.asked) == 2


async def test_nothing_is_shared_with_or_between_those_who_are_signed_in(shop: RunningGateway) -> None:
    ann, bob = await token(shop), await token(shop, sub="bob")
    every = [(QUERY, {"id": "1"}, headers) for headers in (ann, ann, bob, {})]
    assert await at_once(shop, *every) == [LAMP] * 4
    assert len(shop.things.asked) == 4


async def test_mutations_are_each_executed(shop: RunningGateway) -> None:
    rename = 'mutation { rename(id: "1", name: "light") { name } }'
    assert await at_once(shop, *[(rename, {}, {})] * 3) == [{"data": {"rename": {"name": "light"}}}] * 3
    assert len(shop.things.asked) == 3


async def test_who_leaves_takes_nothing_from_the_others(shop: RunningGateway) -> None:
    shop.things.released.clear()
    body = {"query": QUERY, "variables": {"id": "1"}}
    async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient(base_url=shop.url, trust_env=False) as client:
        first = asyncio.ensure_future(client.post("/graphql", json=body))
        while not shop.things.asked:
            await asyncio.sleep(0)
        second = asyncio.ensure_future(shop.post(QUERY, {"id": "1"}))
        await shop.http.get("/health")
        first.cancel()
        await asyncio.wait({first})
        await shop.http.get("/health")
        shop.things.released.set()
        assert (await second).json() == LAMP
    assert len(shop.things.asked) == 1


async def test_when_all_have_left_the_work_ends_and_the_next_begins_anew(shop: RunningGateway) -> None:
    shop.things.released.clear()
    body = {"query": QUERY, "variables": {"id": "1"}}
    under_way = shop.gateway.pipeline._under_way
    async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient(base_url=shop.url, trust_env=False) as client:
        asking = [asyncio.ensure_future(client.post("/graphql", json=body)) for _ in range(2)]
        while not shop.things.asked:
            await asyncio.sleep(0)
        for each in asking:
            each.cancel()
        await asyncio.wait(asking)
        while len(under_way):
            await asyncio.sleep(0)
        shop.things.released.set()
        assert (await shop.post(QUERY, {"id": "1"})).json() == LAMP
    assert len(shop.stock.asked) == 1
