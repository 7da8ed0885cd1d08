"""A subgraph killed with kill -9 takes only its own part of the page; started again, the page heals by itself."""

import asyncio

import pytest

from gateway.local.client import HouseClient
from tests.kit import shop
from tests.kit.running_house import CONTEXT, WHERE, RunningHouse

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]


@pytest.mark.parametrize("victim", ["loyalty", "customers", "orders", "inventory"])
async def test_the_rest_of_the_page_stays_and_the_page_heals(
    client: HouseClient, house: RunningHouse, victim: str
) -> None:
    handle = (await shop.some_variant(client, skip=8))["product"]["handle"]
    document = client.document("product_page")
    variables = {"handle": handle, "price": CONTEXT, "where": WHERE, "signedIn": False}
    whole = await client.data(document, variables)
    house.call(house.house.kill(victim))
    try:
        answers = [await client.ask(document, variables) for _ in range(3)]
        for answer in answers:
            product = answer["data"]["product"]
            assert product["title"] == whole["product"]["title"]
            assert product["variants"]["edges"][0]["node"]["price"] is not None
        if victim != "orders":  # a page for somebody who is not signed in asks orders nothing
            assert all(answer.get("errors") for answer in answers)
    finally:
        house.call(house.house.revive(victim))
    async with asyncio.timeout(20):
        while (await client.ask(document, variables)).get("errors"):
            pass
